/* See ranks.h. */

#include "ranks.h"

#include "model.h"
#include "optim.h"
#include "shard.h"

#include "err.h"
#include "par.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_MAX 8
#define SUM_MAX 4096
#define EVENTS_MAX 64

struct group;

struct rank {
    struct group *group;
    int number;
    struct model *m;
    struct optim *o;
    const double *sum_in;
    double sum_out[SUM_MAX];
    double loss;
    size_t correct;
    struct model_factors factors[EVENTS_MAX];
    size_t factor_count;
    size_t ready[EVENTS_MAX][2];
    size_t ready_count;
};

struct group {
    const struct ranks_job *job;
    struct ranks_result *out;
    pthread_barrier_t barrier;
    struct rank ranks[WORLD_MAX];
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        BUG("ranks: %s", what);
    }
}

static void meet(struct group *g)
{
    pthread_barrier_wait(&g->barrier);
}

/* Pairwise exchange over the ranks, lower rank first. */
static void sum_over_ranks(void *ctx, double *v, size_t n)
{
    struct rank *r = ctx;
    struct group *g = r->group;
    int world = g->job->world;
    check(n <= SUM_MAX, "long sum");
    r->sum_in = v;
    meet(g);
    for (size_t i = 0; i < n; i++) {
        double part[WORLD_MAX] = {0};
        for (int k = 0; k < world; k++) {
            part[k] = g->ranks[k].sum_in[i];
        }
        for (int step = 1; step < world; step *= 2) {
            for (int k = 0; k + step < world; k += 2 * step) {
                part[k] += part[k + step];
            }
        }
        r->sum_out[i] = part[0];
    }
    meet(g);
    memcpy(v, r->sum_out, n * sizeof(double));
}

static void note_ready(void *ctx, size_t offset, size_t count)
{
    struct rank *r = ctx;
    check(r->ready_count < EVENTS_MAX, "too many ranges");
    r->ready[r->ready_count][0] = offset;
    r->ready[r->ready_count++][1] = count;
}

static void note_factors(void *ctx, const struct model_factors *f)
{
    struct rank *r = ctx;
    check(r->factor_count < EVENTS_MAX, "too many factors");
    r->factors[r->factor_count++] = *f;
}

static void gather(struct rank *r, size_t i)
{
    struct group *g = r->group;
    const struct model_factors *to = &r->factors[i];
    for (int k = 0; k < g->job->world; k++) {
        const struct model_factors *from = &g->ranks[k].factors[i];
        if (k != r->number) {
            memcpy(to->a + from->first * to->a_width, from->a + from->first * to->a_width,
                   from->count * to->a_width * sizeof(float));
            memcpy(to->d + from->first * to->d_width, from->d + from->first * to->d_width,
                   from->count * to->d_width * sizeof(float));
        }
    }
    meet(g);
    model_dense_gradients(r->m, to->layer);
}

/* Rank 0 adds the range for all, the others take it. */
static void reduce(struct rank *r, size_t i)
{
    struct group *g = r->group;
    size_t offset = r->ready[i][0], count = r->ready[i][1];
    check(offset == g->ranks[0].ready[i][0] && count == g->ranks[0].ready[i][1], "order of ranges");
    for (int step = 1; step < g->job->world; step *= 2) {
        meet(g);
        int other = r->number + step;
        if (r->number % (2 * step) == 0 && other < g->job->world) {
            float *to = model_grads(r->m) + offset;
            const float *from = model_grads(g->ranks[other].m) + offset;
            for (size_t x = 0; x < count; x++) {
                to[x] += from[x];
            }
        }
    }
    meet(g);
    if (r->number > 0) {
        memcpy(model_grads(r->m) + offset, model_grads(g->ranks[0].m) + offset,
               count * sizeof(float));
    }
    meet(g);
}

static void exchange(struct rank *r)
{
    meet(r->group);
    for (size_t i = 0; i < r->factor_count; i++) {
        gather(r, i);
    }
    for (size_t i = 0; i < r->ready_count; i++) {
        reduce(r, i);
    }
}

