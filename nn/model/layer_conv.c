/* Convolution as a layer: 3x3, stride 1, padding 1, with bias; torchvision's names and first
 * values. */

#include "layer.h"

#include "alloc.h"
#include "conv.h"

#include <math.h>

struct conv_layer {
    struct conv_shape shape;
    const struct conv_ops *ops;
    bool relu;
};

static size_t conv_workspace(const struct layer *l, const struct layer_plan *p)
{
    const struct conv_layer *c = l->self;
    return c->ops->workspace(&c->shape, p->threads, p->train ? p->shards : 0);
}

static void conv_layer_forward(struct layer *l, const struct layer_run *r)
{
    const struct conv_layer *c = l->self;
    c->ops->forward(&c->shape, r->n, r->x, layer_param(l, 0)->value, layer_param(l, 1)->value,
                    c->relu, r->y, r->ws, r->par);
}

static void conv_layer_backward(struct layer *l, const struct layer_run *r)
{
    const struct conv_layer *c = l->self;
    struct param *w = layer_param(l, 0), *b = layer_param(l, 1);
    if (w->trainable) {
        c->ops->backward_weights(&c->shape, r->split, r->x, r->dy, w->grad, b->grad, r->ws, r->par);
        layer_lap(l, MODEL_PASS_WEIGHTS);
    }
    if (r->dx) {
        c->ops->backward_data(&c->shape, r->n, r->dy, w->value, r->dx, r->ws, r->par);
    }
}

static double conv_layer_flop(const struct layer *l)
{
    const struct conv_layer *c = l->self;
    return conv_flop(&c->shape);
}

static const char *conv_method(const struct layer *l)
{
    const struct conv_layer *c = l->self;
    return c->ops->name;
}

static const struct layer_ops ops = {
    .kind = "conv",
    .workspace = conv_workspace,
    .forward = conv_layer_forward,
    .backward = conv_layer_backward,
    .flop = conv_layer_flop,
    .method = conv_method,
};

void layer_add_conv(struct model *m, const char *name, size_t k, bool relu, bool trainable)
{
    const struct blob *in = &m->blobs[m->blob_count - 1];
    struct conv_layer *self = xcalloc(1, sizeof(*self));
    self->shape = (struct conv_shape){.c = in->c, .k = k, .h = in->h, .w = in->w};
    self->ops = conv_choose(&self->shape);
    self->relu = relu;
    size_t c = in->c;
    struct layer *l = layer_add(m, &ops, name, k, self->shape.h, self->shape.w, self);
    layer_add_param(l, "weight", 4, (size_t[4]){k, c, 3, 3}, trainable,
                    (struct param_rule){.std = sqrt(2.0 / (9.0 * (double)k))}); /* He, fan out */
    layer_add_param(l, "bias", 1, (size_t[4]){k}, trainable, (struct param_rule){0});
}
