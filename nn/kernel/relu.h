#ifndef NEPHRON_RELU_H
#define NEPHRON_RELU_H

#include <stddef.h>

struct par;

/* max(x, 0) in place; NaN stays NaN, so that a diverged run shows. */
void relu_forward(float *x, size_t count, struct par *par);
/* dy in place: 0 where the output y is 0. */
void relu_backward(const float *y, float *dy, size_t count, struct par *par);

#endif
