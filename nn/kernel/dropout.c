/* Dropout; see dropout.h. The mask is kept as bits: forming it again in backward would cost a
 * Philox block for every four elements once more. */

#include "dropout.h"

#include "par.h"
#include "rng.h"

#include <stdbool.h>
#include <string.h>

struct dropout_job {
    const struct dropout_key *k;
    size_t first_row, width;
    float *x;
    uint8_t *mask;
    const uint8_t *kept;
    float scale;
};

size_t dropout_mask_bytes(size_t width)
{
    return (width + 7) / 8;
}

/* Words below this keep: keep x 2^32, 2^32 for keep = 1. */
static uint64_t threshold(double keep)
{
    return (uint64_t)(keep * 0x1p32);
}

static void forward_row(void *ctx, size_t row, int thread)
{
    const struct dropout_job *j = ctx;
    uint8_t *mask = j->mask + row * dropout_mask_bytes(j->width);
    float *x = j->x + row * j->width;
    uint64_t limit = threshold(j->k->keep), sample = j->first_row + row;
    struct rng r;
    rng_init(&r, j->k->seed, RNG_DROPOUT, j->k->step, (uint64_t)j->k->layer << 48 | sample);
    memset(mask, 0, dropout_mask_bytes(j->width));
    for (size_t i = 0; i < j->width; i++) {
        bool keep = rng_u32(&r) < limit;
        mask[i / 8] = (uint8_t)(mask[i / 8] | (unsigned)keep << i % 8);
        x[i] = keep ? x[i] * j->scale : 0.0f;
    }
}

void dropout_forward(const struct dropout_key *k, size_t first_row, size_t rows, size_t width,
                     float *x, uint8_t *mask, struct par *par)
{
    struct dropout_job j = {.k = k,
                            .first_row = first_row,
                            .width = width,
                            .x = x,
                            .mask = mask,
                            .scale = (float)(1.0 / k->keep)};
    par_for(par, rows, forward_row, &j);
}

static void backward_row(void *ctx, size_t row, int thread)
{
    const struct dropout_job *j = ctx;
    const uint8_t *mask = j->kept + row * dropout_mask_bytes(j->width);
    float *dy = j->x + row * j->width;
    for (size_t i = 0; i < j->width; i++) {
        dy[i] = mask[i / 8] >> i % 8 & 1 ? dy[i] * j->scale : 0.0f;
    }
}

void dropout_backward(const struct dropout_key *k, size_t rows, size_t width, float *dy,
                      const uint8_t *mask, struct par *par)
{
    struct dropout_job j = {
        .k = k, .width = width, .x = dy, .kept = mask, .scale = (float)(1.0 / k->keep)};
    par_for(par, rows, backward_row, &j);
}
