/*
 * Blocking and threads of the fully connected layer; see dense.h. The weights are far bigger than
 * any cache (25088 x 4096: 411 MB), so each block of them is read once and used for all rows: 48 x
 * 1024 floats (192 KiB) in forward, 64 x 512 (128 KiB) in backward, within an L2 of 512 KiB.
 */

#include "dense.h"

#include "simd.h"

#include "par.h"

#include <string.h>

#define FORWARD_OUTS ((size_t)48)
#define FORWARD_DEPTH ((size_t)1024)
#define BACK_WIDTH ((size_t)512)
#define BACK_DEPTH ((size_t)64)
#define WEIGHTS_OUTS 56 /* four times the rows of AVX-512's product */
#define WEIGHTS_WIDTH 512
#define WEIGHTS_TERMS 64 /* packed, 64 x 512 floats are 128 KiB */

const char *dense_kernel_name(void)
{
    return simd_best()->name;
}

struct dense_job {
    const struct simd *kernel;
    struct dense_shape s;
    size_t n, blocks;
    const float *x, *w, *b, *dy;
    float *out, *db;
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* All rows for FORWARD_OUTS outputs. */
static void forward_item(void *ctx, size_t item, int thread)
{
    const struct dense_job *j = ctx;
    size_t o = item * FORWARD_OUTS, outs = min_size(FORWARD_OUTS, j->s.out - o);
    for (size_t r = 0; r < j->n; r++) {
        float *y = j->out + r * j->s.out + o;
        if (j->b) {
            memcpy(y, j->b + o, outs * sizeof(float));
        } else {
            memset(y, 0, outs * sizeof(float));
        }
    }
    for (size_t k = 0; k < j->s.in; k += FORWARD_DEPTH) {
        j->kernel->dot(j->n, outs, min_size(FORWARD_DEPTH, j->s.in - k), j->x + k, j->s.in,
                       j->w + o * j->s.in + k, j->s.in, j->out + o, j->s.out);
    }
}

void dense_forward(const struct dense_shape *s, size_t n, const float *x, const float *w,
                   const float *b, float *y, struct par *par)
{
    struct dense_job j = {.kernel = simd_best(), .s = *s, .n = n, .x = x, .w = w, .b = b, .out = y};
    if (n > 0) {
        par_for(par, (s->out + FORWARD_OUTS - 1) / FORWARD_OUTS, forward_item, &j);
    }
}

/* All rows for BACK_WIDTH inputs. */
static void backward_item(void *ctx, size_t item, int thread)
{
    const struct dense_job *j = ctx;
    size_t k = item * BACK_WIDTH;
    struct simd_blend t = {.m = j->n,
                           .n = min_size(BACK_WIDTH, j->s.in - k),
                           .a_row = j->s.out,
                           .a_term = 1,
                           .ldb = j->s.in,
                           .c = j->out + k,
                           .ldc = j->s.in};
    for (size_t o = 0; o < j->s.out; o += BACK_DEPTH) {
        t.a = j->dy + o;
        t.b = j->w + o * j->s.in + k;
        t.terms = min_size(BACK_DEPTH, j->s.out - o);
        t.add = o > 0;
        j->kernel->blend(&t);
    }
}

void dense_backward_data(const struct dense_shape *s, size_t n, const float *dy, const float *w,
                         float *dx, struct par *par)
{
    struct dense_job j = {.kernel = simd_best(), .s = *s, .n = n, .w = w, .dy = dy, .out = dx};
    if (n > 0) {
        par_for(par, (s->in + BACK_WIDTH - 1) / BACK_WIDTH, backward_item, &j);
    }
}

/* Rows of x and dy lie a power of two of bytes apart in the wide layers: a block of them shares a
 * few sets of the L1 cache and evicts itself (30 instead of 75 GFLOP/s). Copies do not. */
static void pack_rows(float *to, size_t width, const float *from, size_t stride, size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        memcpy(to + r * width, from + r * stride, width * sizeof(float));
    }
}

/* Terms [r, r + terms) of WEIGHTS_OUTS outputs by up to WEIGHTS_WIDTH inputs, panel by panel. */
static void weights_terms(const struct dense_job *j, size_t o, size_t k, size_t r, size_t terms)
{
    size_t outs = min_size(WEIGHTS_OUTS, j->s.out - o), end = min_size(k + WEIGHTS_WIDTH, j->s.in);
    size_t panel = j->kernel->panel, panels = (end - k) / panel, rows = j->kernel->rows;
    float x[WEIGHTS_TERMS * WEIGHTS_WIDTH], dy[WEIGHTS_TERMS * WEIGHTS_OUTS];
    pack_rows(dy, outs, j->dy + r * j->s.out + o, j->s.out, terms);
    for (size_t p = 0; p < panels; p++) {
        pack_rows(x + p * terms * panel, panel, j->x + r * j->s.in + k + p * panel, j->s.in, terms);
    }
    for (size_t i = 0; i < outs; i += rows) {
        struct simd_product t = {.m = min_size(rows, outs - i),
                                 .terms = terms,
                                 .a = dy + i,
                                 .a_row = 1,
                                 .a_term = outs,
                                 .ldb = panel,
                                 .ldc = j->s.in,
                                 .add = r > 0};
        for (size_t p = 0; p < panels; p++) {
            t.b = x + p * terms * panel;
            t.c = j->out + (o + i) * j->s.in + k + p * panel;
            j->kernel->product(&t);
        }
    }
    k += panels * panel;
    if (k < end) {
        j->kernel->blend(&(struct simd_blend){.m = outs,
                                              .n = end - k,
                                              .terms = terms,
                                              .a = dy,
                                              .a_row = 1,
                                              .a_term = outs,
                                              .b = j->x + r * j->s.in + k,
                                              .ldb = j->s.in,
                                              .c = j->out + o * j->s.in + k,
                                              .ldc = j->s.in,
                                              .add = r > 0});
    }
}

/* WEIGHTS_OUTS x WEIGHTS_WIDTH of dw; the first of a row of blocks also forms its part of db. */
static void weights_item(void *ctx, size_t item, int thread)
{
    const struct dense_job *j = ctx;
    size_t o = item / j->blocks * WEIGHTS_OUTS, k = item % j->blocks * WEIGHTS_WIDTH;
    size_t outs = min_size(WEIGHTS_OUTS, j->s.out - o), r = 0;
    do { /* without a row, dw still becomes 0 */
        size_t terms = min_size(WEIGHTS_TERMS, j->n - r);
        weights_terms(j, o, k, r, terms);
        r += terms;
    } while (r < j->n);
    if (k == 0) {
        memset(j->db + o, 0, outs * sizeof(float));
        for (r = 0; r < j->n; r++) {
            for (size_t i = 0; i < outs; i++) {
                j->db[o + i] += j->dy[r * j->s.out + o + i];
            }
        }
    }
}

void dense_backward_weights(const struct dense_shape *s, size_t n, const float *x, const float *dy,
                            float *dw, float *db, struct par *par)
{
    size_t blocks = (s->in + WEIGHTS_WIDTH - 1) / WEIGHTS_WIDTH;
    struct dense_job j = {.kernel = simd_best(),
                          .s = *s,
                          .n = n,
                          .blocks = blocks,
                          .x = x,
                          .dy = dy,
                          .out = dw,
                          .db = db};
    par_for(par, (s->out + WEIGHTS_OUTS - 1) / WEIGHTS_OUTS * blocks, weights_item, &j);
}
