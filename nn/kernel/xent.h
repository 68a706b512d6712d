#ifndef NEPHRON_XENT_H
#define NEPHRON_XENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Softmax and cross-entropy of logits (n,classes) against labels (n) in 0..classes-1. The largest
 * logit is taken off first, so nothing overflows; sums are in double, in class order.
 */

/* probabilities (n,classes) */
void xent_softmax(size_t n, size_t classes, const float *logits, float *probabilities);
/* loss (n): -log p[label] of each sample; probabilities as above. */
void xent_forward(size_t n, size_t classes, const float *logits, const int32_t *labels,
                  float *probabilities, float *loss);
/* dlogits = (p - onehot) / batch, batch: size of the GLOBAL batch, so that gradients only need
 * adding over ranks. */
void xent_backward(size_t n, size_t classes, const float *probabilities, const int32_t *labels,
                   size_t batch, float *dlogits);

#endif
