#ifndef NEPHRON_MODEL_H
#define NEPHRON_MODEL_H

#include "tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct par;
struct strbuf;

/*
 * A network: its layers, its parameters in one arena, its planned memory. Knows no MPI and no
 * files; the caller gives hooks for what has to travel between ranks.
 *
 *     struct model *m = model_new(&(struct model_config){
 *         .name = "vgg16", .classes = 2, .height = 224, .width = 224, .seed = 42, .par = par}, e);
 *     model_plan(m, &(struct model_plan){.batch = 16}, e);
 *     for (step = 0; ...; step++) {
 *         model_forward(m, &(struct model_batch){.x = images, .count = 16, .step = step,
 *                                                .mode = MODEL_TRAIN});
 *         model_loss(m, labels, &loss);
 *         model_backward(m, NULL);
 *         optim_step(o, m, rate);
 *     }
 *
 * On several ranks (rank r of W):
 *     shard_of_rank(model_shards(m), W, r, &plan.shard_first, &plan.shard_count);
 *     model_plan(m, &plan);            plan.batch is the GLOBAL batch, the same on all ranks
 *     model_split(m, B, &first, &count);   this rank's samples of a global batch of B
 *     model_forward(m, {.x, .count = count, .global = B, .hooks = &hooks, ...});
 *     model_backward(m, &hooks);       hooks.ready: reduce that range; hooks.factors: gather rows
 *     ... wait; model_dense_gradients(m, layer) for every layer of hooks.factors ...
 *     optim_step
 *
 * Bits: loss, gradients and logits are the same for 1, 2, 4 (up to `shards`, a power of two) ranks
 * and any number of threads, if the ranks add by pairwise exchange (see shard.h).
 *
 * One model is used by one thread at a time. Nothing is allocated between model_plan and the next
 * model_plan (tested).
 */

struct model;

enum model_head {
    MODEL_HEAD_CLASSIFIER, /* avgpool 7x7, 25088 -> 4096 -> 4096 -> classes; classifier.0, .3, .6 */
    MODEL_HEAD_LINEAR,     /* flatten of the last feature map -> classes; classifier.0 */
};

#define MODEL_FREEZE_NONE 0
#define MODEL_FREEZE_FEATURES (-1) /* all convolutions (and their batch norms) */
#define MODEL_FREEZE_BUT_LAST (-2) /* all convolutions but the last: for heat maps (gradcam.h) */

struct model_config {
    const char *name;     /* vgg11, vgg13, vgg16, vgg19, and each with _bn */
    size_t classes;       /* >= 2 */
    size_t height, width; /* of the images; >= 32 */
    size_t channels;      /* 0: 3 */
    enum model_head head;
    int freeze;    /* or n > 0: the first n convolutions and their batch norms */
    uint64_t seed; /* of initial weights and dropout */
    size_t shards; /* 0: SHARD_DEFAULT; at most SHARD_MAX. See shard.h */
    size_t
        width_divisor; /* 0: 1. Channels (and `hidden`) are divided by it: small nets for tests */
    size_t hidden;     /* 0: 4096, width of the classifier's hidden layers before the division */
    double keep;       /* 0: 0.5. Dropout keeps an element with this probability; 1: none */
    bool empty;        /* no random first values: a file will be read into the parameters */
    struct par *par;   /* kept until model_free; NULL: the calling thread */
};

/* Returns new (model_free), with initial weights: He normal (fan out) for convolutions, normal
 * 0.01 for dense layers, biases 0, as torchvision. Errors: ERR_CONFIG that names the field. */
struct model *model_new(const struct model_config *config, struct err *e);
void model_free(struct model *m);

/* "features" | "none" | a count. Returns -1 with ERR_CONFIG and what is accepted. */
int model_parse_freeze(const char *text, int *freeze, struct err *e);
int model_parse_head(const char *text, enum model_head *head, struct err *e);
const char *model_head_name(enum model_head head);
/* "vgg11, vgg11_bn, ...": for messages and help. */
const char *model_names(void);

/* --- parameters ------------------------------------------------------------------------------ */

/*
 * A learned tensor; names and shapes are torchvision's. `value` and `grad` point into two arenas
 * with the same offsets, aligned to 64 bytes; the gaps between tensors stay zero. Order: that of
 * the layers.
 */
