#ifndef NEPHRON_PIXELS_H
#define NEPHRON_PIXELS_H

#include <stddef.h>
#include <stdint.h>

struct dataset;
struct err;
struct image_options;
struct par;

/*
 * The decoded and resized (bilinear) RGB8 picture of each sample of a data set, remembered in
 * memory up to a bound: what loaders, the near-copy search and evaluation all read, so that each
 * file is decoded once. 64x64: 12 KB a sample; 224x224: 150 KB. Thread-safe.
 */

struct pixels;

#define PIXELS_DEFAULT_CACHE_BYTES ((size_t)2 << 30)

struct pixels_options {
    int width, height;                  /* px; required */
    size_t cache_bytes;                 /* 0: PIXELS_DEFAULT_CACHE_BYTES */
    int no_cache;                       /* 1: remember nothing */
    const struct image_options *decode; /* NULL: defaults; copied */
};

/* Keeps `d` until pixels_free. ERR_LIMIT for sides outside 1..4096. */
struct pixels *pixels_new(const struct dataset *d, const struct pixels_options *opt, struct err *e);
void pixels_free(struct pixels *p);
int pixels_width(const struct pixels *p);
int pixels_height(const struct pixels *p);
const struct dataset *pixels_dataset(const struct pixels *p);
size_t pixels_cached(const struct pixels *p);  /* samples in memory */
size_t pixels_decoded(const struct pixels *p); /* files decoded so far */

/*
 * The picture of `sample`: returns borrowed memory of the cache (valid until pixels_free), or
 * `scratch` (3*width*height bytes), filled, when the cache is full. NULL with the file named when
 * it cannot be read or decoded.
 */
const uint8_t *pixels_get(struct pixels *p, size_t sample, uint8_t *scratch, struct err *e);

/* Decodes samples[0..n) in parallel into the cache, as far as it holds. The error is that of the
 * first bad sample in list order. */
int pixels_fill(struct pixels *p, const size_t *samples, size_t n, struct par *par, struct err *e);

#endif
