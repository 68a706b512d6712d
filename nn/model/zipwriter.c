/*
 * Writing of stored zip archives, payloads at multiples of 64 bytes (extra field "FB", filled with
 * 'Z', as torch.save pads). Local headers are written when the payload's CRC-32 is known, so there
 * are no data descriptors and the payload is read once. Sizes and offsets beyond 32 bits go to
 * zip64 fields. Times are 1980-01-01: the same tensors give the same bytes.
 */
#include "alloc.h"
#include "bytes_le.h"
#include "err.h"
#include "fs.h"
#include "str.h"
#include "zipfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define ALIGNMENT 64
#define DOS_DATE_1980 0x0021 /* 1 January 1980 */
#define ZIP64_EXTRA_BYTES 20 /* id, length, two sizes */

struct zipwriter_entry {
    char *name;
    uint64_t offset, size;
    uint32_t crc;
    size_t header_bytes; /* of the local header with name and extra fields */
};

void zipwriter_init(struct zipwriter *w, int fd, const char *path)
{
    *w = (struct zipwriter){.fd = fd, .path = path};
    crc32_init(&w->crc);
}

void zipwriter_release(struct zipwriter *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->entries[i].name);
    }
    free(w->entries);
    w->entries = NULL;
    w->count = w->capacity = 0;
}

static bool needs_64(uint64_t v)
{
    return v >= UINT32_MAX;
}

