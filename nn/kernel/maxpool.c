/* Max-pooling; see maxpool.h. */

#include "maxpool.h"

#include "par.h"

#include <stdbool.h>
#include <string.h>

struct maxpool_job {
    size_t h, w;
    const float *in;
    float *out;
    uint8_t *argmax;
    const uint8_t *from;
};

static inline bool wins(float v, float best)
{
    return v > best || v != v;
}

static void forward_plane(void *ctx, size_t plane, int thread)
{
    const struct maxpool_job *j = ctx;
    size_t oh = j->h / 2, ow = j->w / 2;
    for (size_t r = 0; r < oh; r++) {
        const float *a = j->in + (plane * j->h + 2 * r) * j->w, *b = a + j->w;
        float *y = j->out + (plane * oh + r) * ow;
        uint8_t *arg = j->argmax ? j->argmax + (plane * oh + r) * ow : NULL;
        for (size_t c = 0; c < ow; c++) {
            float best = a[2 * c];
            uint8_t at = 0;
            const float v1 = a[2 * c + 1], v2 = b[2 * c], v3 = b[2 * c + 1];
            at = wins(v1, best) ? 1 : at;
            best = wins(v1, best) ? v1 : best;
            at = wins(v2, best) ? 2 : at;
            best = wins(v2, best) ? v2 : best;
            at = wins(v3, best) ? 3 : at;
            best = wins(v3, best) ? v3 : best;
            y[c] = best;
            if (arg) {
                arg[c] = at;
            }
        }
    }
}

void maxpool_forward(size_t planes, size_t h, size_t w, const float *x, float *y, uint8_t *argmax,
                     struct par *par)
{
    struct maxpool_job j = {.h = h, .w = w, .in = x, .out = y, .argmax = argmax};
    par_for(par, planes, forward_plane, &j);
}

static void backward_plane(void *ctx, size_t plane, int thread)
{
    const struct maxpool_job *j = ctx;
    size_t oh = j->h / 2, ow = j->w / 2;
    memset(j->out + plane * j->h * j->w, 0, j->h * j->w * sizeof(float));
    for (size_t r = 0; r < oh; r++) {
        float *a = j->out + (plane * j->h + 2 * r) * j->w;
        const float *dy = j->in + (plane * oh + r) * ow;
        const uint8_t *arg = j->from + (plane * oh + r) * ow;
        for (size_t c = 0; c < ow; c++) {
            a[(arg[c] >> 1) * j->w + 2 * c + (arg[c] & 1)] = dy[c];
        }
    }
}

void maxpool_backward(size_t planes, size_t h, size_t w, const float *dy, const uint8_t *argmax,
                      float *dx, struct par *par)
{
    struct maxpool_job j = {.h = h, .w = w, .in = dy, .out = dx, .from = argmax};
    par_for(par, planes, backward_plane, &j);
}
