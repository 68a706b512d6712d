/* `repro` from argv to exit code: options, signals, messages. The work is repro.c's. */
#include "repro_cli.h"

#include "alloc.h"
#include "err.h"
#include "gantt.h"
#include "launch.h"
#include "log.h"
#include "opt.h"
#include "par.h"
#include "path.h"
#include "pipeline.h"
#include "proc.h"
#include "repo.h"
#include "report.h"
#include "repolock.h"
#include "runner.h"
#include "reporter.h"
#include "repro_stop.h"
#include "repro_watch.h"
#include "store.h"
#include "svgpage.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_OPTIONS 64

struct repro_args {
    struct repro_options opt;
    struct opt_list targets;
    bool keep_going, ignore_errors, json, quiet, no_shared_fs, watch;
    int verbose;
    long jobs, ranks;
    const char *hostfile, *gantt;
};

/* What the callbacks of the engine need. */
struct session {
    const struct repro_backend *backend;
    struct repro_args *args;
    int slots;
    bool run_begun;
    bool to_launch; /* -n N, and something is stale */
    const struct repro_stop *stop;
    struct repro_watch watch;
    struct repolock lock; /* --wait: taken before the pipeline is read */
};

static void on_pipe(int sig)
{
    /* A handler, not SIG_IGN: children must not inherit an ignored SIGPIPE. Writes fail with EPIPE.
     */
}

static void catch_pipe(void)
{
    struct sigaction sa = {.sa_handler = on_pipe};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGPIPE, &sa, NULL);
}

/* ---- options ---- */

