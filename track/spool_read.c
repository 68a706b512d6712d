/*
 * Spool files, the reading side. Everything in a file is checked: it may be torn, or a stranger's.
 * The cursor reads ahead in blocks, so a record costs no system call of its own.
 */

#include "spool.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "num.h"
#include "spool_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BLOCK ((size_t)256 << 10)

static const size_t kind_count = 0
#define X(name, text) +1
    EVENT_KINDS(X)
#undef X
    ;

static bool grow_fields(struct spool_fields *f, size_t count)
{
    if (count > f->capacity) {
        f->items = xrealloc(f->items, count * sizeof(*f->items));
        f->capacity = count;
    }
    return true;
}

void spool_fields_release(struct spool_fields *f)
{
    free(f->items);
    *f = (struct spool_fields){0};
}

/* One NUL-terminated text from *rest. */
static const char *take_text(struct str *rest)
{
    const char *start = rest->p;
    const char *nul = rest->n ? memchr(start, '\0', rest->n) : NULL;
    if (!nul) {
        return NULL;
    }
    size_t used = (size_t)(nul - start) + 1;
    rest->p += used;
    rest->n -= used;
    return start;
}

int spool_unpack(struct str payload, struct spool_record *rec, struct spool_fields *fields,
                 struct err *e)
{
    const unsigned char *p = (const unsigned char *)payload.p;

    if (payload.n < SPOOL_PAYLOAD_HEAD || p[0] >= kind_count) {
        return err_set(e, ERR_FORMAT, "a spool record of an unknown kind or too short");
    }
    size_t count = (size_t)p[10] | (size_t)p[11] << 8;
    struct str rest = {payload.p + SPOOL_PAYLOAD_HEAD, payload.n - SPOOL_PAYLOAD_HEAD};
    if (count * 2 > rest.n) {
        return err_set(e, ERR_FORMAT, "a spool record with %zu fields in %zu bytes", count, rest.n);
    }
    grow_fields(fields, count);
    for (size_t i = 0; i < count; i++) {
        fields->items[i].key = take_text(&rest);
        fields->items[i].value = fields->items[i].key ? take_text(&rest) : NULL;
        if (!fields->items[i].value) {
            return err_set(e, ERR_FORMAT, "a spool record that ends inside field %zu", i + 1);
        }
    }
    if (rest.n) {
        return err_set(e, ERR_FORMAT, "a spool record with %zu bytes too many", rest.n);
    }
    rec->flags = p[1];
    rec->event = (struct event){.kind = (enum event_kind)p[0],
                                .time_ms = (int64_t)spool_get_u64(p + 2),
                                .fields = fields->items,
                                .field_count = count};
    return 0;
}

void spool_cursor_init(struct spool_cursor *c, int fd)
{
    *c = (struct spool_cursor){.fd = fd};
    strbuf_init(&c->buffer);
    spool_cursor_rewind(c);
}

void spool_cursor_release(struct spool_cursor *c)
{
    spool_fields_release(&c->fields);
    strbuf_release(&c->buffer);
}

void spool_cursor_rewind(struct spool_cursor *c)
{
    c->offset = SPOOL_HEADER_BYTES;
    c->sequence = 0;
    strbuf_reset(&c->buffer);
    c->buffer_offset = c->offset;
}

/* Makes `n` bytes from c->offset on available. 1, 0 at the end of the file, -1. */
static int fill(struct spool_cursor *c, size_t n, struct err *e)
{
    uint64_t skip = c->offset - c->buffer_offset;
    if (c->buffer.n >= skip && c->buffer.n - skip >= n) {
        return 1;
    }
    /* Keep what is unread, read on behind it. */
    size_t keep = c->buffer.n > skip ? c->buffer.n - (size_t)skip : 0;
    if (keep) {
        memmove(c->buffer.p, c->buffer.p + skip, keep);
    }
    strbuf_truncate(&c->buffer, keep);
    c->buffer_offset = c->offset;
    size_t want = n > READ_BLOCK ? n : READ_BLOCK;
    strbuf_reserve(&c->buffer, want);
    while (c->buffer.n < n) {
        ssize_t got = pread(c->fd, c->buffer.p + c->buffer.n, want - c->buffer.n,
                            (off_t)(c->buffer_offset + c->buffer.n));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_sys(e, "cannot read a spool file");
        }
        if (got == 0) {
            return 0;
        }
        c->buffer.n += (size_t)got;
    }
    return 1;
}

