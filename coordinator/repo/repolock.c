/* flock on DVC's lock file; see repolock.h. The rwlock part is rwlock.c. */
#include "repolock.h"

#include "clock.h"
#include "err.h"
#include "flock_private.h"
#include "fs.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "repo.h"
#include "value.h"
#include "yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_US 3000000 /* DVC gives up after 3 s too */
#define LOCK_POLL_US 20000
#define GUARD_WAIT_US 10000000

int flock_open(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 && errno == ENOENT) {
        if (fs_mkdirs_for(path, e) < 0) {
            return -1;
        }
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    }
    if (fd < 0) {
        return err_sys(e, "cannot open the lock file %s", path);
    }
    return fd;
}

int flock_try(int fd, const char *path, struct err *e)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return 1;
    }
    if (errno == EWOULDBLOCK || errno == EINTR) {
        return 0;
    }
    if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) {
        log_warn("repo",
                 "%s: this file system has no locks; be sure that only one command is at work",
                 path);
        return 1;
    }
    return err_sys(e, "cannot lock %s", path);
}

/* As zc.lockfile: " PID\n". */
static void write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof text, " %ld\n", (long)getpid());
    if (pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0) {
        return;
    }
    log_debug("repo", "cannot write the pid into the lock file: %s", strerror(errno));
}

int flock_wait(int fd, const char *path, int64_t wait_us, const volatile int *stop, struct err *e)
{
    int64_t end = clock_mono_us(&clock_system) + wait_us;
    for (;;) {
        int got = flock_try(fd, path, e);
        if (got != 0) {
            return got;
        }
        if (stop != NULL && *stop) {
            return err_set(e, ERR_INTERRUPTED, "interrupted while waiting for %s", path);
        }
        if (wait_us >= 0 && clock_mono_us(&clock_system) >= end) {
            return 0;
        }
        clock_sleep_us(LOCK_POLL_US);
    }
}

/* ---- who holds it ---- */

static void write_holder(int fd, const char *cmd)
{
    struct arena a;
    arena_init(&a);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct value *v = value_map(&a);
    value_set(&a, v, "pid", value_int(&a, getpid()));
    value_set(&a, v, "host", value_cstr(&a, host));
    value_set(&a, v, "cmd", value_cstr(&a, cmd));
    value_set(&a, v, "start_ms", value_int(&a, clock_wall_ms(&clock_system)));
    struct strbuf text;
    strbuf_init(&text);
    json_write(&text, v, &(struct json_style){0});
    strbuf_addch(&text, '\n');
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text.p, text.n, 0) != (ssize_t)text.n) {
        log_debug("repo", "cannot write the holder of the lock: %s", strerror(errno));
    }
    strbuf_release(&text);
    arena_release(&a);
}

/* The command line of a process of this host, "" when it cannot be read. */
static void command_of(long pid, struct strbuf *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    if (fs_read(path, 65536, out, NULL) == 0) {
        while (out->n > 0 && out->p[out->n - 1] == 0) {
            strbuf_truncate(out, out->n - 1);
        }
        for (size_t i = 0; i < out->n; i++) {
            out->p[i] = out->p[i] == 0 ? ' ' : out->p[i];
        }
    }
}

/* The process that took the repro lock is gone, yet the lock is held: its guard is ending what was
 * left running. */
static bool holder_is_dead(const struct repolock *l)
{
    struct arena a;
    arena_init(&a);
    struct strbuf text;
    strbuf_init(&text);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    bool dead = false;
    if (fs_read(l->path, 65536, &text, NULL) == 0) {
        const struct value *v = json_parse(&a, strbuf_str(&text), l->path, NULL);
        const struct value *pid = value_get(v, "pid");
        dead = pid != NULL && pid->type == VALUE_INT &&
               str_is(value_as_str(value_get(v, "host")), host) && !proc_alive((pid_t)pid->i);
    }
    strbuf_release(&text);
    arena_release(&a);
    return dead;
}

