/* Files; see fs.h. */

#include "fs.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEFAULT_MAX_BYTES ((size_t)1 << 30)
#define COPY_CHUNK ((size_t)1 << 20)
#define SMALL_COPY ((size_t)1 << 16)
#define TEMP_PREFIX ".nephron-"
#define LEFT_AFTER_MS ((int64_t)24 * 3600 * 1000)

static _Atomic bool sync_on = true;
static _Atomic unsigned temp_number;

void fs_set_sync(bool on)
{
    sync_on = on;
}

int fs_sync_data(int fd)
{
    return sync_on ? fdatasync(fd) : 0;
}

bool fs_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool fs_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_open(int fd, const char *path, size_t max, struct strbuf *out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return err_sys(e, "cannot stat %s", path);
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return err_sys(e, "cannot read %s", path);
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max) {
        return err_set(e, ERR_LIMIT, "%s has %lld bytes, at most %zu are read", path,
                       (long long)st.st_size, max);
    }
    size_t start = out->n;
    size_t guess = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    for (;;) {
        strbuf_reserve(out, guess > out->n - start ? guess - (out->n - start) + 1 : 65536);
        ssize_t n = read(fd, out->p + out->n, out->capacity - out->n - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_sys(e, "cannot read %s", path);
        }
        if (n == 0) {
            return 0;
        }
        out->n += (size_t)n;
        out->p[out->n] = '\0';
        if (out->n - start > max) {
            return err_set(e, ERR_LIMIT, "%s has more than %zu bytes", path, max);
        }
    }
}

ssize_t fs_read_full(int fd, void *to, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = read(fd, (char *)to + got, n - got);
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r <= 0) {
            return r < 0 ? -1 : (ssize_t)got;
        }
        got += (size_t)r;
    }
    return (ssize_t)got;
}

int fs_read(const char *path, size_t max_bytes, struct strbuf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", path);
    }
    int rc = read_open(fd, path, max_bytes > 0 ? max_bytes : DEFAULT_MAX_BYTES, out, e);
    close(fd);
    return rc;
}

int fs_write_all(int fd, const void *data, size_t n, const char *name, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return err_sys(e, "cannot write %s", name);
        }
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* What a kill left in the folder of `target` goes when this process first writes there. The table
 * forgets; then a folder is looked at again. */
static void sweep_once(const char *target, size_t dir_length)
{
    static _Atomic uint64_t seen[256];
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < dir_length; i++) {
        hash = (hash ^ (unsigned char)target[i]) * 0x100000001b3u;
    }
    if (atomic_exchange(&seen[hash & 255], hash) == hash) {
        return;
    }
    char *dir = dir_length > 0 ? xstrndup(target, dir_length) : xstrdup(".");
    fs_sweep_temp(dir);
    free(dir);
}

static char host_name[HOST_NAME_MAX + 1];
static pthread_once_t host_once = PTHREAD_ONCE_INIT;

static void ask_host(void)
{
    if (gethostname(host_name, sizeof(host_name)) < 0) {
        snprintf(host_name, sizeof(host_name), "localhost");
    }
    host_name[HOST_NAME_MAX] = '\0';
}

static const char *own_host(void)
{
    pthread_once(&host_once, ask_host);
    return host_name;
}

int fs_temp_name(char *out, size_t size, const char *target, struct err *e)
{
    const char *slash = strrchr(target, '/');
    size_t dir_length = slash != NULL ? (size_t)(slash - target) + 1 : 0;
    int n = snprintf(out, size, "%.*s" TEMP_PREFIX "%s-%ld-%u.tmp", (int)dir_length, target,
                     own_host(), (long)getpid(), temp_number++);
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return err_sys(e, "cannot write %s", target);
    }
    sweep_once(target, dir_length);
    return 0;
}

int fs_temp_open(struct fs_temp *t, const char *target, mode_t mode, struct err *e)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        t->fd = -1;
        if (fs_temp_name(t->path, sizeof(t->path), target, e) < 0) {
            return -1;
        }
        t->fd = open(t->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode > 0 ? mode : 0666);
        if (t->fd >= 0 && mode > 0 && fchmod(t->fd, mode) < 0) {
            err_sys(e, "cannot set the mode of %s", t->path);
            fs_temp_abort(t);
            return -1;
        }
        if (t->fd >= 0 || errno != EEXIST) {
            break;
        }
    }
    return t->fd >= 0 ? 0 : err_sys(e, "cannot write %s", target);
}

void fs_temp_abort(struct fs_temp *t)
{
    int saved = errno;
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
    if (t->path[0] != '\0') {
        unlink(t->path);
        t->path[0] = '\0';
    }
    errno = saved;
}

