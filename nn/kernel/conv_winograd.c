/* Winograd forward and backward-data, which are one pass; see conv_winograd.h. */

#include "conv_winograd.h"

#include "par.h"

#include <string.h>

#define GROUP_BYTES ((size_t)480 << 10) /* of V and M that should stay in L2 */
#define GROUP_MIN ((size_t)28)
#define GROUP_WIDE ((size_t)112) /* where U does not stay in L2 anyway */
#define DEPTH_BITS 8             /* channels of a product: a panel of U is 32 KiB of L1 */
#define DEPTH ((size_t)1 << DEPTH_BITS)

/* A pass from `from` channels to `to`. */
struct pass {
    const struct simd *simd;
    size_t from, to;
    size_t tiles, groups, splits, panels;
    struct simd_tiles in;
    struct simd_output out;
    const float *u;
    float *ws; /* (threads, ws_thread) */
    size_t ws_thread;
};

static bool fits(const struct conv_shape *s)
{
    return !s->image && s->h > 2 && s->w > 2;
}

/* --- filters --------------------------------------------------------------------------------- */

static size_t filter_floats(const struct simd *simd, size_t from, size_t to)
{
    return WINOGRAD_XI * winograd_panels(simd, to) * simd->panel * from;
}

struct filter_job {
    const struct simd *simd;
    struct simd_filters f;
    size_t panels;
    float *u;
};

static void filter_item(void *ctx, size_t p, int thread)
{
    const struct filter_job *j = ctx;
    j->simd->filters(&j->f, p, j->panels, j->u);
}

static void make_filters(const struct simd *simd, const struct simd_filters *f, float *u,
                         struct par *par)
{
    struct filter_job j = {.simd = simd, .f = *f, .panels = winograd_panels(simd, f->vs), .u = u};
    par_for(par, j.panels, filter_item, &j);
}

static void prepare(const struct conv_shape *s, const float *w, float *u, struct par *par)
{
    make_filters(
        winograd_simd(s),
        &(struct simd_filters){.w = w, .js = s->c, .vs = s->k, .j_stride = 9, .v_stride = 9 * s->c},
        u, par);
}

static void prepare_turned(const struct conv_shape *s, const float *w, float *u, struct par *par)
{
    make_filters(
        winograd_simd(s),
        &(struct simd_filters){
            .w = w, .js = s->k, .vs = s->c, .j_stride = 9 * s->c, .v_stride = 9, .turned = true},
        u, par);
}

static size_t forward_filters(const struct conv_shape *s)
{
    return filter_floats(winograd_simd(s), s->c, s->k);
}

/* --- groups of tiles -------------------------------------------------------------------------- */

static size_t group_tiles(size_t from, size_t to)
{
    size_t tiles = GROUP_BYTES / (WINOGRAD_XI * (from + to) * sizeof(float));
    if (from * to > (size_t)128 * 128) {
        return GROUP_WIDE;
    }
    return tiles > GROUP_MIN ? tiles : GROUP_MIN;
}

/* V in columns of DEPTH channels, which a product reads from end to end: rows of all channels are
 * up to 2 KiB apart and cost a tenth of its speed. M in one. */
static struct simd_transformed place(const struct pass *p, size_t channels, size_t tiles,
                                     unsigned bits, float *v)
{
    size_t row = winograd_panels(p->simd, channels) * p->simd->panel, depth = (size_t)1 << bits;
    row = winograd_odd(row < depth ? row : depth);
    size_t column = winograd_odd(tiles * row);
    return (struct simd_transformed){.v = v,
                                     .row = row,
                                     .column = column,
                                     .plane = winograd_columns(channels, bits) * column,
                                     .bits = bits};
}

static struct simd_transformed place_v(const struct pass *p, size_t tiles, float *v)
{
    return place(p, p->from, tiles, DEPTH_BITS, v);
}

static struct simd_transformed place_m(const struct pass *p, size_t tiles, float *v)
{
    return place(p, p->to, tiles, 31, v);
}

static size_t thread_floats(const struct pass *p)
{
    size_t tiles = group_tiles(p->from, p->to);
    return WINOGRAD_XI * (place_v(p, tiles, NULL).plane + place_m(p, tiles, NULL).plane);
}

/* Equal groups, a whole number for each thread where they are few; and where even that leaves
 * threads without work, as for one small image, the outputs of a group are split as well. */
static void share_out(struct pass *p, size_t threads)
{
    size_t most = group_tiles(p->from, p->to);
    p->groups = (p->tiles + most - 1) / most;
    p->splits = 1;
    if (p->groups < threads) {
        while (p->groups * p->splits < threads && p->splits * 2 <= p->panels) {
            p->splits *= 2;
        }
    } else if (p->groups < 8 * threads) {
        p->groups = (p->groups + threads - 1) / threads * threads;
    }
}

/* Every call fetches the panel of U that the next one reads, and its share of the next stretch of
 * V, so that no product waits for memory: `next` is the product after the last of this stretch. */
static void multiply_stretch(const struct pass *p, struct simd_product *t, size_t begin, size_t end,
                             const float *next_u, const float *next_v, size_t v_floats)
{
    size_t panel = p->simd->panel, share = v_floats / (end - begin);
    for (size_t k = begin; k < end; k++) {
        t->ahead = k + 1 < end ? t->b + p->from * panel : next_u;
        t->ahead_count = t->terms * panel;
        for (size_t i = 0; i < share; i += 16) {
            __builtin_prefetch(next_v + (k - begin) * share + i, 0, 2);
        }
        p->simd->product(t);
        t->b += p->from * panel;
        t->c += panel;
    }
}

