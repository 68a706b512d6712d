/*
 * Stages as processes of this host. Each job runs its commands one after the other; one poll loop
 * watches, for every running command, a pidfd (its end) and its pipes (what it writes). A job is
 * over when its last command has ended, even when a process it left behind still holds the pipe.
 */
#include "runner.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "fs.h"
#include "joboutput.h"
#include "proc.h"
#include "runner_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define KILL_AFTER_US 5000000
#define LINGER_LOOK_US 20000
#define LINGER_MAX_US 20000000

struct stream {
    int fd;      /* our end of the pipe, -1 when closed or inherited */
    int copy_to; /* RUNNER_TEE: 1 or 2 */
};

struct task { /* one job under way */
    bool used, over;
    struct arena arena;
    struct job job;
    size_t next_cmd;
    struct proc proc;
    bool running;
    bool lingering; /* told to end; the command has, what it started is being given time */
    int pidfd;
    struct stream streams[JOBOUTPUT_STREAMS];
    struct joboutput output;
    int64_t start_us, deadline_us, kill_us; /* 0: none */
    struct job_result result;
};

struct local {
    struct runner base;
    struct runner_local_options opt;
    struct task *tasks;
    size_t slots, over_count;
    int wake_fd;
    struct guard *guard;
    char host[256];
    struct pollfd *polls;
    size_t poll_capacity;
};

extern char **environ;

static struct local *self(struct runner *r)
{
    return (struct local *)r;
}

/* ---- output ---- */

/* Reads what is there; false at the end of the stream. */
static bool drain(struct local *l, struct task *t, int stream)
{
    const struct stream *s = &t->streams[stream];
    char buffer[65536];
    for (;;) {
        ssize_t n = read(s->fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN;
        }
        if (n == 0) {
            return false;
        }
        joboutput_add(&t->output, stream, (struct str){buffer, (size_t)n});
        if (l->opt.output != RUNNER_CAPTURE) {
            fs_write_all(s->copy_to, buffer, (size_t)n, "stdout", NULL);
        }
        if ((size_t)n < sizeof buffer) {
            return true;
        }
    }
}

static void close_stream(struct local *l, struct task *t, int stream)
{
    struct stream *s = &t->streams[stream];
    if (s->fd >= 0) {
        drain(l, t, stream);
        joboutput_end(&t->output, stream);
        close(s->fd);
        s->fd = -1;
    }
}

/* ---- one command ---- */

