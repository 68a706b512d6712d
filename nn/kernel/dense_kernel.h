#ifndef NEPHRON_DENSE_KERNEL_H
#define NEPHRON_DENSE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* What dense.c needs from an instruction set; private to the dense_*.c files. */

/* c (m,n) = or += sum over j < terms of a[i a_row + j a_term] b (j,n), j in order, c in memory
 * between calls: cutting the terms in several calls with `add` changes no bit. */
struct dense_blend {
    size_t m, n, terms;
    const float *a;
    size_t a_row, a_term;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    bool add;
};

struct dense_kernel {
    const char *name;
    /* y (rows,outs) += x (rows,k) . w (outs,k)^T */
    void (*dot)(size_t rows, size_t outs, size_t k, const float *x, size_t ldx, const float *w,
                size_t ldw, float *y, size_t ldy);
    void (*blend)(const struct dense_blend *t);
};

extern const struct dense_kernel dense_kernel_generic;
extern const struct dense_kernel dense_kernel_avx2;   /* x86-64 only */
extern const struct dense_kernel dense_kernel_avx512; /* x86-64 only */

/* The best for this CPU. */
const struct dense_kernel *dense_kernel_choose(void);

#endif
