#ifndef NEPHRON_SIMD_H
#define NEPHRON_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The inner loops of dense.c and of the convolutions, for one instruction set; private to
 * nn/kernel. One source (simd_vector.h and the *_simd.h files) is compiled once for each set by
 * simd_generic.c, simd_avx2.c and simd_avx512.c; simd_best picks at run time. Vectors are GCC's own
 * (vector_size), so the portable table is vector code as well, wherever the compiler knows vectors.
 *
 * Bits: each element of a result is formed by the same operations in the same order wherever in a
 * matrix it stands and however many rows or tiles are computed together. The promises of conv.h
 * and dense.h rest on that. Tables differ from one another in rounding.
 */

/* c (m,n) = or += sum over j < terms of a[i a_row + j a_term] b (j,n), j in order, c in memory
 * between calls: cutting the terms in several calls with `add` changes no bit. */
struct simd_blend {
    size_t m, n, terms;
    const float *a;
    size_t a_row, a_term;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    bool add;
};

/* As simd_blend for n = simd.panel columns exactly: the product that convolutions spend their time
 * in. Fast where b (terms,panel) has no gaps, ldb = panel. */
struct simd_product {
    size_t m, terms;
    const float *a;
    size_t a_row, a_term;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    bool add;
    const float
        *ahead; /* brought into L2 on the way, spread evenly: what is read or written soon */
    size_t ahead_count;
};

/*
 * Where 4x4 tiles of an image (n,h,w,c) come from; tile t of th tw a image, row by row. With
 * argmax, x is (n,h/2,w/2,c), the gradient of a 2x2 max-pooling, and a value appears at that one of
 * its four places that argmax names; everywhere else, and outside of the image, is 0.
 */
struct simd_tiles {
    size_t h, w, c, th, tw;
    const float *x;
    const uint8_t *argmax;
    const float *zeros; /* c of them, for what lies outside */
};

/* Where transformed tiles go: channels in columns of 2^bits, (36, columns, tiles, 2^bits). Element
 * (xi, tile t, channel c) is v[xi plane + (c >> bits) column + t row + c % 2^bits]. */
struct simd_transformed {
    float *v;
    size_t plane, column, row;
    unsigned bits; /* 2^bits is a multiple of lanes */
};

/* What is done to 4x4 tiles of output on the way to memory; all but y may be NULL. */
struct simd_output {
    size_t h, w, c, th, tw;
    float *y;          /* (n,h,w,c), or (n,h/2,w/2,c) when pool */
    const float *bias; /* (c) */
    const float *mask; /* as y: the result is 0 where mask is not above 0 */
    uint8_t *argmax;   /* as y, when pool */
    bool relu, pool;
    size_t begin, end; /* channels; begin is a multiple of simd.panel */
};

/* Filter (v, j) at w[j j_stride + v v_stride], 3x3; turned: by 180 degrees. */
struct simd_filters {
    const float *w;
    size_t js, vs, j_stride, v_stride;
    bool turned;
};

/* Rows of a product (rows,ld) on their way to (rows,width); as simd_output. */
struct simd_rows {
    size_t rows, width, ld;
    const float *from;
    float *to;
    const float *bias, *mask;
    bool relu;
    size_t begin, end; /* columns; begin is a multiple of simd.panel */
};

struct simd {
    const char *name;
    size_t lanes; /* floats in a vector */
    size_t panel; /* columns of a product */
    size_t rows;  /* rows that a product computes at a time */
    /* y (rows,outs) += x (rows,k) . w (outs,k)^T */
    void (*dot)(size_t rows, size_t outs, size_t k, const float *x, size_t ldx, const float *w,
                size_t ldw, float *y, size_t ldy);
    void (*blend)(const struct simd_blend *t);
    void (*product)(const struct simd_product *t);
    void (*finish)(const struct simd_rows *r);
    /* The transforms of conv_winograd.h for tiles [first, first + count). */
    void (*input)(const struct simd_tiles *s, size_t first, size_t count,
                  const struct simd_transformed *to);
    /* sum (c): the tiles' pixels are added to it. */
    void (*gradient)(const struct simd_tiles *s, size_t first, size_t count,
                     const struct simd_transformed *to, float *sum);
    void (*output)(const struct simd_output *o, size_t first, size_t count,
                   const struct simd_transformed *from);
    /* u (36,panels,js,panel): the filters v = p panel .. of one panel p, filled up with zeros. */
    void (*filters)(const struct simd_filters *f, size_t p, size_t panels, float *u);
    /* du (36,rows,ldu) -> dw at parts (rows, columns / lanes, 9, lanes), rows `row` floats apart.
     * columns: a multiple of lanes. */
    void (*weights)(const float *du, size_t rows, size_t columns, size_t plane, size_t ldu,
                    float *dw, size_t row);
};

extern const struct simd simd_generic;
extern const struct simd simd_avx2;   /* x86-64 only */
extern const struct simd simd_avx512; /* x86-64 only */

/* The best for this CPU. */
const struct simd *simd_best(void);
/* Those that this CPU runs, the best first; NULL for i beyond the last. For tests. */
const struct simd *simd_at(size_t i);

#endif
