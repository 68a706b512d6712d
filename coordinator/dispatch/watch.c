/* See watch.h. One inotify descriptor; folders by their watch numbers, wanted names in a set. */
#include "watch.h"

#include "alloc.h"
#include "arena.h"
#include "clock.h"
#include "err.h"
#include "fs.h"
#include "ignore.h"
#include "path.h"
#include "repro_stop.h"

#include <uthash.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 200
#define PATIENCE_S 5.0 /* of changes that do not end */
#define EVENTS                                                                                     \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |            \
     IN_EXCL_UNLINK | IN_ONLYDIR | IN_MASK_ADD)

struct folder {
    UT_hash_handle hh;
    int wd;
    bool all; /* inside of a watched folder: every name is wanted */
    const char *path;
};

struct name {
    UT_hash_handle hh;
    const char *path;
};

struct watch {
    struct arena arena;
    int fd;
    const char *root;
    struct ignore *ignore;
    struct folder *folders;
    struct name *wanted, *skipped, *changed;
    const char **list; /* the changed ones in order */
    size_t count, capacity;
};

/* ---- sets ---- */

static bool has(const struct name *set, const char *path)
{
    struct name *n;
    HASH_FIND_STR(set, path, n);
    return n != NULL;
}

static bool put(struct watch *w, struct name **set, const char *path)
{
    if (has(*set, path)) {
        return false;
    }
    struct name *n = arena_alloc(&w->arena, sizeof *n);
    n->path = arena_strdup(&w->arena, path);
    HASH_ADD_KEYPTR(hh, *set, n->path, strlen(n->path), n);
    return true;
}

struct watch *watch_new(const char *root, struct err *e)
{
    struct watch *w = xcalloc(1, sizeof *w);
    arena_init(&w->arena);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        err_sys(e, "cannot watch files (inotify_init1; see fs.inotify.max_user_instances)");
        watch_free(w);
        return NULL;
    }
    w->root = arena_strdup(&w->arena, root);
    w->ignore = ignore_new(w->root);
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    HASH_CLEAR(hh, w->folders);
    HASH_CLEAR(hh, w->wanted);
    HASH_CLEAR(hh, w->skipped);
    HASH_CLEAR(hh, w->changed);
    if (w->fd >= 0) {
        close(w->fd);
    }
    ignore_free(w->ignore);
    free(w->list);
    arena_release(&w->arena);
    free(w);
}

void watch_skip(struct watch *w, const char *path)
{
    put(w, &w->skipped, path);
}

/* The path or a folder it lies in is skipped, or .dvcignore hides it. */
static bool is_skipped(struct watch *w, const char *path, bool is_dir)
{
    struct arena a;
    arena_init(&a);
    size_t root = strlen(w->root);
    char *up = arena_strdup(&a, path);
    bool skip = strncmp(path, w->root, root) == 0 && path[root] == '/' &&
                ignore_match(w->ignore, path + root + 1, is_dir);
    for (char *slash = up + strlen(up); slash != NULL && slash != up && !skip;
         slash = strrchr(up, '/')) {
        *slash = 0;
        skip = has(w->skipped, up);
    }
    arena_release(&a);
    return skip;
}

/* ---- adding ---- */

static struct folder *add_folder(struct watch *w, const char *path, bool all, struct err *e)
{
    int wd = inotify_add_watch(w->fd, path, EVENTS);
    if (wd < 0 && errno == ENOSPC) {
        err_set(e, ERR_LIMIT,
                "cannot watch %s: the system allows no more watches; raise the sysctl "
                "fs.inotify.max_user_watches",
                path);
        return NULL;
    }
    if (wd < 0) {
        err_sys(e, "cannot watch %s", path);
        return NULL;
    }
    struct folder *f;
    HASH_FIND_INT(w->folders, &wd, f);
    if (f == NULL) {
        f = arena_alloc(&w->arena, sizeof *f);
        f->wd = wd;
        f->path = arena_strdup(&w->arena, path);
        HASH_ADD_INT(w->folders, wd, f);
    }
    f->all = f->all || all;
    return f;
}

static int add_tree(struct watch *w, const char *path, struct err *e);

static int add_below(struct watch *w, const char *path, struct err *e)
{
    struct arena a;
    char **names;
    size_t count = 0;
    arena_init(&a);
    int rc = fs_list(&a, path, &names, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const char *below = path_join(&a, path, names[i]);
        struct stat st;
        if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode)) {
            rc = add_tree(w, below, e);
        }
    }
    arena_release(&a);
    return rc;
}