static size_t fill_options(struct repro_args *a, const struct opt *extra, struct opt *out)
{
    struct repro_options *o = &a->opt;
    const struct opt table[] = {
        {OPT_FLAG, 'f', "force", NULL, "run the stages even if nothing changed", &o->force, NULL},
        {OPT_FLAG, 'i', "interactive", NULL, "ask before each stage", &o->interactive, NULL},
        {OPT_FLAG, 's', "single-item", NULL, "only the targets, not what they need",
         &o->single_item, NULL},
        {OPT_FLAG, 'p', "pipeline", NULL, "the whole pipelines of the targets", &o->pipeline, NULL},
        {OPT_FLAG, 'P', "all-pipelines", NULL, "everything in the repository", &o->all_pipelines,
         NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "all stages below the given folders", &o->recursive,
         NULL},
        {OPT_FLAG, 0, "downstream", NULL, "start from the targets and do what follows",
         &o->downstream, NULL},
        {OPT_FLAG, 0, "force-downstream", NULL, "run what follows a stage that ran",
         &o->force_downstream, NULL},
        {OPT_FLAG, 0, "pull", NULL, "fetch missing data from the remote", &o->pull, NULL},
        {OPT_FLAG, 0, "allow-missing", NULL, "missing data counts as unchanged", &o->allow_missing,
         NULL},
        {OPT_FLAG, 0, "dry", NULL, "print what would run, touch nothing", &o->dry, "dry-run"},
        {OPT_FLAG, 'k', "keep-going", NULL, "after a failure go on with what does not depend on it",
         &a->keep_going, NULL},
        {OPT_FLAG, 0, "ignore-errors", NULL, "after a failure go on with everything",
         &a->ignore_errors, NULL},
        {OPT_FLAG, 0, "glob", NULL, "targets are patterns", &o->glob, NULL},
        {OPT_FLAG, 0, "no-commit", NULL, "do not put outputs into the cache", &o->no_commit, NULL},
        {OPT_FLAG, 0, "no-run-cache", NULL, "run even what ran before with the same inputs",
         &o->no_run_cache, NULL},
        {OPT_INT, 'j', "jobs", "N", "run up to N stages at once on this host (default 1)", &a->jobs,
         NULL},
        {OPT_INT, 'n', "ranks", "N", "if something is stale, run it on N MPI ranks", &a->ranks,
         NULL},
        {OPT_STR, 0, "hostfile", "FILE", "where the ranks of -n are started", &a->hostfile, NULL},
        {OPT_FLAG, 0, "no-shared-fs", NULL,
         "each rank has a repository of its own: files travel by MPI", &a->no_shared_fs, NULL},
        {OPT_FLAG, 0, "wait", NULL, "wait while another command is at work here", &o->wait,
         "wait-for-lock"},
        {OPT_FLAG, 0, "watch", NULL,
         "then wait for changes and run what they make stale; Ctrl-C ends", &a->watch, NULL},
        {OPT_STR, 0, "gantt", "FILE", "draw what ran when, as .svg or .html", &a->gantt, NULL},
        {OPT_FLAG, 0, "json", NULL, "one JSON object a line about each event", &a->json, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "nothing but warnings and what stages print", &a->quiet,
         NULL},
        {OPT_COUNT, 'v', "verbose", NULL, "say more", &a->verbose, NULL},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        out[n++] = table[i];
    }
    for (; extra != NULL && extra->name != NULL && n + 1 < MAX_OPTIONS; extra++) {
        out[n++] = *extra;
    }
    out[n] = (struct opt)OPT_END;
    return n;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct repro_args *a, const struct repro_backend *b)
{
    struct opt options[MAX_OPTIONS];
    /* `nephron --wait-for-lock repro`; not for what stages run, which would wait for us */
    a->opt.wait = getenv("NEPHRON_WAIT_FOR_LOCK") != NULL;
    unsetenv("NEPHRON_WAIT_FOR_LOCK");
    fill_options(a, b != NULL ? b->extra : NULL, options);
    const struct opt_spec spec = {
        .usage = "nephron repro [OPTION]… [TARGET]…",
        .about =
            "Runs the stages whose inputs changed, in the order in which they need one another. "
            "Without a target: those of ./dvc.yaml.",
        .examples = "nephron repro                 what changed, one stage at a time\n"
                    "nephron repro -j 4 train      train and what it needs, up to four at once\n"
                    "mpirun -n 16 nephron repro    on the ranks of an MPI job",
        .options = options,
        .max_args = OPT_ANY,
    };
    struct err e = ERR_INIT;
    enum opt_result r = opt_parse(&spec, argc, argv, &a->targets, &e);
    if (r == OPT_HELP) {
        return 0;
    }
    if (r == OPT_OK && (a->jobs < 1 || a->jobs > 4096)) {
        err_set(&e, ERR_USAGE, "argument -j/--jobs: expected 1..4096, found %ld", a->jobs);
        r = OPT_BAD;
    }
    if (r == OPT_OK && (a->ranks < 0 || a->ranks > 1000000)) {
        err_set(&e, ERR_USAGE, "argument -n/--ranks: expected a number of ranks, found %ld",
                a->ranks);
        r = OPT_BAD;
    }
    if (r == OPT_OK && a->hostfile != NULL && a->ranks == 0) {
        err_set(&e, ERR_USAGE, "argument --hostfile: needs -n N");
        r = OPT_BAD;
    }
    a->opt.deps_at_start = a->watch;
    if (r == OPT_OK && a->watch && (a->ranks > 0 || (b != NULL && b->open_runner != NULL))) {
        err_set(&e, ERR_USAGE,
                "argument --watch: runs stages on this host (-j N), not on MPI ranks");
        r = OPT_BAD;
    }
    bool html;
    if (r == OPT_OK && a->gantt != NULL && svgpage_form(a->gantt, &html, &e) < 0) {
        err_wrap(&e, "argument --gantt");
        r = OPT_BAD;
    }
    if (r == OPT_BAD) {
        opt_print_usage(&spec);
        fprintf(stderr, "ERROR: %s\n", e.text);
        return 254;
    }
    a->opt.targets = a->targets.items;
    a->opt.target_count = a->targets.count;
    a->opt.on_error = a->ignore_errors ? REPRO_IGNORE
                      : a->keep_going  ? REPRO_KEEP_GOING
                                       : REPRO_STOP;
    a->opt.quiet = a->quiet;
    return -1;
}

