/*
 * Convolution as a layer: 3x3, stride 1, padding 1, with bias; torchvision's names and first
 * values. Kept between the passes: which of four won, when it pools; or, when the weights do not
 * learn, what the method made of them, from the first forward on.
 */

#include "layer.h"

#include "alloc.h"
#include "conv.h"

#include <math.h>

struct conv_layer {
    struct conv_shape shape;
    const struct conv_ops *ops;
};

static size_t conv_kept(const struct layer *l, const struct layer_plan *p)
{
    const struct conv_layer *c = l->self;
    return p->train && c->shape.pool ? p->rows * blob_size(layer_out(l)) : 0;
}

static size_t conv_prepared(const struct layer *l, const struct layer_plan *p)
{
    const struct conv_layer *c = l->self;
    return p->train ? 0 : c->ops->filters(&c->shape);
}

static size_t conv_workspace(const struct layer *l, const struct layer_plan *p)
{
    const struct conv_layer *c = l->self;
    return c->ops->workspace(&c->shape, p->threads, p->rows, p->shards, p->train);
}

static struct conv_call call_of(const struct layer *l, const struct layer_run *r)
{
    return (struct conv_call){.n = r->n,
                              .x = r->x,
                              .w = layer_param(l, 0)->value,
                              .rectified = layer_in(l)->rectified,
                              .split = r->split,
                              .ws = r->ws,
                              .par = r->par};
}

static void conv_layer_forward(struct layer *l, const struct layer_run *r)
{
    const struct conv_layer *c = l->self;
    struct conv_call call = call_of(l, r);
    call.b = layer_param(l, 1)->value;
    call.y = r->y;
    if (l->prepared && !l->is_prepared) {
        c->ops->prepare(&c->shape, call.w, l->prepared, r->par);
        l->is_prepared = true;
    }
    call.filters = l->prepared;
    call.argmax = c->shape.pool && r->keep ? l->kept : NULL;
    c->ops->forward(&c->shape, &call);
}

static void conv_layer_backward(struct layer *l, const struct layer_run *r)
{
    const struct conv_layer *c = l->self;
    struct param *w = layer_param(l, 0);
    struct conv_call call = call_of(l, r);
    call.dy = r->dy;
    call.argmax = c->shape.pool ? l->kept : NULL;
    if (w->trainable) {
        call.dw = w->grad;
        call.db = layer_param(l, 1)->grad;
        c->ops->backward_weights(&c->shape, &call);
        layer_lap(l, MODEL_PASS_WEIGHTS);
    }
    if (r->dx) {
        call.dx = r->dx;
        c->ops->backward_data(&c->shape, &call);
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
    .kept_bytes = conv_kept,
    .prepared = conv_prepared,
    .workspace = conv_workspace,
    .forward = conv_layer_forward,
    .backward = conv_layer_backward,
    .flop = conv_layer_flop,
    .method = conv_method,
};

static struct conv_shape next_shape(const struct model *m, size_t k)
{
    const struct blob *in = &m->blobs[m->blob_count - 1];
    return (struct conv_shape){
        .c = in->c, .k = k, .h = in->h, .w = in->w, .image = m->blob_count == 1};
}

bool layer_conv_pools(const struct model *m, size_t k)
{
    struct conv_shape s = next_shape(m, k);
    return conv_pools(&s);
}

void layer_add_conv(struct model *m, const char *name, const struct layer_conv_options *o)
{
    struct conv_layer *self = xcalloc(1, sizeof(*self));
    self->shape = next_shape(m, o->k);
    self->shape.relu = o->relu;
    self->shape.pool = o->pool;
    self->ops = conv_choose(&self->shape);
    size_t c = self->shape.c, k = o->k, halves = o->pool ? 2 : 1;
    struct layer *l =
        layer_add(m, &ops, name, k, self->shape.h / halves, self->shape.w / halves, self);
    m->blobs[l->out].rectified = o->relu;
    layer_add_param(l, "weight", 4, (size_t[4]){k, c, 3, 3}, o->trainable,
                    (struct param_rule){.std = sqrt(2.0 / (9.0 * (double)k))}); /* He, fan out */
    layer_add_param(l, "bias", 1, (size_t[4]){k}, o->trainable, (struct param_rule){0});
}
