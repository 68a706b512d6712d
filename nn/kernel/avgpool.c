/* Adaptive average pooling; see avgpool.h. */

#include "avgpool.h"

#include "par.h"

#include <string.h>

struct avgpool_job {
    struct avgpool_shape s;
    const float *in;
    float *out;
};

static size_t window_begin(size_t i, size_t in, size_t out)
{
    return i * in / out;
}

static size_t window_end(size_t i, size_t in, size_t out)
{
    return ((i + 1) * in + out - 1) / out;
}

static float window_mean(const float *x, size_t w, size_t r0, size_t r1, size_t c0, size_t c1)
{
    float sum = 0;
    for (size_t r = r0; r < r1; r++) {
        for (size_t c = c0; c < c1; c++) {
            sum += x[r * w + c];
        }
    }
    return sum / (float)((r1 - r0) * (c1 - c0));
}

static void forward_plane(void *ctx, size_t plane, int thread)
{
    const struct avgpool_job *j = ctx;
    const struct avgpool_shape *s = &j->s;
    const float *x = j->in + plane * s->h * s->w;
    float *y = j->out + plane * s->oh * s->ow;
    for (size_t r = 0; r < s->oh; r++) {
        size_t r0 = window_begin(r, s->h, s->oh), r1 = window_end(r, s->h, s->oh);
        for (size_t c = 0; c < s->ow; c++) {
            y[r * s->ow + c] = window_mean(x, s->w, r0, r1, window_begin(c, s->w, s->ow),
                                           window_end(c, s->w, s->ow));
        }
    }
}

void avgpool_forward(const struct avgpool_shape *s, size_t planes, const float *x, float *y,
                     struct par *par)
{
    struct avgpool_job j = {.s = *s, .in = x, .out = y};
    par_for(par, planes, forward_plane, &j);
}

static void spread(float *dx, size_t w, size_t r0, size_t r1, size_t c0, size_t c1, float dy)
{
    float share = dy / (float)((r1 - r0) * (c1 - c0));
    for (size_t r = r0; r < r1; r++) {
        for (size_t c = c0; c < c1; c++) {
            dx[r * w + c] += share;
        }
    }
}

static void backward_plane(void *ctx, size_t plane, int thread)
{
    const struct avgpool_job *j = ctx;
    const struct avgpool_shape *s = &j->s;
    const float *dy = j->in + plane * s->oh * s->ow;
    float *dx = j->out + plane * s->h * s->w;
    memset(dx, 0, s->h * s->w * sizeof(float));
    for (size_t r = 0; r < s->oh; r++) {
        size_t r0 = window_begin(r, s->h, s->oh), r1 = window_end(r, s->h, s->oh);
        for (size_t c = 0; c < s->ow; c++) {
            spread(dx, s->w, r0, r1, window_begin(c, s->w, s->ow), window_end(c, s->w, s->ow),
                   dy[r * s->ow + c]);
        }
    }
}

void avgpool_backward(const struct avgpool_shape *s, size_t planes, const float *dy, float *dx,
                      struct par *par)
{
    struct avgpool_job j = {.s = *s, .in = dy, .out = dx};
    par_for(par, planes, backward_plane, &j);
}
