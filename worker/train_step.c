/* One update: forward, loss, backward with its exchange between ranks, optimiser. See train.h. */
#include "train_private.h"

#include "alloc.h"
#include "loader.h"
#include "par.h"
#include "shard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void note_failure(struct trainer *t, int rc, const struct err *e)
{
    if (rc < 0 && !t->comm_failed) {
        t->comm_failed = true;
        t->comm_err = *e;
    }
}

static void sum_statistics(void *ctx, double *v, size_t n)
{
    struct trainer *t = ctx;
    struct err e = ERR_INIT;
    if (!t->comm_failed) {
        note_failure(t, comm_sum_double(t->comm, v, n, &e), &e);
    }
}

static void range_ready(void *ctx, size_t offset, size_t count)
{
    struct trainer *t = ctx;
    struct err e = ERR_INIT;
    if (!t->comm_failed) {
        note_failure(t, comm_sum_start(t->comm, model_grads(t->model) + offset, count, &e), &e);
    }
}

static void factors_ready(void *ctx, const struct model_factors *f)
{
    struct trainer *t = ctx;
    if (t->factor_count == TRAIN_FACTORS_MAX) {
        BUG("more than %d factored layers", TRAIN_FACTORS_MAX);
    }
    t->factors[t->factor_count++] = *f;
}

static void between_layers(void *ctx)
{
    struct trainer *t = ctx;
    struct err e = ERR_INIT;
    if (!t->comm_failed) {
        note_failure(t, comm_sum_progress(t->comm, &e), &e);
    }
    if (t->opt->poll) {
        t->opt->poll(t->opt->poll_ctx);
    }
}

static int gather_matrix(struct trainer *t, float *rows, size_t width, size_t global, struct err *e)
{
    size_t total = model_shards(t->model), world = (size_t)t->comm->size;
    for (size_t r = 0; r < world; r++) {
        size_t first, count;
        shard_of_rank(total, world, r, &first, &count);
        size_t begin = shard_begin(global, total, first);
        size_t end = shard_begin(global, total, first + count);
        t->offsets[r] = begin * width * sizeof(float);
        t->bytes[r] = (end - begin) * width * sizeof(float);
    }
    return comm_allgatherv(t->comm, rows, t->offsets, t->bytes, e);
}

/* Waits until every gradient is the sum over ranks. */
static int complete_gradients(struct trainer *t, struct err *e)
{
    for (size_t i = 0; i < t->factor_count; i++) {
        const struct model_factors *f = &t->factors[i];
        if (gather_matrix(t, f->a, f->a_width, f->global, e) < 0 ||
            gather_matrix(t, f->d, f->d_width, f->global, e) < 0) {
            return -1;
        }
        model_dense_gradients(t->model, f->layer);
    }
    t->factor_count = 0;
    return comm_sum_finish(t->comm, e);
}

static int backward(struct trainer *t, struct err *e)
{
    struct model_hooks hooks = {.ctx = t, .poll = between_layers};
    if (t->comm->size > 1) {
        hooks.ready = range_ready;
        hooks.factors = factors_ready;
    }
    model_backward(t->model, &hooks);
    if (t->comm_failed) {
        return err_set(e, t->comm_err.code, "%s", t->comm_err.text);
    }
    return complete_gradients(t, e);
}

/* --- numbers that are none ------------------------------------------------------------------- */

#define FINITE_BLOCK ((size_t)1 << 16)

struct finite_job {
    const float *v;
    size_t n;
    int *bad; /* [blocks] */
};

static void finite_block(void *ctx, size_t item, int thread)
{
    struct finite_job *j = ctx;
    size_t end = (item + 1) * FINITE_BLOCK < j->n ? (item + 1) * FINITE_BLOCK : j->n;
    float sum = 0; /* 0 * x is NaN for every x that is not finite */
    for (size_t i = item * FINITE_BLOCK; i < end; i++) {
        sum += 0.0f * j->v[i];
    }
    j->bad[item] = sum != 0;
}

static bool gradients_finite(struct trainer *t)
{
    size_t from = model_trainable_offset(t->model);
    struct finite_job j = {.v = model_grads(t->model) + from,
                           .n = model_arena_count(t->model) - from};
    size_t blocks = (j.n + FINITE_BLOCK - 1) / FINITE_BLOCK;
    bool good = true;
    j.bad = xcalloc(blocks + 1, sizeof(int));
    par_for(t->opt->par, blocks, finite_block, &j);
    for (size_t i = 0; i < blocks; i++) {
        good = good && !j.bad[i];
    }
    free(j.bad);
    return good;
}

/* Running statistics and counters: a step that is left out must leave no trace in them. */
static void norm_copy(struct trainer *t, bool save)
{
    size_t count, at = 0;
    const struct model_buffer *buffers = model_buffers(t->model, &count);
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].value && save) {
            memcpy(t->norm_saved + at, buffers[i].value, buffers[i].count * sizeof(float));
        } else if (buffers[i].value) {
            memcpy(buffers[i].value, t->norm_saved + at, buffers[i].count * sizeof(float));
        }
        at += buffers[i].value ? buffers[i].count : 0;
    }
}

/* --- the step -------------------------------------------------------------------------------- */

int train_step_init(struct trainer *t, struct err *e)
{
    size_t count;
    const struct model_buffer *buffers = model_buffers(t->model, &count);
    t->norm_count = 0;
    for (size_t i = 0; i < count; i++) {
        t->norm_count += buffers[i].value ? buffers[i].count : 0;
    }
    t->norm_saved = xcalloc(t->norm_count + 1, sizeof(float));
    t->offsets = xcalloc((size_t)t->comm->size, sizeof(size_t));
    t->bytes = xcalloc((size_t)t->comm->size, sizeof(size_t));
    if (t->comm->size > 1) {
        t->norm_comm = (struct model_comm){.ctx = t, .sum = sum_statistics};
        model_set_comm(t->model, &t->norm_comm);
    }
    return 0;
}

void train_step_release(struct trainer *t)
{
    free(t->norm_saved);
    free(t->offsets);
    free(t->bytes);
}

int train_step(struct trainer *t, const struct batch *b, double rate, struct step_result *out,
               struct err *e)
{
    struct model_loss loss;
    norm_copy(t, true);
    model_forward(t->model, &(struct model_batch){.x = b->x,
                                                  .count = b->rows,
                                                  .global = b->global_rows,
                                                  .step = t->step,
                                                  .mode = MODEL_TRAIN});
    model_loss(t->model, b->labels, &loss);
    double sums[2] = {loss.loss, (double)loss.correct};
    if (t->comm_failed) {
        return err_set(e, t->comm_err.code, "%s", t->comm_err.text);
    }
    if (comm_sum_double(t->comm, sums, 2, e) < 0) {
        return -1;
    }
    out->loss = sums[0];
    out->accuracy = sums[1] / (double)b->global_rows;
    out->skipped = !isfinite(sums[0]);
    if (!out->skipped) {
        if (backward(t, e) < 0) {
            return -1;
        }
        bool clipped = t->s->optim.clip_norm > 0;
        out->skipped = !clipped && !gradients_finite(t);
        if (!out->skipped && !isfinite(optim_step(t->optim, rate))) {
            out->skipped = true;
        }
    }
    if (out->skipped) {
        norm_copy(t, false);
    }
    return 0;
}
