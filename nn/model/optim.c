/* Optimisers; see optim.h. One pass over the arena, in blocks that threads take in turn. Updates
 * are elementwise, so only the norm has an order of summation to fix. */

#include "optim.h"

#include "alloc.h"
#include "err.h"
#include "model.h"
#include "par.h"
#include "tensor.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK ((size_t)1 << 16) /* part of the result of the norm: do not tune it */
#define SLOTS_MAX 2

struct optim {
    struct optim_config config;
    struct model *m;
    size_t begin, count; /* the trainable part of the arena */
    struct tensor_arena slots[SLOTS_MAX];
    double *norms; /* of each block */
    uint64_t steps;

    /* lars: the trainable part cut at its tensors */
    struct span *spans;
    size_t span_count, span_capacity;
    struct layer_norms *layers; /* [params of the model] */
};

/* A part of one tensor, at most BLOCK long; floats from the start of the arena. */
struct span {
    size_t begin, end; /* the gaps behind tensors, which are zero, included */
    size_t param;
    double weight, grad; /* sums of squares */
};

struct layer_norms {
    double ratio; /* of the rate */
    bool scaled;  /* a weight tensor: trust ratio and decay */
};

static const char *const kind_names[] = {
#define X(name, text) text,
    OPTIM_KINDS(X)
#undef X
};

int optim_parse_kind(const char *text, enum optim_kind *kind, struct err *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *kind = (enum optim_kind)i;
            return 0;
        }
    }
    return err_set(e, ERR_CONFIG, "no optimizer '%.40s': expected sgd, adam or lars", text);
}

const char *optim_kind_name(enum optim_kind kind)
{
    return kind_names[kind];
}

static int check_config(const struct optim_config *c, struct err *e)
{
    const struct {
        const char *name;
        double value, below;
    } fields[] = {{"momentum", c->momentum, 1},
                  {"weight_decay", c->weight_decay, INFINITY},
                  {"clip_norm", c->clip_norm, INFINITY},
                  {"trust", c->trust, INFINITY},
                  {"beta1", c->beta1, 1},
                  {"beta2", c->beta2, 1},
                  {"eps", c->eps, INFINITY}};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (!(fields[i].value >= 0 && fields[i].value < fields[i].below)) {
            return err_set(e, ERR_CONFIG, "optimizer: %s is %g, expected 0 or more%s",
                           fields[i].name, fields[i].value,
                           fields[i].below == 1 ? ", less than 1" : ", finite");
        }
    }
    return 0;
}

static void cut_spans(struct optim *o)
{
    size_t count;
    const struct param *p = model_params(o->m, &count);
    o->layers = xcalloc(count + 1, sizeof(*o->layers));
    for (size_t i = 0; i < count; i++) {
        size_t end = p[i].offset + tensor_round(p[i].count);
        o->layers[i] = (struct layer_norms){.ratio = 1, .scaled = p[i].ndim > 1};
        for (size_t at = p[i].offset; p[i].trainable && at < end; at += BLOCK) {
            ARRAY_RESERVE(o->spans, o->span_count, o->span_capacity, 1);
            o->spans[o->span_count++] =
                (struct span){.begin = at, .end = at + BLOCK < end ? at + BLOCK : end, .param = i};
        }
    }
}

struct optim *optim_new(const struct optim_config *config, struct model *m, struct err *e)
{
    if (check_config(config, e) < 0) {
        return NULL;
    }
    struct optim *o = xcalloc(1, sizeof(*o));
    o->config = *config;
    o->config.beta1 = config->beta1 > 0 ? config->beta1 : 0.9;
    o->config.beta2 = config->beta2 > 0 ? config->beta2 : 0.999;
    o->config.eps = config->eps > 0 ? config->eps : 1e-8;
    o->config.trust = config->trust > 0 ? config->trust : 1e-3;
    o->m = m;
    o->begin = model_trainable_offset(m);
    o->count = model_arena_count(m) - o->begin;
    for (size_t i = 0; i < optim_slots(o); i++) {
        if (tensor_arena_init(&o->slots[i], model_arena_count(m), e) < 0) {
            err_wrap(e, "state of the optimizer");
            optim_free(o);
            return NULL;
        }
    }
    o->norms = xcalloc(o->count / BLOCK + 1, sizeof(*o->norms));
    if (o->config.kind == OPTIM_LARS) {
        cut_spans(o);
    }
    return o;
}

