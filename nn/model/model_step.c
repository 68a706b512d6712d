/* A step: forward, loss, backward with its hooks. Nothing here allocates. */

#include "layer.h"

#include "err.h"
#include "xent.h"

#include <string.h>

/* --- where this rank's rows lie --------------------------------------------------------------- */

static float *value_rows(const struct model *m, size_t blob)
{
    const struct blob *b = &m->blobs[blob];
    return b->value + (b->global_value ? m->split.row_first * blob_size(b) : 0);
}

static float *grad_rows(const struct model *m, size_t blob)
{
    const struct blob *b = &m->blobs[blob];
    return b->grad + (b->global_grad ? m->split.row_first * blob_size(b) : 0);
}

static struct layer_run run_of(struct model *m, const struct layer *l)
{
    return (struct layer_run){
        .par = m->config.par,
        .split = &m->split,
        .comm = m->comm,
        .seed = m->config.seed,
        .step = m->batch.step,
        .n = m->split.rows,
        .train = m->batch.mode == MODEL_TRAIN,
        .keep = m->batch.mode == MODEL_TRAIN && l->index >= m->first_trainable,
        .ws = m->workspace.data,
        .x = l->in == 0 ? m->batch.x : value_rows(m, l->in),
        .y = value_rows(m, l->out),
    };
}

/* --- watching -------------------------------------------------------------------------------- */

void layer_lap(const struct layer *l, enum model_pass pass)
{
    const struct model *m = l->m;
    if (m->watch) {
        const char *method = l->ops->method ? l->ops->method(l) : NULL;
        m->watch(m->watch_ctx, &(struct model_lap){.layer = l->index,
                                                   .name = l->name,
                                                   .kind = l->ops->kind,
                                                   .method = method ? method : "",
                                                   .pass = pass,
                                                   .flop = l->ops->flop ? l->ops->flop(l) : 0});
    }
}

void model_set_watch(struct model *m, model_watch_fn *watch, void *ctx)
{
    m->watch = watch;
    m->watch_ctx = ctx;
}

/* --- forward --------------------------------------------------------------------------------- */

void model_split(const struct model *m, size_t global, size_t *first, size_t *count)
{
    size_t begin = m->plan.shard_first, end = begin + m->plan.shard_count;
    *first = shard_begin(global, m->config.shards, begin);
    *count = shard_begin(global, m->config.shards, end) - *first;
}

size_t model_rows(const struct model *m)
{
    return m->rows;
}

static void start_step(struct model *m, const struct model_batch *b)
{
    if (!m->planned) {
        BUG("model_forward before model_plan");
    }
    m->batch = *b;
    m->batch.global = b->global ? b->global : b->count;
    m->have_loss = false;
    if (b->mode == MODEL_EVAL) {
        if (b->count > m->rows) {
            BUG("%zu images, planned for %zu", b->count, m->rows);
        }
        shard_split_init(&m->split, b->count, 1, 0, 1);
        return;
    }
    shard_split_init(&m->split, m->batch.global, m->config.shards, m->plan.shard_first,
                     m->plan.shard_count);
    if (m->plan.inference || m->batch.global > m->plan.batch || b->count != m->split.rows) {
        BUG("training on %zu of %zu images: planned for %zu, this rank's share is %zu%s", b->count,
            m->batch.global, m->plan.batch, m->split.rows, m->plan.inference ? ", inference" : "");
    }
}

static void arena_range(const struct layer *l, size_t *offset, size_t *count)
{
    const struct param *first = layer_param(l, 0), *last = layer_param(l, l->param_count - 1);
    *offset = first->offset;
    *count = last->offset + tensor_round(last->count) - first->offset;
}

static struct model_factors factors_of(const struct model *m, const struct layer *l)
{
    const struct blob *in = layer_in(l), *out = layer_out(l);
    struct model_factors f = {.layer = l->index,
                              .a = in->value,
                              .d = out->grad,
                              .a_width = blob_size(in),
                              .d_width = blob_size(out),
                              .first = m->split.row_first,
                              .count = m->split.rows,
                              .global = m->split.global};
    arena_range(l, &f.offset, &f.arena_count);
    return f;
}

static void announce_input(struct model *m, const struct layer *l)
{
    const struct model_hooks *hooks = m->batch.hooks;
    if (l->factored && m->batch.mode == MODEL_TRAIN && hooks && hooks->inputs) {
        struct model_factors f = factors_of(m, l);
        hooks->inputs(hooks->ctx, &f);
    }
}

static void run_layers(struct model *m, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        struct layer *l = &m->layers[i];
        if (!l->fused) {
            struct layer_run r = run_of(m, l);
            announce_input(m, l);
            l->ops->forward(l, &r);
            layer_lap(l, MODEL_PASS_FORWARD);
        }
    }
}

