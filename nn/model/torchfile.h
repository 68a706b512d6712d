#ifndef NEPHRON_TORCHFILE_H
#define NEPHRON_TORCHFILE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct weights;

/* PyTorch's two file forms into a struct weights whose arena and name are set (see weights.h).
 * `data` must outlive it. For weights.c and the fuzz targets. */

/* Zip form (since 1.6): <root>/data.pkl, <root>/data/<key>, optional byteorder, nephron.json. */
int torchfile_read_zip(struct weights *w, const void *data, size_t n, bool skip_crc, struct err *e);
/* Legacy form: pickles of magic number, protocol 1001, system info, object, storage keys; then for
 * each key a u64 element count and the raw elements. */
int torchfile_read_legacy(struct weights *w, const void *data, size_t n, struct err *e);

/* True when the bytes start with the legacy form's magic number pickle. */
bool torchfile_is_legacy(const void *data, size_t n);

#define TORCHFILE_META_RECORD "nephron.json"

#endif
