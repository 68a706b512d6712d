#ifndef NEPHRON_AVGPOOL_H
#define NEPHRON_AVGPOOL_H

#include <stddef.h>

struct par;

/*
 * Adaptive average pooling, PyTorch's rule: output row i is the mean of input rows floor(i h / oh)
 * .. ceil((i + 1) h / oh) - 1, columns alike. Windows overlap when h is no multiple of oh, and
 * repeat rows when h < oh.
 *   x (n,h,w,c) -> y (n,c,oh,ow)
 * It is where activations turn from NHWC to the order that the weights of a classifier expect; for
 * h = oh and w = ow that is all it does.
 */
struct avgpool_shape {
    size_t c, h, w, oh, ow;
};

void avgpool_forward(const struct avgpool_shape *s, size_t n, const float *x, float *y,
                     struct par *par);
/* x: NULL, or what came out of a ReLU: dx becomes 0 where x is 0. */
void avgpool_backward(const struct avgpool_shape *s, size_t n, const float *dy, const float *x,
                      float *dx, struct par *par);

#endif
