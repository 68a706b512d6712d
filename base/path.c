/* Path arithmetic; see path.h. */

#include "path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *path_normal(struct arena *a, const char *path)
{
    size_t length = strlen(path);
    char *out = arena_alloc(a, length + 3);
    bool absolute = path[0] == '/';
    size_t n = 0;
    size_t floor = 0; /* out[0..floor) cannot be taken back by "..": "/" or "../.." */
    if (absolute) {
        out[n++] = '/';
        floor = 1;
    }
    struct str rest = {path, length}, part;
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, ".")) {
            continue;
        }
        bool up = str_is(part, "..");
        if (up && n > floor) {
            while (n > floor && out[n - 1] != '/') {
                n--;
            }
            n -= n > floor; /* the slash before the part that went */
            continue;
        }
        if (up && absolute) {
            continue;
        }
        if (n > 0 && out[n - 1] != '/') {
            out[n++] = '/';
        }
        memcpy(out + n, part.p, part.n);
        n += part.n;
        if (up) {
            floor = n;
        }
    }
    if (n == 0) {
        out[n++] = '.';
    }
    out[n] = '\0';
    return out;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
    if (name[0] == '/') {
        return path_normal(a, name);
    }
    return path_normal(a, arena_printf(a, "%s/%s", dir, name));
}

char *path_absolute(struct arena *a, const char *base_abs, const char *path)
{
    return path_join(a, base_abs, path);
}

/* Length of the common leading folders of two normal paths. */
static size_t common_folders(const char *x, const char *y)
{
    size_t common = 0;
    for (size_t i = 0;; i++) {
        bool x_ends = x[i] == '\0' || x[i] == '/', y_ends = y[i] == '\0' || y[i] == '/';
        if (x_ends && y_ends) {
            common = i;
        }
        if (x[i] != y[i] || x[i] == '\0') {
            return common;
        }
    }
}

char *path_relative(struct arena *a, const char *from, const char *to)
{
    const char *f = path_normal(a, from), *t = path_normal(a, to);
    f = strcmp(f, ".") == 0 || strcmp(f, "/") == 0 ? "" : f;
    t = strcmp(t, ".") == 0 || strcmp(t, "/") == 0 ? "" : t;
    size_t common = f[0] == '\0' || t[0] == '\0' ? 0 : common_folders(f, t);
    struct strbuf b;
    strbuf_init(&b);
    const char *rest = f + common;
    while (*rest == '/') {
        rest++;
    }
    if (*rest != '\0') {
        strbuf_adds(&b, "..");
        for (const char *p = rest; *p != '\0'; p++) {
            strbuf_adds(&b, *p == '/' ? "/.." : "");
        }
    }
    const char *down = t + common;
    while (*down == '/') {
        down++;
    }
    if (*down != '\0') {
        strbuf_adds(&b, b.n > 0 ? "/" : "");
        strbuf_adds(&b, down);
    }
    char *out = arena_strdup(a, b.n > 0 ? b.p : ".");
    strbuf_release(&b);
    return out;
}

char *path_dirname(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return arena_strdup(a, ".");
    }
    if (slash == path) {
        return arena_strdup(a, "/");
    }
    return arena_strndup(a, path, (size_t)(slash - path));
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *base = path_basename(path);
    const char *dot = strrchr(base, '.');
    return dot != NULL && dot != base ? dot : "";
}

bool path_inside(const char *dir, const char *path)
{
    if (strcmp(dir, ".") == 0) {
        return path[0] != '/' &&
               !(path[0] == '.' && path[1] == '.' && (path[2] == '\0' || path[2] == '/'));
    }
    size_t n = strlen(dir);
    if (n > 0 && dir[n - 1] == '/') {
        return strncmp(dir, path, n) == 0;
    }
    return strncmp(dir, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool path_is_safe_member(struct str path)
{
    if (path.n == 0 || path.n > PATH_MAX - 1 || memchr(path.p, 0, path.n) != NULL) {
        return false;
    }
    const char *end = path.p + path.n;
    for (const char *at = path.p;; at++) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct str part = {at, (size_t)((slash != NULL ? slash : end) - at)};
        if (part.n == 0 || part.n > NAME_MAX || str_is(part, ".") || str_is(part, "..")) {
            return false;
        }
        if (slash == NULL) {
            return true;
        }
        at = slash;
    }
}

char *path_cwd(struct arena *a)
{
    char buffer[PATH_MAX];
    struct stat here, there;
    const char *pwd = getenv("PWD");
    if (pwd != NULL && pwd[0] == '/' && stat(pwd, &here) == 0 && stat(".", &there) == 0 &&
        here.st_ino == there.st_ino && here.st_dev == there.st_dev) {
        return path_normal(a, pwd);
    }
    if (getcwd(buffer, sizeof(buffer)) == NULL) {
        return arena_strdup(a, "/");
    }
    return arena_strdup(a, buffer);
}
