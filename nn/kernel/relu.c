/* Rectifier; see relu.h. Memory-bound: blocks only share the work among the threads. */

#include "relu.h"

#include "par.h"

#define BLOCK ((size_t)1 << 16)

struct relu_job {
    const float *y;
    float *x;
    size_t count;
};

static void forward_block(void *ctx, size_t item, int thread)
{
    const struct relu_job *j = ctx;
    size_t end = (item + 1) * BLOCK < j->count ? (item + 1) * BLOCK : j->count;
    for (size_t i = item * BLOCK; i < end; i++) {
        float v = j->x[i];
        j->x[i] = v < 0 ? 0 : v;
    }
}

void relu_forward(float *x, size_t count, struct par *par)
{
    struct relu_job j = {.x = x, .count = count};
    par_for(par, (count + BLOCK - 1) / BLOCK, forward_block, &j);
}

static void backward_block(void *ctx, size_t item, int thread)
{
    const struct relu_job *j = ctx;
    size_t end = (item + 1) * BLOCK < j->count ? (item + 1) * BLOCK : j->count;
    for (size_t i = item * BLOCK; i < end; i++) {
        j->x[i] = j->y[i] <= 0 ? 0 : j->x[i];
    }
}

void relu_backward(const float *y, float *dy, size_t count, struct par *par)
{
    struct relu_job j = {.y = y, .x = dy, .count = count};
    par_for(par, (count + BLOCK - 1) / BLOCK, backward_block, &j);
}
