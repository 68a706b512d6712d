/*
 * A forecast: `bench model` measures one rank (time of each layer and pass, of the update, of the
 * product of gathered rows) and computes the step time of N ranks with the same number of images
 * each. docs/performance.md has the formulas and how well they meet measurements.
 *
 * Compute and network are two machines that work side by side; each layer's message is queued when
 * its weights pass is done:
 *
 *     compute   forward | fc3 fc2 fc1 conv5_3 conv5_2 ...... conv1_1 | products, last sums | update
 *     network           |    g3  g2  g1 s5_3 s5_2 ...
 *
 * A sum of n bytes over H hosts puts 2 n (H - 1) / H on each host's link, each way; rows gathered
 * put P (N - P) times the rows of one rank there, P ranks being on a host. Every message costs the
 * latency, every byte some CPU time of the rank that sends or receives it.
 */
#include "bench.h"

#include "comm.h"

#include "alloc.h"
#include "clock.h"
#include "dense.h"
#include "err.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#define RANKS_MAX 1024
/* Of one byte sent and received through TCP: tests/bench/two-hosts.sh, user and system time
 * of a step together, less that of a step alone, by the bytes of its sums. */
#define CPU_S_A_BYTE 3.0e-9
#define WIRE_SHARE 0.85 /* of the line rate that sums over TCP reach: bench allreduce */
#define SYNC_ROUNDS 3.0 /* meetings of all ranks in a step: loss, signals, errors */

/* A layer that learns, in the order of backward. */
struct station {
    double seconds; /* of all passes since the station before */
    double product; /* dense: of it, the weights pass, which moves behind backward */
    size_t in, out; /* dense */
    double bytes;   /* of its gradient */
};

#define STATIONS_MAX 64

struct forecast {
    size_t rows; /* of a rank */
    double forward, tail, update;
    struct station stations[STATIONS_MAX];
    size_t count;
    double product_fixed,
        product_row; /* seconds of an element of a dense gradient; of a row more */
    double byte_s, latency_s;
    size_t per_host;
};

struct moment {
    double step, exposed, product, sent;
};

/* --- the model ------------------------------------------------------------------------------- */

static double rounds_of(size_t ranks)
{
    double n = 0;
    for (size_t r = 1; r < ranks; r *= 2) {
        n++;
    }
    return n;
}

/* As model_plan chooses. */
static bool is_factored(const struct station *s, size_t global)
{
    return s->in > 0 && global <= s->in * s->out / (s->in + s->out);
}

/* Seconds that the link is busy with a station's values; *bytes of one rank, both ways. */
static double link_seconds(const struct forecast *f, const struct station *s, size_t ranks,
                           double *bytes)
{
    double p = (double)(f->per_host < ranks ? f->per_host : ranks), n = (double)ranks;
    double hosts = n / p, latency = f->latency_s * rounds_of(ranks);
    if (is_factored(s, f->rows * ranks)) {
        double row_bytes = (double)(f->rows * (s->in + s->out)) * sizeof(float);
        *bytes = row_bytes * (n - 1);
        return p * (n - p) * row_bytes * f->byte_s + f->latency_s;
    }
    *bytes = 2 * s->bytes * (n - 1) / n;
    return 2 * s->bytes * (hosts - 1) / hosts * f->byte_s + (ranks == 2 ? 1 : 2) * latency;
}

static double product_seconds(const struct forecast *f, const struct station *s, size_t rows)
{
    return (double)(s->in * s->out) * (f->product_fixed + f->product_row * (double)rows);
}