/* A folder that is gone by now was never there. */
static int add_tree(struct watch *w, const char *path, struct err *e)
{
    if (is_skipped(w, path, true)) {
        return 0;
    }
    if (add_folder(w, path, true, e) == NULL || add_below(w, path, e) < 0) {
        return fs_is_dir(path) ? -1 : 0;
    }
    return 0;
}

int watch_add(struct watch *w, const char *path, struct err *e)
{
    struct stat st;
    struct arena a;
    if (is_skipped(w, path, false)) {
        return 0;
    }
    arena_init(&a);
    const char *name = path, *dir = path_dirname(&a, path);
    while (!fs_is_dir(dir) && strcmp(dir, "/") != 0) {
        name = dir;
        dir = path_dirname(&a, dir);
    }
    int rc = add_folder(w, dir, false, e) != NULL ? 0 : -1;
    put(w, &w->wanted, name);
    if (rc == 0 && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        char *target = realpath(path, NULL);
        rc = target != NULL && strcmp(target, path) != 0 ? watch_add(w, target, e) : 0;
        free(target);
    } else if (rc == 0 && fs_is_dir(path)) {
        rc = add_tree(w, path, e);
    }
    arena_release(&a);
    return rc;
}

/* ---- events ---- */

static void note(struct watch *w, const char *path)
{
    if (put(w, &w->changed, path)) {
        ARRAY_RESERVE(w->list, w->count, w->capacity, 1);
        struct name *n;
        HASH_FIND_STR(w->changed, path, n);
        w->list[w->count++] = n->path;
    }
}

/* Made, and nobody will close it: a link, a folder, or a second name. */
static bool is_whole(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
}

static void take_event(struct watch *w, const struct inotify_event *ev)
{
    struct folder *f;
    if (ev->mask & IN_Q_OVERFLOW) {
        note(w, "");
        return;
    }
    HASH_FIND_INT(w->folders, &ev->wd, f);
    if (f == NULL || ev->len == 0 || ev->mask & IN_IGNORED) {
        return;
    }
    struct arena a;
    arena_init(&a);
    const char *path = path_join(&a, f->path, ev->name);
    bool is_dir = (ev->mask & IN_ISDIR) != 0;
    if ((f->all || has(w->wanted, path)) && !is_skipped(w, path, is_dir)) {
        if (is_dir && f->all && ev->mask & (IN_CREATE | IN_MOVED_TO)) {
            add_tree(w, path, NULL); /* what cannot be watched is seen with its folder */
        }
        bool made = (ev->mask & IN_CREATE) && is_whole(path);
        if (made || ev->mask & (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE)) {
            note(w, path);
        }
    }
    arena_release(&a);
}

/* Takes up what the kernel has to tell; false when that is nothing. */
static bool take_events(struct watch *w)
{
    _Alignas(struct inotify_event) char buffer[16384];
    bool any = false;
    ssize_t n;
    while ((n = read(w->fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *ev = (const void *)(buffer + at);
            take_event(w, ev);
            at += (ssize_t)(sizeof *ev + ev->len);
        }
        any = true;
    }
    return any;
}

bool watch_pending(struct watch *w)
{
    take_events(w);
    return w->count > 0;
}

void watch_forget(struct watch *w)
{
    HASH_CLEAR(hh, w->changed);
    w->count = 0;
}

/* ppoll lets the signals through only while it waits, so none slips past between look and wait. */
int watch_wait(struct watch *w, const struct repro_stop *stop, struct err *e)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    sigset_t held, before;
    double since = 0;
    int rc = 0;
    sigemptyset(&held);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaddset(&held, signals[i]);
    }
    pthread_sigmask(SIG_BLOCK, &held, &before);
    take_events(w);
    while (rc == 0 && stop->signal == 0) {
        double now = clock_seconds(&clock_system);
        since = w->count > 0 && since == 0 ? now : since;
        struct pollfd p = {.fd = w->fd, .events = POLLIN};
        const struct timespec quiet = {.tv_nsec = QUIET_MS * 1000000L};
        int got = ppoll(&p, 1, w->count > 0 ? &quiet : NULL, &before);
        if (got < 0 && errno != EINTR) {
            rc = err_sys(e, "cannot wait for changes");
        } else if (got > 0) {
            take_events(w);
        }
        if (rc == 0 && w->count > 0 && (got == 0 || now - since > PATIENCE_S)) {
            rc = 1;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return stop->signal != 0 ? 0 : rc;
}

size_t watch_changed(const struct watch *w, const char *const **paths)
{
    *paths = w->list;
    return w->count;
}