int fs_sync_dir(const char *dir, struct err *e)
{
    if (!sync_on) {
        return 0;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", dir);
    }
    int rc = 0;
    /* EINVAL: file systems without directory sync; their renames are ordered or not at all. */
    if (fsync(fd) < 0 && errno != EINVAL) {
        rc = err_sys(e, "cannot sync %s", dir);
    }
    close(fd);
    return rc;
}

bool fs_can_sync_all(const char *dir)
{
    struct statfs st;
    return statfs(dir, &st) == 0 && (unsigned long)st.f_type != FUSE_SUPER_MAGIC;
}

int fs_sync_all(const char *dir, struct err *e)
{
    if (!sync_on) {
        return 0;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot open %s", dir);
    }
    int rc = syncfs(fd) < 0 ? err_sys(e, "cannot sync the file system of %s", dir) : 0;
    close(fd);
    return rc;
}

static int sync_parent(const char *path, struct err *e)
{
    char dir[sizeof(((struct fs_temp *)0)->path)];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(dir, sizeof(dir), ".")
                          : snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + 1, path);
    return n > 0 && (size_t)n < sizeof(dir) ? fs_sync_dir(dir, e) : 0;
}

int fs_sync_file(const char *path, struct err *e)
{
    int fd = sync_on ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return !sync_on || errno == ENOENT ? 0 : err_sys(e, "cannot open %s", path);
    }
    int rc = fsync(fd) < 0 ? err_sys(e, "cannot sync %s", path) : 0;
    close(fd);
    return rc < 0 ? rc : sync_parent(path, e);
}

int fs_temp_commit(struct fs_temp *t, const char *target, bool fast, struct err *e)
{
    bool durable = !fast && sync_on;
    if (durable && fsync(t->fd) < 0) {
        err_sys(e, "cannot sync %s", target);
        fs_temp_abort(t);
        return -1;
    }
    int fd = t->fd;
    t->fd = -1;
    if (close(fd) < 0 || rename(t->path, target) < 0) {
        err_sys(e, "cannot write %s", target);
        fs_temp_abort(t);
        return -1;
    }
    t->path[0] = '\0';
    return durable ? sync_parent(target, e) : 0;
}

int fs_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    struct fs_temp t;
    if (fs_temp_open(&t, path, mode, e) < 0) {
        return -1;
    }
    if (fs_write_all(t.fd, data, n, path, e) < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    return fs_temp_commit(&t, path, false, e);
}

int fs_write_if_changed(const char *path, const void *data, size_t n, bool *changed, struct err *e)
{
    struct strbuf old;
    strbuf_init(&old);
    bool same =
        fs_read(path, 0, &old, NULL) == 0 && str_eq(strbuf_str(&old), (struct str){data, n});
    strbuf_release(&old);
    if (changed != NULL) {
        *changed = !same;
    }
    return same ? 0 : fs_write_atomic(path, data, n, 0, e);
}

/* Is "HOST-PID-N.tmp" of a process that is gone? One of another host may live, so its file is kept
 * for a day. */
static bool is_left(int at, const char *name, const char *owner)
{
    const char *host = own_host();
    const char *number = strrchr(owner, '-');
    const char *pid = number != NULL ? memrchr(owner, '-', (size_t)(number - owner)) : NULL;
    unsigned n;
    long id;
    char tail[8];
    if (pid == NULL || sscanf(pid, "-%ld-%u.%7s", &id, &n, tail) != 3 || strcmp(tail, "tmp") != 0) {
        return false;
    }
    if (strlen(host) == (size_t)(pid - owner) && strncmp(owner, host, strlen(host)) == 0) {
        return id > 0 && kill((pid_t)id, 0) < 0 && errno == ESRCH;
    }
    struct stat st;
    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_wall_ms(&clock_system) - (int64_t)st.st_mtime * 1000 > LEFT_AFTER_MS;
}

/* Copies of folders are made under a temp name too. */
static void remove_folder(const char *dir, const char *name)
{
    struct strbuf path;
    strbuf_init(&path);
    strbuf_addf(&path, "%s/%s", dir, name);
    fs_remove_tree(path.p, NULL);
    strbuf_release(&path);
}

void fs_sweep_temp(const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        const char *name = entry->d_name;
        if (strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0 &&
            is_left(dirfd(d), name, name + strlen(TEMP_PREFIX))) {
            if (unlinkat(dirfd(d), name, 0) < 0) {
                remove_folder(dir, name);
            }
        }
    }
    closedir(d);
}

