#ifndef NEPHRON_DENSE_H
#define NEPHRON_DENSE_H

#include <stddef.h>

struct par;

/*
 * Fully connected layer: x (n,in), w (out,in), b (out) -> y (n,out), y = x . w^T + b.
 *
 * Own kernels instead of GEMM calls, for the sake of equal bits: each output is one sum whose order
 * depends on `in` (forward), `out` (backward_data) or n (weights) alone and never on how many rows
 * are computed together. So a batch of 8 gives what two batches of 4 give. One source
 * (dense_simd.h) is compiled for each instruction set, and the best that the CPU has is used:
 * bits are equal on one kind of CPU.
 */

struct dense_shape {
    size_t in, out;
};

/* b may be NULL. */
void dense_forward(const struct dense_shape *s, size_t n, const float *x, const float *w,
                   const float *b, float *y, struct par *par);
/* dx (n,in) = dy . w */
void dense_backward_data(const struct dense_shape *s, size_t n, const float *dy, const float *w,
                         float *dx, struct par *par);
/* dw (out,in) = dy^T . x, db (out) = column sums of dy; rows added in order 0..n-1. n = 0 zeroes.
 */
void dense_backward_weights(const struct dense_shape *s, size_t n, const float *x, const float *dy,
                            float *dw, float *db, struct par *par);

const char *dense_kernel_name(void); /* "avx512", "avx2" or "generic": what this CPU runs */

#endif
