/* Layers without parameters: ReLU, pooling, dropout. In place in the head; behind convolutions and
 * batch norms they are only names, the layer before does their work. */

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

/* --- max-pooling, where no convolution has done it ---------------------------------------------
 */

static size_t maxpool_kept(const struct layer *l, const struct layer_plan *p)
{
    return p->train && !l->fused ? p->rows * blob_size(layer_out(l)) : 0;
}

static struct maxpool_shape maxpool_shape_of(const struct layer *l)
{
    const struct blob *in = layer_in(l);
    return (struct maxpool_shape){.c = in->c, .h = in->h, .w = in->w};
}

static void maxpool_layer_forward(struct layer *l, const struct layer_run *r)
{
    struct maxpool_shape s = maxpool_shape_of(l);
    maxpool_forward(&s, r->n, r->x, r->y, r->keep ? l->kept : NULL, r->par);
}

/* A rectified input asks for a gradient of 0 where it is 0: dy is so already, being that of the
 * larger of four. */
static void maxpool_layer_backward(struct layer *l, const struct layer_run *r)
{
    struct maxpool_shape s = maxpool_shape_of(l);
    if (r->dx) {
        maxpool_backward(&s, r->n, r->dy, l->kept, r->dx, r->par);
    }
}

static const struct layer_ops maxpool_ops = {.kind = "maxpool",
                                             .kept_bytes = maxpool_kept,
                                             .forward = maxpool_layer_forward,
                                             .backward = maxpool_layer_backward};

void layer_add_maxpool(struct model *m, const char *name, bool fused)
{
    const struct blob in = m->blobs[m->blob_count - 1];
    struct layer *l = layer_add(m, &maxpool_ops, name, fused ? 0 : in.c, in.h / 2, in.w / 2, NULL);
    l->fused = fused;
    m->blobs[l->out].rectified = in.rectified;
}

/* --- adaptive average pooling ---------------------------------------------------------------- */

static struct avgpool_shape avgpool_shape_of(const struct layer *l)
{
    const struct blob *in = layer_in(l), *out = layer_out(l);
    return (struct avgpool_shape){.c = in->c, .h = in->h, .w = in->w, .oh = out->h, .ow = out->w};
}

static void avgpool_layer_forward(struct layer *l, const struct layer_run *r)
{
    struct avgpool_shape s = avgpool_shape_of(l);
    avgpool_forward(&s, r->n, r->x, r->y, r->par);
}

static void avgpool_layer_backward(struct layer *l, const struct layer_run *r)
{
    struct avgpool_shape s = avgpool_shape_of(l);
    if (r->dx) {
        avgpool_backward(&s, r->n, r->dy, layer_in(l)->rectified ? r->x : NULL, r->dx, r->par);
    }
}

static const struct layer_ops avgpool_ops = {
    .kind = "avgpool", .forward = avgpool_layer_forward, .backward = avgpool_layer_backward};

static const struct layer_ops flatten_ops = {
    .kind = "flatten", .forward = avgpool_layer_forward, .backward = avgpool_layer_backward};

void layer_add_avgpool(struct model *m, const char *name, size_t h, size_t w)
{
    const struct blob in = m->blobs[m->blob_count - 1];
    layer_add(m, in.h == h && in.w == w ? &flatten_ops : &avgpool_ops, name, in.c, h, w, NULL);
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
