/* `queue`: the experiments that wait, run and ran, and the workers that run them behind the scenes. */
#include "cmd.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "expqueue.h"
#include "exprun_cli.h"
#include "fs.h"
#include "opt.h"
#include "path.h"
#include "proc.h"
#include "session.h"
#include "table.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RUNNING (1u << EXPTASK_RUNNING)
#define QUEUED (1u << EXPTASK_QUEUED)
#define DONE (1u << EXPTASK_SUCCESS | 1u << EXPTASK_FAILED)

/* What every subcommand begins with. False: over, with *code. */
static bool begin(const struct opt_spec *spec, int argc, char **argv, struct opt_list *args,
                  struct session *s, int *code)
{
    struct err e = ERR_INIT;
    if (!session_options(spec, argc, argv, args, 254, code)) {
        return false;
    }
    if (session_open(s, SESSION_REPO, false, &e) < 0) {
        *code = session_fail(&e, 255);
        opt_list_release(args);
        return false;
    }
    return true;
}

static int end(struct session *s, struct opt_list *args, int rc, const struct err *e)
{
    session_close(s);
    opt_list_release(args);
    return rc == 0 ? 0 : session_fail(e, 255);
}

/* DVC's words: "'a; b' are not valid experiment names". */
static int refuse_names(const char *names, size_t count, const char *what, struct err *e)
{
    return count > 1 ? err_set(e, ERR_USAGE, "'%s' are not valid %ss", names, what)
                     : err_set(e, ERR_USAGE, "'%s' is not a valid %s", names, what);
}

/* The tasks of these names in these states. */
static int find_all(struct session *s, const struct expqueue_list *l, const struct opt_list *names,
                    unsigned states, const char *what, const struct exptask ***tasks, struct err *e)
{
    struct strbuf missing;
    strbuf_init(&missing);
    size_t missed = 0;
    *tasks = ARENA_ARRAY(&s->arena, names->count + 1, const struct exptask *);
    for (size_t i = 0; i < names->count; i++) {
        (*tasks)[i] = expqueue_find(l, names->items[i], states);
        if ((*tasks)[i] == NULL) {
            strbuf_addf(&missing, "%s%s", missed++ > 0 ? "; " : "", names->items[i]);
        }
    }
    int rc = missed > 0 ? refuse_names(missing.p, missed, what, e) : 0;
    strbuf_release(&missing);
    return rc;
}

/* ---- status ---- */

/* "07:33 PM" today, "Nov 28, 2026" else, in local time. */
static const char *format_time(struct arena *a, int64_t ms)
{
    time_t then = (time_t)(ms / 1000), now = (time_t)(clock_wall_ms(&clock_system) / 1000);
    struct tm t, today;
    char text[32];
    if (localtime_r(&then, &t) == NULL || localtime_r(&now, &today) == NULL) {
        return "-";
    }
    bool same = t.tm_year == today.tm_year && t.tm_yday == today.tm_yday;
    strftime(text, sizeof text, same ? "%I:%M %p" : "%b %d, %Y", &t);
    return arena_strdup(a, text);
}

static void print_tasks(struct session *s, const struct expqueue_list *l)
{
    static const char *const names[] = {"Task", "Name", "Created", "Status"};
    struct table t;
    struct strbuf text;
    table_init(&t);
    strbuf_init(&text);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        table_column(&t, names[i]);
    }
    for (size_t i = 0; i < l->count; i++) {
        const struct exptask *x = &l->items[i];
        size_t row = table_row(&t);
        table_set(&t, row, 0, arena_strndup(&s->arena, x->rev, 7));
        table_set(&t, row, 1, x->name);
        table_set(&t, row, 2, format_time(&s->arena, x->created_ms));
        table_set(&t, row, 3, exptask_state_shown(x->state));
    }
    table_render(&t, true, false, &text);
    fputs(text.p, stdout);
    strbuf_release(&text);
    table_release(&t);
}

