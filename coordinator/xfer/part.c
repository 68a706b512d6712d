/*
 * Unfinished downloads. See part.h.
 */
#include "part.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "path.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SYNC_BYTES ((uint64_t)32 << 20)
#define OPEN_TRIES 10

static void boot_id(char out[64])
{
    struct strbuf b;
    strbuf_init_max(&b, 63);
    if (fs_read("/proc/sys/kernel/random/boot_id", 64, &b, NULL) < 0) {
        strbuf_reset(&b);
    }
    struct str id = str_trim(strbuf_str(&b));
    snprintf(out, 64, "%.*s", STR_ARG(id));
    strbuf_release(&b);
}

static int write_info(struct part *p, struct err *e)
{
    struct arena a;
    struct strbuf text;
    char boot[64];
    arena_init(&a);
    strbuf_init(&text);
    boot_id(boot);
    struct value *v = value_map(&a);
    value_set(&a, v, "schema", value_int(&a, 1));
    value_set(&a, v, "url", value_cstr(&a, p->url));
    value_set(&a, v, "etag", value_cstr(&a, p->etag));
    value_set(&a, v, "last_modified", value_cstr(&a, p->last_modified));
    value_set(&a, v, "synced", value_int(&a, (int64_t)p->synced));
    value_set(&a, v, "boot", value_cstr(&a, boot));
    json_write(&text, v, &(struct json_style){0});
    strbuf_addch(&text, '\n');
    int rc = fs_write_atomic(p->info, text.p, text.n, 0, e);
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

static void keep(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", strlen(text) < size ? text : "");
}

/* How many of `size` bytes may be trusted as the beginning of `url`; 0 when in doubt. */
static uint64_t trusted(struct part *p, uint64_t size)
{
    struct arena a;
    char boot[64];
    uint64_t have = 0;
    arena_init(&a);
    boot_id(boot);
    struct value *v = fs_exists(p->info) ? json_load(&a, p->info, NULL) : NULL;
    const struct value *synced = value_get(v, "synced");
    if (str_is(value_as_str(value_get(v, "url")), p->url) && synced && synced->type == VALUE_INT) {
        struct str etag = value_as_str(value_get(v, "etag"));
        struct str modified = value_as_str(value_get(v, "last_modified"));
        keep(p->etag, sizeof(p->etag), etag.n ? etag.p : "");
        keep(p->last_modified, sizeof(p->last_modified), modified.n ? modified.p : "");
        have = size;
        if (!boot[0] || !str_is(value_as_str(value_get(v, "boot")), boot)) {
            have = synced->i > 0 && (uint64_t)synced->i < size ? (uint64_t)synced->i : 0;
        }
    }
    if (!part_validator(p)) {
        have = 0;
    }
    arena_release(&a);
    return have;
}

/* The lock must be on the file that has the name now: between open and flock another process may
 * have renamed it to the finished archive. */
static int open_locked(struct part *p, struct err *e)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        struct stat mine, named;
        p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (p->fd < 0) {
            return err_sys(e, "cannot open %s", p->path);
        }
        if (flock(p->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
            close(p->fd);
            p->fd = -1;
            return err_set(e, ERR_BUSY, "another process is downloading to %s; wait for it to end",
                           p->path);
        }
        if (fstat(p->fd, &mine) == 0 && S_ISREG(mine.st_mode) && stat(p->path, &named) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev) {
            p->have = (uint64_t)mine.st_size;
            return 0;
        }
        close(p->fd);
        p->fd = -1;
    }
    return err_set(e, ERR_BUSY, "%s keeps changing under this process", p->path);
}

int part_open(struct part *p, const char *target, const char *url, bool fresh, struct err *e)
{
    *p = (struct part){.fd = -1};
    int n = snprintf(p->path, sizeof(p->path), "%s.part", target);
    if (n < 0 || (size_t)n + sizeof(".json") > sizeof(p->path)) {
        return err_set(e, ERR_LIMIT, "the path %s is too long", target);
    }
    snprintf(p->info, sizeof(p->info), "%s.part.json", target);
    p->url = xstrdup(url);
    if (open_locked(p, e) < 0) {
        return -1;
    }
    p->have = fresh ? 0 : trusted(p, p->have);
    p->resumed = p->have > 0;
    if (p->have == 0) {
        p->etag[0] = p->last_modified[0] = '\0';
    }
    p->synced = p->have;
    if (ftruncate(p->fd, (off_t)p->have) < 0 || lseek(p->fd, 0, SEEK_END) < 0) {
        return err_sys(e, "cannot prepare %s", p->path);
    }
    return 0;
}

const char *part_validator(const struct part *p)
{
    return p->etag[0] ? p->etag : p->last_modified[0] ? p->last_modified : NULL;
}

int part_restart(struct part *p, const char *etag, const char *last_modified, struct err *e)
{
    if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0) {
        return err_sys(e, "cannot empty %s", p->path);
    }
    p->have = p->synced = 0;
    p->resumed = false;
    keep(p->etag, sizeof(p->etag), etag);
    keep(p->last_modified, sizeof(p->last_modified), last_modified);
    return write_info(p, e);
}

int part_write(struct part *p, const void *data, size_t n, struct err *e)
{
    if (fs_write_all(p->fd, data, n, p->path, e) < 0) {
        return -1;
    }
    p->have += n;
    if (p->have - p->synced < SYNC_BYTES) {
        return 0;
    }
    if (fs_sync_data(p->fd) < 0) {
        return err_sys(e, "cannot sync %s", p->path);
    }
    p->synced = p->have;
    return write_info(p, e);
}

static void discard(struct part *p)
{
    unlink(p->info);
    unlink(p->path);
    p->have = 0;
}

int part_commit(struct part *p, const char *target, struct err *e)
{
    if (fs_sync_data(p->fd) < 0) {
        err_sys(e, "cannot sync %s", p->path);
        discard(p); /* what the kernel could not write must not be believed later */
        return -1;
    }
    if (rename(p->path, target) < 0) {
        return err_sys(e, "cannot rename %s to %s", p->path, target);
    }
    unlink(p->info);
    int fd = p->fd;
    p->fd = -1;
    if (close(fd) < 0) {
        return err_sys(e, "cannot close %s", target);
    }
    struct arena a;
    arena_init(&a);
    int rc = fs_sync_dir(path_dirname(&a, target), e);
    arena_release(&a);
    return rc;
}

void part_close(struct part *p)
{
    if (p->fd >= 0) {
        if (p->have == 0 || !part_validator(p)) {
            discard(p);
        }
        close(p->fd);
        p->fd = -1;
    }
    free(p->url);
    p->url = NULL;
}
