/*
 * Spool files, the writing side: create or adopt, append, sync. Format and rules are in spool.h;
 * reading is spool_read.c. Not here: what the records mean (runstore.c) and when to write (sink.c).
 */

#include "spool.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "spool_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

struct spool {
    int fd;
    char *path; /* NULL: in memory */
    char run[33], writer[17];
    uint64_t bytes, sequence;
    bool dirty;
    struct strbuf frame; /* of the record under construction */
};

bool spool_is_run_id(const char *s)
{
    size_t n = 0;
    while (n < 32 && ((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'f'))) {
        n++;
    }
    return n == 32 && s[32] == '\0';
}

void spool_put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (8 * i));
    }
}

void spool_put_u64(unsigned char *p, uint64_t v)
{
    spool_put_u32(p, (uint32_t)v);
    spool_put_u32(p + 4, (uint32_t)(v >> 32));
}

uint32_t spool_get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t spool_get_u64(const unsigned char *p)
{
    return spool_get_u32(p) | (uint64_t)spool_get_u32(p + 4) << 32;
}

bool spool_pack(struct strbuf *out, const struct event *ev, unsigned flags)
{
    size_t start = out->n;
    unsigned char head[SPOOL_PAYLOAD_HEAD];

    if (ev->field_count > SPOOL_FIELDS_MAX) {
        return false;
    }
    head[0] = (unsigned char)ev->kind;
    head[1] = (unsigned char)flags;
    spool_put_u64(head + 2, (uint64_t)ev->time_ms);
    head[10] = (unsigned char)ev->field_count;
    head[11] = (unsigned char)(ev->field_count >> 8);
    strbuf_add(out, head, sizeof(head));
    for (size_t i = 0; i < ev->field_count; i++) {
        strbuf_add(out, ev->fields[i].key, strlen(ev->fields[i].key) + 1);
        strbuf_add(out, ev->fields[i].value, strlen(ev->fields[i].value) + 1);
        if (out->n - start > SPOOL_PAYLOAD_MAX) {
            strbuf_truncate(out, start);
            return false;
        }
    }
    return true;
}

/* 16 random hex digits: two writers of one run never share a sequence. */
static void new_writer(char out[17])
{
    unsigned char raw[8];
    if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
        BUG("getrandom: %s", strerror(errno));
    }
    for (int i = 0; i < 8; i++) {
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    }
}

static struct spool *spool_alloc(int fd, const char *path, const char *run, const char *writer)
{
    struct spool *s = xcalloc(1, sizeof(*s));
    s->fd = fd;
    s->path = path ? xstrdup(path) : NULL;
    memcpy(s->run, run, 32);
    memcpy(s->writer, writer, 16);
    strbuf_init(&s->frame);
    return s;
}

static void spool_dispose(struct spool *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    strbuf_release(&s->frame);
    free(s->path);
    free(s);
}

static int write_header(struct spool *s, struct err *e)
{
    unsigned char head[SPOOL_HEADER_BYTES];
    memcpy(head, SPOOL_MAGIC, 8);
    spool_put_u32(head + 8, SPOOL_VERSION);
    memcpy(head + 16, s->writer, 16);
    memcpy(head + 32, s->run, 32);
    spool_put_u32(head + 12, digest_crc32c(0, head + 16, 48));
    if (fs_write_all(s->fd, head, sizeof(head), s->path ? s->path : "spool in memory", e) < 0) {
        return -1;
    }
    s->bytes = sizeof(head);
    s->dirty = true;
    return 0;
}

struct spool *spool_create(const char *dir, const char *run, struct err *e)
{
    char writer[17], path[4096];
    int fd = -1;

    new_writer(writer);
    for (int attempt = 0; attempt < 2 && fd < 0; attempt++) {
        int n = attempt == 0 ? snprintf(path, sizeof(path), "%s/%s.log", dir, run)
                             : snprintf(path, sizeof(path), "%s/%s.%s.log", dir, run, writer);
        if (n >= (int)sizeof(path)) {
            err_set(e, ERR_LIMIT, "the path of the spool folder is too long: %s", dir);
            return NULL;
        }
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0644);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    if (fd < 0) {
        err_sys(e, "cannot make the spool file %s", path);
        return NULL;
    }
    struct spool *s = spool_alloc(fd, path, run, writer);
    /* A file system without locks (ENOLCK) still gets a spool; only adoption is then by hand. */
    if ((flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)) {
        err_set(e, ERR_BUSY, "the spool file %s is locked by another process", path);
        spool_dispose(s);
        return NULL;
    }
    if (write_header(s, e) < 0 || fs_sync_dir(dir, e) < 0) {
        unlink(path);
        spool_dispose(s);
        return NULL;
    }
    return s;
}

