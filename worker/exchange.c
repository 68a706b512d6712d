/* Gradients between ranks; see exchange.h. */
#include "exchange.h"

#include "comm.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "model.h"
#include "par.h"
#include "shard.h"

#include <stdbool.h>
#include <stdlib.h>

/* Floats. A bucket of 1 MB takes 8 ms at 1 Gb/s, forty times what a message costs by itself; with
 * pieces of 4 MB additions begin while the rest travels, and eight of them take little memory. */
#define BUCKET_MIN ((size_t)1 << 18)
#define PIECE_MAX ((size_t)1 << 20)
#define POLL_US 1000 /* at 1 Gb/s 125 KB arrive meanwhile: the sockets' buffers hold that */
#define FACTORS_MAX 8

struct exchange {
    struct comm *comm;
    struct model *m;
    struct model_comm norm;
    struct err failure; /* the first inside of a hook, which cannot return it */
    bool failed;
    struct model_hooks hooks;
    size_t layers[FACTORS_MAX]; /* factored ones, in the order of backward */
    size_t input_count, factor_count;
    size_t begin, count;     /* ready but not sent: [begin, begin + count) of the gradients */
    size_t *offsets, *bytes; /* [world]: scratch of gathers */
    struct exchange_report last;
};

static void note(struct exchange *x, int rc, const struct err *e)
{
    if (rc < 0 && !x->failed) {
        x->failed = true;
        x->failure = *e;
    }
}

static void sum_statistics(void *ctx, double *v, size_t n)
{
    struct exchange *x = ctx;
    struct err e = ERR_INIT;
    if (!x->failed) {
        note(x, comm_sum_double(x->comm, v, n, &e), &e);
    }
}

static void progress(void *ctx)
{
    struct exchange *x = ctx;
    struct err e = ERR_INIT;
    if (!x->failed) {
        note(x, comm_progress(x->comm, &e), &e);
    }
}

/* --- ranges to be added ---------------------------------------------------------------------- */

int exchange_sum_start(struct comm *comm, float *v, size_t n, struct err *e)
{
    for (size_t at = 0; at < n; at += PIECE_MAX) {
        if (comm_sum_start(comm, v + at, n - at < PIECE_MAX ? n - at : PIECE_MAX, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static void send_bucket(struct exchange *x)
{
    struct err e = ERR_INIT;
    if (!x->failed) {
        note(x, exchange_sum_start(x->comm, model_grads(x->m) + x->begin, x->count, &e), &e);
    }
    x->last.sum_bytes += (double)(x->count * sizeof(float));
    x->count = 0;
}

static void range_ready(void *ctx, size_t offset, size_t count)
{
    struct exchange *x = ctx;
    if (x->count > 0 && offset + count != x->begin) {
        send_bucket(x);
    }
    x->begin = offset;
    x->count += count;
    if (x->count >= BUCKET_MIN) {
        send_bucket(x);
    }
}

/* --- factors --------------------------------------------------------------------------------- */

static int gather_rows(struct exchange *x, float *rows, size_t width, size_t global, struct err *e)
{
    size_t total = model_shards(x->m), world = (size_t)x->comm->size;
    for (size_t r = 0; r < world; r++) {
        size_t first, count;
        shard_of_rank(total, world, r, &first, &count);
        size_t begin = shard_begin(global, total, first);
        size_t end = shard_begin(global, total, first + count);
        x->offsets[r] = begin * width * sizeof(float);
        x->bytes[r] = (end - begin) * width * sizeof(float);
    }
    x->last.gather_bytes += (double)x->bytes[x->comm->rank];
    return comm_gather_start(x->comm, rows, x->offsets, x->bytes, e);
}

static void input_ready(void *ctx, const struct model_factors *f)
{
    struct exchange *x = ctx;
    struct err e = ERR_INIT;
    x->input_count++;
    if (!x->failed) {
        note(x, gather_rows(x, f->a, f->a_width, f->global, &e), &e);
    }
}

static void factors_ready(void *ctx, const struct model_factors *f)
{
    struct exchange *x = ctx;
    struct err e = ERR_INIT;
    if (x->factor_count == FACTORS_MAX) {
        BUG("more than %d factored layers", FACTORS_MAX);
    }
    x->layers[x->factor_count++] = f->layer;
    if (!x->failed) {
        note(x, gather_rows(x, f->d, f->d_width, f->global, &e), &e);
    }
}

static double now(void)
{
    return clock_seconds(&clock_system);
}

/* Gathers end in the order they began: all inputs, then d of each layer. The product of one layer
 * is formed while the rows of the next still travel. */
static int multiply_factors(struct exchange *x, struct err *e)
{
    double begin = now();
    for (size_t i = 0; i < x->input_count; i++) {
        if (comm_gather_wait(x->comm, e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < x->factor_count; i++) {
        if (comm_gather_wait(x->comm, e) < 0) {
            return -1;
        }
        double here = now();
        x->last.wait_s += here - begin;
        model_dense_gradients(x->m, x->layers[i]);
        begin = now();
        x->last.product_s += begin - here;
    }
    return 0;
}

/* --- the step -------------------------------------------------------------------------------- */

int exchange_check(const struct exchange *x, struct err *e)
{
    return x->failed ? err_set(e, x->failure.code, "%s", x->failure.text) : 0;
}

void exchange_forward(struct exchange *x, const struct model_batch *b)
{
    struct model_batch batch = *b;
    x->last = (struct exchange_report){0};
    x->input_count = x->factor_count = x->count = 0;
    if (x->comm->size > 1) {
        batch.hooks = &x->hooks;
        par_set_poll(model_par(x->m), progress, x, POLL_US);
    }
    model_forward(x->m, &batch);
}

static void backward(struct exchange *x)
{
    double begin = now();
    model_backward(x->m, &x->hooks);
    send_bucket(x);
    x->last.backward_s = now() - begin;
}

static int complete(struct exchange *x, struct err *e)
{
    if (exchange_check(x, e) < 0 || multiply_factors(x, e) < 0) {
        return -1;
    }
    double begin = now();
    int rc = exchange_check(x, e);
    rc = rc == 0 ? comm_finish(x->comm, e) : rc;
    x->last.wait_s += now() - begin;
    return rc;
}

int exchange_backward(struct exchange *x, struct err *e)
{
    backward(x);
    int rc = complete(x, e);
    par_set_poll(model_par(x->m), NULL, NULL, 0);
    return rc;
}

int exchange_drop(struct exchange *x, struct err *e)
{
    par_set_poll(model_par(x->m), NULL, NULL, 0);
    return exchange_check(x, e) < 0 ? -1 : comm_finish(x->comm, e);
}

const struct exchange_report *exchange_last(const struct exchange *x)
{
    return &x->last;
}

/* --- life ------------------------------------------------------------------------------------ */

struct exchange *exchange_new(struct comm *comm, struct model *m)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    x->comm = comm;
    x->m = m;
    x->offsets = xcalloc((size_t)comm->size, sizeof(size_t));
    x->bytes = xcalloc((size_t)comm->size, sizeof(size_t));
    x->hooks = (struct model_hooks){.ctx = x, .poll = progress};
    if (comm->size > 1) {
        x->hooks.ready = range_ready;
        x->hooks.factors = factors_ready;
        x->hooks.inputs = input_ready;
        x->norm = (struct model_comm){.ctx = x, .sum = sum_statistics};
        model_set_comm(m, &x->norm);
    }
    return x;
}

void exchange_free(struct exchange *x)
{
    if (x) {
        model_set_comm(x->m, NULL);
        free(x->offsets);
        free(x->bytes);
        free(x);
    }
}