void optim_free(struct optim *o)
{
    if (!o) {
        return;
    }
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        tensor_arena_release(&o->slots[i]);
    }
    free(o->norms);
    free(o->spans);
    free(o->layers);
    free(o);
}

const struct optim_config *optim_config(const struct optim *o)
{
    return &o->config;
}

size_t optim_slots(const struct optim *o)
{
    if (o->config.kind == OPTIM_ADAM) {
        return 2;
    }
    return o->config.momentum > 0 ? 1 : 0;
}

const char *optim_slot_name(const struct optim *o, size_t slot)
{
    if (o->config.kind != OPTIM_ADAM) {
        return "momentum_buffer";
    }
    return slot == 0 ? "exp_avg" : "exp_avg_sq";
}

float *optim_slot(const struct optim *o, size_t slot)
{
    return o->slots[slot].data;
}

uint64_t optim_steps(const struct optim *o)
{
    return o->steps;
}

void optim_set_steps(struct optim *o, uint64_t steps)
{
    o->steps = steps;
}

/* --- norm ------------------------------------------------------------------------------------ */

static size_t block_end(const struct optim *o, size_t item)
{
    size_t end = (item + 1) * BLOCK;
    return end < o->count ? end : o->count;
}

/* Sum of squares of v[begin, end); the length is a multiple of 16, as are tensors in the arena. */
static double squares(const float *v, size_t begin, size_t end)
{
    double lane[8] = {0};
    for (size_t i = begin; i < end; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            lane[l] += (double)v[i + l] * (double)v[i + l];
        }
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static void norm_block(void *ctx, size_t item, int thread)
{
    struct optim *o = ctx;
    o->norms[item] = squares(model_grads(o->m) + o->begin, item * BLOCK, block_end(o, item));
}

static double gradient_norm(struct optim *o)
{
    size_t blocks = (o->count + BLOCK - 1) / BLOCK;
    par_for(model_par(o->m), blocks, norm_block, o);
    double sum = 0;
    for (size_t i = 0; i < blocks; i++) {
        sum += o->norms[i];
    }
    return sqrt(sum);
}

/* --- update ---------------------------------------------------------------------------------- */

struct update_job {
    const struct optim *o;
    float *value, *first, *second; /* of the trainable part */
    const float *grad;
    float clip, decay, momentum, beta1, beta2, eps, rate;
    float root;       /* adam: sqrt(1 - beta2^t) */
    double wide_rate; /* lars: before the trust ratio */
};

static void sgd_block(void *ctx, size_t item, int thread)
{
    const struct update_job *j = ctx;
    size_t end = block_end(j->o, item);
    for (size_t i = item * BLOCK; i < end; i++) {
        float g = j->grad[i] * j->clip + j->decay * j->value[i];
        j->value[i] -= j->rate * g;
    }
}

static void momentum_block(void *ctx, size_t item, int thread)
{
    const struct update_job *j = ctx;
    size_t end = block_end(j->o, item);
    float *restrict value = j->value, *restrict first = j->first;
    for (size_t i = item * BLOCK; i < end; i++) {
        float g = j->grad[i] * j->clip + j->decay * value[i];
        float m = j->momentum * first[i] + g;
        first[i] = m;
        value[i] -= j->rate * m;
    }
}

static void adam_block(void *ctx, size_t item, int thread)
{
    const struct update_job *j = ctx;
    size_t end = block_end(j->o, item);
    float *restrict value = j->value, *restrict first = j->first, *restrict second = j->second;
    for (size_t i = item * BLOCK; i < end; i++) {
        float g = j->grad[i] * j->clip + j->decay * value[i];
        float m = j->beta1 * first[i] + (1 - j->beta1) * g;
        float v = j->beta2 * second[i] + (1 - j->beta2) * g * g;
        first[i] = m;
        second[i] = v;
        value[i] -= j->rate * m / (sqrtf(v) / j->root + j->eps);
    }
}

/* --- lars ------------------------------------------------------------------------------------ */

static void span_norms(void *ctx, size_t item, int thread)
{
    struct optim *o = ctx;
    struct span *s = &o->spans[item];
    if (o->layers[s->param].scaled) {
        s->weight = squares(model_values(o->m), s->begin, s->end);
        s->grad = squares(model_grads(o->m), s->begin, s->end);
    }
}

static void trust_ratios(struct optim *o, double clip)
{
    const struct optim_config *c = &o->config;
    par_for(model_par(o->m), o->span_count, span_norms, o);
    for (size_t i = 0; i < o->span_count;) {
        size_t param = o->spans[i].param;
        double weight = 0, grad = 0;
        for (; i < o->span_count && o->spans[i].param == param; i++) {
            weight += o->spans[i].weight;
            grad += o->spans[i].grad;
        }
        weight = sqrt(weight);
        grad = sqrt(grad) * clip;
        o->layers[param].ratio =
            weight > 0 && grad > 0 ? c->trust * weight / (grad + c->weight_decay * weight) : 1;
    }
}

static void lars_span(void *ctx, size_t item, int thread)
{
    const struct update_job *j = ctx;
    const struct span *s = &j->o->spans[item];
    const struct layer_norms *l = &j->o->layers[s->param];
    /* The job's pointers begin at the trainable part. */
    size_t begin = s->begin - j->o->begin, end = s->end - j->o->begin;
    float rate = (float)(j->wide_rate * l->ratio), decay = l->scaled ? j->decay : 0;
    float *restrict value = j->value, *restrict first = j->first;
    for (size_t i = begin; i < end; i++) {
        float step = rate * (j->grad[i] * j->clip + decay * value[i]);
        if (first) {
            step += j->momentum * first[i];
            first[i] = step;
        }
        value[i] -= step;
    }
}

double optim_step(struct optim *o, double rate)
{
    const struct optim_config *c = &o->config;
    double norm = c->clip_norm > 0 ? gradient_norm(o) : 0, clip = c->clip_norm / (norm + 1e-6);
    if (!isfinite(norm)) {
        return norm;
    }
    o->steps++;
    double t = (double)o->steps;
    struct update_job j = {
        .o = o,
        .value = model_values(o->m) + o->begin,
        .grad = model_grads(o->m) + o->begin,
        .clip = c->clip_norm > 0 && clip < 1 ? (float)clip : 1.0f,
        .decay = (float)c->weight_decay,
        .momentum = (float)c->momentum,
        .beta1 = (float)c->beta1,
        .beta2 = (float)c->beta2,
        .eps = (float)c->eps,
        .rate = (float)rate,
        .wide_rate = rate,
    };
    par_fn *block = sgd_block;
    if (optim_slots(o) > 0) {
        j.first = o->slots[0].data + o->begin;
        block = momentum_block;
    }
    if (c->kind == OPTIM_ADAM) {
        j.second = o->slots[1].data + o->begin;
        j.rate = (float)(rate / (1 - pow(c->beta1, t)));
        j.root = (float)sqrt(1 - pow(c->beta2, t));
        block = adam_block;
    }
    if (c->kind == OPTIM_LARS) {
        trust_ratios(o, (double)j.clip);
        par_for(model_par(o->m), o->span_count, lars_span, &j);
    } else {
        par_for(model_par(o->m), (o->count + BLOCK - 1) / BLOCK, block, &j);
    }
    return norm;
}
