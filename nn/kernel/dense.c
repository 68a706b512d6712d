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

/* BACK_DEPTH outputs by BACK_WIDTH inputs of dw; the first of a row of blocks also forms db. */
static void weights_item(void *ctx, size_t item, int thread)
{
    const struct dense_job *j = ctx;
    size_t o = item / j->blocks * BACK_DEPTH, k = item % j->blocks * BACK_WIDTH;
    size_t outs = min_size(BACK_DEPTH, j->s.out - o);
    j->kernel->blend(&(struct simd_blend){.m = outs,
                                          .n = min_size(BACK_WIDTH, j->s.in - k),
                                          .terms = j->n,
                                          .a = j->dy + o,
                                          .a_row = 1,
                                          .a_term = j->s.out,
                                          .b = j->x + k,
                                          .ldb = j->s.in,
                                          .c = j->out + o * j->s.in + k,
                                          .ldc = j->s.in});
    if (k == 0) {
        memset(j->db + o, 0, outs * sizeof(float));
        for (size_t r = 0; r < j->n; r++) {
            for (size_t i = 0; i < outs; i++) {
                j->db[o + i] += j->dy[r * j->s.out + o + i];
            }
        }
    }
}

void dense_backward_weights(const struct dense_shape *s, size_t n, const float *x, const float *dy,
                            float *dw, float *db, struct par *par)
{
    size_t blocks = (s->in + BACK_WIDTH - 1) / BACK_WIDTH;
    struct dense_job j = {.kernel = simd_best(),
                          .s = *s,
                          .n = n,
                          .blocks = blocks,
                          .x = x,
                          .dy = dy,
                          .out = dw,
                          .db = db};
    par_for(par, (s->out + BACK_DEPTH - 1) / BACK_DEPTH * blocks, weights_item, &j);
}