bool fs_is_left_temp(const char *dir, const char *name)
{
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool left = at >= 0 && strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0 &&
                is_left(at, name, name + strlen(TEMP_PREFIX));
    if (at >= 0) {
        close(at);
    }
    return left;
}

int fs_mkdirs(const char *path, struct err *e)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && fs_is_dir(path))) {
        return 0;
    }
    if (errno == EEXIST) {
        errno = ENOTDIR;
    }
    if (errno != ENOENT) {
        return err_sys(e, "cannot make the folder %s", path);
    }
    char *copy = xstrdup(path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char c = *p;
        *p = '\0';
        if (mkdir(copy, 0777) < 0 && (errno != EEXIST || !fs_is_dir(copy))) {
            rc = err_sys(e, "cannot make the folder %s", copy);
        }
        *p = c;
        if (c == '\0') {
            break;
        }
    }
    free(copy);
    return rc;
}

int fs_mkdirs_for(const char *file, struct err *e)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL || slash == file) {
        return 0;
    }
    char *dir = xstrndup(file, (size_t)(slash - file));
    int rc = fs_mkdirs(dir, e);
    free(dir);
    return rc;
}

int fs_remove(const char *path, struct err *e)
{
    if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR) {
        return err_sys(e, "cannot remove %s", path);
    }
    return 0;
}

/* Removes `name` in the folder `at`, entering only real folders. */
static int remove_at(int at, const char *name, int depth, struct err *e)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return err_sys(e, "cannot remove %s", name);
    }
    if (depth > 256) {
        return err_set(e, ERR_LIMIT, "cannot remove %s: nested deeper than 256 folders", name);
    }
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        err_sys(e, "cannot open %s", name);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rc = remove_at(fd, entry->d_name, depth + 1, e);
        }
    }
    closedir(d);
    if (rc == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        rc = err_sys(e, "cannot remove %s", name);
    }
    return rc;
}

int fs_remove_tree(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "cannot remove %s", path);
    }
    return remove_at(AT_FDCWD, path, 0, e);
}

int fs_remove_empty_parents(const char *path, const char *stop, struct err *e)
{
    char *copy = xstrdup(path);
    for (char *slash; (slash = strrchr(copy, '/')) != NULL && slash != copy;) {
        *slash = '\0';
        if (strcmp(copy, stop) == 0 || !path_inside(stop, copy) || rmdir(copy) < 0) {
            break;
        }
    }
    free(copy);
    return 0;
}

/* The first bytes; most files have no more. 1: there may be more, 0: that was all. */
static int copy_start(int src, int dst, const char *name, struct err *e)
{
    char start[SMALL_COPY];
    size_t got = 0;
    while (got < sizeof(start)) {
        ssize_t n = read(src, start + got, sizeof(start) - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_sys(e, "cannot read while copying to %s", name);
        }
        if (n == 0) {
            return fs_write_all(dst, start, got, name, e);
        }
        got += (size_t)n;
    }
    return fs_write_all(dst, start, got, name, e) < 0 ? -1 : 1;
}

static int copy_bytes(int src, int dst, const char *name, struct err *e)
{
    /* copy_file_range costs 50 us even for one page: read and write take a tenth */
    int more = copy_start(src, dst, name, e);
    if (more <= 0) {
        return more;
    }
    for (;;) {
        ssize_t n = copy_file_range(src, NULL, dst, NULL, (size_t)1 << 30, 0);
        if (n == 0) {
            break; /* also what some kernels say of /proc: the loop below settles it */
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
    }
    char *chunk = xmalloc(COPY_CHUNK);
    int rc = 0;
    for (;;) {
        ssize_t n = read(src, chunk, COPY_CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = err_sys(e, "cannot read while copying to %s", name);
        }
        if (n <= 0 || (rc = fs_write_all(dst, chunk, (size_t)n, name, e)) < 0) {
            break;
        }
    }
    free(chunk);
    return rc;
}

/* A new file with the content of `src`, cloned or copied. */
static int copy_or_clone(bool clone, const char *src, const char *dst, mode_t mode, struct err *e)
{
    int in = open(src, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        return err_sys(e, "cannot open %s", src);
    }
    int out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode > 0 ? mode : 0666);
    if (out < 0) {
        err_sys(e, "cannot write %s", dst);
        close(in);
        return -1;
    }
    int rc = 0;
    if (clone) {
        rc = ioctl(out, FICLONE, in) < 0 ? err_sys(e, "cannot clone %s", src) : 0;
    } else {
        rc = copy_bytes(in, out, dst, e);
    }
    if (close(out) < 0 && rc == 0) {
        rc = err_sys(e, "cannot write %s", dst);
    }
    close(in);
    if (rc < 0) {
        unlink(dst);
    }
    return rc;
}

