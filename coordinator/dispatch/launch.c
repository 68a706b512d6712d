/* See launch.h. */
#include "launch.h"

#include "alloc.h"
#include "arena.h"
#include "clock.h"
#include "err.h"
#include "path.h"
#include "proc.h"
#include "repro_stop.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MARK "NEPHRON_LAUNCH"
#define RANK_VARIABLE "OMPI_COMM_WORLD_RANK=" /* ranks have it, stages and mpirun have not */
#define LOOK_MS 200
#define END_LOOKS 25 /* of LOOK_MS: 5 s after TERM, and after KILL */

struct launch {
    const struct launch_options *opt;
    struct arena arena;
    const char *mark; /* "NEPHRON_LAUNCH=<id>" */
    const char **env;
    sigset_t signals;
    struct proc proc;
    int told; /* the signal that is to end it, or SIGUSR1; 0: none */
    int64_t patience_us;
    bool killed;
};

extern char **environ;

/* ---- set-up ---- */

static uint64_t random_id(void)
{
    uint64_t v = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &v, sizeof v) != sizeof v) {
        v = (uint64_t)clock_mono_us(&clock_system) << 20 ^ (uint64_t)getpid();
    }
    if (fd >= 0) {
        close(fd);
    }
    return v;
}

static void make_environment(struct launch *l)
{
    size_t count = 0, n = 0;
    while (environ[count] != NULL) {
        count++;
    }
    l->mark = arena_printf(&l->arena, MARK "=%016" PRIx64, random_id());
    l->env = ARENA_ARRAY(&l->arena, count + 2, const char *);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], MARK "=", sizeof MARK) != 0) {
            l->env[n++] = environ[i];
        }
    }
    l->env[n++] = l->mark;
    l->env[n] = NULL;
}

static bool is_mpirun(const char *program)
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(path_basename(program), names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void say(const struct launch *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct launch *l, const char *fmt, ...)
{
    struct strbuf b;
    va_list ap;
    if (l->opt->quiet) {
        return;
    }
    strbuf_init(&b);
    strbuf_adds(&b, "nephron launch: ");
    va_start(ap, fmt);
    strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s\n", b.p);
    strbuf_release(&b);
}

/* ---- signals ---- */

static void kill_everything(struct launch *l)
{
    l->killed = true;
    proc_kill(&l->proc, SIGKILL);
    proc_signal_marked(l->mark, NULL, SIGKILL);
}

static void pass_on(struct launch *l, int sig)
{
    if (!is_mpirun(l->opt->argv[0])) {
        proc_kill(&l->proc, sig);
    } else if (sig == SIGUSR1 || proc_signal_marked(l->mark, RANK_VARIABLE, sig) == 0) {
        kill(l->proc.pid, SIGUSR1);
    }
}

static void on_signal(struct launch *l, int sig)
{
    sig = sig == SIGHUP ? SIGTERM : sig;
    if (sig == SIGUSR1) {
        pass_on(l, sig);
        l->told = l->told == 0 ? sig : l->told;
        return;
    }
    if (l->told == 0 || l->told == SIGUSR1) {
        l->patience_us = clock_mono_us(&clock_system) + LAUNCH_PATIENCE_S * (int64_t)1000000;
        pass_on(l, sig);
    } else {
        kill_everything(l);
    }
    l->told = sig;
}

/* Waits for one of our signals, at most `ms`; 0: none came. */
static int next_signal(const struct launch *l, int64_t ms)
{
    const struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                               .tv_nsec = (long)(ms % 1000) * 1000000};
    int sig = sigtimedwait(&l->signals, NULL, &t);
    return sig > 0 ? sig : 0;
}

/* ---- one start ---- */

static int start(struct launch *l, struct err *e)
{
    return proc_start(
        &l->proc,
        &(struct proc_options){
            .argv = l->opt->argv,
            .env = l->env,
            .stdin_fd = isatty(0) ? PROC_NULL : 0, /* the terminal's signals are ours */
            .new_group = true,
            .die_with_parent = true,
        },
        e);
}

