/* Layers without parameters: ReLU, pooling, dropout. */

#include "layer.h"

#include "alloc.h"
#include "avgpool.h"
#include "dropout.h"
#include "maxpool.h"
#include "relu.h"

/* --- ReLU, in place -------------------------------------------------------------------------- */

static void relu_layer_forward(struct layer *l, const struct layer_run *r)
{
    relu_forward(r->y, r->n * blob_size(layer_out(l)), r->par);
}

static void relu_layer_backward(struct layer *l, const struct layer_run *r)
{
    relu_backward(r->y, r->dy, r->n * blob_size(layer_out(l)), r->par);
}

static const struct layer_ops relu_ops = {
    .kind = "relu", .forward = relu_layer_forward, .backward = relu_layer_backward};

void layer_add_relu(struct model *m, const char *name, bool fused)
{
    layer_add(m, &relu_ops, name, 0, 0, 0, NULL)->fused = fused;
}

/* --- max-pooling ----------------------------------------------------------------------------- */

static size_t maxpool_kept(const struct layer *l, const struct layer_plan *p)
{
    return p->train ? p->rows * blob_size(layer_out(l)) : 0;
}

static void maxpool_layer_forward(struct layer *l, const struct layer_run *r)
{
    const struct blob *in = layer_in(l);
    maxpool_forward(r->n * in->c, in->h, in->w, r->x, r->y, r->keep ? l->kept : NULL, r->par);
}

static void maxpool_layer_backward(struct layer *l, const struct layer_run *r)
{
    const struct blob *in = layer_in(l);
    if (r->dx) {
        maxpool_backward(r->n * in->c, in->h, in->w, r->dy, l->kept, r->dx, r->par);
    }
}

static const struct layer_ops maxpool_ops = {.kind = "maxpool",
                                             .kept_bytes = maxpool_kept,
                                             .forward = maxpool_layer_forward,
                                             .backward = maxpool_layer_backward};

void layer_add_maxpool(struct model *m, const char *name)
{
    const struct blob in = m->blobs[m->blob_count - 1];
    layer_add(m, &maxpool_ops, name, in.c, in.h / 2, in.w / 2, NULL);
}

/* --- adaptive average pooling ---------------------------------------------------------------- */

static struct avgpool_shape avgpool_shape_of(const struct layer *l)
{
    const struct blob *in = layer_in(l), *out = layer_out(l);
    return (struct avgpool_shape){.h = in->h, .w = in->w, .oh = out->h, .ow = out->w};
}

static void avgpool_layer_forward(struct layer *l, const struct layer_run *r)
{
    struct avgpool_shape s = avgpool_shape_of(l);
    avgpool_forward(&s, r->n * layer_in(l)->c, r->x, r->y, r->par);
}

static void avgpool_layer_backward(struct layer *l, const struct layer_run *r)
{
    struct avgpool_shape s = avgpool_shape_of(l);
    if (r->dx) {
        avgpool_backward(&s, r->n * layer_in(l)->c, r->dy, r->dx, r->par);
    }
}

static const struct layer_ops avgpool_ops = {
    .kind = "avgpool", .forward = avgpool_layer_forward, .backward = avgpool_layer_backward};

static void identity(struct layer *l, const struct layer_run *r) {}

static const struct layer_ops identity_ops = {
    .kind = "avgpool", .forward = identity, .backward = identity};

void layer_add_avgpool(struct model *m, const char *name, size_t h, size_t w)
{
    const struct blob in = m->blobs[m->blob_count - 1];
    if (in.h == h && in.w == w) {
        layer_add(m, &identity_ops, name, 0, 0, 0, NULL);
    } else {
        layer_add(m, &avgpool_ops, name, in.c, h, w, NULL);
    }
}

/* --- dropout, in place ----------------------------------------------------------------------- */

struct dropout_layer {
    double keep;
};

static size_t dropout_kept(const struct layer *l, const struct layer_plan *p)
{
    return p->train ? p->rows * dropout_mask_bytes(blob_size(layer_out(l))) : 0;
}

static struct dropout_key dropout_key_of(const struct layer *l, const struct layer_run *r)
{
    const struct dropout_layer *d = l->self;
    return (struct dropout_key){
        .seed = r->seed, .step = r->step, .layer = l->index, .keep = d->keep};
}

static void dropout_layer_forward(struct layer *l, const struct layer_run *r)
{
    struct dropout_key key = dropout_key_of(l, r);
    if (r->train && key.keep < 1) {
        dropout_forward(&key, r->split->row_first, r->n, blob_size(layer_out(l)), r->y, l->kept,
                        r->par);
    }
}

static void dropout_layer_backward(struct layer *l, const struct layer_run *r)
{
    struct dropout_key key = dropout_key_of(l, r);
    if (key.keep < 1) {
        dropout_backward(&key, r->n, blob_size(layer_out(l)), r->dy, l->kept, r->par);
    }
}

static const struct layer_ops dropout_ops = {.kind = "dropout",
                                             .kept_bytes = dropout_kept,
                                             .forward = dropout_layer_forward,
                                             .backward = dropout_layer_backward};

void layer_add_dropout(struct model *m, const char *name, double keep)
{
    struct dropout_layer *self = xcalloc(1, sizeof(*self));
    self->keep = keep;
    layer_add(m, &dropout_ops, name, 0, 0, 0, self);
}
