/* The choice of a convolution method; see conv.h. */

#include "conv.h"

#include "err.h"

/* In order of preference: the first that fits is taken. im2col is last and fits everything. */
static const struct conv_ops *const methods[] = {&conv_im2col};

const struct conv_ops *conv_choose(const struct conv_shape *s)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i]->fits(s)) {
            return methods[i];
        }
    }
    BUG("no convolution method for %zu -> %zu channels of %zux%zu", s->c, s->k, s->h, s->w);
}

double conv_flop(const struct conv_shape *s)
{
    return 2.0 * 9.0 * (double)s->c * (double)s->k * (double)s->h * (double)s->w;
}