/* Until the command has ended; its exit code. */
static int watch(struct launch *l, struct err *e)
{
    struct proc_status st;
    for (;;) {
        int got = proc_poll(&l->proc, &st, e);
        if (got != 0) {
            return got < 0 ? -1 : proc_exit_code(&st);
        }
        int sig = next_signal(l, LOOK_MS);
        if (sig != 0 && sig != SIGCHLD) {
            on_signal(l, sig);
        }
        bool ending = l->told != 0 && l->told != SIGUSR1;
        if (ending && !l->killed && clock_mono_us(&clock_system) > l->patience_us) {
            say(l, "not over %d s after signal %d: killed", LAUNCH_PATIENCE_S, l->told);
            kill_everything(l);
        }
    }
}

/* Signals what a start left behind on this host, and waits for its end; how much is still there. */
static size_t end_what_is_left(const struct launch *l, int sig)
{
    size_t left = proc_signal_marked(l->mark, NULL, sig);
    for (int i = 0; i < END_LOOKS && left > 0; i++) {
        clock_sleep_us(LOOK_MS * 1000);
        left = proc_signal_marked(l->mark, NULL, 0);
    }
    return left;
}

static void clear_up(const struct launch *l)
{
    if (end_what_is_left(l, SIGTERM) > 0) {
        end_what_is_left(l, SIGKILL);
    }
}

/* ---- again ---- */

static bool is_final(const struct launch *l, int code)
{
    bool requeue = code == REPRO_EXIT_REQUEUE && (!l->opt->requeue_as_restart || l->told != 0);
    bool told = l->told != 0 && l->told != SIGUSR1;
    return code == 0 || code == 128 + SIGINT || code == 128 + SIGTERM || requeue || told;
}

static double backoff(const struct launch *l, int restart)
{
    double s = l->opt->backoff_s;
    for (int i = 1; i < restart && s < LAUNCH_BACKOFF_MAX_S; i++) {
        s *= 2;
    }
    return s < LAUNCH_BACKOFF_MAX_S ? s : LAUNCH_BACKOFF_MAX_S;
}

/* false: a signal came that ends us. */
static bool rest(struct launch *l, double seconds)
{
    int64_t end = clock_mono_us(&clock_system) + (int64_t)(seconds * 1e6);
    for (int64_t now = end - 1; now < end && l->told == 0; now = clock_mono_us(&clock_system)) {
        int sig = next_signal(l, (end - now) / 1000 < LOOK_MS ? 1 + (end - now) / 1000 : LOOK_MS);
        if (sig != 0 && sig != SIGCHLD) {
            l->told = sig == SIGHUP ? SIGTERM : sig;
        }
    }
    return l->told == 0;
}

/* What happened, in the words of people. */
static const char *reason(struct launch *l, int code)
{
    return code > 128 && code < 160
               ? arena_printf(&l->arena, "ended with %d (signal %d)", code, code - 128)
               : arena_printf(&l->arena, "failed with %d", code);
}

/* The exit code of the supervisor after a start that ended with `code`. */
static int final_code(const struct launch *l, int code)
{
    bool told = l->told != 0 && l->told != SIGUSR1;
    return told && code != 0 ? 128 + l->told : code;
}

static int run(struct launch *l, struct err *e)
{
    for (int restart = 0;;) {
        int64_t begin = clock_mono_us(&clock_system);
        if (start(l, e) < 0) {
            return -1;
        }
        int code = watch(l, e);
        if (code != 0) {
            clear_up(l);
        }
        if (code < 0 || is_final(l, code)) {
            return code < 0 ? -1 : final_code(l, code);
        }
        double lasted = (double)(clock_mono_us(&clock_system) - begin) / 1e6;
        if (restart == l->opt->max_restarts) {
            if (restart > 0) {
                say(l, "%s %s after %.1f s; restarted %d times already, so this is the end",
                    l->opt->argv[0], reason(l, code), lasted, restart);
            }
            return code;
        }
        restart++;
        double pause = backoff(l, restart);
        say(l, "%s %s after %.1f s; starting again in %g s (restart %d of %d)", l->opt->argv[0],
            reason(l, code), lasted, pause, restart, l->opt->max_restarts);
        if (!rest(l, pause)) {
            return l->told == SIGUSR1 ? REPRO_EXIT_REQUEUE : 128 + l->told;
        }
    }
}

int launch_run(const struct launch_options *opt, struct err *e)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};
    struct launch l = {.opt = opt};
    sigset_t before;
    arena_init(&l.arena);
    make_environment(&l);
    sigemptyset(&l.signals);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaddset(&l.signals, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &l.signals, &before);
    int code = run(&l, e);
    sigprocmask(SIG_SETMASK, &before, NULL);
    arena_release(&l.arena);
    return code;
}
