#ifndef NEPHRON_DROPOUT_H
#define NEPHRON_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

struct par;

/*
 * Inverted dropout: an element is kept with probability `keep` and scaled by 1 / keep, else 0.
 * Whether it is kept depends on (seed, step, layer, index of the sample in the GLOBAL batch,
 * element) alone: the same for any number of ranks and threads, and after a resume.
 */
struct dropout_key {
    uint64_t seed, step;
    uint32_t layer;
    double keep; /* 0 < keep <= 1 */
};

/* Bytes of mask for one row: one bit an element. */
size_t dropout_mask_bytes(size_t width);
/* x (rows,width) in place; row r is sample first_row + r. Fills mask (rows, dropout_mask_bytes). */
void dropout_forward(const struct dropout_key *k, size_t first_row, size_t rows, size_t width,
                     float *x, uint8_t *mask, struct par *par);
/* dy (rows,width) in place, with the mask of the forward pass. */
void dropout_backward(const struct dropout_key *k, size_t rows, size_t width, float *dy,
                      const uint8_t *mask, struct par *par);

#endif
