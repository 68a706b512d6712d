#ifndef NEPHRON_CONV_H
#define NEPHRON_CONV_H

#include <stdbool.h>
#include <stddef.h>

struct par;
struct shard_split;

/*
 * 3x3 convolution (cross-correlation, as in all deep learning libraries), stride 1, zero padding 1.
 *   x (n,c,h,w)   w (k,c,3,3)   b (k)   ->   y (n,k,h,w)      all contiguous fp32
 * One table a method; conv_choose picks one by shape when the model is planned. A further method
 * (Winograd) is one more file and one more line in conv.c; callers do not change.
 *
 * Bits: what an image gives is independent of the batch it stands in, the rank and the threads;
 * a method has to see to it, and tests hold it to that.
 */

struct conv_shape {
    size_t c, k; /* channels in, channels out */
    size_t h, w;
};

struct conv_ops {
    const char *name;
    bool (*fits)(const struct conv_shape *s);
    /* Floats of workspace that any of the three passes needs. shards: of this rank. */
    size_t (*workspace)(const struct conv_shape *s, int threads, size_t shards);
    /* y = x * w + b, then max(y, 0) when relu. b may be NULL. */
    void (*forward)(const struct conv_shape *s, size_t n, const float *x, const float *w,
                    const float *b, bool relu, float *y, float *ws, struct par *par);
    /* dx = dy * (w turned by 180 degrees, channels swapped). */
    void (*backward_data)(const struct conv_shape *s, size_t n, const float *dy, const float *w,
                          float *dx, float *ws, struct par *par);
    /* dw (k,c,3,3) and db (k) summed over the rows of `split` by the rules of shard.h. */
    void (*backward_weights)(const struct conv_shape *s, const struct shard_split *split,
                             const float *x, const float *dy, float *dw, float *db, float *ws,
                             struct par *par);
};

extern const struct conv_ops conv_im2col; /* blocked im2col on gemm.h; fits every shape */
extern const struct conv_ops conv_im2row; /* pixels as rows of a dense layer; small images */

const struct conv_ops *conv_choose(const struct conv_shape *s);
/* For methods: w (k,c,3,3) -> turned (c,k,3,3), each filter turned by 180 degrees; returns the
 * shape of the convolution that backward_data then is. */
struct conv_shape conv_turn(const struct conv_shape *s, const float *w, float *turned,
                            struct par *par);
/* 2 x multiply-adds of one pass over one image, as speed tables count them. */
double conv_flop(const struct conv_shape *s);

#endif