struct spool *spool_create_memory(const char *run, struct err *e)
{
    char writer[17];
    int fd = memfd_create("nephron-spool", MFD_CLOEXEC);
    if (fd < 0) {
        err_sys(e, "cannot make a spool in memory");
        return NULL;
    }
    new_writer(writer);
    struct spool *s = spool_alloc(fd, NULL, run, writer);
    if (write_header(s, e) < 0) {
        spool_dispose(s);
        return NULL;
    }
    return s;
}

/* Finds the end of the whole records; what is behind is torn. */
static int find_end(struct spool *s, struct err *e)
{
    struct spool_cursor c;
    struct spool_record rec;
    int rc;

    spool_cursor_init(&c, s->fd);
    while ((rc = spool_cursor_next(&c, UINT64_MAX, &rec, e)) == 1) {
    }
    s->bytes = c.offset;
    s->sequence = c.sequence;
    spool_cursor_release(&c);
    return rc;
}

struct spool *spool_adopt(const char *path, struct err *e)
{
    struct spool_header h;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_APPEND | O_NOFOLLOW);
    if (fd < 0) {
        err_sys(e, "cannot open the spool file %s", path);
        return NULL;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            err_set(e, ERR_BUSY, "the spool file %s is being written", path);
        } else {
            err_sys(e, "cannot lock the spool file %s", path);
        }
        close(fd);
        return NULL;
    }
    if (spool_read_header(fd, &h, e) < 0) {
        err_wrap(e, "%s", path);
        close(fd);
        return NULL;
    }
    struct spool *s = spool_alloc(fd, path, h.run, h.writer);
    off_t size = lseek(fd, 0, SEEK_END);
    if (find_end(s, e) < 0) {
        spool_dispose(s);
        return NULL;
    }
    if (size > (off_t)s->bytes && ftruncate(fd, (off_t)s->bytes) < 0) {
        err_sys(e, "cannot cut the torn end of the spool file %s", path);
        spool_dispose(s);
        return NULL;
    }
    return s;
}

int spool_append(struct spool *s, struct str payload, struct err *e)
{
    unsigned char head[SPOOL_RECORD_BYTES];

    if (payload.n > SPOOL_PAYLOAD_MAX) {
        return err_set(e, ERR_LIMIT, "a spool record of %zu bytes, at most %zu", payload.n,
                       SPOOL_PAYLOAD_MAX);
    }
    spool_put_u32(head, (uint32_t)payload.n);
    spool_put_u64(head + 8, s->sequence + 1);
    uint32_t crc = digest_crc32c(0, head + 8, 8);
    spool_put_u32(head + 4, digest_crc32c(crc, payload.p, payload.n));
    strbuf_reset(&s->frame);
    strbuf_add(&s->frame, head, sizeof(head));
    strbuf_add(&s->frame, payload.p, payload.n);
    if (fs_write_all(s->fd, s->frame.p, s->frame.n, s->path ? s->path : "spool in memory", e) < 0) {
        /* A part may be there (disk full): it must not stand before the next record. */
        if (ftruncate(s->fd, (off_t)s->bytes) < 0) {
            err_append(e, "; cannot cut the half record: %s", strerror(errno));
        } else if (!s->path) {
            lseek(s->fd, (off_t)s->bytes, SEEK_SET);
        }
        return -1;
    }
    s->bytes += s->frame.n;
    s->sequence++;
    s->dirty = true;
    return 0;
}

int spool_sync(struct spool *s, struct err *e)
{
    if (!s->dirty || !s->path) {
        return 0;
    }
    if (fs_sync_data(s->fd) < 0) {
        return err_sys(e, "cannot sync the spool file %s", s->path);
    }
    s->dirty = false;
    return 0;
}

int spool_close(struct spool *s, struct err *e)
{
    if (!s) {
        return 0;
    }
    int rc = spool_sync(s, e);
    int fd = s->fd;
    s->fd = -1;
    if (close(fd) < 0 && rc == 0) {
        rc = err_sys(e, "cannot close the spool file %s", s->path ? s->path : "in memory");
    }
    spool_dispose(s);
    return rc;
}

uint64_t spool_bytes(const struct spool *s)
{
    return s->bytes;
}
uint64_t spool_sequence(const struct spool *s)
{
    return s->sequence;
}
const char *spool_run(const struct spool *s)
{
    return s->run;
}
const char *spool_writer(const struct spool *s)
{
    return s->writer;
}
const char *spool_path(const struct spool *s)
{
    return s->path;
}
int spool_fd(const struct spool *s)
{
    return s->fd;
}
