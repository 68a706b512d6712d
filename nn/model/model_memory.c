/*
 * The memory of a step, laid out before step 0.
 *
 *   activations   A blob that backward will look at (it touches a layer from the first trainable
 * one on) has memory of its own; all others, and all of an inference plan, take turns in two
 * buffers: each layer reads one and writes the other. gradients     Two buffers in turn as well,
 * since the gradient of a blob dies when the layer below has used it; blobs behind dense layers are
 * small and keep their own. factors       Input and output gradient of a factored dense layer have
 * rows for the whole global batch, this rank's at their place in it, so that gathering needs no
 * copy. workspace     One, as large as the greediest layer wants.
 */

#include "layer.h"

#include "alloc.h"
#include "err.h"
#include "par.h"

static bool backward_visits(const struct model *m, size_t layer)
{
    return !m->plan.inference && layer >= m->first_trainable;
}

/* Sufficient factors where B rows of both matrices are fewer numbers than the gradient. */
static void choose_factors(struct model *m)
{
    for (size_t i = 0; i < m->blob_count; i++) {
        m->blobs[i].global_value = m->blobs[i].global_grad = false;
        m->blobs[i].value = m->blobs[i].grad = NULL;
    }
    for (size_t i = 0; i < m->layer_count; i++) {
        struct layer *l = &m->layers[i];
        size_t in = blob_size(layer_in(l)), out = blob_size(layer_out(l));
        l->factored = layer_is_dense(l) && l->trainable && backward_visits(m, i) &&
                      m->plan.batch <= in * out / (in + out);
        if (l->factored) {
            m->blobs[l->in].global_value = true;
            m->blobs[l->out].global_grad = true;
        }
    }
}

/* Counts, and with base != NULL also hands out. */
struct layout {
    float *base;
    size_t used;
};

static float *take(struct layout *at, size_t count)
{
    float *p = at->base ? at->base + at->used : NULL;
    at->used += tensor_round(count);
    return p;
}

static bool is_kept(const struct model *m, size_t blob)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        if (backward_visits(m, i) && (m->layers[i].in == blob || m->layers[i].out == blob)) {
            return true;
        }
    }
    return m->blobs[blob].global_value;
}

static void place_values(struct model *m, struct layout *at)
{
    size_t largest[2] = {0}; /* of the even blobs, and of the odd ones */
    for (size_t b = 1; b < m->blob_count; b++) {
        size_t size = blob_size(&m->blobs[b]) * m->rows;
        largest[b % 2] = !is_kept(m, b) && size > largest[b % 2] ? size : largest[b % 2];
    }
    float *turn[2];
    turn[0] = take(at, largest[0]);
    turn[1] = take(at, largest[1]);
    for (size_t b = 1; b < m->blob_count; b++) {
        struct blob *blob = &m->blobs[b];
        size_t rows = blob->global_value ? m->plan.batch : m->rows;
        blob->value = is_kept(m, b) ? take(at, blob_size(blob) * rows) : turn[b % 2];
    }
}

/* The blob that each dense layer writes, and the others: by producer. */
static bool behind_dense(const struct model *m, size_t blob)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        if (m->layers[i].out == blob && m->layers[i].in != blob) {
            return layer_is_dense(&m->layers[i]);
        }
    }
    return false;
}

/* Blobs whose gradient is formed: what layers from the first trainable one on write. */
static bool has_gradient(const struct model *m, size_t blob)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        if (m->layers[i].out == blob && m->layers[i].in != blob) {
            return backward_visits(m, i);
        }
    }
    return false;
}

static void place_gradients(struct model *m, struct layout *at)
{
    size_t largest[2] = {0};
    for (size_t b = 1; b < m->blob_count; b++) {
        size_t size = blob_size(&m->blobs[b]) * m->rows;
        if (has_gradient(m, b) && !behind_dense(m, b) && size > largest[b % 2]) {
            largest[b % 2] = size;
        }
    }
    float *turn[2];
    turn[0] = take(at, largest[0]);
    turn[1] = take(at, largest[1]);
    for (size_t b = 1; b < m->blob_count; b++) {
        struct blob *blob = &m->blobs[b];
        if (!has_gradient(m, b)) {
            continue;
        }
        size_t rows = blob->global_grad ? m->plan.batch : m->rows;
        blob->grad = behind_dense(m, b) ? take(at, blob_size(blob) * rows) : turn[b % 2];
    }
}

