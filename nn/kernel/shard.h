#ifndef NEPHRON_SHARD_H
#define NEPHRON_SHARD_H

#include <stdbool.h>
#include <stddef.h>

struct par;

/*
 * Sums over samples that do not depend on the number of ranks or threads.
 *
 * The global batch of B samples is cut in a fixed number S of shards; shard i holds the samples
 * [floor(i B / S), floor((i + 1) B / S)). A rank owns whole shards, one contiguous range. Every sum
 * over samples is formed shard by shard, each in sample order, and the shards are added in one
 * fixed balanced binary tree: node [lo, hi) = node [lo, mid) + node [mid, hi), mid = (lo + hi) / 2.
 *
 * Example, S = 8 on 4 ranks: rank 1 owns shards 2 and 3, its partial result is s2 + s3. Recursive
 * doubling between ranks then adds (rank 0 + rank 1), (rank 2 + rank 3), and the two halves:
 *     ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
 * which is what one rank computes alone. This holds when the ranks cut the tree at its nodes: 1, 2,
 * 4 or 8 ranks with S = 8. Other counts give a correct sum with other rounding.
 */

#define SHARD_MAX 64
#define SHARD_DEFAULT 4 /* each costs a pass over the gradient of every wide layer */

struct shard_split {
    size_t total;           /* S */
    size_t first, count;    /* shards of this rank */
    size_t global;          /* B */
    size_t row_first, rows; /* samples of this rank within the global batch */
    size_t
        begin[SHARD_MAX + 1]; /* begin[i]: first local row of local shard i; begin[count]: rows */
    size_t pairs;             /* additions of the local part of the tree, in order: */
    struct {
        unsigned char to, from; /* local shard numbers: to += from */
    } pair[SHARD_MAX];
};

/* First sample of shard i of `total` in a batch of `global`. */
size_t shard_begin(size_t global, size_t total, size_t i);
/* Largest number of rows that `count` shards can get in any batch of up to `global` samples. */
size_t shard_rows_max(size_t global, size_t total, size_t count);
/* The shards of `rank` among `world` ranks: floor(rank S / world) and on. */
void shard_of_rank(size_t total, size_t world, size_t rank, size_t *first, size_t *count);

/* count >= 1, first + count <= total <= SHARD_MAX. */
void shard_split_init(struct shard_split *s, size_t global, size_t total, size_t first,
                      size_t count);

/* part[i] (i < s->count) is the value of local shard i; returns the local part of the tree. */
double shard_sum(const struct shard_split *s, double *part);
/* parts (s->count, stride): adds vectors of `n` floats in place and copies the result to `out`. */
void shard_sum_vectors(const struct shard_split *s, float *parts, size_t stride, size_t n,
                       float *out, struct par *par);
/* One block of n <= SHARD_BLOCK floats, parts unchanged. per_row 0: parts (count, stride) as above.
 * Else parts (rows per_row, stride), per_row of them for each sample, which are added in order. */
#define SHARD_BLOCK 144
void shard_sum_block(const struct shard_split *s, size_t per_row, const float *parts, size_t stride,
                     size_t n, float *out);
/* The same as shard_sum_vectors for doubles, on the calling thread. */
void shard_sum_doubles(const struct shard_split *s, double *parts, size_t stride, size_t n,
                       double *out);

#endif