struct param {
    char name[48]; /* features.0.weight, classifier.6.bias */
    unsigned ndim; /* 1..4 */
    size_t shape[4];
    size_t offset, count; /* in floats, in the arenas */
    bool trainable;
    float *value;
    float *grad; /* meaningful for trainable parameters, after model_backward */
};

/* Not learned, but part of a model file: batch norm's running statistics. */
struct model_buffer {
    char name[48];    /* features.1.running_mean, .running_var, .num_batches_tracked */
    unsigned ndim;    /* 1; 0 for the counter */
    size_t count;     /* elements */
    float *value;     /* NULL for the counter */
    int64_t *counter; /* num_batches_tracked (int64, scalar), else NULL */
};

/* Return borrowed, valid until model_free; the tables do not change after model_new. */
const struct param *model_params(const struct model *m, size_t *count);
const struct param *model_param_find(const struct model *m, const char *name); /* NULL: none */
const struct model_buffer *model_buffers(const struct model *m, size_t *count);
const struct model_buffer *model_buffer_find(const struct model *m, const char *name);
size_t model_param_count(const struct model *m);     /* elements of all parameters */
size_t model_trainable_count(const struct model *m); /* of the trainable ones */

/* The arenas as a whole (parameters, gradients): `count` floats each, gaps included. */
size_t model_arena_count(const struct model *m);
float *model_values(const struct model *m);
float *model_grads(const struct model *m);
/*
 * To be called after writing to values once the model has run: of layers that do not learn (frozen,
 * or all of an inference plan) the first forward pass of a plan keeps transformed weights. A new
 * plan starts afresh, so loading before the first forward needs no call.
 */
void model_values_changed(struct model *m);
/* The trainable part is one contiguous range of the arena, up to its end. */
size_t model_trainable_offset(const struct model *m);

const struct model_config *model_config(const struct model *m); /* defaults filled in */
size_t model_shards(const struct model *m);
struct par *model_par(const struct model *m);

/* --- memory ---------------------------------------------------------------------------------- */

struct model_plan {
    size_t batch;                    /* largest batch; in training the GLOBAL one */
    bool inference;                  /* forward only: no activation is kept, no gradients */
    size_t shard_first, shard_count; /* of this rank; both 0: all of them */
};

struct model_memory { /* bytes */
    size_t parameters, gradients, activations, activation_gradients, workspace, buffers;
    size_t filters; /* of layers that do not learn, as their method wants them */
};

/* Computes and maps all memory of a step; may be called again with another plan. */
int model_plan(struct model *m, const struct model_plan *plan, struct err *e);
/* What the plan takes; after model_new alone, the parameters. */
void model_memory(const struct model *m, struct model_memory *out);
/* A table of layers (name, kind, output, parameters, method) and of the memory, for -v. */
void model_describe(const struct model *m, struct strbuf *out);
/* 2 x multiply-adds of a forward pass over one image, and of a training step's share of one. */
double model_flop_forward(const struct model *m);
double model_flop_train(const struct model *m);

/* --- a step ---------------------------------------------------------------------------------- */

enum model_mode {
    MODEL_EVAL,  /* running statistics, no dropout; forward only */
    MODEL_TRAIN, /* statistics of the batch, dropout; needs a plan without `inference` */
};

struct model_hooks;

struct model_batch {
    const float *x; /* (count, channels, height, width); borrowed until model_backward returns */
    size_t count;   /* rows of this rank; EVAL: up to model_rows(); TRAIN: what model_split says */
    size_t global;  /* size of the global batch, which the loss is the mean over; 0: count */
    uint64_t step;  /* names the dropout masks of this step */
    enum model_mode mode;
    bool features; /* x is (count, model_feature_size) of model_features: starts behind what is
                      frozen */
    const struct model_hooks *hooks; /* TRAIN: of these, `inputs` is called in forward; or NULL */
};

/* This rank's samples of a global batch of `global`: rows [first, first + count) of it. */
void model_split(const struct model *m, size_t global, size_t *first, size_t *count);
/* Largest `count` of the plan. */
size_t model_rows(const struct model *m);

void model_forward(struct model *m, const struct model_batch *b);
/* (count, classes) of the last forward; returned borrowed, valid until the next one. */
const float *model_logits(const struct model *m);

