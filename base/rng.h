#ifndef NEPHRON_RNG_H
#define NEPHRON_RNG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC 2011). A stream is named by
 * (seed, purpose, a, b): e.g. augmentation of sample b in epoch a. What a sample gets depends on
 * these alone, never on the number of ranks or threads, nor on what was drawn before elsewhere.
 */

enum rng_purpose {
    RNG_INIT,    /* a: tensor index */
    RNG_SHUFFLE, /* a: epoch */
    RNG_DROPOUT, /* a: step, b: layer and sample */
    RNG_AUGMENT, /* a: epoch, b: sample index */
    RNG_SPLIT,
    RNG_PHANTOM, /* a: patient, b: slice */
    RNG_TEST,
};

struct rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t out[4];
    unsigned left;
};

void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose, uint64_t a, uint64_t b);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
float rng_uniform(struct rng *r);                         /* [0, 1) in steps of 2^-24 */
double rng_range(struct rng *r, double low, double high); /* uniform */
uint32_t rng_below(struct rng *r, uint32_t n);            /* 0..n-1, unbiased; n > 0 */
double rng_normal(struct rng *r);                         /* mean 0, deviation 1 */
void rng_shuffle(struct rng *r, size_t *items, size_t n); /* Fisher-Yates */
/* The four words of one block, for kernels that index the stream directly (dropout masks). */
void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif
