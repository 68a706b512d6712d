/* One update: forward, loss, backward with its exchange between ranks (exchange.h), optimiser. See
 * train.h. */
#include "train_private.h"

#include "exchange.h"

#include "alloc.h"
#include "loader.h"
#include "par.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    t->exchange = exchange_new(t->comm, t->model);
    return 0;
}

void train_step_release(struct trainer *t)
{
    free(t->norm_saved);
    exchange_free(t->exchange);
}

int train_step(struct trainer *t, const struct batch *b, double rate, struct step_result *out,
               struct err *e)
{
    struct model_loss loss;
    norm_copy(t, true);
    exchange_forward(t->exchange, &(struct model_batch){.x = b->x,
                                                        .count = b->rows,
                                                        .global = b->global_rows,
                                                        .step = t->step,
                                                        .features = t->features != NULL,
                                                        .mode = MODEL_TRAIN});
    model_loss(t->model, b->labels, &loss);
    double sums[2] = {loss.loss, (double)loss.correct};
    if (exchange_check(t->exchange, e) < 0 || comm_sum_double(t->comm, sums, 2, e) < 0) {
        return -1;
    }
    out->loss = sums[0];
    out->accuracy = sums[1] / (double)b->global_rows;
    out->skipped = !isfinite(sums[0]);
    if (!out->skipped) {
        if (exchange_backward(t->exchange, e) < 0) {
            return -1;
        }
        bool clipped = t->s->optim.clip_norm > 0;
        out->skipped = !clipped && !gradients_finite(t);
        if (!out->skipped && !isfinite(optim_step(t->optim, rate))) {
            out->skipped = true;
        }
    } else if (exchange_drop(t->exchange, e) < 0) {
        return -1;
    }
    if (out->skipped) {
        norm_copy(t, false);
    }
    return 0;
}