/*
 * What the frozen layers give, which never changes: with FREEZE and no augmentation it can be
 * computed once and fed back with model_batch.features. Size of one row; 0 when nothing is frozen.
 */
size_t model_feature_size(const struct model *m);
/* Shape of a row, and where its element (c, y, x) lies. */
void model_feature_shape(const struct model *m, size_t *c, size_t *h, size_t *w);
size_t model_feature_at(const struct model *m, size_t c, size_t y, size_t x);
/* Runs the frozen layers alone on x (count, ...); returned borrowed (count, model_feature_size). */
const float *model_features(struct model *m, const float *x, size_t count);

struct model_loss {
    double loss;    /* this rank's part of the mean loss over the GLOBAL batch: add over ranks */
    size_t correct; /* rows whose largest logit is the label's */
    const float
        *probabilities;       /* (count, classes); the pointers are valid until the next forward */
    const float *sample_loss; /* (count) */
};

/* labels (count) of the rows of the last forward, each < classes; borrowed until model_backward
 * returns. */
void model_loss(struct model *m, const int32_t *labels, struct model_loss *out);

/*
 * What a rank in a group has to provide for synchronised batch norm: v[i] = sum over ranks of v[i],
 * by pairwise exchange in rank order (recursive doubling; lower rank's value first), the same bits
 * on all ranks. Called in forward and backward of each trainable batch norm, in layer order.
 */
struct model_comm {
    void *ctx;
    void (*sum)(void *ctx, double *v, size_t n);
};

/* comm is kept (the struct, not a copy) until replaced; NULL (default): alone. */
void model_set_comm(struct model *m, const struct model_comm *comm);

/*
 * A dense layer whose gradient is cheaper to form from all rows than to reduce (sufficient
 * factors): dw = d^T . a. Both matrices have a row for each sample of the GLOBAL batch; this rank
 * has filled rows [first, first + count), the caller fills the others (allgather in place).
 */
struct model_factors {
    size_t layer; /* for model_dense_gradients */
    float *a;     /* (global, a_width) */
    float *d;     /* (global, d_width) */
    size_t a_width, d_width;
    size_t first, count, global;
    size_t offset, arena_count; /* the gradient's range in the arena */
};

struct model_hooks {
    void *ctx;
    /* Range of the gradient arena that is complete on this rank: to be added over ranks. Called
     * last layer first; ranges never overlap, and each trainable parameter is in one of them. */
    void (*ready)(void *ctx, size_t offset, size_t count);
    /* Instead of `ready` for factored layers. The rows stay valid until the next model_forward; the
     * layer's gradient is only there after model_dense_gradients. NULL: alone, or every rank has
     * all rows; the model forms the product itself and calls `ready` (if any). */
    void (*factors)(void *ctx, const struct model_factors *f);
    /* In forward: the rows `a` of a factored layer are final (d is not there yet), so they can
     * travel already. Called for each such layer, the first one first. May be NULL. */
    void (*inputs)(void *ctx, const struct model_factors *f);
    /* Called between layers of backward: lets a transport make progress. May be NULL. */
    void (*poll)(void *ctx);
};

/* After model_loss of a TRAIN forward. Fills the gradients of trainable parameters (overwrites).
 * hooks may be NULL (alone). */
void model_backward(struct model *m, const struct model_hooks *hooks);
/* Forms the gradient of a factored layer from the gathered rows. The same on every rank: it must
 * not be reduced any more. */
void model_dense_gradients(struct model *m, size_t layer);

/* --- watching -------------------------------------------------------------------------------- */

/*
 * For measurements: called at the end of each pass of each layer, on the thread that runs the
 * model; the time since the call before is that pass's. Work that a layer does for its neighbour
 * (a fused ReLU) counts as its own.
 */
enum model_pass {
    MODEL_PASS_FORWARD,
    MODEL_PASS_DATA,    /* backward: gradient of the input */
    MODEL_PASS_WEIGHTS, /* backward: gradients of the parameters */
};
struct model_lap {
    size_t layer;
    const char *name, *kind, *method; /* features.0, conv, winograd; method "" without a choice */
    enum model_pass pass;
    double flop; /* of the pass over one image, counted as model_flop_forward does */
};
typedef void model_watch_fn(void *ctx, const struct model_lap *lap);
/* NULL: nobody (at first). */
void model_set_watch(struct model *m, model_watch_fn *watch, void *ctx);

#endif
