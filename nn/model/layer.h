#ifndef NEPHRON_LAYER_H
#define NEPHRON_LAYER_H

#include "model.h"
#include "shard.h"
#include "tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Inside of a model; private to nn/model. Values between the layers of the features are NHWC, those
 * of the head are vectors whose weights expect the order (c,h,w); the image alone is NCHW. A model
 * is a chain of layers; between them lie blobs, the values that one layer gives to the next. A
 * layer whose `in` and `out` are the same blob works in place. Layers own no tensors: where values
 * and gradients lie is decided by model_plan.
 */

struct blob {
    size_t c, h, w;
    bool rectified; /* came out of a ReLU: whoever makes its gradient makes it 0 where it is 0 */
    bool global_value, global_grad; /* has rows for the whole global batch (sufficient factors) */
    float *value;                   /* row 0; NULL for blob 0, the caller's images */
    float *grad;                    /* row 0; NULL when not needed */
};

static inline size_t blob_size(const struct blob *b)
{
    return b->c * b->h * b->w;
}

/* What a plan fixes and layers size their memory by. */
struct layer_plan {
    size_t rows;   /* largest local batch */
    size_t shards; /* of this rank */
    int threads;
    bool train; /* a backward pass of this layer will follow */
};

/* One call of a layer: pointers to this rank's rows. */
struct layer_run {
    struct par *par;
    const struct shard_split *split;
    const struct model_comm *comm; /* NULL: alone */
    uint64_t seed, step;
    size_t n;   /* rows */
    bool train; /* mode TRAIN */
    bool keep;  /* backward will pass through this layer */
    float *ws;
    const float *x;
    float *y;
    float *dy; /* may be overwritten */
    float *dx; /* NULL: not wanted; in place: dy */
};

struct layer;

struct layer_ops {
    const char *kind;
    /* Bytes kept between forward and backward; floats of what is made of parameters that do not
     * learn, kept until they change; floats of shared workspace. May be NULL: 0. */
    size_t (*kept_bytes)(const struct layer *l, const struct layer_plan *p);
    size_t (*prepared)(const struct layer *l, const struct layer_plan *p);
    size_t (*workspace)(const struct layer *l, const struct layer_plan *p);
    void (*forward)(struct layer *l, const struct layer_run *r);
    /* Gradients of parameters (when trainable) and of the input. */
    void (*backward)(struct layer *l, const struct layer_run *r);
    double (*flop)(const struct layer *l); /* forward, one image; NULL: 0 */
    /* Word for model_describe, e.g. the convolution method; NULL: none. */
    const char *(*method)(const struct layer *l);
};

struct layer {
    const struct layer_ops *ops;
    struct model *m;
    char name[32]; /* features.0 */
    uint32_t index;
    size_t in, out;            /* blobs */
    size_t param, param_count; /* its part of the model's table: weight, bias */
    size_t buffer, buffer_count;
    bool trainable;  /* has parameters that learn */
    bool fused;      /* done by the layer before it: both passes are skipped */
    bool factored;   /* dense: gradient from all rows, see model_factors */
    void *self;      /* the layer's own struct; freed with free() */
    void *kept;      /* kept_bytes of the plan, aligned */
    float *prepared; /* floats of the plan; NULL: none */
    bool is_prepared;
};

/* How a parameter starts: normal with deviation `std`, or a constant when std is 0. */
struct param_rule {
    double std;
    float constant;
};

struct model {
    struct model_config config;
    char name[16];
    struct layer *layers;
    size_t layer_count, layer_capacity;
    struct blob *blobs;
    size_t blob_count, blob_capacity;
    struct param *params;
    struct param_rule *rules;
    size_t param_count, param_capacity, rule_capacity;
    struct model_buffer *buffers;
    size_t buffer_count, buffer_capacity;
    size_t first_trainable; /* layer */
    struct tensor_arena values, grads, running;
    int64_t *counters;

    /* The plan: model_memory.c. */
    bool planned;
    struct model_plan plan;
    size_t rows;
    struct tensor_arena activations, activation_grads, workspace, kept, prepared;
    float *probabilities, *sample_loss; /* within `kept` */

    /* The step: model_step.c. */
    const struct model_comm *comm;
    struct model_batch batch;
    struct shard_split split;
    const int32_t *labels;
    bool have_loss;
    model_watch_fn *watch;
    void *watch_ctx;
};

/* Tells who watches that a pass of this layer has ended. */
void layer_lap(const struct layer *l, enum model_pass pass);

/* --- building, layer.c; a chain, so each call continues at the last blob ---------------------- */

/* Appends a layer whose output is (c,h,w), or in place when c is 0. self (from xmalloc) is taken.
 */
struct layer *layer_add(struct model *m, const struct layer_ops *ops, const char *name, size_t c,
                        size_t h, size_t w, void *self);
void layer_add_param(struct layer *l, const char *suffix, unsigned ndim, const size_t shape[4],
                     bool trainable, struct param_rule rule);
/* A vector of c floats, or the counter when c is 0. */
void layer_add_buffer(struct layer *l, const char *suffix, size_t c);
/* Maps the arenas and gives every parameter its place and first value. */
int layer_finish(struct model *m, struct err *e);

struct param *layer_param(const struct layer *l, size_t i);
struct model_buffer *layer_buffer(const struct layer *l, size_t i);
const struct blob *layer_in(const struct layer *l);
const struct blob *layer_out(const struct layer *l);

/* The kinds. */
struct layer_conv_options {
    size_t k;        /* channels out */
    bool relu, pool; /* what is done in the same pass; pool: see layer_conv_pools */
    bool trainable;
};
void layer_add_conv(struct model *m, const char *name, const struct layer_conv_options *o);
/* Whether a convolution added now could pool in its pass. */
bool layer_conv_pools(const struct model *m, size_t k);
void layer_add_batchnorm(struct model *m, const char *name, bool relu, bool trainable);
void layer_add_relu(struct model *m, const char *name, bool fused);
void layer_add_maxpool(struct model *m, const char *name, bool fused);
/* Also brings NHWC into the order of the head; for the size of its input that is all. */
void layer_add_avgpool(struct model *m, const char *name, size_t h, size_t w);
void layer_add_dropout(struct model *m, const char *name, double keep);
void layer_add_dense(struct model *m, const char *name, size_t out);

bool layer_is_dense(const struct layer *l);
/* The gradient of a factored dense layer from all rows of both matrices. */
void layer_dense_gradients(struct layer *l, size_t rows, const float *a, const float *d);

/* vgg.c: fills the model with layers. */
int vgg_build(struct model *m, struct err *e);

#endif
