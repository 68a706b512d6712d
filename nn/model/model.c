/* A model as a thing: made, asked, described. Memory is in model_memory.c, steps in model_step.c.
 */

#include "model.h"

#include "layer.h"

#include "alloc.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <math.h>

#define SIDE_MIN 32   /* five halvings leave one pixel */
#define SIDE_MAX 4096 /* far above use; keeps all index products within 64 bits */
#define CLASSES_MAX 100000

static int check_config(const struct model_config *c, struct err *e)
{
    if (!c->name || strlen(c->name) >= sizeof(((struct model *)0)->name)) {
        return err_set(e, ERR_CONFIG, "no model '%.40s'; known are %s", c->name ? c->name : "",
                       model_names());
    }
    if (c->classes < 2 || c->classes > CLASSES_MAX) {
        return err_set(e, ERR_CONFIG, "%zu classes: expected 2 to %d", c->classes, CLASSES_MAX);
    }
    if (c->height < SIDE_MIN || c->width < SIDE_MIN || c->height > SIDE_MAX ||
        c->width > SIDE_MAX) {
        return err_set(e, ERR_CONFIG, "images of %zux%zu: expected %d to %d rows and columns",
                       c->height, c->width, SIDE_MIN, SIDE_MAX);
    }
    if (c->channels > 64) {
        return err_set(e, ERR_CONFIG, "%zu image channels: expected 1 to 64", c->channels);
    }
    if (c->shards > SHARD_MAX) {
        return err_set(e, ERR_CONFIG, "%zu shards: expected 1 to %d", c->shards, SHARD_MAX);
    }
    if (c->hidden > 65536 || c->freeze < MODEL_FREEZE_BUT_LAST) {
        return err_set(e, ERR_CONFIG, "hidden width %zu or freeze %d out of range", c->hidden,
                       c->freeze);
    }
    if (!(c->keep >= 0 && c->keep <= 1)) {
        return err_set(e, ERR_CONFIG, "dropout keeps %g: expected a number above 0 and up to 1",
                       c->keep);
    }
    return 0;
}

static void fill_defaults(struct model *m)
{
    struct model_config *c = &m->config;
    c->name = m->name;
    c->channels = c->channels ? c->channels : 3;
    c->shards = c->shards ? c->shards : SHARD_DEFAULT;
    c->width_divisor = c->width_divisor ? c->width_divisor : 1;
    c->hidden = c->hidden ? c->hidden : 4096;
    c->keep = c->keep > 0 ? c->keep : 0.5;
}

struct model *model_new(const struct model_config *config, struct err *e)
{
    if (check_config(config, e) < 0) {
        return NULL;
    }
    struct model *m = xcalloc(1, sizeof(*m));
    m->config = *config;
    snprintf(m->name, sizeof(m->name), "%s", config->name);
    fill_defaults(m);
    if (vgg_build(m, e) < 0) {
        model_free(m);
        return NULL;
    }
    return m;
}

void model_free(struct model *m)
{
    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->layer_count; i++) {
        free(m->layers[i].self);
    }
    struct tensor_arena *arenas[] = {
        &m->values,           &m->grads,     &m->running, &m->activations,
        &m->activation_grads, &m->workspace, &m->kept,    &m->prepared};
    for (size_t i = 0; i < ARRAY_SIZE(arenas); i++) {
        tensor_arena_release(arenas[i]);
    }
    free(m->layers);
    free(m->blobs);
    free(m->params);
    free(m->rules);
    free(m->buffers);
    free(m->counters);
    free(m);
}

/* --- questions ------------------------------------------------------------------------------- */

const struct param *model_params(const struct model *m, size_t *count)
{
    *count = m->param_count;
    return m->params;
}

const struct param *model_param_find(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->param_count; i++) {
        if (strcmp(m->params[i].name, name) == 0) {
            return &m->params[i];
        }
    }
    return NULL;
}

const struct model_buffer *model_buffers(const struct model *m, size_t *count)
{
    *count = m->buffer_count;
    return m->buffers;
}