static void multiply(const struct pass *p, size_t count, const struct simd_transformed *v,
                     const struct simd_transformed *m, size_t begin, size_t end)
{
    size_t panel = p->simd->panel, plane = p->panels * p->from * panel;
    size_t columns = winograd_columns(p->from, DEPTH_BITS), stretches = WINOGRAD_XI * columns;
    bool in_l2 = WINOGRAD_XI * v->plane * sizeof(float) < GROUP_BYTES;
    for (size_t i = 0; i < stretches; i++) {
        size_t xi = i / columns, c = i % columns * DEPTH, last = i + 1 == stretches;
        size_t next_xi = (i + !last) / columns, next_c = (i + !last) % columns * DEPTH;
        struct simd_product t = {.m = count,
                                 .terms = p->from - c < DEPTH ? p->from - c : DEPTH,
                                 .a = v->v + xi * v->plane + i % columns * v->column,
                                 .a_row = v->row,
                                 .a_term = 1,
                                 .b = p->u + xi * plane + (begin * p->from + c) * panel,
                                 .ldb = panel,
                                 .c = m->v + xi * m->plane + begin * panel,
                                 .ldc = m->row,
                                 .add = c > 0};
        multiply_stretch(
            p, &t, begin, end, p->u + next_xi * plane + (begin * p->from + next_c) * panel,
            v->v + next_xi * v->plane + (i + !last) % columns * v->column, in_l2 ? 0 : v->column);
    }
}

static void group_item(void *ctx, size_t item, int thread)
{
    const struct pass *p = ctx;
    size_t group = item / p->splits, split = item % p->splits;
    size_t first = group * p->tiles / p->groups;
    size_t count = (group + 1) * p->tiles / p->groups - first;
    size_t panel = p->simd->panel;
    struct simd_transformed v = place_v(p, count, p->ws + (size_t)thread * p->ws_thread);
    struct simd_transformed m = place_m(p, count, v.v + WINOGRAD_XI * v.plane);
    size_t begin = split * p->panels / p->splits, end = (split + 1) * p->panels / p->splits;
    p->simd->input(&p->in, first, count, &v);
    multiply(p, count, &v, &m, begin, end);
    struct simd_output out = p->out;
    out.begin = begin * panel;
    out.end = end * panel < p->to ? end * panel : p->to;
    p->simd->output(&out, first, count, &m);
}

/* --- passes ---------------------------------------------------------------------------------- */

/* ws: zeros, then filters made for this call, then the threads'. */
static size_t zeros_floats(const struct conv_shape *s)
{
    return tensor_round(s->c > s->k ? s->c : s->k);
}

static void run(struct pass *p, const struct conv_shape *s, const struct conv_call *call,
                float *threads_ws)
{
    struct winograd_grid g = winograd_grid(s);
    p->tiles = call->n * g.per_image;
    p->panels = winograd_panels(p->simd, p->to);
    p->in.th = p->out.th = g.th;
    p->in.tw = p->out.tw = g.tw;
    p->in.h = p->out.h = s->h;
    p->in.w = p->out.w = s->w;
    p->in.c = p->from;
    p->out.c = p->to;
    p->in.zeros = call->ws;
    p->ws = threads_ws;
    p->ws_thread = thread_floats(p);
    if (p->tiles > 0) {
        memset(call->ws, 0, zeros_floats(s) * sizeof(float));
        share_out(p, (size_t)par_threads(call->par));
        par_for(call->par, p->groups * p->splits, group_item, p);
    }
}

static void forward(const struct conv_shape *s, const struct conv_call *call)
{
    float *next = call->ws + zeros_floats(s);
    struct pass p = {.simd = winograd_simd(s),
                     .from = s->c,
                     .to = s->k,
                     .in = {.x = call->x},
                     .out = {.y = call->y,
                             .bias = call->b,
                             .argmax = call->argmax,
                             .relu = s->relu,
                             .pool = s->pool},
                     .u = call->filters};
    if (!p.u) {
        prepare(s, call->w, next, call->par);
        p.u = next;
        next += forward_filters(s);
    }
    run(&p, s, call, next);
}

static void backward_data(const struct conv_shape *s, const struct conv_call *call)
{
    float *u = call->ws + zeros_floats(s);
    struct pass p = {.simd = winograd_simd(s),
                     .from = s->k,
                     .to = s->c,
                     .in = {.x = call->dy, .argmax = s->pool ? call->argmax : NULL},
                     .out = {.y = call->dx, .mask = call->rectified ? call->x : NULL},
                     .u = u};
    prepare_turned(s, call->w, u, call->par);
    run(&p, s, call, u + filter_floats(p.simd, p.from, p.to));
}

static size_t pass_floats(const struct conv_shape *s, size_t from, size_t to, int threads)
{
    struct pass p = {.simd = winograd_simd(s), .from = from, .to = to};
    return zeros_floats(s) + filter_floats(p.simd, from, to) + (size_t)threads * thread_floats(&p);
}

static size_t workspace(const struct conv_shape *s, int threads, size_t rows, size_t shards,
                        bool train)
{
    size_t most = pass_floats(s, s->c, s->k, threads);
    if (train) {
        size_t data = pass_floats(s, s->k, s->c, threads);
        size_t weights = winograd_weights_workspace(s, threads, rows, shards);
        most = data > most ? data : most;
        most = weights > most ? weights : most;
    }
    return most;
}

const struct conv_ops conv_winograd = {
    .name = "winograd",
    .fits = fits,
    .workspace = workspace,
    .filters = forward_filters,
    .prepare = prepare,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = winograd_weights,
};