/* ---- callbacks ---- */

static bool is_live(const struct session *s)
{
    return s->slots == 1 && s->backend->open_runner == NULL && !s->args->json;
}

static struct runner *open_runner(void *ctx, struct repro_context *c,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e)
{
    struct session *s = ctx;
    const struct repro_backend *b = s->backend;
    if (b->run_begin != NULL && b->run_begin(b->ctx, c, &c->sink, &c->run_id, e) < 0) {
        return NULL;
    }
    s->run_begun = b->run_begin != NULL;
    if (b->open_runner != NULL) {
        return b->open_runner(b->ctx, c, hooks, lock_fd, e);
    }
    const struct runner_local_options o = {
        .slots = s->slots,
        .output = !is_live(s) ? RUNNER_CAPTURE
                  : isatty(1) ? RUNNER_INHERIT
                              : RUNNER_TEE,
        .no_commands = s->args->quiet,
        .hooks = hooks,
        .guard = true,
        .guard_keep_fd = lock_fd,
    };
    return runner_local_new(&o);
}

/* As DVC: asks until the answer is yes or no; nobody there is no. */
static bool confirm(void *ctx, const char *question)
{
    char answer[64];
    if (!isatty(1)) {
        return false;
    }
    for (;;) {
        printf("%s [y/n]: ", question);
        fflush(stdout);
        if (fgets(answer, sizeof answer, stdin) == NULL) {
            return false;
        }
        struct str a = str_trim(str_from(answer));
        if (str_is(a, "y") || str_is(a, "yes")) {
            return true;
        }
        if (str_is(a, "n") || str_is(a, "no")) {
            return false;
        }
        printf("Your response must be one of: ('yes', 'no', 'y', 'n'). Please try again.\n");
    }
}

static void on_note(void *ctx, enum store_note_kind kind, const char *text)
{
    const struct session *s = ctx;
    if (kind == STORE_NOTE_WARN) {
        fflush(stdout);
        fprintf(stderr, "WARNING: %s\n", text);
    } else if (!s->args->quiet && !s->args->json) {
        printf("%s\n", text);
    }
}

/* ---- running ---- */

/* argv of mpirun for these ranks; in `a`. */
static const char *const *mpirun_words(struct arena *a, const struct repro_args *ra, int argc,
                                       char **argv, const char *program)
{
    const char **args = ARENA_ARRAY(a, (size_t)argc + 12, const char *);
    size_t n = 0;
    args[n++] = "mpirun";
    args[n++] = "-n";
    args[n++] = arena_printf(a, "%ld", ra->ranks);
    if (ra->hostfile != NULL) {
        args[n++] = "--hostfile";
        args[n++] = ra->hostfile;
    }
    if (geteuid() == 0) {
        args[n++] = "--allow-run-as-root";
    }
    args[n++] = program;
    for (int i = 0; i < argc; i++) {
        args[n++] = i == 0 ? "repro" : argv[i];
    }
    args[n] = NULL;
    return args;
}

/* Supervised, so that signals give trainings the time for a checkpoint (launch.h). Questions need
 * the terminal: mpirun then takes our place. Returns the exit code, -1 with *e set. */
static int launch_ranks(const struct repro_args *ra, int argc, char **argv, struct err *e)
{
    struct arena a;
    struct strbuf program;
    arena_init(&a);
    strbuf_init(&program);
    int code = proc_self_dir(&program, e);
    if (code == 0) {
        strbuf_adds(&program, "/nephron-mpi");
        const struct launch_options o = {.argv = mpirun_words(&a, ra, argc, argv, program.p),
                                         .quiet = true};
        fflush(stdout);
        if (ra->opt.interactive) {
            execvp("mpirun", (char *const *)o.argv);
            code = err_sys(e, "cannot start mpirun");
        } else {
            code = launch_run(&o, e);
        }
    }
    strbuf_release(&program);
    arena_release(&a);
    return code;
}

