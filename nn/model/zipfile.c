/*
 * Reading of stored zip archives from memory. The writing side is zipwriter.c; what is and is not
 * believed is said in zipfile.h. Record layouts are from APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.
 */
#include "zipfile.h"

#include "bytes_le.h"
#include "err.h"

#include <inttypes.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    MAX_COMMENT = 65535,
};

#define LOCAL_MAGIC 0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC 0x06054b50u
#define LOCATOR_MAGIC 0x07064b50u
#define END64_MAGIC 0x06064b50u

struct directory {
    uint64_t offset, bytes, count;
    uint64_t end; /* where the directory must have ended */
};

/* The end record is the last thing in the file, but for a comment of known length. */
static size_t find_end(const unsigned char *p, size_t n)
{
    if (n < END_BYTES) {
        return NAMEINDEX_NONE;
    }
    size_t last = n - END_BYTES;
    size_t first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t at = last + 1; at-- > first;) {
        if (le_u32(p + at) == END_MAGIC && le_u16(p + at + 20) == n - END_BYTES - at) {
            return at;
        }
    }
    return NAMEINDEX_NONE;
}

static int read_end64(const unsigned char *p, size_t locator, struct directory *d, struct err *e)
{
    uint64_t at = le_u64(p + locator + 8);
    if (at > locator || locator - at < END64_BYTES || le_u32(p + at) != END64_MAGIC) {
        return err_set(e, ERR_FORMAT, "zip64 end record is not at offset %" PRIu64, at);
    }
    const unsigned char *r = p + at;
    if (le_u32(r + 16) != 0 || le_u32(r + 20) != 0 || le_u64(r + 24) != le_u64(r + 32)) {
        return err_set(e, ERR_FORMAT, "zip archive in several parts is not supported");
    }
    *d = (struct directory){
        .count = le_u64(r + 32), .bytes = le_u64(r + 40), .offset = le_u64(r + 48), .end = at};
    return 0;
}

static int find_directory(const unsigned char *p, size_t n, struct directory *d, struct err *e)
{
    size_t end = find_end(p, n);
    if (end == NAMEINDEX_NONE) {
        return err_set(e, ERR_FORMAT, "zip archive without an end record: the file is cut short");
    }
    if (end >= LOCATOR_BYTES && le_u32(p + end - LOCATOR_BYTES) == LOCATOR_MAGIC) {
        if (read_end64(p, end - LOCATOR_BYTES, d, e) < 0) {
            return -1;
        }
    } else {
        const unsigned char *r = p + end;
        if (le_u16(r + 4) != 0 || le_u16(r + 6) != 0 || le_u16(r + 8) != le_u16(r + 10)) {
            return err_set(e, ERR_FORMAT, "zip archive in several parts is not supported");
        }
        *d = (struct directory){
            .count = le_u16(r + 10), .bytes = le_u32(r + 12), .offset = le_u32(r + 16), .end = end};
    }
    if (d->offset > d->end || d->bytes > d->end - d->offset) {
        return err_set(e, ERR_FORMAT,
                       "zip central directory (%" PRIu64 " bytes at offset %" PRIu64
                       ") does not fit into the file",
                       d->bytes, d->offset);
    }
    if (d->count > ZIPFILE_MAX_ENTRIES) {
        return err_set(e, ERR_LIMIT, "zip archive with %" PRIu64 " entries: the limit is %d",
                       d->count, ZIPFILE_MAX_ENTRIES);
    }
    if (d->count > d->bytes / CENTRAL_BYTES) {
        return err_set(e, ERR_FORMAT,
                       "zip central directory of %" PRIu64 " bytes cannot hold %" PRIu64 " entries",
                       d->bytes, d->count);
    }
    return 0;
}

/* Sizes that did not fit into 32 bits stand in extra field 1, in this order, as far as needed. */
static int read_zip64_extra(struct zipfile_entry *x, const unsigned char *extra, size_t n,
                            struct err *e)
{
    uint64_t *const fields[] = {&x->full_size, &x->size, &x->header_offset};
    bool missing = false;
    for (int i = 0; i < 3; i++) {
        missing |= *fields[i] == UINT32_MAX;
    }
    while (missing && n >= 4) {
        size_t length = le_u16(extra + 2);
        if (length > n - 4) {
            break;
        }
        if (le_u16(extra) == 1) {
            const unsigned char *p = extra + 4, *end = p + length;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX) {
                    continue;
                }
                if (end - p < 8) {
                    break;
                }
                *fields[i] = le_u64(p);
                p += 8;
            }
            return 0;
        }
        extra += 4 + length;
        n -= 4 + length;
    }
    return missing ? err_set(e, ERR_FORMAT, "zip entry '%s' lacks its 64-bit sizes",
                             nameindex_show(x->name).text)
                   : 0;
}