static int queue_status(int argc, char **argv)
{
    const struct opt options[] = {OPT_END};
    const struct opt_spec spec = {.usage = "nephron queue status",
                                  .about = "Shows the experiments of the queue and its workers.",
                                  .examples = "  nephron queue status",
                                  .options = options};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    struct expqueue_list l;
    size_t workers, active;
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    struct expqueue q = {&s.repo, &s.arena};
    int rc = expqueue_read(&q, &l, &e);
    if (rc == 0) {
        rc = expqueue_workers(&q, &workers, &active, &e);
    }
    if (rc == 0) {
        if (l.count > 0) {
            print_tasks(&s, &l);
        } else {
            printf("No experiment tasks in the queue.\n");
        }
        printf("\nWorker status: %zu active, %zu idle\n", active, workers - active);
    }
    return end(&s, &args, rc, &e);
}

/* ---- start, stop ---- */

/* A worker on its own: no terminal, no parent that waits; what it says goes to a log. */
static int spawn_worker(struct session *s, const char *program, long number, struct err *e)
{
    const char *log =
        arena_printf(&s->arena, "%s/exps/nephron/logs/worker-%ld.log", s->repo.tmp_dir, number);
    if (fs_mkdirs_for(log, e) < 0) {
        return -1;
    }
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (out < 0) {
        return err_sys(e, "cannot open the worker's log %s", log);
    }
    /* setsid(1) starts the worker in a session of its own and ends at once */
    const char *const args[] = {"setsid", "--fork", program, "exp", "queue-worker", NULL};
    struct proc p;
    struct proc_status st = {.exited = true};
    const struct proc_options o = {.argv = args,
                                   .cwd = s->repo.root,
                                   .stdin_fd = PROC_NULL,
                                   .stdout_fd = out,
                                   .stderr_fd = out};
    int rc = proc_start(&p, &o, e);
    if (rc == 0) {
        rc = proc_wait(&p, &st, e);
    }
    close(out);
    if (rc == 0 && proc_exit_code(&st) != 0) {
        rc = err_set(e, ERR_CHILD, "cannot start a worker: setsid ended with %d",
                     proc_exit_code(&st));
    }
    return rc;
}

static int start_workers(struct session *s, long jobs, struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct strbuf program;
    size_t workers, active;
    long started = 0;
    strbuf_init(&program);
    int rc = expqueue_set_stop(&q, false, e);
    if (rc == 0) {
        rc = expqueue_workers(&q, &workers, &active, e);
    }
    if (rc == 0) {
        rc = proc_self_dir(&program, e);
        strbuf_adds(&program, "/nephron");
    }
    for (long i = rc == 0 ? (long)workers : jobs; rc == 0 && i < jobs; i++) {
        rc = spawn_worker(s, program.p, i + 1, e);
        started += rc == 0;
    }
    if (rc == 0) {
        printf("Started '%ld' new experiments task queue worker%s.\n", started,
               started > 1 ? "s" : "");
    }
    strbuf_release(&program);
    return rc;
}

static int queue_start(int argc, char **argv)
{
    long jobs = 1;
    const struct opt options[] = {{OPT_INT, 'j', "jobs", "N",
                                   "up to N workers, one experiment each at a time (default 1)",
                                   &jobs, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron queue start [OPTION]...",
        .about = "Starts workers that run the queue in the background and end when it is empty.",
        .examples = "  nephron queue start -j 2",
        .options = options};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    int rc = jobs >= 1 && jobs <= 4096
                 ? start_workers(&s, jobs, &e)
                 : err_set(&e, ERR_USAGE, "argument -j/--jobs: expected 1..4096, found %ld", jobs);
    return end(&s, &args, rc, &e);
}

/* The processes of a running experiment get the signal; how many there were on this host. */
static size_t signal_task(struct session *s, const struct exptask *t, int sig)
{
    return proc_signal_marked(arena_printf(&s->arena, "NEPHRON_EXPERIMENT=%s", t->rev), NULL, sig);
}

static int queue_stop(int argc, char **argv)
{
    bool kill_too = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "kill", NULL, "end what runs, too", &kill_too, NULL}, OPT_END};
    const struct opt_spec spec = {.usage = "nephron queue stop [OPTION]...",
                                  .about = "Tells the workers to end after what they are at.",
                                  .examples = "  nephron queue stop",
                                  .options = options};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    struct expqueue_list l = {0};
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    struct expqueue q = {&s.repo, &s.arena};
    int rc = expqueue_set_stop(&q, true, &e);
    if (rc == 0 && kill_too) {
        rc = expqueue_read(&q, &l, &e);
    }
    for (size_t i = 0; i < l.count; i++) {
        if (l.items[i].state == EXPTASK_RUNNING) {
            signal_task(&s, &l.items[i], SIGTERM);
        }
    }
    if (rc == 0) {
        printf("%s\n", kill_too ? "All running tasks in the queue have been killed."
                                  "Queue workers are stopping."
                                : "Queue workers will stop after running tasks finish.");
    }
    return end(&s, &args, rc, &e);
}