static struct moment forecast_step(const struct forecast *f, size_t ranks)
{
    double compute = f->forward, network = 0, arrived[STATIONS_MAX];
    struct moment m = {0};
    for (size_t i = 0; i < f->count; i++) {
        const struct station *s = &f->stations[i];
        double bytes = 0, busy = ranks > 1 ? link_seconds(f, s, ranks, &bytes) : 0;
        bool later = ranks > 1 && is_factored(s, f->rows * ranks);
        compute += s->seconds + (later ? 0 : s->product) + bytes * CPU_S_A_BYTE;
        network = (compute > network ? compute : network) + busy;
        arrived[i] = network;
        m.sent += bytes;
    }
    compute += f->tail;
    for (size_t i = 0; i < f->count; i++) {
        const struct station *s = &f->stations[i];
        if (ranks > 1 && is_factored(s, f->rows * ranks)) {
            double wait = arrived[i] > compute ? arrived[i] - compute : 0;
            double product = product_seconds(f, s, f->rows * ranks);
            compute += wait + product;
            m.exposed += wait;
            m.product += product;
        }
    }
    if (ranks > 1 && network > compute) {
        m.exposed += network - compute;
        compute = network;
    }
    m.step = compute + f->update + SYNC_ROUNDS * rounds_of(ranks) * f->latency_s;
    return m;
}

/* --- what it is fed with --------------------------------------------------------------------- */

static double now(void)
{
    return clock_seconds(&clock_system);
}

/* The shape of a layer with weights, from the parameter of its name. */
static void shape_of(const struct model *m, struct station *s, const char *layer)
{
    char name[64];
    static const char *const parts[] = {"weight", "bias"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        snprintf(name, sizeof(name), "%s.%s", layer, parts[i]);
        const struct param *p = model_param_find(m, name);
        s->bytes += p ? (double)(p->count * sizeof(float)) : 0;
        if (p && p->ndim == 2) {
            s->out = p->shape[0];
            s->in = p->shape[1];
        }
    }
}

/* Laps come in the order of a step: forward passes, then backward from the last layer on. */
static void read_laps(struct forecast *f, const struct bench_laps *laps, const struct model *m)
{
    double since = 0;
    for (size_t i = 0; i < laps->count; i++) {
        const struct model_lap *lap = &laps->items[i].lap;
        double s = rig_median(laps->items[i].ms, laps->steps) / 1e3;
        if (lap->pass == MODEL_PASS_FORWARD) {
            f->forward += s;
        } else if (lap->pass == MODEL_PASS_DATA) {
            since += s;
        } else if (f->count < STATIONS_MAX) {
            struct station *at = &f->stations[f->count++];
            *at = (struct station){.seconds = since};
            shape_of(m, at, lap->name);
            if (at->in > 0) {
                at->product = s;
            } else {
                at->seconds += s;
            }
            since = 0;
        }
    }
    f->tail = since;
}

/* Two points of the line rows -> seconds, for an element of the gradient. */
static void measure_product(struct bench *b, struct forecast *f)
{
    const struct dense_shape shape = {.in = 4096, .out = 4096};
    const size_t few = f->rows, many = 8 * f->rows, size = shape.in * shape.out;
    float *x = xcalloc(many * (shape.in + shape.out), sizeof(*x)), *dy = x + many * shape.in;
    float *dw = xcalloc(size + shape.out, sizeof(*dw));
    double t[2] = {0, 0};
    for (size_t i = 0; i < many * (shape.in + shape.out); i++) {
        x[i] = (float)(i % 7);
    }
    for (int repeat = 0; repeat < 5; repeat++) {
        for (int k = 0; k < 2; k++) {
            double begin = now();
            dense_backward_weights(&shape, k ? many : few, x, dy, dw, dw + size, b->par);
            double s = now() - begin;
            t[k] = repeat == 1 || (repeat > 1 && s < t[k]) ? s : t[k];
        }
    }
    f->product_row = (t[1] - t[0]) / (double)(many - few) / (double)size;
    f->product_row = f->product_row > 0 ? f->product_row : 0;
    f->product_fixed = t[0] / (double)size - f->product_row * (double)few;
    f->product_fixed = f->product_fixed > 0 ? f->product_fixed : 0;
    free(x);
    free(dw);
}

