#ifndef NEPHRON_NAIVE_H
#define NEPHRON_NAIVE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The textbook loops of every kernel, sums in double: what the kernels are tested against and where
 * a reader finds what they compute. Slow, one thread, no workspace. Shapes as in kernel headers.
 */

struct naive_conv {
    size_t n, c, k, h, w;
};

void naive_conv_forward(const struct naive_conv *s, const float *x, const float *w, const float *b,
                        float *y);
void naive_conv_backward_data(const struct naive_conv *s, const float *dy, const float *w,
                              float *dx);
void naive_conv_backward_weights(const struct naive_conv *s, const float *x, const float *dy,
                                 float *dw, float *db);

void naive_relu_forward(size_t count, const float *x, float *y);
void naive_relu_backward(size_t count, const float *x, const float *dy, float *dx);

void naive_maxpool_forward(size_t planes, size_t h, size_t w, const float *x, float *y);
/* Gradient to the first of the largest. */
void naive_maxpool_backward(size_t planes, size_t h, size_t w, const float *x, const float *dy,
                            float *dx);

void naive_avgpool_forward(size_t planes, size_t h, size_t w, size_t oh, size_t ow, const float *x,
                           float *y);
void naive_avgpool_backward(size_t planes, size_t h, size_t w, size_t oh, size_t ow,
                            const float *dy, float *dx);

void naive_dense_forward(size_t n, size_t in, size_t out, const float *x, const float *w,
                         const float *b, float *y);
void naive_dense_backward(size_t n, size_t in, size_t out, const float *x, const float *w,
                          const float *dy, float *dx, float *dw, float *db);

/* x (n,c,area) in training: y, and mean and biased variance of each channel. */
void naive_batchnorm_forward(size_t n, size_t c, size_t area, const float *x, const float *gamma,
                             const float *beta, float *y, double *mean, double *var);
void naive_batchnorm_backward(size_t n, size_t c, size_t area, const float *x, const float *gamma,
                              const float *dy, float *dx, float *dgamma, float *dbeta);

/* Mean loss over n, and dlogits of it (NULL: not wanted). */
double naive_xent(size_t n, size_t classes, const float *logits, const int32_t *labels,
                  float *dlogits);

#endif