int spool_cursor_next(struct spool_cursor *c, uint64_t limit, struct spool_record *rec,
                      struct err *e)
{
    int rc = 0;
    if (limit < SPOOL_RECORD_BYTES || c->offset > limit - SPOOL_RECORD_BYTES ||
        (rc = fill(c, SPOOL_RECORD_BYTES, e)) <= 0) {
        return rc;
    }
    const unsigned char *head = (const unsigned char *)c->buffer.p + (c->offset - c->buffer_offset);
    size_t n = spool_get_u32(head);
    if (n < SPOOL_PAYLOAD_HEAD || n > SPOOL_PAYLOAD_MAX ||
        n > limit - SPOOL_RECORD_BYTES - c->offset) {
        return 0;
    }
    if ((rc = fill(c, SPOOL_RECORD_BYTES + n, e)) <= 0) {
        return rc;
    }
    head = (const unsigned char *)c->buffer.p + (c->offset - c->buffer_offset);
    struct str payload = {(const char *)head + SPOOL_RECORD_BYTES, n};
    uint64_t sequence = spool_get_u64(head + 8);
    if (digest_crc32c(0, head + 8, 8 + n) != spool_get_u32(head + 4) ||
        sequence != c->sequence + 1 || spool_unpack(payload, rec, &c->fields, NULL) < 0) {
        return 0;
    }
    c->offset += SPOOL_RECORD_BYTES + n;
    c->sequence = sequence;
    rec->sequence = sequence;
    rec->end = c->offset;
    return 1;
}

int spool_read_header(int fd, struct spool_header *h, struct err *e)
{
    unsigned char head[SPOOL_HEADER_BYTES];
    ssize_t got = pread(fd, head, sizeof(head), 0);

    if (got < 0) {
        return err_sys(e, "cannot read the header of a spool file");
    }
    if (got < (ssize_t)sizeof(head) || memcmp(head, SPOOL_MAGIC, 8) != 0) {
        return err_set(e, ERR_FORMAT, "not a spool file, or only a part of its header");
    }
    if (spool_get_u32(head + 8) != SPOOL_VERSION) {
        return err_set(e, ERR_FORMAT, "a spool file of version %" PRIu32 ", expected %d",
                       spool_get_u32(head + 8), SPOOL_VERSION);
    }
    *h = (struct spool_header){0};
    memcpy(h->writer, head + 16, 16);
    memcpy(h->run, head + 32, 32);
    if (digest_crc32c(0, head + 16, 48) != spool_get_u32(head + 12) || !spool_is_run_id(h->run) ||
        strspn(h->writer, "0123456789abcdef") != 16) {
        return err_set(e, ERR_FORMAT, "a spool file with a damaged header");
    }
    return 0;
}

/* "…/x.log" -> "…/x.sent" */
static void sent_path(char out[4096], const char *path)
{
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".log") == 0) {
        n -= 4;
    }
    snprintf(out, 4096, "%.*s.sent", (int)n, path);
}

void spool_read_sent(const char *path, uint64_t *offset, uint64_t *sequence)
{
    char name[4096];
    struct strbuf text;

    *offset = *sequence = 0;
    sent_path(name, path);
    strbuf_init_max(&text, 100);
    if (fs_read(name, 100, &text, NULL) == 0) {
        struct str rest = str_trim(strbuf_str(&text)), part;
        int64_t value[2] = {0, 0};
        bool fine = true;
        for (int i = 0; i < 2; i++) {
            fine = fine && str_split(&rest, ' ', &part) && num_parse_int(part, &value[i]) &&
                   value[i] >= 0;
        }
        if (fine) {
            *offset = (uint64_t)value[0];
            *sequence = (uint64_t)value[1];
        }
    }
    strbuf_release(&text);
}

int spool_write_sent(const char *path, uint64_t offset, uint64_t sequence, struct err *e)
{
    char name[4096], text[64];
    struct fs_temp t;

    sent_path(name, path);
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", offset, sequence);
    if (fs_temp_open(&t, name, 0644, e) < 0) {
        return -1;
    }
    if (fs_write_all(t.fd, text, (size_t)n, name, e) < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    /* No fsync: it is a hint, Redis knows better. */
    return fs_temp_commit(&t, name, true, e);
}

void spool_remove(const char *path)
{
    char name[4096];
    sent_path(name, path);
    unlink(path);
    unlink(name);
}
