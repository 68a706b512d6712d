/*
 * The private redis-server of a project; see redis_server.h for the files and the lock.
 *
 * Why posix_spawn here and not proc_start: the server must inherit one descriptor (the lock), and
 * only it. The flag is cleared by the child's own dup2, so no other child that is spawned meanwhile
 * gets it.
 */

#include "redis_server.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "str.h"
#include "tracking.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_FD 3 /* where the server holds the lock */
#define POLL_US 10000
#define STOP_MS 10000

/* "<project>/.nephron/redis/<name>" */
static int server_path(const struct tracking *t, const char *name, char out[PATH_MAX],
                       struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s/%s/redis/%s", t->project, TRACKING_DIR, name) >= PATH_MAX) {
        return err_set(e, ERR_LIMIT, "the project path is too long: %s", t->project);
    }
    return 0;
}

/* ---- the socket's name ---- */

/* A recorded short path counts when its folder is (a link of ours to) the server's folder. */
static bool short_path_valid(const char *path, const char *dir)
{
    char parent[PATH_MAX], real[PATH_MAX], want[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || strlen(path) >= sizeof(((struct redis_address *)0)->path)) {
        return false;
    }
    snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    return lstat(parent, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid == geteuid() &&
           realpath(parent, real) && realpath(dir, want) && strcmp(real, want) == 0;
}

static bool read_short_path(const struct tracking *t, const char *dir, char out[PATH_MAX])
{
    char record[PATH_MAX];
    struct strbuf text;
    bool valid = false;

    if (server_path(t, "socket", record, NULL) < 0) {
        return false;
    }
    strbuf_init_max(&text, 4000);
    if (fs_read(record, 4000, &text, NULL) == 0) {
        struct str s = str_trim(strbuf_str(&text));
        snprintf(out, PATH_MAX, "%.*s", STR_ARG(s));
        valid = short_path_valid(out, dir);
    }
    strbuf_release(&text);
    return valid;
}

/* A new folder of ours (mkdtemp: nobody can have put it there) with a link to the server's folder.
 */
static int make_short_path(const struct tracking *t, const char *dir, char out[PATH_MAX],
                           struct err *e)
{
    char record[PATH_MAX], link[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *parents[] = {runtime && runtime[0] == '/' ? runtime : "/tmp", "/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
        char temp[PATH_MAX];
        snprintf(temp, sizeof(temp), "%s/nephron-XXXXXX", parents[i]);
        if (strlen(temp) > 80 || !mkdtemp(temp)) {
            continue;
        }
        if (snprintf(link, sizeof(link), "%s/r", temp) < PATH_MAX && symlink(dir, link) == 0 &&
            snprintf(out, PATH_MAX, "%s/redis.sock", link) < PATH_MAX &&
            server_path(t, "socket", record, e) == 0) {
            return fs_write_atomic(record, out, strlen(out), 0600, e);
        }
        rmdir(temp);
    }
    return err_set(e, ERR_IO, "cannot make a short path for the Redis socket in /tmp");
}

int redis_server_address(const struct tracking *t, bool create, struct redis_address *a,
                         struct err *e)
{
    char dir[PATH_MAX], path[PATH_MAX];

    if (server_path(t, "", dir, e) < 0 || server_path(t, "redis.sock", path, e) < 0) {
        return -1;
    }
    if (create) {
        char *made = tracking_dir(t, "redis", true, e);
        if (!made) {
            return -1;
        }
        free(made);
    } else if (!fs_is_dir(dir)) {
        return err_set(e, ERR_MISSING, "no private Redis in %s yet", t->project);
    }
    if (strlen(path) >= sizeof(a->path) && !read_short_path(t, dir, path)) {
        if (!create) {
            return err_set(e, ERR_MISSING, "no private Redis in %s yet", t->project);
        }
        if (make_short_path(t, dir, path, e) < 0) {
            return -1;
        }
    }
    return redis_address_unix(a, path, e);
}

/* ---- alive? ---- */

/* Takes the server lock. Returns the descriptor, or -1: ERR_BUSY when a server (or a starter) has
 * it. */
static int take_lock(const struct tracking *t, struct err *e)
{
    char path[PATH_MAX];
    if (server_path(t, "server.lock", path, e) < 0) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            err_set(e, ERR_BUSY, "%s is held", path);
        } else {
            err_sys(e, "cannot lock %s", path);
        }
        close(fd);
        return -1;
    }
    return fd;
}