static int make_pipe(int fds[2], struct err *e)
{
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return err_sys(e, "cannot make a pipe");
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Pipes by the way output is handled; write_fds are ours to close after the spawn. */
static int open_streams(struct local *l, struct task *t, struct proc_options *o, int write_fds[2],
                        struct err *e)
{
    int fds[2];
    write_fds[0] = write_fds[1] = -1;
    if (l->opt.output == RUNNER_INHERIT) {
        return 0;
    }
    if (make_pipe(fds, e) < 0) {
        return -1;
    }
    t->streams[0].fd = fds[0];
    t->streams[0].copy_to = 1;
    write_fds[0] = fds[1];
    o->stdout_fd = o->stderr_fd = fds[1];
    if (l->opt.output == RUNNER_CAPTURE || same_file(1, 2)) {
        return 0; /* one pipe keeps the order of both streams */
    }
    if (make_pipe(fds, e) < 0) {
        return -1;
    }
    t->streams[1].fd = fds[0];
    t->streams[1].copy_to = 2;
    write_fds[1] = fds[1];
    o->stderr_fd = fds[1];
    return 0;
}

static int start_command(struct local *l, struct task *t, struct err *e)
{
    const char *cmd = t->job.cmds[t->next_cmd];
    const char *argv[8];
    int write_fds[2];
    runner_shell(cmd, argv);
    joboutput_command(&t->output, cmd);
    bool captured = l->opt.output == RUNNER_CAPTURE;
    struct proc_options o = {
        .argv = argv,
        .cwd = t->job.cwd,
        .env = runner_environment(&t->arena, &t->job, (const char *const *)environ),
        .stdin_fd = captured ? PROC_NULL : 0,
        .new_group = captured || !isatty(0),
    };
    int rc = open_streams(l, t, &o, write_fds, e);
    if (rc == 0) {
        guard_set(l->guard, (size_t)(t - l->tasks), t->job.id, 0);
        rc = proc_start(&t->proc, &o, e);
    }
    for (int i = 0; i < 2; i++) {
        if (write_fds[i] >= 0) {
            close(write_fds[i]);
        }
    }
    if (rc < 0) {
        return -1;
    }
    t->running = true;
    t->next_cmd++;
    guard_set(l->guard, (size_t)(t - l->tasks), t->job.id, o.new_group ? t->proc.pid : 0);
    t->pidfd = pidfd_open(t->proc.pid, 0);
    if (t->pidfd < 0) {
        proc_kill(&t->proc, SIGKILL);
        return err_sys(e, "cannot watch process %ld", (long)t->proc.pid);
    }
    fcntl(t->pidfd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* ---- the end of a job ---- */

static void finish(struct local *l, struct task *t)
{
    struct job_result *r = &t->result;
    r->id = t->job.id;
    r->host = l->host;
    r->end_ms = clock_wall_ms(l->opt.clock);
    r->seconds = (double)(clock_mono_us(l->opt.clock) - t->start_us) / 1e6;
    t->lingering = false;
    close_stream(l, t, 0);
    close_stream(l, t, 1);
    if (r->killed || r->timed_out) {
        proc_kill(&t->proc, SIGKILL); /* what the command left in its group */
    }
    joboutput_close(&t->output, r->status, r->seconds);
    guard_set(l->guard, (size_t)(t - l->tasks), 0, 0);
    t->over = true;
    l->over_count++;
}

static void fail_start(struct local *l, struct task *t, const struct err *why)
{
    t->result.status = 255;
    t->result.failed_cmd =
        t->job.cmds[t->next_cmd < t->job.cmd_count ? t->next_cmd : t->job.cmd_count - 1];
    t->result.error =
        arena_printf(&t->arena, "failed to run: %s: %s", t->result.failed_cmd, why->text);
    finish(l, t);
}

static bool group_lives(const struct task *t)
{
    return t->proc.has_group && proc_group_alive(t->proc.pid);
}

/* The command's process ended: the next one, or the result. */
static void command_ended(struct local *l, struct task *t, const struct proc_status *st)
{
    close(t->pidfd);
    t->pidfd = -1;
    t->running = false;
    int status = st->exited ? st->code : -st->code;
    if (status == 0 && t->next_cmd < t->job.cmd_count && !t->result.killed &&
        !t->result.timed_out) {
        close_stream(l, t, 0);
        close_stream(l, t, 1);
        struct err why = ERR_INIT;
        if (start_command(l, t, &why) < 0) {
            fail_start(l, t, &why);
        }
        return;
    }
    bool cut_short = status == 0 && t->next_cmd < t->job.cmd_count;
    t->result.status = cut_short ? -SIGTERM : status;
    if (t->result.status != 0) {
        t->result.failed_cmd = t->job.cmds[t->next_cmd - 1];
    }
    /* A shell dies of the signal at once; the training it started is writing its checkpoint. */
    t->lingering = (t->result.killed || t->result.timed_out) && group_lives(t);
    if (!t->lingering) {
        finish(l, t);
    } else if (t->kill_us == 0) {
        t->kill_us = clock_mono_us(l->opt.clock) + LINGER_MAX_US;
    }
}

static void reap(struct local *l, struct task *t)
{
    struct proc_status st;
    struct err why = ERR_INIT;
    int rc = proc_poll(&t->proc, &st, &why);
    if (rc > 0) {
        command_ended(l, t, &st);
    } else if (rc < 0) {
        close(t->pidfd);
        t->pidfd = -1;
        t->running = false;
        fail_start(l, t, &why);
    }
}

/* ---- the table ---- */

static int local_capacity(struct runner *r)
{
    return (int)self(r)->slots;
}

static int local_start(struct runner *r, const struct job *j, struct err *e)
{
    struct local *l = self(r);
    struct task *t = NULL;
    for (size_t i = 0; i < l->slots && t == NULL; i++) {
        t = l->tasks[i].used ? NULL : &l->tasks[i];
    }
    if (t == NULL) {
        BUG("no free slot for stage %s", j->stage);
    }
    if (j->cmd_count == 0) {
        return err_set(e, ERR_BUG, "stage '%s' has no command", j->stage);
    }
    if (l->opt.guard && l->guard == NULL) {
        l->guard = guard_start(l->slots, l->opt.guard_keep_fd, e);
        if (l->guard == NULL) {
            return -1;
        }
    }
    *t = (struct task){.used = true, .pidfd = -1, .streams = {{.fd = -1}, {.fd = -1}}};
    arena_init(&t->arena);
    struct strbuf packed;
    strbuf_init(&packed);
    job_pack(j, &packed);
    int rc = job_unpack(strbuf_str(&packed), &t->arena, &t->job, e);
    strbuf_release(&packed);
    if (rc < 0) {
        arena_release(&t->arena);
        t->used = false;
        return -1;
    }
    joboutput_init(&t->output, &(struct joboutput_options){.job = &t->job,
                                                           .hooks = l->opt.hooks,
                                                           .keep = l->opt.output == RUNNER_CAPTURE,
                                                           .no_commands = l->opt.no_commands});
    t->start_us = clock_mono_us(l->opt.clock);
    t->result.start_ms = clock_wall_ms(l->opt.clock);
    t->deadline_us = j->timeout_s > 0 ? t->start_us + (int64_t)(j->timeout_s * 1e6) : 0;
    struct err why = ERR_INIT;
    if (start_command(l, t, &why) < 0) {
        fail_start(l, t, &why);
    }
    return 0;
}

static void task_release(struct task *t)
{
    for (int i = 0; i < 2; i++) {
        if (t->streams[i].fd >= 0) {
            close(t->streams[i].fd);
        }
    }
    joboutput_release(&t->output);
    arena_release(&t->arena);
    t->used = false;
}

/* Hands out the result of one finished task, copied into `a`. */
static void deliver(struct local *l, struct task *t, struct arena *a, struct job_result *out)
{
    *out = t->result;
    out->failed_cmd = t->result.failed_cmd != NULL ? arena_strdup(a, t->result.failed_cmd) : NULL;
    out->error = t->result.error != NULL ? arena_strdup(a, t->result.error) : NULL;
    out->host = arena_strdup(a, l->host);
    out->output = joboutput_text(&t->output, a, &out->output_bytes);
    task_release(t);
    l->over_count--;
}

/* Ends jobs whose time is up; returns the ms until the next deadline, bounded by timeout_ms. */
static int check_deadlines(struct local *l, int timeout_ms)
{
    int64_t now = clock_mono_us(l->opt.clock);
    int64_t next = -1;
    for (size_t i = 0; i < l->slots; i++) {
        struct task *t = &l->tasks[i];
        if (!t->used || t->over) {
            continue;
        }
        if (t->deadline_us != 0 && now >= t->deadline_us) {
            t->deadline_us = 0;
            t->result.timed_out = true;
            t->kill_us = now + KILL_AFTER_US;
            proc_kill(&t->proc, SIGTERM);
        }
        if (t->kill_us != 0 && now >= t->kill_us) {
            t->kill_us = 0;
            proc_kill(&t->proc, SIGKILL);
        }
        if (t->lingering && !group_lives(t)) {
            finish(l, t);
            return 0;
        }
        int64_t due = t->lingering          ? now + LINGER_LOOK_US
                      : t->deadline_us != 0 ? t->deadline_us
                                            : t->kill_us;
        if (due != 0 && (next < 0 || due < next)) {
            next = due;
        }
    }
    if (next < 0) {
        return timeout_ms;
    }
    int64_t ms = (next - now) / 1000 + 1;
    return timeout_ms < 0 || ms < timeout_ms ? (int)ms : timeout_ms;
}

static size_t fill_polls(struct local *l)
{
    size_t n = 0;
    size_t capacity = 1 + 3 * l->slots;
    if (l->poll_capacity < capacity) {
        l->polls = xrealloc(l->polls, capacity * sizeof *l->polls);
        l->poll_capacity = capacity;
    }
    l->polls[n++] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < l->slots; i++) {
        struct task *t = &l->tasks[i];
        bool live = t->used && !t->over;
        l->polls[n++] = (struct pollfd){.fd = live ? t->streams[0].fd : -1, .events = POLLIN};
        l->polls[n++] = (struct pollfd){.fd = live ? t->streams[1].fd : -1, .events = POLLIN};
        l->polls[n++] = (struct pollfd){.fd = live ? t->pidfd : -1, .events = POLLIN};
    }
    return n;
}

static void serve(struct local *l)
{
    for (size_t i = 0; i < l->slots; i++) {
        struct task *t = &l->tasks[i];
        for (int k = 0; k < JOBOUTPUT_STREAMS; k++) {
            if (l->polls[1 + 3 * i + (size_t)k].revents != 0 && t->streams[k].fd >= 0 &&
                !drain(l, t, k)) {
                close_stream(l, t, k);
            }
        }
        if (l->polls[3 + 3 * i].revents != 0 && t->running) {
            reap(l, t);
        }
    }
}

static int local_wait(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                      struct err *e)
{
    struct local *l = self(r);
    int64_t end = timeout_ms < 0 ? -1 : clock_mono_us(l->opt.clock) + (int64_t)timeout_ms * 1000;
    for (;;) {
        for (size_t i = 0; l->over_count > 0 && i < l->slots; i++) {
            if (l->tasks[i].used && l->tasks[i].over) {
                deliver(l, &l->tasks[i], a, out);
                return 1;
            }
        }
        int left = -1;
        if (end >= 0) {
            int64_t us = end - clock_mono_us(l->opt.clock);
            left = us > 0 ? (int)(us / 1000) + 1 : 0;
        }
        size_t n = fill_polls(l);
        int rc = poll(l->polls, n, check_deadlines(l, left));
        if (rc < 0 && errno != EINTR) {
            return err_sys(e, "cannot wait for the stages");
        }
        if (rc < 0) {
            return 0; /* a signal: the caller looks at its flag */
        }
        serve(l);
        if (l->polls[0].revents != 0) {
            uint64_t count;
            ssize_t got = read(l->wake_fd, &count, sizeof count);
            (void)got;
            if (l->over_count == 0) {
                return 0;
            }
        }
        if (l->over_count == 0 && left == 0) {
            return 0;
        }
    }
}

static void local_kill(struct runner *r, uint64_t id, int sig)
{
    struct local *l = self(r);
    for (size_t i = 0; i < l->slots; i++) {
        struct task *t = &l->tasks[i];
        if (t->used && !t->over && (id == RUNNER_ALL || t->job.id == id)) {
            t->result.killed = true;
            proc_kill(&t->proc, sig);
        }
    }
}

static void local_wake(struct runner *r)
{
    static const uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(self(r)->wake_fd, &one, sizeof one);
    (void)n; /* full means that a wake-up is due already */
    errno = saved;
}

static void local_close(struct runner *r)
{
    struct local *l = self(r);
    local_kill(r, RUNNER_ALL, SIGKILL);
    for (size_t i = 0; i < l->slots; i++) {
        struct task *t = &l->tasks[i];
        if (!t->used) {
            continue;
        }
        if (t->running) {
            struct proc_status st;
            proc_wait(&t->proc, &st, NULL);
            close(t->pidfd);
        }
        task_release(t);
    }
    guard_stop(l->guard);
    close(l->wake_fd);
    free(l->polls);
    free(l->tasks);
    free(l);
}

static const struct runner_ops local_ops = {
    .name = "local",
    .capacity = local_capacity,
    .start = local_start,
    .wait = local_wait,
    .kill = local_kill,
    .wake = local_wake,
    .close = local_close,
};

struct runner *runner_local_new(const struct runner_local_options *opt)
{
    struct local *l = xcalloc(1, sizeof *l);
    l->base.ops = &local_ops;
    l->opt = *opt;
    l->opt.clock = opt->clock != NULL ? opt->clock : &clock_system;
    l->slots = opt->slots > 0 ? (size_t)opt->slots : 1;
    l->tasks = xcalloc(l->slots, sizeof *l->tasks);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        BUG("eventfd: %s", strerror(errno));
    }
    gethostname(l->host, sizeof l->host - 1);
    return &l->base;
}
