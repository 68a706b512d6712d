#ifndef NEPHRON_MAXPOOL_H
#define NEPHRON_MAXPOOL_H

#include <stddef.h>
#include <stdint.h>

struct par;

/*
 * Max-pooling 2x2, stride 2, no padding: x (n,h,w,c) -> y (n,h/2,w/2,c). An odd last row or column
 * is not looked at and gets gradient 0. argmax (as y) keeps which of the four won, 0..3 in reading
 * order, the first of equals; NaN wins (as in PyTorch). NULL: not kept. Convolutions do the same
 * in their own pass where they can (conv.h); this is for what stands behind a batch norm.
 */
struct maxpool_shape {
    size_t c, h, w;
};

void maxpool_forward(const struct maxpool_shape *s, size_t n, const float *x, float *y,
                     uint8_t *argmax, struct par *par);
void maxpool_backward(const struct maxpool_shape *s, size_t n, const float *dy,
                      const uint8_t *argmax, float *dx, struct par *par);

#endif
