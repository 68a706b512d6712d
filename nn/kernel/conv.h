#ifndef NEPHRON_CONV_H
#define NEPHRON_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct par;
struct shard_split;
struct simd;

/*
 * 3x3 convolution (cross-correlation, as in all deep learning libraries), stride 1, zero padding 1,
 * with what follows it in a network done in the same pass:
 *   x (n,h,w,c)   w (k,c,3,3)   b (k)   ->   y (n,h,w,k), or (n,h/2,w/2,k) behind max-pooling
 * Activations are NHWC: a pixel's channels are neighbours, which is the direction that everything
 * here is vectorised in, and it needs no padding of channels. Images alone come as (n,c,h,w).
 *
 * One table a method; conv_choose picks one by shape when the model is planned.
 *
 * Bits: what an image gives is independent of the batch it stands in, the rank and the threads;
 * a method has to see to it, and tests hold it to that.
 */

struct conv_shape {
    size_t c, k; /* channels in, channels out */
    size_t h, w;
    bool image; /* x is (n,c,h,w), and has no gradient */
    bool relu;  /* y = max(y, 0) */
    bool pool;  /* then max-pooling 2x2, stride 2, as maxpool.h; conv_pools says who can */
    const struct simd *simd; /* NULL: the best */
};

/* One pass over n images; which fields a pass uses stands at the pass. */
struct conv_call {
    size_t n;
    const float *x, *w;
    const float *filters; /* what `prepare` made of w; NULL: made in the workspace, for this call */
    const float *b;       /* NULL: none */
    float *y;
    uint8_t *argmax; /* as y; which of the four won, 0..3 in reading order; NULL: not kept */
    const float *dy; /* as y; with relu already 0 where y is 0, which is the business of the layer
                        that makes it: it has y at hand as its x, see `rectified` */
    float *dx;
    bool rectified;                  /* x came out of a ReLU: dx becomes 0 where x is 0 */
    const struct shard_split *split; /* its rows are the n images */
    float *dw, *db;
    float *ws;
    struct par *par;
};

struct conv_ops {
    const char *name;
    bool (*fits)(const struct conv_shape *s);
    /* Floats of workspace that any of the passes needs; train: all three, else forward alone. */
    size_t (*workspace)(const struct conv_shape *s, int threads, size_t rows, size_t shards,
                        bool train);
    /* Floats of `filters`. */
    size_t (*filters)(const struct conv_shape *s);
    /* Brings w into the form that forward reads. */
    void (*prepare)(const struct conv_shape *s, const float *w, float *filters, struct par *par);
    /* y and argmax from n, x, w or filters, b. */
    void (*forward)(const struct conv_shape *s, const struct conv_call *call);
    /* dx from n, dy, argmax, w; and x when rectified. */
    void (*backward_data)(const struct conv_shape *s, const struct conv_call *call);
    /* dw (k,c,3,3) and db (k) from split, x, dy, argmax, by the rules of shard.h. */
    void (*backward_weights)(const struct conv_shape *s, const struct conv_call *call);
};

extern const struct conv_ops conv_winograd; /* F(4x4,3x3); see conv_winograd.h */
extern const struct conv_ops conv_rows;     /* pixels as rows of a product; fits every shape */

const struct conv_ops *conv_choose(const struct conv_shape *s);
/* Whether the method of this shape does a max-pooling behind it. */
bool conv_pools(const struct conv_shape *s);
/* 2 x multiply-adds of one pass over one image, as speed tables count them. */
double conv_flop(const struct conv_shape *s);

#endif
