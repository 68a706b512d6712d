/* Max-pooling; see maxpool.h. An item is a row of outputs. */

#include "maxpool.h"

#include "par.h"

#include <string.h>

struct maxpool_job {
    struct maxpool_shape s;
    const float *in;
    float *out;
    uint8_t *argmax;
    const uint8_t *from;
};

/* Whether v takes the place of best. */
static inline int wins(float v, float best)
{
    return (v > best) | (v != v);
}

static void pool_pixel(size_t c, const float *a, const float *b, float *y, uint8_t *argmax)
{
    for (size_t i = 0; i < c; i++) {
        float best = a[i];
        uint8_t at = 0;
        const float v1 = a[c + i], v2 = b[i], v3 = b[c + i];
        at = wins(v1, best) ? 1 : at;
        best = wins(v1, best) ? v1 : best;
        at = wins(v2, best) ? 2 : at;
        best = wins(v2, best) ? v2 : best;
        at = wins(v3, best) ? 3 : at;
        best = wins(v3, best) ? v3 : best;
        y[i] = best;
        if (argmax) {
            argmax[i] = at;
        }
    }
}

static void forward_row(void *ctx, size_t row, int thread)
{
    const struct maxpool_job *j = ctx;
    size_t oh = j->s.h / 2, ow = j->s.w / 2, c = j->s.c, line = j->s.w * c;
    const float *x = j->in + (row / oh * j->s.h + row % oh * 2) * line;
    for (size_t i = 0; i < ow; i++) {
        size_t to = (row * ow + i) * c;
        pool_pixel(c, x + 2 * i * c, x + 2 * i * c + line, j->out + to,
                   j->argmax ? j->argmax + to : NULL);
    }
}

void maxpool_forward(const struct maxpool_shape *s, size_t n, const float *x, float *y,
                     uint8_t *argmax, struct par *par)
{
    struct maxpool_job j = {.s = *s, .in = x, .out = y, .argmax = argmax};
    par_for(par, n * (s->h / 2), forward_row, &j);
}

static void spread_pixel(size_t c, const float *dy, const uint8_t *from, float *a, float *b)
{
    for (size_t i = 0; i < c; i++) {
        a[i] = from[i] == 0 ? dy[i] : 0;
        a[c + i] = from[i] == 1 ? dy[i] : 0;
        b[i] = from[i] == 2 ? dy[i] : 0;
        b[c + i] = from[i] == 3 ? dy[i] : 0;
    }
}

/* Two rows of one image, or its odd last one. */
static void backward_rows(void *ctx, size_t item, int thread)
{
    const struct maxpool_job *j = ctx;
    size_t rows = (j->s.h + 1) / 2, oh = j->s.h / 2, ow = j->s.w / 2, c = j->s.c;
    size_t image = item / rows, row = item % rows, line = j->s.w * c;
    float *dx = j->out + (image * j->s.h + 2 * row) * line;
    if (row == oh) {
        memset(dx, 0, line * sizeof(float));
        return;
    }
    for (size_t i = 0; i < ow; i++) {
        size_t from = ((image * oh + row) * ow + i) * c;
        float *a = dx + 2 * i * c;
        spread_pixel(c, j->in + from, j->from + from, a, a + line);
    }
    if (j->s.w % 2 == 1) {
        memset(dx + line - c, 0, c * sizeof(float));
        memset(dx + 2 * line - c, 0, c * sizeof(float));
    }
}

void maxpool_backward(const struct maxpool_shape *s, size_t n, const float *dy,
                      const uint8_t *argmax, float *dx, struct par *par)
{
    struct maxpool_job j = {.s = *s, .in = dy, .out = dx, .from = argmax};
    par_for(par, n * ((s->h + 1) / 2), backward_rows, &j);
}
