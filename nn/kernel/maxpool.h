#ifndef NEPHRON_MAXPOOL_H
#define NEPHRON_MAXPOOL_H

#include <stddef.h>
#include <stdint.h>

struct par;

/*
 * Max-pooling 2x2, stride 2, no padding: x (planes,h,w) -> y (planes,h/2,w/2), planes = n c. An odd
 * last row or column is not looked at and gets gradient 0. argmax (as y) keeps which of the four
 * won, 0..3 in reading order, the first of equals; NaN wins (as in PyTorch). NULL: not kept.
 */
void maxpool_forward(size_t planes, size_t h, size_t w, const float *x, float *y, uint8_t *argmax,
                     struct par *par);
void maxpool_backward(size_t planes, size_t h, size_t w, const float *dy, const uint8_t *argmax,
                      float *dx, struct par *par);

#endif
