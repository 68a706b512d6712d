/* The choice of a convolution method; see conv.h. */

#include "conv.h"

#include "err.h"

/* In order of preference: the first that fits is taken. The last fits everything. */
static const struct conv_ops *const methods[] = {&conv_winograd, &conv_rows};

const struct conv_ops *conv_choose(const struct conv_shape *s)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i]->fits(s)) {
            return methods[i];
        }
    }
    BUG("no convolution method for %zu -> %zu channels of %zux%zu", s->c, s->k, s->h, s->w);
}

bool conv_pools(const struct conv_shape *s)
{
    return conv_choose(s) == &conv_winograd;
}

double conv_flop(const struct conv_shape *s)
{
    return 2.0 * 9.0 * (double)s->c * (double)s->k * (double)s->h * (double)s->w;
}