static void one_step(struct rank *r, int step)
{
    const struct ranks_job *job = r->group->job;
    const struct model_config *c = model_config(r->m);
    size_t image = c->channels * c->height * c->width, first, count;
    model_split(r->m, job->batch, &first, &count);
    size_t row = (size_t)step * job->batch + first;
    struct model_loss loss;
    model_forward(r->m, &(struct model_batch){.x = job->x + row * image,
                                              .count = count,
                                              .global = job->batch,
                                              .step = (uint64_t)step,
                                              .mode = MODEL_TRAIN});
    model_loss(r->m, job->labels + row, &loss);
    r->loss = loss.loss;
    r->correct = loss.correct;
    r->factor_count = r->ready_count = 0;
    /* Alone without the hook for factors: the model forms the product itself. */
    bool alone = job->world == 1;
    model_backward(r->m, &(struct model_hooks){.ctx = r,
                                               .ready = note_ready,
                                               .factors = alone ? NULL : note_factors});
    if (!alone) {
        exchange(r);
        sum_over_ranks(r, &r->loss, 1);
    }
    optim_step(r->o, 0.05);
    if (r->number == 0) {
        r->group->out->loss[step] = r->loss;
    }
    meet(r->group);
}

static void keep_result(struct rank *r)
{
    struct ranks_result *out = r->group->out;
    out->count = model_arena_count(r->m);
    out->values = malloc(out->count * sizeof(float));
    check(out->values, "memory");
    memcpy(out->values, model_values(r->m), out->count * sizeof(float));
    size_t buffers;
    const struct model_buffer *b = model_buffers(r->m, &buffers);
    for (size_t i = 0; i < buffers; i++) {
        out->running_count += b[i].value ? b[i].count : 0;
    }
    out->running = calloc(out->running_count + 1, sizeof(float));
    check(out->running, "memory");
    size_t at = 0;
    for (size_t i = 0; i < buffers; i++) {
        if (b[i].value) {
            memcpy(out->running + at, b[i].value, b[i].count * sizeof(float));
            at += b[i].count;
        } else {
            check(*b[i].counter == r->group->job->steps, "num_batches_tracked");
        }
    }
    out->factored = r->factor_count;
    for (int k = 0; k < r->group->job->world; k++) {
        out->correct += r->group->ranks[k].correct;
    }
}

static void *run_rank(void *arg)
{
    struct rank *r = arg;
    const struct ranks_job *job = r->group->job;
    struct err e = ERR_INIT;
    struct model_config config = *job->config;
    struct model_comm comm = {.ctx = r, .sum = sum_over_ranks};
    config.par = par_new(job->threads);
    r->m = model_new(&config, &e);
    check(r->m, e.text);
    struct model_plan plan = {.batch = job->plan_batch ? job->plan_batch : job->batch};
    shard_of_rank(model_shards(r->m), (size_t)job->world, (size_t)r->number, &plan.shard_first,
                  &plan.shard_count);
    check(model_plan(r->m, &plan, &e) == 0, e.text);
    if (job->world > 1) {
        model_set_comm(r->m, &comm);
    }
    r->o = optim_new(&(struct optim_config){.momentum = 0.9, .weight_decay = 1e-3, .clip_norm = 1},
                     r->m, &e);
    check(r->o, e.text);
    meet(r->group);
    for (int step = 0; step < job->steps; step++) {
        one_step(r, step);
    }
    if (r->number == 0) {
        keep_result(r);
    }
    meet(r->group);
    optim_free(r->o);
    model_free(r->m);
    par_free(config.par);
    return NULL;
}

void ranks_train(const struct ranks_job *job, struct ranks_result *out)
{
    struct group *g = calloc(1, sizeof(*g));
    pthread_t threads[WORLD_MAX];
    check(g && job->world <= WORLD_MAX && job->steps <= 8, "size");
    *out = (struct ranks_result){0};
    g->job = job;
    g->out = out;
    pthread_barrier_init(&g->barrier, NULL, (unsigned)job->world);
    for (int i = 0; i < job->world; i++) {
        g->ranks[i] = (struct rank){.group = g, .number = i};
    }
    for (int i = 0; i < job->world; i++) {
        check(pthread_create(&threads[i], NULL, run_rank, &g->ranks[i]) == 0, "thread");
    }
    for (int i = 0; i < job->world; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&g->barrier);
    free(g);
}

void ranks_release(struct ranks_result *r)
{
    free(r->values);
    free(r->running);
    *r = (struct ranks_result){0};
}