/* -n N: the decision first, the ranks only when there is something to do. */
static int decide_launch(struct session *s, struct repro_context *c, int argc, char **argv,
                         struct err *e)
{
    bool any = false;
    const struct repro_backend *b = s->backend;
    if (s->args->ranks == 0 || s->args->opt.dry) {
        return 0;
    }
    if (repro_any_stale(c, &s->args->opt, &any, e) < 0) {
        return -1;
    }
    if (any && b->launch != NULL) {
        return b->launch(b->ctx, (int)s->args->ranks, s->args->hostfile, argc, argv, e);
    }
    s->to_launch = any;
    return 0;
}

/* --gantt. A picture that cannot be written is no failure of the stages. */
static void draw_gantt(const struct repro_context *c, const struct repro_args *a,
                       const struct repro_result *result)
{
    struct err why = ERR_INIT;
    if (a->gantt == NULL || a->opt.dry) {
        return;
    }
    if (result->ran + result->failed == 0) {
        fprintf(stderr,
                "WARNING: nothing ran, so %s is not written; `nephron gantt` draws the "
                "last repro\n",
                a->gantt);
    } else if (gantt_save(c->repo, a->gantt, &why) < 0) {
        fprintf(stderr, "WARNING: cannot draw %s: %s\n", a->gantt, why.text);
    }
}

static int run(struct session *s, struct repro_context *c, struct err *e)
{
    struct repro_result result = {0};
    struct repro_args *a = s->args;
    c->reporter = a->json ? reporter_json_new() : reporter_tty_new(a->quiet, is_live(s), a->watch);
    int rc = repro_run(c, &a->opt, &result, e);
    if (s->run_begun && s->backend->run_end != NULL) {
        s->backend->run_end(s->backend->ctx, &result, e);
    }
    c->reporter->ops->close(c->reporter);
    draw_gantt(c, a, &result);
    if (rc < 0) {
        return report_error(e, e->code == ERR_CONFIG   ? 251
                               : result.exit_code != 0 ? result.exit_code
                                                       : 255);
    }
    if (result.ran == 0 && !a->quiet && !a->json) {
        printf("Data and pipelines are up to date.\n");
    }
    return 0;
}

/* -s: how the stages hang together does not matter, so nothing is checked, as in DVC. */
static int build_graph(struct graph *g, struct pipeline *p, struct repo *r,
                       const struct repro_options *opt, struct err *e)
{
    if (!opt->single_item || opt->pipeline || opt->all_pipelines) {
        return graph_build(g, p, r, e);
    }
    graph_build_unchecked(g, p, r);
    return 0;
}

static int with_graph(struct session *s, struct repo *r, int argc, char **argv, struct err *e)
{
    struct pipeline p = {0};
    struct graph g = {0};
    int code = 255;
    const struct store_options so = {.note = on_note, .note_ctx = s};
    struct store *store = NULL;
    bool have_pipeline = pipeline_load(&p, r, e) == 0;
    bool have_graph = have_pipeline && build_graph(&g, &p, r, &s->args->opt, e) == 0;
    if (have_graph) {
        store = store_open(r, &so, e);
    }
    if (store == NULL) {
        code = report_error(e, e->code == ERR_CONFIG ? 251 : 255);
    } else {
        struct repro_context c = {
            .repo = r,
            .store = store,
            .graph = &g,
            .open_runner = open_runner,
            .confirm = confirm,
            .ctx = s,
            .stop = s->stop,
            .carry = s->backend->open_runner != NULL &&
                     (s->args->no_shared_fs || s->backend->no_shared_fs),
            .repro_lock = &s->lock,
            .slots = s->slots,
            .threads_per_slot = s->backend->threads_per_slot,
            .in_order = is_live(s),
        };
        int rc = s->args->watch ? repro_watch_arm(&s->watch, &c, &s->args->opt, e) : 0;
        rc = rc == 0 ? decide_launch(s, &c, argc, argv, e) : rc;
        code = rc < 0 ? report_error(e, 255) : s->to_launch ? 0 : run(s, &c, e);
        store_close(store);
    }
    if (have_graph) {
        graph_release(&g);
    }
    if (have_pipeline) {
        pipeline_release(&p);
    }
    return code;
}

