/*
 * Whole steps: `bench train` and `bench infer`. On several ranks a training is measured in turns:
 * each rank by itself, then all together, and again, so that both sides see the same disturbances;
 * the ratio is what the network costs.
 */
#include "bench.h"

#include "comm.h"
#include "ranks_agree.h"

#include "alloc.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>

/* Medians over steps. */
struct side {
    struct rig_step *steps; /* [count] */
    size_t count;
    double rows; /* a step, of all ranks of the side */
};

static double middle(const struct side *s, size_t field)
{
    double *v = xcalloc(s->count + 1, sizeof(*v));
    for (size_t i = 0; i < s->count; i++) {
        v[i] = ((const double *)&s->steps[i])[field];
    }
    double m = rig_median(v, s->count);
    free(v);
    return m;
}

#define FIELD(name) (offsetof(struct rig_step, name) / sizeof(double))

static double best(const struct side *s)
{
    double least = s->count ? s->steps[0].total : 0;
    for (size_t i = 1; i < s->count; i++) {
        least = s->steps[i].total < least ? s->steps[i].total : least;
    }
    return least;
}

/* One step to touch the memory, then the measured ones. */
static int measure(struct rig *r, bool together, size_t steps, struct side *s, struct err *e)
{
    struct rig_step warm;
    if (ranks_agree(r->comm, rig_plan(r, together, e), e) < 0 || rig_run(r, &warm, e) < 0 ||
        comm_barrier(r->comm, e) < 0) {
        return -1;
    }
    s->steps = xrealloc(s->steps, (s->count + steps) * sizeof(*s->steps));
    for (size_t i = 0; i < steps; i++) {
        if (rig_run(r, &s->steps[s->count++], e) < 0) {
            return -1;
        }
    }
    s->rows = (double)r->global;
    return comm_barrier(r->comm, e);
}

/* Images a second of all ranks, each alone: the sum. */
static int sum_alone(struct bench *b, const struct side *s, double *img_per_s, struct err *e)
{
    *img_per_s = s->rows / middle(s, FIELD(total));
    return comm_sum_double(b->comm, img_per_s, 1, e);
}

/* --- report ---------------------------------------------------------------------------------- */

static void set(struct bench *b, struct value *map, const char *key, double v)
{
    value_set(b->arena, map, key, value_float(b->arena, v));
}

static const char *what(const struct bench *b)
{
    return !b->opt.rig.train ? "infer" : b->opt.rig.frozen ? "train frozen" : "train";
}

static void report_head(struct bench *b)
{
    const struct rig_options *o = &b->opt.rig;
    value_set(b->arena, b->report, "model", value_cstr(b->arena, o->model));
    value_set(b->arena, b->report, "frozen", value_bool(b->arena, o->frozen));
    value_set(b->arena, b->report, "batch", value_int(b->arena, (int64_t)o->batch));
    value_set(b->arena, b->report, "size", value_int(b->arena, (int64_t)o->size));
    value_set(b->arena, b->report, "ranks", value_int(b->arena, b->comm->size));
    value_set(b->arena, b->report, "threads", value_int(b->arena, b->machine.threads));
    strbuf_addf(b->text, "%s, %s, %zux%zu, batch of %zu", o->model, what(b), o->size, o->size,
                o->batch);
    if (b->comm->size > 1) {
        strbuf_addf(b->text, " on each of %d ranks", b->comm->size);
    }
    strbuf_addf(b->text, ", fp32, %d thread%s a rank\n\n", b->machine.threads,
                b->machine.threads > 1 ? "s" : "");
}

static void report_parts(struct bench *b, const struct side *s)
{
    struct value *map = value_map(b->arena);
    set(b, map, "forward", middle(s, FIELD(forward)));
    set(b, map, "backward", middle(s, FIELD(backward)));
    set(b, map, "products", middle(s, FIELD(product)));
    set(b, map, "waiting", middle(s, FIELD(wait)));
    set(b, map, "update", middle(s, FIELD(update)));
    value_set(b->arena, b->report, "seconds_of", map);
    strbuf_addf(b->text, "%10.3f s       forward\n%10.3f s       backward\n",
                middle(s, FIELD(forward)), middle(s, FIELD(backward)));
    if (b->comm->size > 1) {
        strbuf_addf(b->text,
                    "%10.3f s       products of gathered rows\n"
                    "%10.3f s       waiting for other ranks\n",
                    middle(s, FIELD(product)), middle(s, FIELD(wait)));
    }
    strbuf_addf(b->text, "%10.3f s       update\n", middle(s, FIELD(update)));
}

