/* See track_fixture.h. */

#include "track_fixture.h"

#include "alloc.h"
#include "clock.h"
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: fixture: %s: %s\n", __FILE__, __LINE__, #x, strerror(errno));  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

bool fixture_has_redis(void)
{
    static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/bin"};
    char path[64];
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        snprintf(path, sizeof(path), "%s/redis-server", dirs[i]);
        if (access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

void fixture_use_url(struct fixture *f, const char *url)
{
    free(f->tracking.redis_url);
    f->tracking.redis_url = xstrdup(url);
}

void fixture_open(struct fixture *f)
{
    char url[128];
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/nephron-track-XXXXXX");
    MUST(mkdtemp(f->dir));
    snprintf(f->socket, sizeof(f->socket), "%s/s", f->dir);
    snprintf(url, sizeof(url), "unix://%s", f->socket);
    f->tracking =
        (struct tracking){.project = xstrdup(f->dir), .prefix = "nephron:", .log_lines = 10000};
    fixture_use_url(f, url);
}

static pid_t spawn_server(struct fixture *f, const char *const *extra)
{
    const char *argv[40] = {
        "redis-server", "--port", "0", "--unixsocket", f->socket,  "--dir", f->dir, "--appendonly",
        "yes",          "--save", "",  "--logfile",    "redis.log"};
    size_t n = 13;
    for (; extra && *extra && n < 39; extra++) {
        argv[n++] = *extra;
    }
    pid_t parent = getpid(), pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

void fixture_start_redis(struct fixture *f, const char *const *extra)
{
    MUST(f->server == 0);
    unlink(f->socket);
    f->server = spawn_server(f, extra);
    for (int i = 0; i < 1000; i++) {
        const char *pong = FIXTURE_CLI(f, "PING");
        if (strstr(pong, "PONG") || strstr(pong, "NOAUTH")) {
            return;
        }
        clock_sleep_us(10000);
    }
    MUST(!"redis-server answers");
}

void fixture_signal_redis(struct fixture *f, int sig)
{
    MUST(f->server > 0);
    kill(f->server, sig);
    if (sig == SIGKILL) {
        waitpid(f->server, NULL, 0);
        f->server = 0;
    }
}

void fixture_close(struct fixture *f)
{
    if (f->server) {
        fixture_signal_redis(f, SIGKILL);
    }
    fs_remove_tree(f->dir, NULL);
    tracking_release(&f->tracking);
}

const char *fixture_cli(struct fixture *f, const char *const *args)
{
    static char out[1 << 16];
    const char *argv[32] = {"redis-cli", "-s", f->socket};
    size_t n = 3, got = 0;
    int fds[2];

    while (*args && n < 31) {
        argv[n++] = *args++;
    }
    MUST(pipe2(fds, O_CLOEXEC) == 0);
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    ssize_t k;
    while (got < sizeof(out) - 1 && (k = read(fds[0], out + got, sizeof(out) - 1 - got)) > 0) {
        got += (size_t)k;
    }
    out[got] = '\0';
    close(fds[0]);
    waitpid(pid, NULL, 0);
    while (got && out[got - 1] == '\n') {
        out[--got] = '\0';
    }
    return out;
}

long fixture_number(struct fixture *f, const char *const *args)
{
    const char *text = fixture_cli(f, args);
    char *end;
    long v = strtol(text, &end, 10);
    return *text && *end == '\0' ? v : -1;
}

long fixture_wait_number(struct fixture *f, long want, const char *const *args)
{
    long v = -1;
    for (int i = 0; i < 400; i++) {
        v = fixture_number(f, args);
        if (v == want) {
            break;
        }
        clock_sleep_us(50000);
    }
    return v;
}
