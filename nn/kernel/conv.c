/* The choice of a convolution method; see conv.h. */

#include "conv.h"

#include "err.h"
#include "par.h"

/* In order of preference: the first that fits is taken. im2col is last and fits everything. */
static const struct conv_ops *const methods[] = {&conv_im2row, &conv_im2col};

const struct conv_ops *conv_choose(const struct conv_shape *s)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i]->fits(s)) {
            return methods[i];
        }
    }
    BUG("no convolution method for %zu -> %zu channels of %zux%zu", s->c, s->k, s->h, s->w);
}

struct turn_job {
    const struct conv_shape *s;
    const float *w;
    float *turned;
};

/* One channel c. */
static void turn_item(void *ctx, size_t c, int thread)
{
    const struct turn_job *j = ctx;
    for (size_t k = 0; k < j->s->k; k++) {
        const float *from = j->w + (k * j->s->c + c) * 9;
        float *to = j->turned + (c * j->s->k + k) * 9;
        for (size_t i = 0; i < 9; i++) {
            to[i] = from[8 - i];
        }
    }
}

struct conv_shape conv_turn(const struct conv_shape *s, const float *w, float *turned,
                            struct par *par)
{
    struct turn_job j = {.s = s, .w = w, .turned = turned};
    par_for(par, s->c, turn_item, &j);
    return (struct conv_shape){.c = s->k, .k = s->c, .h = s->h, .w = s->w};
}

double conv_flop(const struct conv_shape *s)
{
    return 2.0 * 9.0 * (double)s->c * (double)s->k * (double)s->h * (double)s->w;
}