/* One repro from the opened repository on; returns the exit code. */
static int once(struct session *s, int argc, char **argv, const char *cmd)
{
    const struct repro_args *a = s->args;
    struct err e = ERR_INIT;
    struct repo r;
    if (repo_open(&r, NULL, &e) < 0) {
        return report_error(&e, e.code == ERR_CONFIG ? 251 : e.code == ERR_MISSING ? 253 : 255);
    }
    /* Who waits reads the pipeline afterwards, and holds nothing that the other needs to end. */
    bool go = !a->opt.wait || a->opt.dry ||
              repolock_acquire(&s->lock, &r, REPOLOCK_REPRO, cmd, true, &s->stop->signal, &e) == 0;
    int code = go                          ? with_graph(s, &r, argc, argv, &e)
               : e.code == ERR_INTERRUPTED ? report_error(&e, repro_stop_exit(s->stop))
                                           : report_error(&e, 255);
    repolock_release(&s->lock);
    repo_close(&r);
    if (s->to_launch) { /* nothing of ours is held any more that the ranks need */
        code = launch_ranks(a, argc, argv, &e);
        code = code < 0 ? report_error(&e, 255) : code;
    }
    return code;
}

/* --watch: repro after repro until a signal ends it. A pipeline that does not load is told of, and the
 * files known so far are waited for; without any there is nothing to wait for. */
static int watch(struct session *s, int argc, char **argv, const char *cmd)
{
    struct arena a;
    struct err e = ERR_INIT;
    arena_init(&a);
    s->watch =
        (struct repro_watch){.cwd = path_cwd(&a), .quiet = s->args->quiet, .json = s->args->json};
    int code, next;
    do {
        s->run_begun = false;
        code = once(s, argc, argv, cmd);
        next = s->stop->signal != 0 || s->watch.files == NULL
                   ? 0
                   : repro_watch_next(&s->watch, s->stop, &e);
    } while (next > 0);
    if (next < 0) {
        code = report_error(&e, 255);
    } else if (s->stop->signal != 0) {
        code = repro_stop_exit(s->stop);
    }
    repro_watch_release(&s->watch);
    arena_release(&a);
    return code;
}

int repro_main(int argc, char **argv, const struct repro_backend *backend)
{
    static const struct repro_backend local = {.program = "nephron"};
    struct repro_args a = {.jobs = 1};
    int code = parse(argc, argv, &a, backend);
    if (code >= 0) {
        opt_list_release(&a.targets);
        return code;
    }
    struct repro_backend b = backend != NULL ? *backend : local;
    struct session s = {.lock = REPOLOCK_INIT,
                        .backend = &b,
                        .args = &a,
                        .slots = b.slots > 0 ? b.slots : (int)a.jobs};
    char cmd[128];
    snprintf(cmd, sizeof cmd, "%s repro", b.program != NULL ? b.program : "nephron");
    a.opt.cmd = cmd;
    if (b.threads_per_slot == 0 && s.slots > 1) {
        int cores = par_cores() / s.slots;
        b.threads_per_slot = cores > 0 ? cores : 1;
    }
    if (a.verbose > 0) {
        log_set_level(a.verbose > 1 ? LOG_DEBUG : LOG_INFO);
    }
    catch_pipe();
    s.stop = repro_stop_catch();
    if (b.open_runner == NULL) {
        /* As DVC (close_fds): stages get 0, 1, 2 and nothing that our parent left open. */
        close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    }
    code = a.watch ? watch(&s, argc, argv, cmd) : once(&s, argc, argv, cmd);
    opt_list_release(&a.targets);
    if (fflush(stdout) != 0 && errno == EPIPE && code == 0) {
        code = 141;
    }
    return code;
}