/* ---- kill ---- */

static int kill_tasks(struct session *s, const struct opt_list *names, int sig, struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct expqueue_list l;
    const struct exptask **tasks;
    if (expqueue_read(&q, &l, e) < 0 ||
        find_all(s, &l, names, RUNNING, "running experiment name", &tasks, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (signal_task(s, tasks[i], sig) == 0) {
            return err_set(e, ERR_MISSING,
                           "'%s' runs, but not on this host: kill it where its worker is",
                           names->items[i]);
        }
        printf("%s has been killed.\n", names->items[i]);
    }
    return 0;
}

static int queue_kill(int argc, char **argv)
{
    bool force = false;
    const struct opt options[] = {
        {OPT_FLAG, 'f', "force", NULL, "at once, without a chance to end in order", &force, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron queue kill [OPTION]... [TASK]...",
                                  .about = "Interrupts running experiments; they count as failed.",
                                  .examples = "  nephron queue kill brisk-otter",
                                  .options = options,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    return end(&s, &args, kill_tasks(&s, &args, force ? SIGKILL : SIGINT, &e), &e);
}

/* ---- logs ---- */

/* Where the log ends, without the line by which nephron ended it. */
static long end_of_log(FILE *f)
{
    static const char mark[] = "[exited with ";
    char part[256];
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
    long from = size > (long)sizeof part ? size - (long)sizeof part : 0;
    if (size <= 0 || fseek(f, from, SEEK_SET) < 0) {
        return size;
    }
    size_t n = fread(part, 1, sizeof part, f), at = n > 0 ? n - 1 : 0;
    while (at > 0 && part[at - 1] != '\n') {
        at--;
    }
    return str_starts((struct str){part + at, n - at}, mark) ? from + (long)at : size;
}

/* From `at` on; the new end. */
static long print_from(const char *path, long at)
{
    char part[8192];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return at;
    }
    long end = end_of_log(f);
    if (fseek(f, at, SEEK_SET) == 0) {
        while (at < end) {
            size_t want = end - at < (long)sizeof part ? (size_t)(end - at) : sizeof part;
            size_t n = fread(part, 1, want, f);
            if (n == 0) {
                break;
            }
            fwrite(part, 1, n, stdout);
            at += (long)n;
        }
    }
    fclose(f);
    fflush(stdout);
    return at;
}

/* Where the log goes on behind its first line, the command that nephron gave itself. */
static long after_command(const char *path)
{
    struct strbuf line;
    FILE *f = fopen(path, "re");
    long at = 0;
    strbuf_init(&line);
    for (int c; f != NULL && (c = fgetc(f)) != EOF;) {
        strbuf_addch(&line, (char)c);
        if (c == '\n') {
            at = strncmp(line.p, "> exec ", 7) == 0 ? (long)line.n : 0;
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    strbuf_release(&line);
    return at;
}

static int show_log(struct session *s, const char *name, bool follow, struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct expqueue_list l;
    if (expqueue_read(&q, &l, e) < 0) {
        return -1;
    }
    const struct exptask *t = expqueue_find(&l, name, RUNNING | DONE);
    if (t == NULL && expqueue_find(&l, name, QUEUED) != NULL) {
        return err_set(e, ERR_MISSING, "Experiment '%s' is in queue but has not been started",
                       name);
    }
    if (t == NULL) {
        return refuse_names(name, 1, "queued experiment name", e);
    }
    const char *path = expqueue_log_path(&q, t->rev);
    long at = after_command(path);
    if (!fs_exists(path)) {
        return err_set(e, ERR_MISSING, "No output logs found for experiment '%s'", name);
    }
    if (follow) {
        printf("Following logs for experiment '%s'. Use Ctrl+C to stop following logs (experiment "
               "execution will continue).\n\n",
               name);
    }
    at = print_from(path, at);
    while (follow && t != NULL && t->state == EXPTASK_RUNNING) {
        clock_sleep_us(300000);
        at = print_from(path, at);
        if (expqueue_read(&q, &l, e) < 0) {
            return -1;
        }
        t = expqueue_find(&l, name, RUNNING);
    }
    print_from(path, at);
    if (!follow) {
        printf("\n");
    }
    return 0;
}

static int queue_logs(int argc, char **argv)
{
    bool follow = false;
    const char *encoding = NULL;
    const struct opt options[] = {
        {OPT_FLAG, 'f', "follow", NULL, "go on while it runs", &follow, NULL},
        {OPT_STR, 'e', "encoding", "NAME",
         "accepted for DVC's sake: bytes are passed on as they are", &encoding, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron queue logs [OPTION]... TASK",
                                  .about = "Shows what an experiment of the queue printed.",
                                  .examples = "  nephron queue logs brisk-otter",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = 1};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    return end(&s, &args, show_log(&s, args.items[0], follow, &e), &e);
}

/* ---- remove ---- */

static int remove_tasks(struct session *s, const struct opt_list *names, unsigned states,
                        struct err *e)
{
    struct expqueue q = {&s->repo, &s->arena};
    struct expqueue_list l;
    const struct exptask **tasks;
    size_t count = names->count;
    if (expqueue_read(&q, &l, e) < 0 ||
        find_all(s, &l, names, QUEUED | DONE, "experiment name", &tasks, e) < 0) {
        return -1;
    }
    if (states != 0) {
        static const unsigned order[] = {QUEUED, 1u << EXPTASK_FAILED, 1u << EXPTASK_SUCCESS};
        tasks = ARENA_ARRAY(&s->arena, l.count + 1, const struct exptask *);
        for (size_t k = count = 0; k < ARRAY_SIZE(order); k++) {
            for (size_t i = 0; i < l.count; i++) {
                if ((order[k] & states & 1u << l.items[i].state) != 0) {
                    tasks[count++] = &l.items[i];
                }
            }
        }
    }
    if (expqueue_remove(&q, tasks, count, e) < 0) {
        return -1;
    }
    printf("%s", count > 0 ? "Removed tasks in queue: " : "No tasks found named []");
    for (size_t i = 0; i < count; i++) {
        printf("%s%s", i > 0 ? ", " : "", states != 0 ? tasks[i]->name : names->items[i]);
    }
    printf("\n");
    return 0;
}

static int queue_remove(int argc, char **argv)
{
    bool all = false, queued = false, success = false, failed = false;
    const struct opt options[] = {{OPT_FLAG, 0, "all", NULL, "all but what runs", &all, NULL},
                                  {OPT_FLAG, 0, "queued", NULL, "those that wait", &queued, NULL},
                                  {OPT_FLAG, 0, "success", NULL,
                                   "those that went well; the experiments stay", &success, NULL},
                                  {OPT_FLAG, 0, "failed", NULL, "those that failed", &failed, NULL},
                                  OPT_END};
    const struct opt_spec spec = {.usage = "nephron queue remove [OPTION]... [TASK]...",
                                  .about = "Takes experiments out of the queue.",
                                  .examples = "  nephron queue remove --failed",
                                  .options = options,
                                  .max_args = OPT_ANY};
    struct opt_list args = {0};
    struct session s;
    struct err e = ERR_INIT;
    int code;
    if (!begin(&spec, argc, argv, &args, &s, &code)) {
        return code;
    }
    unsigned states = (all || queued ? QUEUED : 0) | (all || success ? 1u << EXPTASK_SUCCESS : 0) |
                      (all || failed ? 1u << EXPTASK_FAILED : 0);
    int rc = (states != 0) == (args.count > 0)
                 ? err_set(&e, ERR_USAGE,
                           "Either provide an `tasks` argument, or use the `--all`, `--queued`, "
                           "`--failed`, `--success` flag.")
                 : remove_tasks(&s, &args, states, &e);
    return end(&s, &args, rc, &e);
}

int cmd_queue(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"start", queue_start, "run the queue in the background"},
        {"stop", queue_stop, "let the workers end"},
        {"status", queue_status, "what waits, runs and ran"},
        {"logs", queue_logs, "what an experiment printed"},
        {"remove", queue_remove, "take experiments out"},
        {"kill", queue_kill, "interrupt running experiments"},
    };
    return session_dispatch("queue", commands, ARRAY_SIZE(commands), argc, argv);
}