static int busy(const struct repolock *l, const struct repo *r, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct strbuf text, cmd;
    strbuf_init(&text);
    strbuf_init(&cmd);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    fs_read(l->path, 65536, &text, NULL);
    const struct value *v = NULL;
    if (text.n > 0 && text.p[0] == '{') {
        v = json_parse(&a, strbuf_str(&text), l->path, NULL);
    }
    const struct value *pid_value = value_get(v, "pid");
    long pid = pid_value != NULL && pid_value->type == VALUE_INT ? (long)pid_value->i
                                                                 : strtol(text.p, NULL, 10);
    struct str who = value_as_str(value_get(v, "host"));
    strbuf_addstr(&cmd, value_as_str(value_get(v, "cmd")));
    if (cmd.n == 0 && pid > 0) {
        command_of(pid, &cmd);
    }
    err_set(
        e, ERR_BUSY,
        "%s is busy: process %ld on %.*s is at work in it (%s); try again later, or wait for it "
        "with --wait-for-lock",
        r->root, pid, who.n > 0 ? (int)who.n : (int)strlen(host), who.n > 0 ? who.p : host,
        cmd.n > 0 ? cmd.p : "command unknown");
    if (e != NULL) {
        e->detail = 75;
    }
    strbuf_release(&text);
    strbuf_release(&cmd);
    arena_release(&a);
    return -1;
}

/*
 * Who takes the lock is going to write: here `core.fsync: false` of config/config.yaml takes effect. (DVC's
 * own settings have no room for the key: DVC would refuse the file.) What is wrong with the file is said by
 * those who read the rest of it.
 */
static void apply_sync_setting(const struct repo *r)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    if (fs_read(path_join(&a, r->root, "config/config.yaml"), (size_t)1 << 20, &text, NULL) == 0 &&
        strstr(text.p, "fsync") != NULL) {
        const struct value *core = value_get(yaml_parse(&a, strbuf_str(&text), NULL, NULL), "core");
        const struct value *on = value_get(core, "fsync");
        if (on != NULL && on->type == VALUE_BOOL) {
            fs_set_sync(on->b);
        }
    }
    strbuf_release(&text);
    arena_release(&a);
}

int repolock_acquire(struct repolock *l, const struct repo *r, enum repolock_kind kind,
                     const char *cmd, bool wait, const volatile int *stop, struct err *e)
{
    l->kind = kind;
    l->fd = -1;
    int n = snprintf(l->path, sizeof l->path, "%s/%s", r->tmp_dir,
                     kind == REPOLOCK_REPO ? "lock" : "nephron/repro.lock");
    if (n < 0 || (size_t)n >= sizeof l->path) {
        return err_set(e, ERR_LIMIT, "the path of the lock file in %s is too long", r->tmp_dir);
    }
    int fd = flock_open(l->path, e);
    if (fd < 0) {
        return -1;
    }
    int64_t patience = wait ? -1 : kind == REPOLOCK_REPO ? LOCK_WAIT_US : 0;
    int got = flock_wait(fd, l->path, patience, stop, e);
    if (got == 0 && kind != REPOLOCK_REPO && holder_is_dead(l)) {
        got = flock_wait(fd, l->path, GUARD_WAIT_US, stop, e);
    }
    if (got <= 0) {
        close(fd);
        return got < 0 ? -1 : busy(l, r, e);
    }
    if (kind == REPOLOCK_REPO) {
        apply_sync_setting(r);
        write_pid(fd);
    } else if (kind == REPOLOCK_REPRO) {
        struct stat st;
        l->was_left = fstat(fd, &st) == 0 && st.st_size > 0; /* a release empties it */
        write_holder(fd, cmd);
    }
    l->fd = fd;
    return 0;
}

void repolock_release(struct repolock *l)
{
    if (l->fd >= 0) {
        if (l->kind == REPOLOCK_REPRO && ftruncate(l->fd, 0) != 0) {
            log_debug("repo", "cannot empty %s: %s", l->path, strerror(errno));
        }
        flock(l->fd, LOCK_UN);
        close(l->fd);
        l->fd = -1;
    }
}

void repolock_pause(struct repolock *l)
{
    if (l->fd >= 0) {
        flock(l->fd, LOCK_UN);
    }
}

int repolock_resume(struct repolock *l, struct err *e)
{
    if (l->fd < 0) {
        return 0;
    }
    if (flock_wait(l->fd, l->path, -1, NULL, e) < 0) {
        return -1;
    }
    write_pid(l->fd);
    return 0;
}
