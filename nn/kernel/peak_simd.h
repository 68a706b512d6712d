/*
 * One source for each instruction set, as dense_simd.h. Before including, define
 *     PEAK_LANES  floats in a vector    PEAK_SUMS  independent chains    PEAK_TABLE, PEAK_NAME
 * A fused multiply-add takes 4 cycles and two begin in each: 8 chains at least; more than there are
 * registers for would go through memory.
 */

#include "peak_kernel.h"

typedef float vec __attribute__((vector_size(PEAK_LANES * sizeof(float))));

#if defined(__aarch64__)
#define PEAK_REGISTER "w"
#else
#define PEAK_REGISTER "v"
#endif

#define UNROLL 8

static float run(size_t rounds)
{
    vec sum[PEAK_SUMS], factor, term;
    for (int l = 0; l < PEAK_LANES; l++) {
        factor[l] = 0.999f; /* the sums go to 1: neither infinite nor denormal */
        term[l] = 0.001f;
    }
#pragma GCC unroll 32
    for (int i = 0; i < PEAK_SUMS; i++) {
        sum[i] = factor * (float)i;
    }
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 8
        for (int u = 0; u < UNROLL; u++) {
#pragma GCC unroll 32
            for (int i = 0; i < PEAK_SUMS; i++) {
                sum[i] = sum[i] * factor + term;
                __asm__(
                    ""
                    : "+" PEAK_REGISTER(sum[i])); /* in a register, and not merged with the next */
            }
        }
    }
    float all = 0;
#pragma GCC unroll 32
    for (int i = 0; i < PEAK_SUMS; i++) {
        for (int l = 0; l < PEAK_LANES; l++) {
            all += sum[i][l];
        }
    }
    return all;
}

const struct peak_kernel PEAK_TABLE = {
    .name = PEAK_NAME, .run = run, .flop_a_round = 2.0 * UNROLL * PEAK_SUMS * PEAK_LANES};
