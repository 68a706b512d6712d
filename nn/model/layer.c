/* Building a chain of layers: blobs, the tables of parameters and buffers, first values. */

#include "layer.h"

#include "alloc.h"
#include "err.h"
#include "par.h"
#include "rng.h"

#include <math.h>

struct layer *layer_add(struct model *m, const struct layer_ops *ops, const char *name, size_t c,
                        size_t h, size_t w, void *self)
{
    ARRAY_RESERVE(m->layers, m->layer_count, m->layer_capacity, 1);
    struct layer *l = &m->layers[m->layer_count];
    *l = (struct layer){.ops = ops,
                        .m = m,
                        .index = (uint32_t)m->layer_count,
                        .self = self,
                        .in = m->blob_count - 1,
                        .out = m->blob_count - 1,
                        .param = m->param_count,
                        .buffer = m->buffer_count};
    snprintf(l->name, sizeof(l->name), "%s", name);
    m->layer_count++;
    if (c > 0) {
        ARRAY_RESERVE(m->blobs, m->blob_count, m->blob_capacity, 1);
        m->blobs[m->blob_count] = (struct blob){.c = c, .h = h, .w = w};
        l->out = m->blob_count++;
    }
    return l;
}

void layer_add_param(struct layer *l, const char *suffix, unsigned ndim, const size_t shape[4],
                     bool trainable, struct param_rule rule)
{
    struct model *m = l->m;
    ARRAY_RESERVE(m->params, m->param_count, m->param_capacity, 1);
    ARRAY_RESERVE(m->rules, m->param_count, m->rule_capacity, 1);
    struct param *p = &m->params[m->param_count];
    *p = (struct param){.ndim = ndim, .count = 1, .trainable = trainable};
    snprintf(p->name, sizeof(p->name), "%s.%s", l->name, suffix);
    for (unsigned i = 0; i < ndim; i++) {
        p->shape[i] = shape[i];
        p->count *= shape[i];
    }
    if (m->param_count > 0) {
        const struct param *before = p - 1;
        p->offset = before->offset + tensor_round(before->count);
    }
    m->rules[m->param_count++] = rule;
    l->param_count++;
    l->trainable = l->trainable || trainable;
}

void layer_add_buffer(struct layer *l, const char *suffix, size_t c)
{
    struct model *m = l->m;
    ARRAY_RESERVE(m->buffers, m->buffer_count, m->buffer_capacity, 1);
    struct model_buffer *b = &m->buffers[m->buffer_count++];
    *b = (struct model_buffer){.ndim = c > 0 ? 1 : 0, .count = c > 0 ? c : 1};
    snprintf(b->name, sizeof(b->name), "%s.%s", l->name, suffix);
    l->buffer_count++;
}

struct param *layer_param(const struct layer *l, size_t i)
{
    return &l->m->params[l->param + i];
}

struct model_buffer *layer_buffer(const struct layer *l, size_t i)
{
    return &l->m->buffers[l->buffer + i];
}

const struct blob *layer_in(const struct layer *l)
{
    return &l->m->blobs[l->in];
}

const struct blob *layer_out(const struct layer *l)
{
    return &l->m->blobs[l->out];
}

/* --- first values ---------------------------------------------------------------------------- */

#define INIT_BLOCK ((size_t)1 << 14)

struct init_job {
    struct rng stream;
    float *value;
    size_t count;
    float std;
};

/* Box-Muller on the four words of Philox block i: four normals, so element e belongs to block e / 4
 * and threads need not agree on anything. */
static void four_normals(const struct init_job *j, size_t i, float out[4])
{
    uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), j->stream.counter[2],
                           j->stream.counter[3]};
    uint32_t word[4];
    rng_block(j->stream.key, counter, word);
    for (size_t p = 0; p < 2; p++) {
        float u = ((float)(word[2 * p] >> 8) + 1.0f) * 0x1p-24f; /* (0, 1] */
        float angle = (float)(word[2 * p + 1] >> 8) * (6.2831853f * 0x1p-24f);
        float radius = sqrtf(-2.0f * logf(u)) * j->std;
        float sine, cosine;
        sincosf(angle, &sine, &cosine);
        out[2 * p] = radius * cosine;
        out[2 * p + 1] = radius * sine;
    }
}

static void init_block(void *ctx, size_t item, int thread)
{
    const struct init_job *j = ctx;
    size_t end = (item + 1) * INIT_BLOCK < j->count ? (item + 1) * INIT_BLOCK : j->count;
    for (size_t at = item * INIT_BLOCK; at < end; at += 4) {
        float v[4];
        four_normals(j, at / 4, v);
        for (size_t i = 0; i < 4 && at + i < end; i++) {
            j->value[at + i] = v[i];
        }
    }
}

static void init_param(struct model *m, size_t index)
{
    struct param *p = &m->params[index];
    const struct param_rule *rule = &m->rules[index];
    if (rule->std > 0 && m->config.empty) {
        return; /* 134 million normal numbers take seconds */
    }
    if (rule->std > 0) {
        struct init_job j = {.value = p->value, .count = p->count, .std = (float)rule->std};
        rng_init(&j.stream, m->config.seed, RNG_INIT, index, 0);
        par_for(m->config.par, (p->count + INIT_BLOCK - 1) / INIT_BLOCK, init_block, &j);
    } else if (rule->constant != 0) {
        for (size_t i = 0; i < p->count; i++) {
            p->value[i] = rule->constant;
        }
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int place_buffers(struct model *m, struct err *e)
{
    size_t floats = 0, counters = 0;
    for (size_t i = 0; i < m->buffer_count; i++) {
        if (m->buffers[i].ndim > 0) {
            floats += tensor_round(m->buffers[i].count);
        }
    }
    if (tensor_arena_init(&m->running, floats, e) < 0) {
        return err_wrap(e, "running statistics");
    }
    m->counters = xcalloc(m->buffer_count + 1, sizeof(*m->counters));
    floats = 0;
    for (size_t i = 0; i < m->buffer_count; i++) {
        struct model_buffer *b = &m->buffers[i];
        if (b->ndim == 0) {
            b->counter = &m->counters[counters++];
            continue;
        }
        b->value = m->running.data + floats;
        floats += tensor_round(b->count);
        for (size_t k = 0; k < b->count && ends_with(b->name, ".running_var"); k++) {
            b->value[k] = 1.0f;
        }
    }
    return 0;
}

int layer_finish(struct model *m, struct err *e)
{
    const struct param *last = &m->params[m->param_count - 1];
    size_t count = last->offset + tensor_round(last->count);
    if (tensor_arena_init(&m->values, count, e) < 0 || tensor_arena_init(&m->grads, count, e) < 0) {
        return err_wrap(e, "parameters of %s", m->name);
    }
    for (size_t i = 0; i < m->param_count; i++) {
        m->params[i].value = m->values.data + m->params[i].offset;
        m->params[i].grad = m->grads.data + m->params[i].offset;
        init_param(m, i);
    }
    m->first_trainable = m->layer_count;
    for (size_t i = m->layer_count; i-- > 0;) {
        if (m->layers[i].trainable) {
            m->first_trainable = i;
        }
    }
    return place_buffers(m, e);
}