/* Reads the entry at p (room for `left` bytes); returns its length in the directory or 0. */
static size_t read_central(const unsigned char *p, uint64_t left, struct zipfile_entry *x,
                           struct err *e)
{
    if (left < CENTRAL_BYTES || le_u32(p) != CENTRAL_MAGIC) {
        err_set(e, ERR_FORMAT, "damaged entry in the zip central directory");
        return 0;
    }
    size_t name = le_u16(p + 28), extra = le_u16(p + 30), comment = le_u16(p + 32);
    size_t total = CENTRAL_BYTES + name + extra + comment;
    if (total > left) {
        err_set(e, ERR_FORMAT, "entry in the zip central directory is cut short");
        return 0;
    }
    x->flags = le_u16(p + 8);
    x->method = le_u16(p + 10);
    x->crc = le_u32(p + 16);
    x->size = le_u32(p + 20);
    x->full_size = le_u32(p + 24);
    x->header_offset = le_u32(p + 42);
    x->name = (struct str){(const char *)p + CENTRAL_BYTES, name};
    if (name == 0 || memchr(x->name.p, 0, name) != NULL) {
        err_set(e, ERR_FORMAT, "zip entry with an empty name or a NUL in it");
        return 0;
    }
    return read_zip64_extra(x, p + CENTRAL_BYTES + name, extra, e) < 0 ? 0 : total;
}

static int read_entries(struct zipfile *z, const struct directory *d, struct err *e)
{
    const unsigned char *p = z->data + d->offset;
    uint64_t left = d->bytes, payload = 0;
    for (size_t i = 0; i < z->count; i++) {
        size_t used = read_central(p, left, &z->entries[i], e);
        if (used == 0) {
            return err_wrap(e, "offset %zu", (size_t)(p - z->data));
        }
        p += used;
        left -= used;
        /* Also bounds the bytes that a reader can be made to check: entries may not overlap. */
        if (z->entries[i].size > z->n - payload) {
            return err_set(e, ERR_FORMAT, "zip entries up to '%s' are larger than the file",
                           nameindex_show(z->entries[i].name).text);
        }
        payload += z->entries[i].size;
        z->names.refs[i] = (struct nameindex_ref){z->entries[i].name, (uint32_t)i};
    }
    return 0;
}

int zipfile_parse(struct arena *a, const void *data, size_t n, struct zipfile *z, struct err *e)
{
    struct directory d = {0};
    *z = (struct zipfile){.data = data, .n = n};
    if (find_directory(data, n, &d, e) < 0) {
        return -1;
    }
    crc32_init(&z->crc);
    z->directory_offset = d.offset;
    z->count = (size_t)d.count;
    z->entries = ARENA_ARRAY(a, z->count, struct zipfile_entry);
    nameindex_init(&z->names, a, z->count);
    if (read_entries(z, &d, e) < 0) {
        return -1;
    }
    size_t twice = nameindex_sort(&z->names);
    if (twice != NAMEINDEX_NONE) {
        return err_set(e, ERR_FORMAT, "zip archive with two entries named '%s'",
                       nameindex_show(z->entries[twice].name).text);
    }
    return 0;
}

struct zipfile_entry *zipfile_find(const struct zipfile *z, struct str name)
{
    size_t i = nameindex_find(&z->names, name);
    return i == NAMEINDEX_NONE ? NULL : &z->entries[i];
}

/* Where the payload starts, by the local header; 0 with *e set when that does not hold. */
static uint64_t payload_offset(const struct zipfile *z, const struct zipfile_entry *x,
                               const char *shown, struct err *e)
{
    uint64_t at = x->header_offset, limit = z->directory_offset;
    if (at > limit || limit - at < LOCAL_BYTES || le_u32(z->data + at) != LOCAL_MAGIC) {
        err_set(e, ERR_FORMAT, "zip entry '%s' has no local header at offset %" PRIu64, shown, at);
        return 0;
    }
    uint64_t name = le_u16(z->data + at + 26), extra = le_u16(z->data + at + 28);
    uint64_t left = limit - at - LOCAL_BYTES;
    if (name != x->name.n || name > left ||
        memcmp(z->data + at + LOCAL_BYTES, x->name.p, name) != 0) {
        err_set(e, ERR_FORMAT, "zip entry '%s' has another name in its local header", shown);
        return 0;
    }
    if (name + extra > left || x->size > left - name - extra) {
        err_set(e, ERR_FORMAT, "zip entry '%s' of %" PRIu64 " bytes does not fit into the file",
                shown, x->size);
        return 0;
    }
    return at + LOCAL_BYTES + name + extra;
}

int zipfile_data(const struct zipfile *z, struct zipfile_entry *x, bool skip_crc, struct err *e)
{
    if (x->data != NULL) {
        return 0;
    }
    struct nameindex_text shown = nameindex_show(x->name);
    if ((x->flags & 1) != 0) {
        return err_set(e, ERR_FORMAT, "zip entry '%s' is encrypted", shown.text);
    }
    if (x->method != 0) {
        return err_set(e, ERR_FORMAT,
                       "zip entry '%s' is compressed (method %d): torch.save stores its entries",
                       shown.text, x->method);
    }
    if (x->size != x->full_size) {
        return err_set(e, ERR_FORMAT, "zip entry '%s' is stored, but with two sizes", shown.text);
    }
    uint64_t at = payload_offset(z, x, shown.text, e);
    if (at == 0) {
        return -1;
    }
    if (!skip_crc) {
        uint32_t crc = crc32_update(&z->crc, 0, z->data + at, (size_t)x->size);
        if (crc != x->crc) {
            return err_set(e, ERR_FORMAT,
                           "zip entry '%s' is damaged: CRC-32 is %08" PRIx32
                           ", expected %08" PRIx32,
                           shown.text, crc, x->crc);
        }
    }
    x->data = z->data + at;
    return 0;
}
