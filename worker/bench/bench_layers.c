/* Time of each pass of each layer: `bench layers`. */
#include "bench.h"

#include "comm.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

const char *bench_pass_name(enum model_pass pass)
{
    return pass == MODEL_PASS_FORWARD ? "forward" : pass == MODEL_PASS_DATA ? "data" : "weights";
}

static struct bench_lap *find_lap(struct bench_laps *l, const struct model_lap *lap)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].lap.layer == lap->layer && l->items[i].lap.pass == lap->pass) {
            return &l->items[i];
        }
    }
    if (l->count == BENCH_LAPS) {
        BUG("more than %d passes of layers", BENCH_LAPS);
    }
    struct bench_lap *item = &l->items[l->count++];
    *item = (struct bench_lap){.lap = *lap, .ms = xcalloc(l->steps, sizeof(double))};
    return item;
}

static void note_lap(void *ctx, const struct model_lap *lap)
{
    struct bench_laps *l = ctx;
    double now = clock_seconds(&clock_system);
    find_lap(l, lap)->ms[l->step] += (now - l->since_s) * 1e3;
    l->since_s = clock_seconds(&clock_system);
}

int bench_laps_run(struct bench_laps *l, struct rig *r, size_t steps, struct err *e)
{
    struct rig_step ignored;
    *l = (struct bench_laps){.steps = steps};
    int rc = rig_plan(r, false, e);
    rc = rc == 0 ? rig_run(r, &ignored, e) : rc;
    model_set_watch(r->model, note_lap, l);
    for (; l->step < steps && rc == 0; l->step++) {
        l->since_s = clock_seconds(&clock_system);
        rc = rig_run(r, &ignored, e);
    }
    model_set_watch(r->model, NULL, NULL);
    return rc;
}

void bench_laps_release(struct bench_laps *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].ms);
    }
    l->count = 0;
}

/* Has an item before i the same kind (and method)? */
static bool seen(const struct bench_laps *l, size_t i, bool method)
{
    const struct model_lap *a = &l->items[i].lap;
    for (size_t k = 0; k < i; k++) {
        const struct model_lap *b = &l->items[k].lap;
        if (strcmp(a->kind, b->kind) == 0 && (!method || strcmp(a->method, b->method) == 0)) {
            return true;
        }
    }
    return false;
}

void bench_laps_methods(const struct bench_laps *l, struct strbuf *out)
{
    for (size_t i = 0; i < l->count; i++) {
        if (seen(l, i, false) || l->items[i].lap.method[0] == '\0') {
            continue;
        }
        strbuf_addf(out, "%s%s", out->n ? ", " : "", l->items[i].lap.kind);
        for (size_t k = i; k < l->count; k++) {
            if (strcmp(l->items[k].lap.kind, l->items[i].lap.kind) == 0 && !seen(l, k, true)) {
                strbuf_addf(out, " %s", l->items[k].lap.method);
            }
        }
    }
}

/* --- the table ------------------------------------------------------------------------------- */

static void add_row(struct bench *b, struct value *list, const struct bench_lap *item, double ms)
{
    const struct model_lap *lap = &item->lap;
    double rate = lap->flop * (double)b->opt.rig.batch / ms / 1e6;
    struct value *row = value_map(b->arena);
    value_set(b->arena, row, "layer", value_cstr(b->arena, lap->name));
    value_set(b->arena, row, "kind", value_cstr(b->arena, lap->kind));
    value_set(b->arena, row, "pass", value_cstr(b->arena, bench_pass_name(lap->pass)));
    value_set(b->arena, row, "method", value_cstr(b->arena, lap->method));
    value_set(b->arena, row, "seconds", value_float(b->arena, ms / 1e3));
    value_set(b->arena, row, "gflops", value_float(b->arena, rate));
    value_set(b->arena, row, "peak_share", value_float(b->arena, rate / b->machine.peak));
    value_push(b->arena, list, row);
    strbuf_addf(b->text, "%-14s %-8s %-8s %9.2f", lap->name, lap->kind, bench_pass_name(lap->pass),
                ms);
    if (lap->flop > 0) {
        strbuf_addf(b->text, " %9.1f %7.2f  %s", rate, rate / b->machine.peak, lap->method);
    }
    strbuf_addch(b->text, '\n');
}

static void table(struct bench *b, const struct bench_laps *laps, size_t steps)
{
    const struct rig_options *o = &b->opt.rig;
    struct value *list = value_list(b->arena);
    double total = 0;
    strbuf_addf(b->text, "%s, %zux%zu, batch of %zu; medians of %zu steps\n\n", o->model, o->size,
                o->size, o->batch, steps);
    strbuf_addf(b->text, "%-14s %-8s %-8s %9s %9s %7s  %s\n", "layer", "kind", "pass", "ms",
                "GFLOP/s", "of peak", "method");
    for (size_t i = 0; i < laps->count; i++) {
        double ms = rig_median(laps->items[i].ms, steps);
        total += ms;
        add_row(b, list, &laps->items[i], ms);
    }
    strbuf_addf(b->text, "%-32s %9.2f\n\n", "all passes", total);
    value_set(b->arena, b->report, "model", value_cstr(b->arena, o->model));
    value_set(b->arena, b->report, "batch", value_int(b->arena, (int64_t)o->batch));
    value_set(b->arena, b->report, "size", value_int(b->arena, (int64_t)o->size));
    value_set(b->arena, b->report, "seconds", value_float(b->arena, total / 1e3));
    value_set(b->arena, b->report, "layers", list);
}

int bench_layers(struct bench *b, struct err *e)
{
    struct rig r;
    struct bench_laps *laps = xcalloc(1, sizeof(*laps));
    size_t steps = b->opt.steps > 0 ? (size_t)b->opt.steps : 3;
    int rc = rig_open(&r, &b->opt.rig, b->comm, b->par, e);
    if (rc == 0) {
        rc = bench_laps_run(laps, &r, steps, e);
        if (rc == 0) {
            table(b, laps, steps);
        }
        bench_laps_release(laps);
        rig_close(&r);
    }
    free(laps);
    return rc;
}
