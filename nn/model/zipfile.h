#ifndef NEPHRON_ZIPFILE_H
#define NEPHRON_ZIPFILE_H

#include "arena.h"
#include "crc32.h"
#include "nameindex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The part of zip (PKWARE APPNOTE 6.3.10) that torch.save uses: stored entries, central directory,
 * zip64 records, data descriptors. Not an unpacker: entries are handed out as views, nothing is
 * inflated, no name becomes a path. Only the central directory is believed, and each local header
 * must agree with it; the payloads of all entries together must fit into the file, so overlapping
 * entries cannot make a reader work more than the file is long.
 */

#define ZIPFILE_MAX_ENTRIES 200000

struct zipfile_entry {
    struct str name;
    const unsigned char *data; /* payload; NULL until zipfile_data found it good */
    uint64_t size;             /* bytes as stored in the file */
    /* Above: public. Below: private to zipfile.c */
    uint64_t header_offset;
    uint64_t full_size;
    uint32_t crc;
    uint16_t method, flags;
};

struct zipfile {
    struct zipfile_entry *entries; /* in the order of the central directory */
    size_t count;
    /* Above: public. Below: private to zipfile.c */
    const unsigned char *data;
    size_t n;
    uint64_t directory_offset;
    struct nameindex names;
    struct crc32 crc;
};

/* Reads the central directory of `data`, which must outlive the result; memory from `a`. Errors
 * name the entry and the offset, without the file's name. */
int zipfile_parse(struct arena *a, const void *data, size_t n, struct zipfile *z, struct err *e);
struct zipfile_entry *zipfile_find(const struct zipfile *z, struct str name); /* NULL: absent */
/* Checks the local header, the method, the bounds and (unless `skip_crc`) the CRC-32; then
 * entry->data and entry->size are good. */
int zipfile_data(const struct zipfile *z, struct zipfile_entry *entry, bool skip_crc,
                 struct err *e);

/* Writing: stored entries with the payload at a multiple of 64 bytes, as torch.save lays them. */
struct zipwriter_entry;

struct zipwriter {
    int fd;           /* seekable; stays the caller's */
    const char *path; /* for errors */
    uint64_t offset;
    struct zipwriter_entry *entries;
    size_t count, capacity;
    bool is_open; /* between begin and end */
    uint32_t crc_now;
    uint64_t written;
    struct crc32 crc;
};

void zipwriter_init(struct zipwriter *w, int fd, const char *path);
void zipwriter_release(struct zipwriter *w);
/* begin, any number of writes that sum up to `size`, end. */
int zipwriter_begin(struct zipwriter *w, const char *name, uint64_t size, struct err *e);
int zipwriter_write(struct zipwriter *w, const void *data, size_t n, struct err *e);
int zipwriter_end(struct zipwriter *w, struct err *e);
/* begin, write and end at once. */
int zipwriter_add(struct zipwriter *w, const char *name, const void *data, size_t n, struct err *e);
int zipwriter_finish(struct zipwriter *w, struct err *e); /* central directory */

#endif