static pid_t read_pid(const struct tracking *t)
{
    char path[PATH_MAX];
    struct strbuf text;
    int64_t pid = 0;

    if (server_path(t, "redis.pid", path, NULL) < 0) {
        return 0;
    }
    strbuf_init_max(&text, 64);
    if (fs_read(path, 64, &text, NULL) < 0 || !num_parse_int(str_trim(strbuf_str(&text)), &pid) ||
        pid < 1 || pid > INT_MAX) {
        pid = 0;
    }
    strbuf_release(&text);
    return (pid_t)pid;
}

bool redis_server_alive(const struct tracking *t, pid_t *pid)
{
    char path[PATH_MAX];
    bool alive = false;

    if (pid) {
        *pid = 0;
    }
    if (server_path(t, "server.lock", path, NULL) < 0) {
        return false;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        alive = true;
    }
    close(fd);
    if (alive && pid) {
        *pid = read_pid(t);
    }
    return alive;
}

bool redis_server_has_data(const struct tracking *t)
{
    char path[PATH_MAX];
    return server_path(t, "appendonlydir", path, NULL) == 0 && fs_is_dir(path);
}

/* ---- start ---- */

static int spawn_server(const char *dir, const char *socket, int lock_fd, struct err *e)
{
    char log[PATH_MAX], pidfile[PATH_MAX];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    pid_t pid;
    int status;

    snprintf(log, sizeof(log), "%s/redis.log", dir);
    snprintf(pidfile, sizeof(pidfile), "%s/redis.pid", dir);
    /* daemonize: own session, stdio on /dev/null, and our child is gone at once: nothing to reap
     * later. */
    const char *argv[] = {"redis-server",
                          "--daemonize",
                          "yes",
                          "--port",
                          "0",
                          "--unixsocket",
                          socket,
                          "--unixsocketperm",
                          "700",
                          "--dir",
                          dir,
                          "--appendonly",
                          "yes",
                          "--appendfsync",
                          "everysec",
                          "--no-appendfsync-on-rewrite", /* the spool has it on disk meanwhile */
                          "yes",
                          "--save",
                          "",
                          "--maxmemory-policy",
                          "noeviction",
                          "--loglevel",
                          "notice",
                          "--logfile",
                          log,
                          "--pidfile",
                          pidfile,
                          NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_adddup2(&actions, lock_fd, LOCK_FD);
    /* Nothing else of ours: a server that holds the caller's pipe would keep its reader waiting. */
    posix_spawn_file_actions_addclosefrom_np(&actions, LOCK_FD + 1);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(
        &attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
    /* Nor our environment: the server is no part of the job, stage or launch that happened to need
     * it first, and must not end with what is found by these marks. */
    char *env[] = {NULL};
    int rc = posix_spawnp(&pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == ENOENT) {
        return err_set(e, ERR_MISSING,
                       "redis-server is not installed (Debian package redis-server)");
    }
    if (rc != 0) {
        errno = rc;
        return err_sys(e, "cannot start redis-server");
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return err_set(e, ERR_CHILD, "redis-server did not start, see %s", log);
    }
    return 0;
}

/* Waits for the server that we just started. */
static int wait_for_answer(const struct tracking *t, const struct redis_address *a, int64_t end_us,
                           struct err *e)
{
    for (;;) {
        struct err why = ERR_INIT;
        struct redis *r = redis_open(a, &why);
        if (r) {
            redis_close(r);
            return 0;
        }
        pid_t pid;
        if (!redis_server_alive(t, &pid)) {
            return err_set(e, ERR_CHILD,
                           "the private redis-server ended, see %s/%s/redis/redis.log", t->project,
                           TRACKING_DIR);
        }
        if (clock_mono_us(&clock_system) >= end_us) {
            return err_set(e, ERR_BUSY, "the private redis-server (pid %ld) does not answer: %s",
                           (long)pid, why.text);
        }
        clock_sleep_us(POLL_US);
    }
}

/* Takes the lock (*lock >= 0), or finds a server that answers (*lock = -1). The lock may be held by
 * a server, by another starter, or for an instant by somebody who asks whether it is held. */
static int lock_or_find(const struct tracking *t, const struct redis_address *a, int64_t end_us,
                        int *lock, struct err *e)
{
    for (;;) {
        struct err why = ERR_INIT, held = ERR_INIT;
        *lock = take_lock(t, &held);
        if (*lock >= 0) {
            return 0;
        }
        if (held.code != ERR_BUSY) {
            return err_set(e, held.code, "%s", held.text);
        }
        struct redis *r = redis_open(a, &why);
        if (r) {
            redis_close(r);
            return 0;
        }
        if (clock_mono_us(&clock_system) >= end_us) {
            return err_set(e, ERR_BUSY, "the private redis-server (pid %ld) does not answer: %s",
                           (long)read_pid(t), why.text);
        }
        clock_sleep_us(POLL_US);
    }
}

int redis_server_start(const struct tracking *t, bool *started, struct err *e)
{
    struct redis_address a;
    int64_t end_us = clock_mono_us(&clock_system) + (int64_t)REDIS_SERVER_START_MS * 1000;
    int lock = -1;

    if (started) {
        *started = false;
    }
    if (redis_server_address(t, true, &a, e) < 0 || lock_or_find(t, &a, end_us, &lock, e) < 0) {
        return -1;
    }
    if (lock < 0) {
        return 0;
    }
    char *dir = tracking_dir(t, "redis", true, e);
    if (!dir) {
        close(lock);
        return -1;
    }
    unlink(a.path); /* nobody listens: we have the lock */
    int rc = spawn_server(dir, a.path, lock, e);
    close(lock); /* the server has its own copy */
    free(dir);
    if (rc == 0) {
        rc = wait_for_answer(t, &a, end_us, e);
    }
    if (rc == 0 && started) {
        *started = true;
    }
    return rc;
}

/* The pid file may be stale: never signal a stranger. */
static bool is_redis(pid_t pid)
{
    char path[64];
    struct strbuf comm;
    snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    strbuf_init_max(&comm, 64);
    bool yes = fs_read(path, 64, &comm, NULL) == 0 && str_starts(strbuf_str(&comm), "redis-server");
    strbuf_release(&comm);
    return yes;
}

int redis_server_stop(const struct tracking *t, struct err *e)
{
    struct redis_address a;
    struct err ignored = ERR_INIT;
    pid_t pid;

    if (!redis_server_alive(t, &pid)) {
        return err_set(e, ERR_MISSING, "no private redis-server runs in %s", t->project);
    }
    if (redis_server_address(t, false, &a, e) < 0) {
        return -1;
    }
    struct redis *r = redis_open(&a, &ignored);
    if (r) {
        /* It closes the connection instead of answering. */
        redis_reply_free(redis_command(r, &ignored, "SHUTDOWN", NULL));
        redis_close(r);
    } else if (pid > 0 && is_redis(pid)) {
        kill(pid, SIGTERM);
    }
    int64_t end_us = clock_mono_us(&clock_system) + (int64_t)STOP_MS * 1000;
    while (redis_server_alive(t, NULL)) {
        if (clock_mono_us(&clock_system) >= end_us) {
            return err_set(e, ERR_BUSY,
                           "the private redis-server (pid %ld) did not end within %d s", (long)pid,
                           STOP_MS / 1000);
        }
        clock_sleep_us(POLL_US);
    }
    return 0;
}

struct redis *redis_connect(const struct tracking *t, bool start, struct err *e)
{
    struct redis_address a;

    if (strcmp(t->redis_url, "none") == 0) {
        err_set(e, ERR_MISSING, "tracking.redis_url is none");
        return NULL;
    }
    if (strcmp(t->redis_url, "auto") != 0) {
        return redis_address_parse(&a, t->redis_url, e) < 0 ? NULL : redis_open(&a, e);
    }
    if (!start && !redis_server_alive(t, NULL)) {
        err_set(e, ERR_MISSING, "no private redis-server runs in %s", t->project);
        return NULL;
    }
    if (start && redis_server_start(t, NULL, e) < 0) {
        return NULL;
    }
    if (redis_server_address(t, false, &a, e) < 0) {
        return NULL;
    }
    return redis_open(&a, e);
}