int fs_link(enum fs_link how, const char *src, const char *dst, mode_t mode, struct err *e)
{
    switch (how) {
    case FS_HARDLINK:
        return link(src, dst) == 0 ? 0 : err_sys(e, "cannot hard-link %s to %s", dst, src);
    case FS_SYMLINK:
        return symlink(src, dst) == 0 ? 0 : err_sys(e, "cannot symlink %s to %s", dst, src);
    case FS_REFLINK:
        return copy_or_clone(true, src, dst, mode, e);
    default:
        return copy_or_clone(false, src, dst, mode, e);
    }
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

int fs_list(struct arena *a, const char *dir, char ***names, size_t *count, struct err *e)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_sys(e, "cannot open %s", dir);
    }
    char **list = NULL;
    size_t n = 0, capacity = 0;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        ARRAY_RESERVE(list, n, capacity, 1);
        list[n++] = arena_strdup(a, entry->d_name);
    }
    int rc = errno != 0 ? err_sys(e, "cannot list %s", dir) : 0;
    closedir(d);
    if (n > 0) {
        qsort(list, n, sizeof(*list), compare_names);
    }
    *names = ARENA_ARRAY(a, n + 1, char *);
    memcpy(*names, list != NULL ? list : *names, n * sizeof(*list));
    *count = n;
    free(list);
    return rc;
}

struct walk {
    fs_walk_fn *fn;
    void *ctx;
    struct strbuf path; /* absolute or as given, of the folder being listed */
    size_t root_length; /* bytes of `path` before the relative part */
};

static void stat_entry(const char *path, struct fs_entry *entry)
{
    if (lstat(path, &entry->st) == 0 && S_ISLNK(entry->st.st_mode)) {
        struct stat target;
        entry->is_link = true;
        if (stat(path, &target) == 0) {
            entry->st = target;
        } else {
            entry->is_dangling = true;
        }
    }
}

static int walk_folder(struct walk *w, int depth, struct err *e)
{
    if (depth > 256) {
        return err_set(e, ERR_LIMIT, "%s is nested deeper than 256 folders", w->path.p);
    }
    struct arena a;
    arena_init(&a);
    char **names;
    size_t count = 0, folder_length = w->path.n;
    int rc = fs_list(&a, w->path.p, &names, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        strbuf_addch(&w->path, '/');
        strbuf_adds(&w->path, names[i]);
        struct fs_entry entry = {.path = w->path.p + w->root_length + 1};
        stat_entry(w->path.p, &entry);
        int answer = w->fn(w->ctx, &entry, e);
        if (answer < 0) {
            rc = -1;
        } else if (answer == 0 && S_ISDIR(entry.st.st_mode) && !entry.is_link) {
            rc = walk_folder(w, depth + 1, e);
        }
        strbuf_truncate(&w->path, folder_length);
    }
    arena_release(&a);
    return rc;
}

int fs_walk(const char *dir, fs_walk_fn *fn, void *ctx, struct err *e)
{
    struct walk w = {.fn = fn, .ctx = ctx};
    strbuf_init(&w.path);
    strbuf_adds(&w.path, dir);
    while (w.path.n > 1 && w.path.p[w.path.n - 1] == '/') {
        strbuf_truncate(&w.path, w.path.n - 1);
    }
    w.root_length = w.path.n;
    int rc = walk_folder(&w, 0, e);
    strbuf_release(&w.path);
    return rc;
}

struct copying {
    const char *from, *to;
};

static int copy_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    const struct copying *c = ctx;
    struct strbuf from, to;
    strbuf_init(&from);
    strbuf_init(&to);
    strbuf_addf(&from, "%s/%s", c->from, entry->path);
    strbuf_addf(&to, "%s/%s", c->to, entry->path);
    int rc = 0;
    if (!S_ISDIR(entry->st.st_mode)) {
        rc = fs_link(FS_COPY, from.p, to.p, 0666, e);
    } else if (!entry->is_link) {
        rc = fs_mkdirs(to.p, e);
    }
    strbuf_release(&from);
    strbuf_release(&to);
    return rc;
}

int fs_copy_tree(const char *from, const char *to, struct err *e)
{
    struct copying c = {from, to};
    if (!fs_is_dir(from)) {
        return fs_link(FS_COPY, from, to, 0666, e);
    }
    return fs_mkdirs(to, e) < 0 ? -1 : fs_walk(from, copy_entry, &c, e);
}