static int measure_rank(struct bench *b, struct forecast *f, struct err *e)
{
    struct rig r;
    struct bench_laps *laps = xcalloc(1, sizeof(*laps));
    struct rig_step step;
    size_t steps = b->opt.steps > 0 ? (size_t)b->opt.steps : 3;
    int rc = rig_open(&r, &b->opt.rig, b->comm, b->par, e);
    if (rc == 0) {
        rc = bench_laps_run(laps, &r, steps, e);
        rc = rc == 0 ? rig_run(&r, &step, e) : rc;
        if (rc == 0) {
            read_laps(f, laps, r.model);
            f->update = step.update;
        }
        bench_laps_release(laps);
        rig_close(&r);
    }
    free(laps);
    return rc;
}

/* --- the table ------------------------------------------------------------------------------- */

static void add_row(struct bench *b, struct value *list, const struct forecast *f, size_t ranks,
                    double alone)
{
    struct moment m = forecast_step(f, ranks);
    struct value *row = value_map(b->arena);
    const struct {
        const char *name;
        double v;
    } cells[] = {{"seconds", m.step},
                 {"img_per_s", (double)(f->rows * ranks) / m.step},
                 {"efficiency", alone / m.step},
                 {"waiting", m.exposed},
                 {"products", m.product},
                 {"sent_bytes", m.sent}};
    value_set(b->arena, row, "ranks", value_int(b->arena, (int64_t)ranks));
    for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
        value_set(b->arena, row, cells[i].name, value_float(b->arena, cells[i].v));
    }
    value_push(b->arena, list, row);
    strbuf_addf(b->text, "%6zu %10.3f %12.2f %11.3f %10.3f %10.3f %10.1f\n", ranks, m.step,
                cells[1].v, cells[2].v, m.exposed, m.product, m.sent / 1e6);
}

int bench_model(struct bench *b, struct err *e)
{
    struct forecast f = {.rows = b->opt.rig.batch,
                         .byte_s = 8 / (b->opt.gbit * 1e9 * WIRE_SHARE),
                         .latency_s = b->opt.latency_us / 1e6,
                         .per_host = (size_t)b->opt.per_host};
    struct value *list = value_list(b->arena);
    if (measure_rank(b, &f, e) < 0) {
        return -1;
    }
    measure_product(b, &f);
    double alone = forecast_step(&f, 1).step;
    strbuf_addf(
        b->text,
        "%s%s, %zux%zu, %zu images a rank, %d threads, %ld rank%s a host; %g Gbit/s, %g us\n\n"
        "%6s %10s %12s %11s %10s %10s %10s\n",
        b->opt.rig.model, b->opt.rig.frozen ? " frozen" : "", b->opt.rig.size, b->opt.rig.size,
        f.rows, b->machine.threads, b->opt.per_host, b->opt.per_host > 1 ? "s" : "", b->opt.gbit,
        b->opt.latency_us, "ranks", "step s", "img/s", "efficiency", "waiting s", "products s",
        "MB a rank");
    for (size_t ranks = 1; ranks <= RANKS_MAX; ranks *= 2) {
        add_row(b, list, &f, ranks, alone);
    }
    strbuf_addch(b->text, '\n');
    value_set(b->arena, b->report, "model", value_cstr(b->arena, b->opt.rig.model));
    value_set(b->arena, b->report, "frozen", value_bool(b->arena, b->opt.rig.frozen));
    value_set(b->arena, b->report, "batch", value_int(b->arena, (int64_t)f.rows));
    value_set(b->arena, b->report, "gbit", value_float(b->arena, b->opt.gbit));
    value_set(b->arena, b->report, "latency_us", value_float(b->arena, b->opt.latency_us));
    value_set(b->arena, b->report, "per_host", value_int(b->arena, b->opt.per_host));
    value_set(b->arena, b->report, "forecast", list);
    return 0;
}
