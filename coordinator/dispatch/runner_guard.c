/* See runner_guard.h. Forked, not spawned: it must not depend on finding a program. The child calls
 * only what is safe after a fork of a program with threads. */
#include "runner_guard.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_TERM_WAIT_MS 5000
#define GUARD_STEP_MS 20

struct entry {
    _Atomic uint64_t job;
    _Atomic pid_t group;
};

struct guard {
    pid_t pid;
    int fd;
    struct entry *table;
    size_t capacity, bytes;
};

/* Is NEPHRON_JOB=<one of the running jobs> in the process's environment? */
static bool has_mark(const struct guard *g, long pid)
{
    static char env[1 << 20];
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t n = 0;
    ssize_t got;
    while (n < sizeof env - 1 && (got = read(fd, env + n, sizeof env - 1 - n)) > 0) {
        n += (size_t)got;
    }
    close(fd);
    env[n] = 0;
    for (size_t at = 0; at < n; at += strlen(env + at) + 1) {
        if (strncmp(env + at, "NEPHRON_JOB=", 12) != 0) {
            continue;
        }
        uint64_t job = strtoull(env + at + 12, NULL, 16);
        for (size_t i = 0; i < g->capacity; i++) {
            if (job != 0 && atomic_load(&g->table[i].job) == job) {
                return true;
            }
        }
    }
    return false;
}

/* Signals every process that belongs to a running job; how many there were. */
static size_t signal_all(const struct guard *g, int sig)
{
    size_t count = 0;
    for (size_t i = 0; i < g->capacity; i++) {
        pid_t group = atomic_load(&g->table[i].group);
        if (atomic_load(&g->table[i].job) != 0 && group > 1 && kill(-group, sig) == 0) {
            count++;
        }
    }
    /* By the system call: opendir allocates, and a lock of the allocator may have been held by a
     * thread that the fork left behind. */
    static _Alignas(8) char entries[32768];
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t n;
    while (proc >= 0 && (n = getdents64(proc, entries, sizeof entries)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(entries + at);
            at += d->d_reclen;
            long pid = isdigit((unsigned char)d->d_name[0]) ? strtol(d->d_name, NULL, 10) : 0;
            if (pid > 1 && pid != getpid() && has_mark(g, pid) && kill((pid_t)pid, sig) == 0) {
                count++;
            }
        }
    }
    if (proc >= 0) {
        close(proc);
    }
    return count;
}

static void end_stages(const struct guard *g)
{
    bool any = false;
    for (size_t i = 0; i < g->capacity; i++) {
        any = any || atomic_load(&g->table[i].job) != 0;
    }
    if (!any) {
        return;
    }
    /* A child may have been between spawn and exec, without its environment yet: so look again a
     * few times. */
    int quiet = 0;
    for (int ms = 0; ms < GUARD_TERM_WAIT_MS && quiet < 5; ms += GUARD_STEP_MS) {
        quiet = signal_all(g, ms == 0 || ms % 1000 == 0 ? SIGTERM : 0) == 0 ? quiet + 1 : 0;
        if (quiet == 0 && ms < 200) {
            signal_all(g, SIGTERM);
        }
        clock_sleep_us(GUARD_STEP_MS * 1000);
    }
    for (int i = 0; i < 50 && signal_all(g, SIGKILL) > 0; i++) {
        clock_sleep_us(GUARD_STEP_MS * 1000);
    }
}

static void close_others(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (low > 3) {
        close_range(3, low - 1, 0);
    }
    if (high > low + 1) {
        close_range(low + 1, high - 1, 0);
    }
    close_range(high + 1, ~0u, 0);
}

static _Noreturn void guard_main(const struct guard *g, int fd, int keep_fd)
{
    setsid();
    static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP,  SIGPIPE,
                                  SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && null >= 0; i++) {
        dup2(null, i);
    }
    close_others(fd, keep_fd > 2 ? keep_fd : fd);
    char c = 0;
    ssize_t n;
    do {
        n = read(fd, &c, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        end_stages(g);
    }
    _exit(0);
}

struct guard *guard_start(size_t capacity, int keep_fd, struct err *e)
{
    struct guard *g = xcalloc(1, sizeof *g);
    int fds[2];
    g->capacity = capacity;
    g->bytes = capacity * sizeof *g->table;
    g->table = mmap(NULL, g->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g->table == MAP_FAILED) {
        err_sys(e, "cannot make shared memory for the guard process");
        free(g);
        return NULL;
    }
    if (pipe2(fds, O_CLOEXEC) != 0) {
        err_sys(e, "cannot make a pipe for the guard process");
        munmap(g->table, g->bytes);
        free(g);
        return NULL;
    }
    g->pid = fork();
    if (g->pid == 0) {
        guard_main(g, fds[0], keep_fd);
    }
    close(fds[0]);
    g->fd = fds[1];
    if (g->pid < 0) {
        err_sys(e, "cannot start the guard process");
        close(g->fd);
        munmap(g->table, g->bytes);
        free(g);
        return NULL;
    }
    return g;
}

void guard_set(struct guard *g, size_t i, uint64_t job, pid_t group)
{
    if (g != NULL && i < g->capacity) {
        atomic_store(&g->table[i].group, group);
        atomic_store(&g->table[i].job, job);
    }
}

void guard_stop(struct guard *g)
{
    if (g == NULL) {
        return;
    }
    ssize_t n = write(g->fd, "q", 1);
    (void)n; /* a guard that is gone already reads nothing */
    close(g->fd);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    munmap(g->table, g->bytes);
    free(g);
}
