#ifndef NEPHRON_FEATURECACHE_H
#define NEPHRON_FEATURECACHE_H

#include <stdbool.h>
#include <stddef.h>

struct comm;
struct err;
struct imageset;
struct model;
struct par;

/*
 * What the frozen layers make of every picture, computed once. With FREEZE and without augmentation
 * these values never change, so a step reads them (100 KB for VGG16 at 224 x 224) in place of
 * decoding a picture and passing it through the convolutions. They are kept in one file of
 * featurefile.h below the project; its key is the SHA-256 of
 *   this program and the kind of CPU (they decide the last bits), the architecture, the size and
 *   normalisation of pictures, the frozen parameters and running statistics, and every picture's
 *   content
 * so that nothing stale is ever read. Ranks share the work: of each block of samples every rank
 * computes a contiguous part, rank 0 writes. Where the file cannot be kept (disk full, larger than
 * allowed, a rank that does not see it) training goes on without, and says so.
 *
 * The values are bitwise those of the forward pass, so a training has the same result with and
 * without.
 */

struct featurecache;

struct featurecache_options {
    struct comm *comm;
    struct par *par;
    struct model *model; /* planned; its frozen layers have their values */
    struct imageset *set;
    const char *dir;  /* where files are kept; made when needed */
    size_t max_bytes; /* of the whole folder */
    bool quiet;
};

/* *out: returns new (featurecache_free), or NULL where features are not used (nothing is frozen,
 * too large, cannot be kept). Collective: -1 on all ranks, only for unreadable pictures and a
 * failed comm. */
int featurecache_open(const struct featurecache_options *opt, struct featurecache **out,
                      struct err *e);
void featurecache_free(struct featurecache *f); /* NULL is fine */

/* Copies the row of a sample: a loader_fill_fn, ctx is the struct featurecache. */
int featurecache_fill(void *ctx, size_t sample, float *x, struct err *e);
size_t featurecache_floats(const struct featurecache *f); /* of a row */

#endif
