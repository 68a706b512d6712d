/* Adaptive average pooling; see avgpool.h. An item is an image: there is little to do. */

#include "avgpool.h"

#include "par.h"

#include <string.h>

struct avgpool_job {
    struct avgpool_shape s;
    const float *in, *x;
    float *out;
};

struct window {
    size_t begin, end;
};

static struct window window(size_t i, size_t in, size_t out)
{
    return (struct window){i * in / out, ((i + 1) * in + out - 1) / out};
}

static float window_mean(const float *x, size_t line, size_t c, struct window r, struct window k)
{
    float sum = 0;
    for (size_t i = r.begin; i < r.end; i++) {
        for (size_t j = k.begin; j < k.end; j++) {
            sum += x[i * line + j * c];
        }
    }
    return sum / (float)((r.end - r.begin) * (k.end - k.begin));
}

static void forward_image(void *ctx, size_t n, int thread)
{
    const struct avgpool_job *j = ctx;
    const struct avgpool_shape *s = &j->s;
    const float *x = j->in + n * s->h * s->w * s->c;
    float *y = j->out + n * s->c * s->oh * s->ow;
    for (size_t c = 0; c < s->c; c++) {
        for (size_t r = 0; r < s->oh; r++) {
            for (size_t k = 0; k < s->ow; k++) {
                *y++ = window_mean(x + c, s->w * s->c, s->c, window(r, s->h, s->oh),
                                   window(k, s->w, s->ow));
            }
        }
    }
}

void avgpool_forward(const struct avgpool_shape *s, size_t n, const float *x, float *y,
                     struct par *par)
{
    struct avgpool_job j = {.s = *s, .in = x, .out = y};
    par_for(par, n, forward_image, &j);
}

static void spread(float *dx, size_t line, size_t c, struct window r, struct window k, float dy)
{
    float share = dy / (float)((r.end - r.begin) * (k.end - k.begin));
    for (size_t i = r.begin; i < r.end; i++) {
        for (size_t j = k.begin; j < k.end; j++) {
            dx[i * line + j * c] += share;
        }
    }
}

static void backward_image(void *ctx, size_t n, int thread)
{
    const struct avgpool_job *j = ctx;
    const struct avgpool_shape *s = &j->s;
    size_t size = s->h * s->w * s->c;
    const float *dy = j->in + n * s->c * s->oh * s->ow;
    float *dx = j->out + n * size;
    memset(dx, 0, size * sizeof(float));
    for (size_t c = 0; c < s->c; c++) {
        for (size_t r = 0; r < s->oh; r++) {
            for (size_t k = 0; k < s->ow; k++) {
                spread(dx + c, s->w * s->c, s->c, window(r, s->h, s->oh), window(k, s->w, s->ow),
                       *dy++);
            }
        }
    }
    for (size_t i = 0; j->x && i < size; i++) {
        dx[i] = j->x[n * size + i] > 0 ? dx[i] : 0;
    }
}

void avgpool_backward(const struct avgpool_shape *s, size_t n, const float *dy, const float *x,
                      float *dx, struct par *par)
{
    struct avgpool_job j = {.s = *s, .in = dy, .x = x, .out = dx};
    par_for(par, n, backward_image, &j);
}
