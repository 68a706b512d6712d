#ifndef NEPHRON_FEATUREFILE_H
#define NEPHRON_FEATUREFILE_H

#include "fs.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct par;

/*
 * One vector of floats for each sample of a data set, on disk: what the frozen layers of a network
 * make of each picture, computed once and read in every epoch. A cache: the key says what it was
 * made from, and a file that does not hold is made again.
 *
 *   offset  field        type       meaning
 *   0       magic        8 bytes    "NEPHFEAT"
 *   8       version      u32        1
 *   12      header_crc   u32        CRC-32C of the header and the table, this field being 0
 *   16      count        u64        samples
 *   24      row_floats   u64        floats of one
 *   32      key          64 chars   hex digest of everything that decides the values
 *   96      (zero)       32 bytes
 *   128     table        u32 each   CRC-32C of each row; then zeros to a multiple of 64
 *   …       rows         count x row_floats f32, without gaps, to the end of the file
 *
 * Little-endian. Example: 465 slices through VGG16's convolutions at 224 x 224 are 465 rows of
 * 25,088 floats, 46.7 MB.
 */

#define FEATUREFILE_KEY_SIZE 65 /* 64 digits and the terminator */
#define FEATUREFILE_SUFFIX ".features"

struct featurefile {
    const char *path; /* borrowed */
    size_t count, row_floats;
    const float *rows; /* in the file's map */
    /* Above: public. Below: private to featurefile.c */
    const uint32_t *table;
    void *map;
    size_t map_bytes;
};

/* Maps the file and checks its header against what is wanted; rows are checked by
 * featurefile_check. ERR_MISSING: there is none; ERR_FORMAT: it is another's, or torn. `path` is
 * kept. */
int featurefile_open(struct featurefile *f, const char *path, const char *key, size_t count,
                     size_t row_floats, struct err *e);
/* The same from bytes that outlive *f; no I/O. */
int featurefile_parse(struct featurefile *f, const void *data, size_t n, const char *name,
                      const char *key, size_t count, size_t row_floats, struct err *e);
/* Compares rows [first, last) with their checksums, in parallel. ERR_FORMAT names the first bad. */
int featurefile_check(const struct featurefile *f, size_t first, size_t last, struct par *par,
                      struct err *e);
const float *featurefile_row(const struct featurefile *f, size_t sample);
void featurefile_close(struct featurefile *f);

/* Writing: rows in the order of samples. The file appears whole, with the commit. */
struct featurefile_writer {
    struct fs_temp temp;
    const char *path, *key; /* borrowed until commit or abort */
    size_t count, row_floats, written;
    uint32_t *table;
};
int featurefile_begin(struct featurefile_writer *w, const char *path, const char *key, size_t count,
                      size_t row_floats, struct err *e);
int featurefile_add(struct featurefile_writer *w, const float *rows, size_t n, struct err *e);
/* Both end the writer. ERR_IO when rows are missing or the disk is full. */
int featurefile_commit(struct featurefile_writer *w, struct err *e);
void featurefile_abort(struct featurefile_writer *w);

/* Bytes of a file; SIZE_MAX when that does not fit. */
size_t featurefile_bytes(size_t count, size_t row_floats);
/* Marks the file as used now. */
void featurefile_touch(const char *path);
/* Removes from `dir` what nobody used for `days`, then the longest unused until at most max_bytes
 * are left, and what dead writers left behind. `keep` (may be NULL) stays. */
int featurefile_sweep(const char *dir, const char *keep, size_t max_bytes, unsigned days,
                      struct err *e);

#endif