static void report_speed(struct bench *b, const struct side *s, double img_per_s, double flop)
{
    double seconds = middle(s, FIELD(total)), rate = flop / seconds / 1e9;
    set(b, b->report, "seconds", seconds);
    set(b, b->report, "seconds_best", best(s));
    set(b, b->report, "cpu_seconds", middle(s, FIELD(cpu)));
    set(b, b->report, "cpu_s_per_img", middle(s, FIELD(cpu)) * b->comm->size / s->rows);
    set(b, b->report, "img_per_s", img_per_s);
    set(b, b->report, "gflops", rate);
    set(b, b->report, "peak_share", rate / b->machine.peak);
    strbuf_addf(b->text, "%10.2f img/s\n", img_per_s);
    strbuf_addf(b->text, "%10.3f s       a step (median of %zu; best %.3f)\n", seconds, s->count,
                best(s));
    if (b->opt.rig.train) {
        report_parts(b, s);
    }
    strbuf_addf(b->text,
                "%10.0f GFLOP/s a rank, counted for direct convolution: %.2f of the FMA peak\n",
                rate, rate / b->machine.peak);
}

static void report_ranks(struct bench *b, const struct side *s, double together, double alone,
                         double alone_cpu)
{
    double sums = middle(s, FIELD(sum_bytes)), rows = middle(s, FIELD(gather_bytes));
    set(b, b->report, "img_per_s_alone", alone);
    set(b, b->report, "cpu_seconds_alone", alone_cpu);
    set(b, b->report, "efficiency", together / alone);
    set(b, b->report, "sum_bytes", sums);
    set(b, b->report, "gather_bytes", rows);
    strbuf_addf(b->text,
                "%10.2f img/s   the same ranks, each by itself: efficiency %.3f\n"
                "%10.1f MB      a rank and step: gradients added %.1f, rows gathered %.1f\n",
                alone, together / alone, (sums + rows) / 1e6, sums / 1e6, rows / 1e6);
}

static int report_memory(struct bench *b, const struct rig *r, struct err *e)
{
    struct model_memory m;
    double rss = bench_peak_rss(), most = rss;
    size_t total = 0;
    char text[NUM_TEXT_SIZE];
    double *all = comm_collect(b->comm, &rss, sizeof(rss), &total, e);
    if (!all) {
        return -1;
    }
    for (size_t i = 0; i < total / sizeof(*all); i++) {
        most = all[i] > most ? all[i] : most;
    }
    free(all);
    model_memory(r->model, &m);
    struct value *map = value_map(b->arena);
    const struct {
        const char *name;
        size_t bytes;
    } parts[] = {{"parameters", m.parameters},   {"gradients", m.gradients},
                 {"activations", m.activations}, {"activation_gradients", m.activation_gradients},
                 {"workspace", m.workspace},     {"buffers", m.buffers}};
    num_bytes(text, most);
    set(b, b->report, "peak_rss_bytes", most);
    strbuf_addf(b->text, "%10s         peak memory of a rank (", text);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        value_set(b->arena, map, parts[i].name, value_int(b->arena, (int64_t)parts[i].bytes));
        num_bytes(text, (double)parts[i].bytes);
        strbuf_addf(b->text, "%s%s %s", i ? ", " : "", parts[i].name, text);
    }
    strbuf_addf(b->text, ")\n\n");
    value_set(b->arena, b->report, "memory_bytes", map);
    return 0;
}

static int report(struct bench *b, const struct rig *r, const struct side *alone,
                  const struct side *together, struct err *e)
{
    const struct side *s = together->count ? together : alone;
    double sum = 0;
    report_head(b);
    if (sum_alone(b, alone, &sum, e) < 0) {
        return -1;
    }
    double img_per_s = together->count ? s->rows / middle(s, FIELD(total)) : sum;
    report_speed(b, s, img_per_s, rig_flop(r));
    if (together->count) {
        report_ranks(b, s, img_per_s, sum, middle(alone, FIELD(cpu)));
    }
    return report_memory(b, r, e);
}

static int report_kernels(struct bench *b, struct rig *r, struct err *e)
{
    struct bench_laps *laps = xcalloc(1, sizeof(*laps));
    struct strbuf text;
    strbuf_init(&text);
    int rc = bench_laps_run(laps, r, 1, e);
    if (rc == 0) {
        bench_laps_methods(laps, &text);
        value_set(b->arena, b->report, "kernels", value_cstr(b->arena, text.p));
        strbuf_addf(b->text, "kernels: %s\n", text.p);
    }
    bench_laps_release(laps);
    free(laps);
    strbuf_release(&text);
    return rc;
}

int bench_train(struct bench *b, struct err *e)
{
    struct rig r;
    struct side alone = {0}, together = {0};
    bool compare = b->opt.rig.train && b->comm->size > 1;
    size_t steps = b->opt.steps > 0 ? (size_t)b->opt.steps : 3;
    int rc = rig_open(&r, &b->opt.rig, b->comm, b->par, e);
    if (ranks_agree(b->comm, rc, e) < 0) {
        return -1;
    }
    for (long i = 0; i < (compare ? b->opt.rounds : 1) && rc == 0; i++) {
        rc = measure(&r, false, steps, &alone, e);
        rc = rc == 0 && compare ? measure(&r, true, steps, &together, e) : rc;
    }
    rc = rc == 0 ? report(b, &r, &alone, &together, e) : rc;
    rc = rc == 0 ? report_kernels(b, &r, e) : rc;
    free(alone.steps);
    free(together.steps);
    rig_close(&r);
    return rc;
}