void model_forward(struct model *m, const struct model_batch *b)
{
    start_step(m, b);
    size_t begin = 0;
    if (b->features && m->first_trainable > 0) {
        begin = m->first_trainable;
        size_t in = m->layers[begin].in;
        memcpy(value_rows(m, in), b->x, b->count * blob_size(&m->blobs[in]) * sizeof(float));
    }
    run_layers(m, begin, m->layer_count);
}

const float *model_logits(const struct model *m)
{
    return value_rows(m, m->layers[m->layer_count - 1].out);
}

size_t model_feature_size(const struct model *m)
{
    return m->first_trainable == 0 ? 0 : blob_size(layer_in(&m->layers[m->first_trainable]));
}

void model_feature_shape(const struct model *m, size_t *c, size_t *h, size_t *w)
{
    const struct blob *b = layer_in(&m->layers[m->first_trainable]);
    *c = b->c;
    *h = b->h;
    *w = b->w;
}

size_t model_feature_at(const struct model *m, size_t c, size_t y, size_t x)
{
    const struct layer *l = &m->layers[m->first_trainable];
    const struct blob *b = layer_in(l);
    return layer_is_dense(l) ? (c * b->h + y) * b->w + x : (y * b->w + x) * b->c + c;
}

const float *model_features(struct model *m, const float *x, size_t count)
{
    start_step(m, &(struct model_batch){.x = x, .count = count, .mode = MODEL_EVAL});
    run_layers(m, 0, m->first_trainable);
    return value_rows(m, m->layers[m->first_trainable].in);
}

/* --- loss ------------------------------------------------------------------------------------ */

static size_t count_correct(const float *logits, size_t n, size_t classes, const int32_t *labels)
{
    size_t correct = 0;
    for (size_t r = 0; r < n; r++) {
        const float *z = logits + r * classes;
        size_t best = 0;
        for (size_t c = 1; c < classes; c++) {
            best = z[c] > z[best] ? c : best;
        }
        correct += best == (size_t)labels[r];
    }
    return correct;
}

void model_loss(struct model *m, const int32_t *labels, struct model_loss *out)
{
    size_t n = m->split.rows, classes = m->config.classes;
    const float *logits = model_logits(m);
    for (size_t r = 0; r < n; r++) {
        if (labels[r] < 0 || (size_t)labels[r] >= classes) {
            BUG("label %d of row %zu, there are %zu classes", (int)labels[r], r, classes);
        }
    }
    xent_forward(n, classes, logits, labels, m->probabilities, m->sample_loss);
    double part[SHARD_MAX];
    for (size_t i = 0; i < m->split.count; i++) {
        part[i] = 0;
        for (size_t r = m->split.begin[i]; r < m->split.begin[i + 1]; r++) {
            part[i] += m->sample_loss[r];
        }
        part[i] /= m->batch.global > 0 ? (double)m->batch.global : 1;
    }
    *out = (struct model_loss){
        .loss = shard_sum(&m->split, part),
        .correct = count_correct(logits, n, classes, labels),
        .probabilities = m->probabilities,
        .sample_loss = m->sample_loss,
    };
    m->labels = labels;
    m->have_loss = true;
}

/* --- backward -------------------------------------------------------------------------------- */

void model_dense_gradients(struct model *m, size_t layer)
{
    struct layer *l = &m->layers[layer];
    layer_dense_gradients(l, m->split.global, m->blobs[l->in].value, m->blobs[l->out].grad);
    layer_lap(l, MODEL_PASS_WEIGHTS);
}

static void report(struct model *m, struct layer *l, const struct model_hooks *hooks)
{
    size_t offset, count;
    arena_range(l, &offset, &count);
    if (l->factored && hooks && hooks->factors) {
        struct model_factors f = factors_of(m, l);
        hooks->factors(hooks->ctx, &f);
        return;
    }
    if (l->factored) {
        model_dense_gradients(m, l->index);
    }
    if (hooks && hooks->ready) {
        hooks->ready(hooks->ctx, offset, count);
    }
}

static void backward_layer(struct model *m, struct layer *l)
{
    if (l->fused) {
        return;
    }
    struct layer_run r = run_of(m, l);
    r.dy = grad_rows(m, l->out);
    r.dx = l->in == l->out ? r.dy : l->index > m->first_trainable ? grad_rows(m, l->in) : NULL;
    l->ops->backward(l, &r);
    if (r.dx) {
        layer_lap(l, MODEL_PASS_DATA);
    }
}

void model_backward(struct model *m, const struct model_hooks *hooks)
{
    if (!m->have_loss || m->batch.mode != MODEL_TRAIN) {
        BUG("model_backward without a training forward and its loss");
    }
    xent_backward(m->split.rows, m->config.classes, m->probabilities, m->labels, m->split.global,
                  grad_rows(m, m->layers[m->layer_count - 1].out));
    for (size_t i = m->layer_count; i-- > m->first_trainable;) {
        struct layer *l = &m->layers[i];
        backward_layer(m, l);
        if (l->trainable) {
            report(m, l, hooks);
        }
        if (hooks && hooks->poll) {
            hooks->poll(hooks->ctx);
        }
    }
    m->have_loss = false;
}