static struct layer_plan plan_of(const struct model *m, size_t layer)
{
    return (struct layer_plan){.rows = m->rows,
                               .shards = m->plan.shard_count,
                               .threads = par_threads(m->config.par),
                               .train = backward_visits(m, layer)};
}

static void place_kept(struct model *m, struct layout *at)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        struct layer *l = &m->layers[i];
        struct layer_plan p = plan_of(m, i);
        size_t bytes = l->ops->kept_bytes ? l->ops->kept_bytes(l, &p) : 0;
        l->kept = take(at, (bytes + sizeof(float) - 1) / sizeof(float));
    }
    m->probabilities = take(at, m->rows * m->config.classes);
    m->sample_loss = take(at, m->rows);
}

static void place_prepared(struct model *m, struct layout *at)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        struct layer *l = &m->layers[i];
        struct layer_plan p = plan_of(m, i);
        size_t count = l->ops->prepared ? l->ops->prepared(l, &p) : 0;
        l->prepared = count > 0 ? take(at, count) : NULL;
        l->is_prepared = false;
    }
}

static size_t largest_workspace(const struct model *m)
{
    size_t most = 0;
    for (size_t i = 0; i < m->layer_count; i++) {
        const struct layer *l = &m->layers[i];
        struct layer_plan p = plan_of(m, i);
        size_t n = l->ops->workspace ? l->ops->workspace(l, &p) : 0;
        most = n > most ? n : most;
    }
    return most;
}

typedef void place_fn(struct model *m, struct layout *at);

static int map_layout(struct model *m, struct tensor_arena *a, place_fn *place, const char *what,
                      struct err *e)
{
    struct layout at = {0};
    place(m, &at);
    tensor_arena_release(a);
    if (tensor_arena_init(a, at.used, e) < 0) {
        return err_wrap(e, "%s for a batch of %zu", what, m->plan.batch);
    }
    at = (struct layout){.base = a->data};
    place(m, &at);
    return 0;
}

static int check_plan(const struct model *m, const struct model_plan *plan, struct err *e)
{
    if (plan->batch < 1 || plan->batch > 1000000) {
        return err_set(e, ERR_CONFIG, "batch of %zu: expected 1 to 1000000", plan->batch);
    }
    if (plan->shard_first + plan->shard_count > m->config.shards ||
        (plan->shard_count == 0 && plan->shard_first > 0)) {
        return err_set(e, ERR_CONFIG, "shards %zu+%zu: there are %zu", plan->shard_first,
                       plan->shard_count, m->config.shards);
    }
    return 0;
}

int model_plan(struct model *m, const struct model_plan *plan, struct err *e)
{
    if (check_plan(m, plan, e) < 0) {
        return -1;
    }
    m->planned = false;
    m->plan = *plan;
    if (m->plan.shard_count == 0 || plan->inference) {
        m->plan.shard_first = 0;
        m->plan.shard_count = m->config.shards;
    }
    m->rows = shard_rows_max(plan->batch, m->config.shards, m->plan.shard_count);
    choose_factors(m);
    m->batch = (struct model_batch){0};
    m->have_loss = false;
    if (map_layout(m, &m->activations, place_values, "activations", e) < 0 ||
        map_layout(m, &m->activation_grads, place_gradients, "gradients of activations", e) < 0 ||
        map_layout(m, &m->kept, place_kept, "masks", e) < 0 ||
        map_layout(m, &m->prepared, place_prepared, "transformed filters", e) < 0) {
        return -1;
    }
    tensor_arena_release(&m->workspace);
    if (tensor_arena_init(&m->workspace, largest_workspace(m), e) < 0) {
        return err_wrap(e, "workspace for a batch of %zu", m->plan.batch);
    }
    m->planned = true;
    return 0;
}

void model_memory(const struct model *m, struct model_memory *out)
{
    const size_t f = sizeof(float);
    *out = (struct model_memory){
        .parameters = m->values.count * f,
        .gradients = (m->grads.count - model_trainable_offset(m)) * f,
        .activations = (m->activations.count + m->kept.count) * f,
        .activation_gradients = m->activation_grads.count * f,
        .workspace = m->workspace.count * f,
        .buffers = m->running.count * f,
        .filters = m->prepared.count * f,
    };
}
