#ifndef NEPHRON_LOADER_H
#define NEPHRON_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct augment_options;
struct err;
struct image_norm;
struct pixels;

/*
 * Batches ahead of the step. Threads of the loader's own decode, augment and normalise rows into a
 * ring of preallocated batches while the caller computes; at most `prefetch` batches wait.
 *
 * Order: epoch E visits the list permuted by the stream (seed, RNG_SHUFFLE, E) (or as it is);
 * global batch b is positions [b*B, (b+1)*B) of that permutation, the last one shorter unless
 * drop_last. A rank loads the contiguous rows [first, last) of every global batch that `rows`
 * names. Row content depends on (seed, epoch, sample) and the file only: never on ranks, threads or
 * timing. Augmentation samples from the resized RGB8 picture of `pixels` (see augment.h). With
 * `fill` rows are something else than pictures, e.g. features computed before.
 *
 *     loader_start(l, epoch, 0);
 *     while ((more = loader_next(l, &b, e)) > 0)
 *         step(b.x, b.labels, b.rows);
 */

/* The rows of this rank in a global batch of `global_rows` rows: 0 <= *first <= *last <=
 * global_rows, the same answer each time. Called in loader_new, loader_start and loader_next only,
 * by their thread. */
typedef void loader_rows_fn(void *ctx, size_t global_rows, size_t *first, size_t *last);

/* Instead of decoding: fills the row of a sample. Called by several threads at once. */
typedef int loader_fill_fn(void *ctx, size_t sample, float *x, struct err *e);

struct loader_options {
    struct pixels *pixels; /* kept until loader_free */
    const size_t *samples; /* indices into the data set; copied */
    size_t count;
    size_t batch; /* B: rows of a global batch, all ranks together */
    uint64_t seed;
    bool shuffle;
    bool drop_last;
    const struct augment_options *augment; /* NULL: none; copied */
    const struct image_norm *norm;         /* NULL: ImageNet; copied */
    loader_rows_fn *rows;                  /* NULL: all rows */
    void *rows_ctx;
    loader_fill_fn *fill; /* NULL: pictures */
    void *fill_ctx;
    size_t fill_floats; /* of a row, with `fill` */
    int threads;        /* 0: half of the cores, at least 1; < 0: none, work is done in
                           loader_next */
    int prefetch;       /* batches ahead; 0: 3 */
};

struct batch {
    const float *x;        /* (rows, 3, H, W), or (rows, fill_floats) */
    const int32_t *labels; /* (rows) */
    const size_t *samples; /* (rows): indices into the data set */
    size_t rows;           /* of this rank; may be 0 in the last, short batch */
    size_t first_row;      /* of this rank's rows in the global batch */
    size_t global_rows;
    size_t index; /* b */
    uint64_t epoch;
};

struct loader;

/* ERR_USAGE: no samples, batch 0. Memory: (prefetch + 1) * local rows * 3*H*W floats. */
struct loader *loader_new(const struct loader_options *opt, struct err *e);
void loader_free(struct loader *l); /* stops and joins the threads; NULL is fine */

size_t loader_batches(const struct loader *l);                  /* per epoch */
size_t loader_batch_rows(const struct loader *l, size_t index); /* global rows of batch `index` */
/* The samples of an epoch in the order of its batches: out holds as many as there are samples. */
void loader_order(const struct loader *l, uint64_t epoch, size_t *out);
size_t loader_bytes(const struct loader *l); /* of the ring */

/* Begins epoch `epoch` at batch `first` (for resuming inside one). What the ring still holds is
 * dropped. May be called at any time by the consumer. */
void loader_start(struct loader *l, uint64_t epoch, size_t first);

/* 1: *b is the next batch, borrowed until the next loader call; 0: the epoch is over; -1: a picture
 * cannot be read (file named). Blocks until the batch is ready. */
int loader_next(struct loader *l, struct batch *b, struct err *e);

#endif