int zipwriter_begin(struct zipwriter *w, const char *name, uint64_t size, struct err *e)
{
    size_t length = strlen(name);
    if (w->is_open || length == 0 || length > 1024) {
        BUG("zip entry '%.60s'", name);
    }
    ARRAY_RESERVE(w->entries, w->count, w->capacity, 1);
    struct zipwriter_entry *x = &w->entries[w->count++];
    *x = (struct zipwriter_entry){.name = xstrdup(name), .offset = w->offset, .size = size};
    size_t head = 30 + length + (needs_64(size) ? ZIP64_EXTRA_BYTES : 0) + 4;
    x->header_bytes =
        (size_t)((w->offset + head + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - w->offset);
    w->offset += x->header_bytes;
    w->is_open = true;
    w->crc_now = 0;
    w->written = 0;
    if (lseek(w->fd, (off_t)w->offset, SEEK_SET) < 0) {
        return err_sys(e, "cannot write %s", w->path);
    }
    return 0;
}

int zipwriter_write(struct zipwriter *w, const void *data, size_t n, struct err *e)
{
    w->crc_now = crc32_update(&w->crc, w->crc_now, data, n);
    w->written += n;
    return fs_write_all(w->fd, data, n, w->path, e);
}

/* pwrite(2) of everything: the header lies behind the file position by now. */
static int write_at(struct zipwriter *w, const unsigned char *p, size_t n, uint64_t at,
                    struct err *e)
{
    while (n > 0) {
        ssize_t done = pwrite(w->fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return err_sys(e, "cannot write %s", w->path);
        }
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

int zipwriter_end(struct zipwriter *w, struct err *e)
{
    struct zipwriter_entry *x = &w->entries[w->count - 1];
    if (!w->is_open || w->written != x->size) {
        BUG("zip entry '%s': %" PRIu64 " bytes announced, %" PRIu64 " written", x->name, x->size,
            w->written);
    }
    w->is_open = false;
    w->offset += x->size;
    x->crc = w->crc_now;

    size_t length = strlen(x->name);
    bool big = needs_64(x->size);
    unsigned char *header = xcalloc(1, x->header_bytes), *p = header;
    p = le_put32(p, 0x04034b50u);
    p = le_put16(p, big ? 45 : 20); /* version needed */
    p = le_put16(p, 0x0800);        /* names are UTF-8 */
    p = le_put16(p, 0);             /* stored */
    p = le_put16(p, 0);
    p = le_put16(p, DOS_DATE_1980);
    p = le_put32(p, x->crc);
    p = le_put32(p, big ? UINT32_MAX : (uint32_t)x->size);
    p = le_put32(p, big ? UINT32_MAX : (uint32_t)x->size);
    p = le_put16(p, (uint16_t)length);
    p = le_put16(p, (uint16_t)(x->header_bytes - 30 - length));
    memcpy(p, x->name, length);
    p += length;
    if (big) {
        p = le_put16(p, 1);
        p = le_put16(p, 16);
        p = le_put64(p, x->size);
        p = le_put64(p, x->size);
    }
    size_t pad = x->header_bytes - (size_t)(p - header) - 4;
    p = le_put16(p, 0x4246); /* "FB" */
    p = le_put16(p, (uint16_t)pad);
    memset(p, 'Z', pad);
    int rc = write_at(w, header, x->header_bytes, x->offset, e);
    free(header);
    return rc;
}

int zipwriter_add(struct zipwriter *w, const char *name, const void *data, size_t n, struct err *e)
{
    if (zipwriter_begin(w, name, n, e) < 0 || zipwriter_write(w, data, n, e) < 0) {
        return -1;
    }
    return zipwriter_end(w, e);
}

static void add_central(struct strbuf *out, const struct zipwriter_entry *x)
{
    unsigned char head[46], extra[28], *p = head, *q = extra;
    bool big = needs_64(x->size), far = needs_64(x->offset);
    if (big || far) {
        q = le_put16(q, 1);
        q = le_put16(q, (uint16_t)((big ? 16 : 0) + (far ? 8 : 0)));
        q = big ? le_put64(le_put64(q, x->size), x->size) : q;
        q = far ? le_put64(q, x->offset) : q;
    }
    p = le_put32(p, 0x02014b50u);
    p = le_put16(p, 45);
    p = le_put16(p, big || far ? 45 : 20);
    p = le_put16(p, 0x0800);
    p = le_put16(p, 0);
    p = le_put16(p, 0);
    p = le_put16(p, DOS_DATE_1980);
    p = le_put32(p, x->crc);
    p = le_put32(p, big ? UINT32_MAX : (uint32_t)x->size);
    p = le_put32(p, big ? UINT32_MAX : (uint32_t)x->size);
    p = le_put16(p, (uint16_t)strlen(x->name));
    p = le_put16(p, (uint16_t)(q - extra));
    memset(p, 0, 10); /* comment, disk, attributes */
    le_put32(p + 10, far ? UINT32_MAX : (uint32_t)x->offset);
    strbuf_add(out, head, sizeof(head));
    strbuf_adds(out, x->name);
    strbuf_add(out, extra, (size_t)(q - extra));
}

/* zip64 end record and locator, always written (as torch does), then the plain end record. */
static void add_end(struct strbuf *out, uint64_t count, uint64_t bytes, uint64_t offset)
{
    unsigned char end[56 + 20 + 22], *p = end;
    p = le_put32(p, 0x06064b50u);
    p = le_put64(p, 44);
    p = le_put16(p, 45);
    p = le_put16(p, 45);
    p = le_put64(p, 0); /* this disk, disk of the directory */
    p = le_put64(p, count);
    p = le_put64(p, count);
    p = le_put64(p, bytes);
    p = le_put64(p, offset);
    p = le_put32(p, 0x07064b50u);
    p = le_put32(p, 0);
    p = le_put64(p, offset + bytes);
    p = le_put32(p, 1);
    p = le_put32(p, 0x06054b50u);
    p = le_put32(p, 0);
    uint16_t count16 = count > UINT16_MAX ? UINT16_MAX : (uint16_t)count;
    p = le_put16(p, count16);
    p = le_put16(p, count16);
    p = le_put32(p, needs_64(bytes) ? UINT32_MAX : (uint32_t)bytes);
    p = le_put32(p, needs_64(offset) ? UINT32_MAX : (uint32_t)offset);
    p = le_put16(p, 0);
    strbuf_add(out, end, (size_t)(p - end));
}

int zipwriter_finish(struct zipwriter *w, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    for (size_t i = 0; i < w->count; i++) {
        add_central(&out, &w->entries[i]);
    }
    add_end(&out, w->count, out.n, w->offset);
    int rc = 0;
    if (lseek(w->fd, (off_t)w->offset, SEEK_SET) < 0) {
        rc = err_sys(e, "cannot write %s", w->path);
    } else {
        rc = fs_write_all(w->fd, out.p, out.n, w->path, e);
    }
    strbuf_release(&out);
    return rc;
}
