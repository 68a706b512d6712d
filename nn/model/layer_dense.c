/*
 * Fully connected layer. Its weight gradient d^T . a is formed in one of two ways, chosen when the
 * plan is made, from sizes alone (so that ranks agree, and one rank does what many do):
 *   factored   from the rows of the whole global batch, in row order; ranks gather a and d
 *   sharded    shard by shard and added in the tree of shard.h; ranks reduce the gradient
 */

#include "layer.h"

#include "alloc.h"
#include "dense.h"

struct dense_layer {
    struct dense_shape shape;
};

static size_t part_size(const struct dense_layer *d)
{
    return tensor_round(d->shape.in * d->shape.out + d->shape.out);
}

static size_t dense_workspace(const struct layer *l, const struct layer_plan *p)
{
    return l->factored || !p->train ? 0 : p->shards * part_size(l->self);
}

static void dense_layer_forward(struct layer *l, const struct layer_run *r)
{
    const struct dense_layer *d = l->self;
    dense_forward(&d->shape, r->n, r->x, layer_param(l, 0)->value, layer_param(l, 1)->value, r->y,
                  r->par);
}

static void sharded_gradients(struct layer *l, const struct layer_run *r)
{
    const struct dense_layer *d = l->self;
    size_t stride = part_size(d), weights = d->shape.in * d->shape.out;
    for (size_t i = 0; i < r->split->count; i++) {
        size_t row = r->split->begin[i], rows = r->split->begin[i + 1] - row;
        float *part = r->ws + i * stride;
        dense_backward_weights(&d->shape, rows, r->x + row * d->shape.in,
                               r->dy + row * d->shape.out, part, part + weights, r->par);
    }
    shard_sum_vectors(r->split, r->ws, stride, weights, layer_param(l, 0)->grad, r->par);
    shard_sum_vectors(r->split, r->ws + weights, stride, d->shape.out, layer_param(l, 1)->grad,
                      r->par);
}

static void dense_layer_backward(struct layer *l, const struct layer_run *r)
{
    const struct dense_layer *d = l->self;
    if (l->trainable && !l->factored) {
        sharded_gradients(l, r);
        layer_lap(l, MODEL_PASS_WEIGHTS);
    }
    if (r->dx) {
        dense_backward_data(&d->shape, r->n, r->dy, layer_param(l, 0)->value, r->dx, r->par);
    }
}

void layer_dense_gradients(struct layer *l, size_t rows, const float *a, const float *d)
{
    const struct dense_layer *self = l->self;
    dense_backward_weights(&self->shape, rows, a, d, layer_param(l, 0)->grad,
                           layer_param(l, 1)->grad, l->m->config.par);
}

static double dense_flop(const struct layer *l)
{
    const struct dense_layer *d = l->self;
    return 2.0 * (double)d->shape.in * (double)d->shape.out;
}

static const char *dense_method(const struct layer *l)
{
    return l->factored ? "factors" : dense_kernel_name();
}

static const struct layer_ops ops = {
    .kind = "dense",
    .workspace = dense_workspace,
    .forward = dense_layer_forward,
    .backward = dense_layer_backward,
    .flop = dense_flop,
    .method = dense_method,
};

bool layer_is_dense(const struct layer *l)
{
    return l->ops == &ops;
}

void layer_add_dense(struct model *m, const char *name, size_t out)
{
    size_t in = blob_size(&m->blobs[m->blob_count - 1]);
    struct dense_layer *self = xcalloc(1, sizeof(*self));
    self->shape = (struct dense_shape){.in = in, .out = out};
    struct layer *l = layer_add(m, &ops, name, out, 1, 1, self);
    layer_add_param(l, "weight", 2, (size_t[4]){out, in}, true, (struct param_rule){.std = 0.01});
    layer_add_param(l, "bias", 1, (size_t[4]){out}, true, (struct param_rule){0});
}
