#ifndef NEPHRON_AVGPOOL_H
#define NEPHRON_AVGPOOL_H

#include <stddef.h>

struct par;

/*
 * Adaptive average pooling, PyTorch's rule: x (planes,h,w) -> y (planes,oh,ow), where output row i
 * is the mean of input rows floor(i h / oh) .. ceil((i + 1) h / oh) - 1, columns alike. Windows
 * overlap when h is no multiple of oh, and repeat rows when h < oh. The identity for h = oh, w =
 * ow.
 */
struct avgpool_shape {
    size_t h, w, oh, ow;
};

void avgpool_forward(const struct avgpool_shape *s, size_t planes, const float *x, float *y,
                     struct par *par);
void avgpool_backward(const struct avgpool_shape *s, size_t planes, const float *dy, float *dx,
                      struct par *par);

#endif