const struct model_buffer *model_buffer_find(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->buffer_count; i++) {
        if (strcmp(m->buffers[i].name, name) == 0) {
            return &m->buffers[i];
        }
    }
    return NULL;
}

static size_t count_params(const struct model *m, bool trainable_only)
{
    size_t n = 0;
    for (size_t i = 0; i < m->param_count; i++) {
        n += trainable_only && !m->params[i].trainable ? 0 : m->params[i].count;
    }
    return n;
}

size_t model_param_count(const struct model *m)
{
    return count_params(m, false);
}

size_t model_trainable_count(const struct model *m)
{
    return count_params(m, true);
}

size_t model_arena_count(const struct model *m)
{
    return m->values.count;
}

float *model_values(const struct model *m)
{
    return m->values.data;
}

float *model_grads(const struct model *m)
{
    return m->grads.data;
}

size_t model_trainable_offset(const struct model *m)
{
    return m->params[m->layers[m->first_trainable].param].offset;
}

const struct model_config *model_config(const struct model *m)
{
    return &m->config;
}

size_t model_shards(const struct model *m)
{
    return m->config.shards;
}

void model_values_changed(struct model *m)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        m->layers[i].is_prepared = false;
    }
}

struct par *model_par(const struct model *m)
{
    return m->config.par;
}

void model_set_comm(struct model *m, const struct model_comm *comm)
{
    m->comm = comm;
}

/* --- description ----------------------------------------------------------------------------- */

static double layer_flop(const struct layer *l)
{
    return l->ops->flop ? l->ops->flop(l) : 0;
}

double model_flop_forward(const struct model *m)
{
    double sum = 0;
    for (size_t i = 0; i < m->layer_count; i++) {
        sum += layer_flop(&m->layers[i]);
    }
    return sum;
}

double model_flop_train(const struct model *m)
{
    double sum = model_flop_forward(m);
    for (size_t i = m->first_trainable; i < m->layer_count; i++) {
        sum += layer_flop(&m->layers[i]) * (i > m->first_trainable ? 2 : 1);
    }
    return sum;
}

static void describe_layer(const struct layer *l, struct strbuf *out)
{
    const struct blob *b = layer_out(l);
    char shape[40] = "";
    size_t params = 0;
    snprintf(shape, sizeof(shape), "%zux%zux%zu", b->c, b->h, b->w);
    for (size_t i = 0; i < l->param_count; i++) {
        params += layer_param(l, i)->count;
    }
    strbuf_addf(out, "%-14s %-10s %-14s", l->name, l->ops->kind, shape);
    if (params > 0) {
        strbuf_addf(out, " %11zu %s", params, l->trainable ? "" : " frozen");
        strbuf_addf(out, " %s", l->ops->method ? l->ops->method(l) : "");
    }
    while (out->n > 0 && out->p[out->n - 1] == ' ') {
        strbuf_truncate(out, out->n - 1);
    }
    strbuf_addch(out, '\n');
}

void model_describe(const struct model *m, struct strbuf *out)
{
    for (size_t i = 0; i < m->layer_count; i++) {
        describe_layer(&m->layers[i], out);
    }
    struct model_memory use;
    model_memory(m, &use);
    const struct {
        const char *name;
        size_t bytes;
    } rows[] = {{"parameters", use.parameters},
                {"gradients", use.gradients},
                {"buffers", use.buffers},
                {"activations", use.activations},
                {"their gradients", use.activation_gradients},
                {"transformed filters", use.filters},
                {"workspace", use.workspace}};
    strbuf_addf(out, "%s: %zu parameters, %zu trainable, %.2f GFLOP forward an image\n", m->name,
                model_param_count(m), model_trainable_count(m), model_flop_forward(m) / 1e9);
    strbuf_adds(out, "memory:");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].bytes > 0) { /* before model_plan there are parameters alone */
            char text[NUM_TEXT_SIZE];
            num_bytes(text, (double)rows[i].bytes);
            strbuf_addf(out, "%s %s %s", i ? "," : "", rows[i].name, text);
        }
    }
    strbuf_addch(out, '\n');
}
