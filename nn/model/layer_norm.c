/* Batch normalisation as a layer. Frozen, it uses its running statistics and leaves them alone. */

#include "layer.h"

#include "alloc.h"
#include "batchnorm.h"

struct norm_layer {
    struct batchnorm_shape shape;
    bool relu;
};

enum { RUNNING_MEAN, RUNNING_VAR, BATCHES }; /* buffers */

/* kept: global sums (2,c) double, then mean (c) and inv_std (c). */
static size_t norm_kept(const struct layer *l, const struct layer_plan *p)
{
    const struct norm_layer *n = l->self;
    return 2 * n->shape.c * (sizeof(double) + sizeof(float));
}

static double *kept_sums(const struct layer *l)
{
    return l->kept;
}

static float *kept_mean(const struct layer *l)
{
    const struct norm_layer *n = l->self;
    return (float *)(kept_sums(l) + 2 * n->shape.c);
}

static float *kept_inv_std(const struct layer *l)
{
    const struct norm_layer *n = l->self;
    return kept_mean(l) + n->shape.c;
}

static size_t norm_workspace(const struct layer *l, const struct layer_plan *p)
{
    const struct norm_layer *n = l->self;
    return batchnorm_workspace(&n->shape, p->rows, p->shards) * (sizeof(double) / sizeof(float));
}

static double global_count(const struct norm_layer *n, const struct layer_run *r)
{
    return (double)r->split->global * (double)n->shape.area;
}

static void norm_forward(struct layer *l, const struct layer_run *r)
{
    const struct norm_layer *n = l->self;
    float *mean = kept_mean(l), *inv_std = kept_inv_std(l);
    float *running_mean = layer_buffer(l, RUNNING_MEAN)->value;
    float *running_var = layer_buffer(l, RUNNING_VAR)->value;
    if (r->train && l->trainable) {
        double *sums = kept_sums(l);
        batchnorm_sums(&n->shape, r->split, r->x, sums, (double *)(void *)r->ws, r->par);
        if (r->comm) {
            r->comm->sum(r->comm->ctx, sums, 2 * n->shape.c);
        }
        batchnorm_statistics(n->shape.c, global_count(n, r), sums, mean, inv_std, running_mean,
                             running_var);
        ++*layer_buffer(l, BATCHES)->counter;
    } else {
        batchnorm_from_running(n->shape.c, running_mean, running_var, mean, inv_std);
    }
    batchnorm_apply(&n->shape, r->n, r->x, mean, inv_std, layer_param(l, 0)->value,
                    layer_param(l, 1)->value, n->relu, r->y, r->par);
}

static void norm_backward(struct layer *l, const struct layer_run *r)
{
    const struct norm_layer *n = l->self;
    const float *mean = kept_mean(l), *inv_std = kept_inv_std(l);
    double *sums = kept_sums(l);
    batchnorm_backward_sums(&n->shape, r->split, r->x, r->dy, mean, inv_std, sums,
                            layer_param(l, 0)->grad, layer_param(l, 1)->grad,
                            (double *)(void *)r->ws, r->par);
    if (!r->dx) {
        return;
    }
    if (r->comm) {
        r->comm->sum(r->comm->ctx, sums, 2 * n->shape.c);
    }
    batchnorm_backward_data(&n->shape, r->n, global_count(n, r), r->x, r->dy, mean, inv_std,
                            layer_param(l, 0)->value, sums, r->dx, r->par);
}

static const struct layer_ops ops = {
    .kind = "batchnorm",
    .kept_bytes = norm_kept,
    .workspace = norm_workspace,
    .forward = norm_forward,
    .backward = norm_backward,
};

void layer_add_batchnorm(struct model *m, const char *name, bool relu, bool trainable)
{
    const struct blob in = m->blobs[m->blob_count - 1];
    struct norm_layer *self = xcalloc(1, sizeof(*self));
    self->shape = (struct batchnorm_shape){.c = in.c, .area = in.h * in.w};
    self->relu = relu;
    struct layer *l = layer_add(m, &ops, name, in.c, in.h, in.w, self);
    m->blobs[l->out].rectified = relu;
    layer_add_param(l, "weight", 1, (size_t[4]){in.c}, trainable,
                    (struct param_rule){.constant = 1});
    layer_add_param(l, "bias", 1, (size_t[4]){in.c}, trainable, (struct param_rule){0});
    layer_add_buffer(l, "running_mean", in.c);
    layer_add_buffer(l, "running_var", in.c);
    layer_add_buffer(l, "num_batches_tracked", 0);
}
