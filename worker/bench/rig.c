/* See rig.h. */
#include "rig.h"

#include "comm.h"
#include "exchange.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "optim.h"
#include "rng.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t choose_shards(const struct rig_options *opt, const struct comm *comm)
{
    size_t world = (size_t)comm->size, shards = opt->any_order ? world : SHARD_DEFAULT;
    while (shards < world) {
        shards *= 2;
    }
    return shards;
}

static void fill_images(struct rig *r)
{
    struct rng stream;
    size_t n = model_rows(r->model) * 3 * r->opt.size * r->opt.size;
    r->images = xrealloc(r->images, n * sizeof(*r->images));
    rng_init(&stream, 1, RNG_TEST, (uint64_t)r->comm->rank, 0);
    for (size_t i = 0; i < n; i++) {
        r->images[i] = 2 * rng_uniform(&stream) - 1;
    }
    free(r->labels);
    r->labels = xcalloc(model_rows(r->model), sizeof(*r->labels));
}

int rig_open(struct rig *r, const struct rig_options *opt, struct comm *comm, struct par *par,
             struct err *e)
{
    *r = (struct rig){.opt = *opt, .comm = comm};
    size_t shards = choose_shards(opt, comm);
    if (shards > SHARD_MAX) {
        return err_set(e, ERR_USAGE, "training runs on at most %d ranks, these are %d", SHARD_MAX,
                       comm->size);
    }
    r->alone = comm_single_new();
    r->model = model_new(
        &(struct model_config){.name = opt->model,
                               .classes = opt->classes,
                               .height = opt->size,
                               .width = opt->size,
                               .seed = 1,
                               .shards = shards,
                               .width_divisor = opt->divisor,
                               .freeze = opt->frozen ? MODEL_FREEZE_FEATURES : MODEL_FREEZE_NONE,
                               .par = par},
        e);
    r->optim = r->model && opt->train
                   ? optim_new(&(struct optim_config){.momentum = 0.9}, r->model, e)
                   : NULL;
    if (!r->model || (opt->train && !r->optim)) {
        rig_close(r);
        return -1;
    }
    return 0;
}

void rig_close(struct rig *r)
{
    exchange_free(r->exchange);
    optim_free(r->optim);
    model_free(r->model);
    comm_close(r->alone, NULL);
    free(r->images);
    free(r->labels);
    memset(r, 0, sizeof(*r));
}

int rig_plan(struct rig *r, bool together, struct err *e)
{
    struct model_plan plan = {.batch = r->opt.batch, .inference = !r->opt.train};
    size_t first;
    r->now = together && r->opt.train ? r->comm : r->alone;
    if (r->now->size > 1) {
        plan.batch *= (size_t)r->now->size;
        shard_of_rank(model_shards(r->model), (size_t)r->now->size, (size_t)r->now->rank,
                      &plan.shard_first, &plan.shard_count);
    }
    if (model_plan(r->model, &plan, e) < 0) {
        return -1;
    }
    r->global = plan.batch;
    r->rows = plan.batch;
    if (r->opt.train) {
        model_split(r->model, r->global, &first, &r->rows);
    }
    fill_images(r);
    exchange_free(r->exchange);
    r->exchange = exchange_new(r->now, r->model);
    return 0;
}

static double now(void)
{
    return clock_seconds(&clock_system);
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As train_step, with loss and accuracy summed over the ranks before backward. */
static int learn(struct rig *r, struct rig_step *out, struct err *e)
{
    struct model_loss loss;
    model_loss(r->model, r->labels, &loss);
    double sums[2] = {loss.loss, (double)loss.correct}, begin = now();
    if (exchange_check(r->exchange, e) < 0 || comm_sum_double(r->now, sums, 2, e) < 0) {
        return -1;
    }
    out->wait = now() - begin;
    if (exchange_backward(r->exchange, e) < 0) {
        return -1;
    }
    const struct exchange_report *x = exchange_last(r->exchange);
    out->backward = x->backward_s;
    out->wait += x->wait_s;
    out->product = x->product_s;
    out->sum_bytes = x->sum_bytes;
    out->gather_bytes = x->gather_bytes;
    begin = now();
    optim_step(r->optim, 1e-4);
    out->update = now() - begin;
    return 0;
}

int rig_run(struct rig *r, struct rig_step *out, struct err *e)
{
    double begin = now(), cpu = cpu_now();
    *out = (struct rig_step){0};
    struct model_batch batch = {.x = r->images,
                                .count = r->rows,
                                .global = r->opt.train ? r->global : 0,
                                .step = r->step++,
                                .mode = r->opt.train ? MODEL_TRAIN : MODEL_EVAL};
    if (r->opt.train) {
        exchange_forward(r->exchange, &batch);
    } else {
        model_forward(r->model, &batch);
    }
    out->forward = now() - begin;
    if (r->opt.train && learn(r, out, e) < 0) {
        return -1;
    }
    out->total = now() - begin;
    out->cpu = cpu_now() - cpu;
    return 0;
}

double rig_flop(const struct rig *r)
{
    double each = r->opt.train ? model_flop_train(r->model) : model_flop_forward(r->model);
    return each * (double)r->rows;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

double rig_median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return n == 0 ? 0 : n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
