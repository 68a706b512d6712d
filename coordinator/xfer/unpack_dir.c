/*
 * Members into a folder: the visitor behind unpack_to_dir (unpack.h). Each component is opened
 * relative to its parent, never following a link, so that nothing outside the folder can be reached
 * even if somebody changes the tree meanwhile. The last parent stays open: 240 files in one folder
 * cost one walk.
 */
#include "unpack.h"

#include "err.h"
#include "fs.h"
#include "member.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    int root;
    int parent_fd; /* -1: none open */
    char parent[MEMBER_NAME_MAX + 1];
    int file; /* -1: none open */
    char name[MEMBER_NAME_MAX + 1];
};

static void close_parent(struct sink *s)
{
    if (s->parent_fd >= 0) {
        close(s->parent_fd);
        s->parent_fd = -1;
    }
}

/* Opens `name` below the root, making what is missing. Returns a descriptor or -1. */
static int open_folder(struct sink *s, const char *name, struct err *e)
{
    int fd = fcntl(s->root, F_DUPFD_CLOEXEC, 0);
    struct str rest = str_from(name), part;
    while (fd >= 0 && rest.n > 0 && str_split(&rest, '/', &part)) {
        char component[MEMBER_COMPONENT_MAX + 1];
        memcpy(component, part.p, part.n);
        component[part.n] = '\0';
        int next = openat(fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && errno == ENOENT && mkdirat(fd, component, 0755) == 0) {
            next = openat(fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        int saved = errno;
        close(fd);
        errno = saved;
        fd = next;
    }
    return fd >= 0 ? fd : err_sys(e, "cannot make the folder %s", name);
}

/* The folder that holds `name`, and in *leaf its last component. */
static int parent_of(struct sink *s, const char *name, const char **leaf, struct err *e)
{
    const char *slash = strrchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;
    *leaf = slash ? slash + 1 : name;
    if (s->parent_fd >= 0 && strlen(s->parent) == n && memcmp(s->parent, name, n) == 0) {
        return s->parent_fd;
    }
    close_parent(s);
    memcpy(s->parent, name, n);
    s->parent[n] = '\0';
    s->parent_fd = open_folder(s, s->parent, e);
    return s->parent_fd;
}

static int on_folder(void *ctx, const char *name, struct err *e)
{
    int fd = open_folder(ctx, name, e);
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int on_file_begin(void *ctx, const char *name, bool executable, struct err *e)
{
    struct sink *s = ctx;
    const char *leaf;
    int parent = parent_of(s, name, &leaf, e);
    if (parent < 0) {
        return -1;
    }
    memcpy(s->name, name, strlen(name) + 1);
    s->file = openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     executable ? 0755 : 0644);
    return s->file < 0 ? err_sys(e, "cannot make the file %s", name) : 0;
}

static int on_file_data(void *ctx, const void *data, size_t n, struct err *e)
{
    struct sink *s = ctx;
    return fs_write_all(s->file, data, n, s->name, e);
}

static int on_file_end(void *ctx, struct err *e)
{
    struct sink *s = ctx;
    int fd = s->file;
    s->file = -1;
    return close(fd) < 0 ? err_sys(e, "cannot close %s", s->name) : 0;
}

int unpack_to_dir(const char *path, const char *dir, const struct unpack_options *opt,
                  struct unpack_stats *stats, struct err *e)
{
    struct sink s = {.parent_fd = -1, .file = -1};
    s.root = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s.root < 0) {
        return err_sys(e, "cannot open the folder %s", dir);
    }
    struct unpack_visitor visitor = {on_folder, on_file_begin, on_file_data, on_file_end, &s};
    int rc = unpack_walk_file(path, &visitor, opt, stats, e);
    if (s.file >= 0) {
        close(s.file);
    }
    close_parent(&s);
    close(s.root);
    return rc;
}
