/*
 * Convolution by rows: each pixel is a row of its 3x3 neighbourhood (im2row) and is multiplied with
 * the filters as a matrix (9 c, k). For images, whose three channels would fill a third of a
 * Winograd transform, and for sides below 3, where its tiles are mostly padding. Pixels are worked
 * off in groups across rows and images: a pixel's sum is the same in any group.
 *
 *   order of the 9 c terms    NHWC: (3,3,c), runs of c floats that are copied as they lie
 *                             images (n,c,h,w): (c,3,3)
 *   weights                   dw (9 c,k) = sum over pixels; a unit of a sum is a band of rows of
 * one image where that is small, else a shard, and threads share dw
 */

#include "conv.h"
#include "simd.h"
#include "tensor.h"

#include "par.h"
#include "shard.h"

#include <string.h>

#define GROUP_FLOATS ((size_t)1 << 17) /* 512 KiB of rows a thread */
#define GROUP_MAX ((size_t)224)        /* pixels */
#define DEPTH ((size_t)256)            /* terms of a product: a panel of filters is 32 KiB of L1 */
#define OWN_MAX ((size_t)1 << 16)      /* elements of dw that a thread sums up alone */
#define BANDS ((size_t)4)
#define TERM_BLOCK ((size_t)512) /* of dw, when threads share it */

/* A picture (n,h,w,c) or (n,c,h,w) as rows. */
struct source {
    const float *x;
    size_t c, h, w;
    bool image;
};

static const struct simd *simd_of(const struct conv_shape *s)
{
    return s->simd ? s->simd : simd_best();
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t panels_of(const struct simd *simd, size_t channels)
{
    return (channels + simd->panel - 1) / simd->panel;
}

static size_t group_pixels(size_t c)
{
    size_t n = GROUP_FLOATS / (9 * c);
    return n < 16 ? 16 : min_size(n, GROUP_MAX);
}

/* Distances in what make_rows made, between pixels and between terms. */
static size_t pixel_step(const struct source *s)
{
    return s->image ? 1 : 9 * s->c;
}

static size_t term_step(const struct source *s)
{
    return s->image ? group_pixels(s->c) : 1;
}

/* One term of a stretch: n floats of a line of the picture from `column` on, or zeros outside. */
static void image_term(const float *line, bool inside, size_t w, ptrdiff_t column, size_t n,
                       float *to)
{
    if (!inside) {
        memset(to, 0, n * sizeof(float));
        return;
    }
    if (column < 0) {
        *to++ = 0;
        column++;
        n--;
    }
    size_t there = min_size(n, w - (size_t)column);
    memcpy(to, line + column, there * sizeof(float));
    memset(to + there, 0, (n - there) * sizeof(float));
}

static void image_row(const struct source *s, size_t image, size_t row, size_t column, size_t n,
                      float *to)
{
    for (size_t j = 0; j < 9 * s->c; j++) {
        size_t r = row + j / 3 % 3 - 1; /* outside: huge */
        bool inside = r < s->h;
        const float *line = s->x + ((image * s->c + j / 9) * s->h + (inside ? r : 0)) * s->w;
        image_term(line, inside, s->w, (ptrdiff_t)(column + j % 3) - 1, n, to + j * term_step(s));
    }
}

static void nhwc_row(const struct source *s, size_t image, size_t row, size_t column, size_t n,
                     float *to)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < 9; j++, to += s->c) {
            size_t r = row + j / 3 - 1, c = column + i + j % 3 - 1;
            if (r < s->h && c < s->w) {
                memcpy(to, s->x + ((image * s->h + r) * s->w + c) * s->c, s->c * sizeof(float));
            } else {
                memset(to, 0, s->c * sizeof(float));
            }
        }
    }
}

/* The rows of pixels [first, first + count), a stretch of an image row at a time. */
static void make_rows(const struct source *s, size_t first, size_t count, float *to)
{
    for (size_t done = 0; done < count;) {
        size_t pixel = first + done, column = pixel % s->w, row = pixel / s->w;
        size_t n = min_size(count - done, s->w - column);
        (s->image ? image_row : nhwc_row)(s, row / s->h, row % s->h, column, n,
                                          to + done * pixel_step(s));
        done += n;
    }
}

/* --- filters --------------------------------------------------------------------------------- */

/* As panels (9 from, panel) of `to` channels: filter element i of (to, from) at w[...]. */
struct pack {
    const struct simd *simd;
    const float *w;
    size_t from, to, from_stride, to_stride;
    bool turned, image;
    float *panels;
};

static void pack_item(void *ctx, size_t p, int thread)
{
    const struct pack *k = ctx;
    size_t panel = k->simd->panel;
    float *to = k->panels + p * 9 * k->from * panel;
    for (size_t j = 0; j < 9 * k->from; j++) {
        size_t c = k->image ? j / 9 : j % k->from, i = k->image ? j % 9 : j / k->from;
        const float *w = k->w + c * k->from_stride + (k->turned ? 8 - i : i);
        for (size_t v = 0; v < panel; v++) {
            size_t ch = p * panel + v;
            to[j * panel + v] = ch < k->to ? w[ch * k->to_stride] : 0;
        }
    }
}

static size_t filter_floats(const struct simd *simd, size_t from, size_t to)
{
    return panels_of(simd, to) * simd->panel * 9 * from;
}

static size_t forward_filters(const struct conv_shape *s)
{
    return filter_floats(simd_of(s), s->c, s->k);
}

static void prepare(const struct conv_shape *s, const float *w, float *filters, struct par *par)
{
    struct pack k = {.simd = simd_of(s),
                     .w = w,
                     .from = s->c,
                     .to = s->k,
                     .from_stride = 9,
                     .to_stride = 9 * s->c,
                     .image = s->image,
                     .panels = filters};
    par_for(par, panels_of(k.simd, s->k), pack_item, &k);
}

static void prepare_turned(const struct conv_shape *s, const float *w, float *filters,
                           struct par *par)
{
    struct pack k = {.simd = simd_of(s),
                     .w = w,
                     .from = s->k,
                     .to = s->c,
                     .from_stride = 9 * s->c,
                     .to_stride = 9,
                     .turned = true,
                     .panels = filters};
    par_for(par, panels_of(k.simd, s->c), pack_item, &k);
}

/* --- forward and backward-data ---------------------------------------------------------------- */

struct pass {
    const struct simd *simd;
    struct source in;
    size_t to, pixels, group, groups, splits;
    const float *filters;
    struct simd_rows out;
    float *ws;
};

static size_t pass_floats(const struct simd *simd, size_t from, size_t to)
{
    return tensor_round(group_pixels(from) * (9 * from + panels_of(simd, to) * simd->panel));
}

static void pass_item(void *ctx, size_t item, int thread)
{
    const struct pass *p = ctx;
    size_t group = item / p->splits, split = item % p->splits, panel = p->simd->panel;
    size_t first = group * p->group, count = min_size(p->group, p->pixels - first);
    size_t panels = panels_of(p->simd, p->to), terms = 9 * p->in.c;
    size_t begin = split * panels / p->splits, end = (split + 1) * panels / p->splits;
    float *rows = p->ws + (size_t)thread * pass_floats(p->simd, p->in.c, p->to);
    float *sums = rows + group_pixels(p->in.c) * terms, *y = p->out.to + first * p->to;
    size_t share = count * p->to / (end - begin); /* of the output, which finish writes */
    make_rows(&p->in, first, count, rows);
    for (size_t j = 0; j < terms; j += DEPTH) {
        for (size_t k = begin; k < end; k++) {
            p->simd->product(&(struct simd_product){.m = count,
                                                    .terms = min_size(DEPTH, terms - j),
                                                    .a = rows + j * term_step(&p->in),
                                                    .a_row = pixel_step(&p->in),
                                                    .a_term = term_step(&p->in),
                                                    .b = p->filters + (k * terms + j) * panel,
                                                    .ldb = panel,
                                                    .c = sums + k * panel,
                                                    .ldc = panels * panel,
                                                    .add = j > 0,
                                                    .ahead = y + (k - begin) * share,
                                                    .ahead_count = j > 0 ? 0 : share});
        }
    }
    struct simd_rows out = p->out;
    out.rows = count;
    out.width = p->to;
    out.ld = panels * panel;
    out.from = sums;
    out.to = y;
    out.mask = out.mask ? out.mask + first * p->to : NULL;
    out.begin = begin * panel;
    out.end = min_size(end * panel, p->to);
    p->simd->finish(&out);
}

static void run(struct pass *p, const struct conv_shape *s, const struct conv_call *call)
{
    size_t threads = (size_t)par_threads(call->par), panels = panels_of(p->simd, p->to);
    p->in.h = s->h;
    p->in.w = s->w;
    p->pixels = call->n * s->h * s->w;
    p->group = group_pixels(p->in.c);
    p->groups = (p->pixels + p->group - 1) / p->group;
    p->splits = 1;
    while (p->groups * p->splits < 2 * threads && p->splits * 2 <= panels) {
        p->splits *= 2;
    }
    par_for(call->par, p->groups * p->splits, pass_item, p);
}

static void forward(const struct conv_shape *s, const struct conv_call *call)
{
    struct pass p = {.simd = simd_of(s),
                     .in = {.x = call->x, .c = s->c, .image = s->image},
                     .to = s->k,
                     .filters = call->filters,
                     .out = {.to = call->y, .bias = call->b, .relu = s->relu},
                     .ws = call->ws};
    if (!p.filters) {
        prepare(s, call->w, call->ws, call->par);
        p.filters = call->ws;
        p.ws += tensor_round(forward_filters(s));
    }
    run(&p, s, call);
}

static void backward_data(const struct conv_shape *s, const struct conv_call *call)
{
    struct pass p = {.simd = simd_of(s),
                     .in = {.x = call->dy, .c = s->k},
                     .to = s->c,
                     .filters = call->ws,
                     .out = {.to = call->dx, .mask = call->rectified ? call->x : NULL},
                     .ws = call->ws + tensor_round(filter_floats(simd_of(s), s->k, s->c))};
    prepare_turned(s, call->w, call->ws, call->par);
    run(&p, s, call);
}

/* --- backward-weights ------------------------------------------------------------------------- */

struct weights_job {
    const struct simd *simd;
    const struct conv_shape *s;
    const struct shard_split *split;
    struct source in;
    const float *dy;
    size_t panels, terms;
    size_t bands;  /* units of an image; 0: units are shards */
    size_t blocks; /* of a unit: blocks of terms x panels, each an item; own: 1 */
    size_t part;
    float *parts; /* (units, part): (terms, panels panel), then db (panels panel) */
    float *ws;    /* of the threads */
    float *dw, *db;
};

static void lay_out(struct weights_job *j, const struct conv_shape *s)
{
    *j = (struct weights_job){.simd = simd_of(s), .s = s, .terms = 9 * s->c};
    j->panels = panels_of(j->simd, s->k);
    bool own = j->terms * s->k <= OWN_MAX;
    j->bands = own ? min_size(BANDS, s->h) : 0;
    j->blocks = own ? 1 : (j->terms + TERM_BLOCK - 1) / TERM_BLOCK * j->panels;
    j->part = tensor_round((j->terms + 1) * j->panels * j->simd->panel);
}

static size_t weights_floats(const struct weights_job *j)
{
    return tensor_round(group_pixels(j->s->c) * (j->terms + j->simd->panel));
}

/* dy of `count` pixels, one panel of channels: in place, or copied and filled up with zeros where
 * channels end before the panel. */
static const float *take_panel(const struct weights_job *j, size_t first, size_t count, size_t p,
                               float *copy, size_t *ld)
{
    size_t panel = j->simd->panel, n = min_size(panel, j->s->k - p * panel);
    const float *from = j->dy + first * j->s->k + p * panel;
    if (n == panel) {
        *ld = j->s->k;
        return from;
    }
    *ld = panel;
    memset(copy, 0, count * panel * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        memcpy(copy + i * panel, from + i * j->s->k, n * sizeof(float));
    }
    return copy;
}

/* Pixels [first, end) into terms [t0, t1) and panels [p0, p1) of a part. */
static void sum_pixels(const struct weights_job *j, size_t first, size_t end, size_t t0, size_t t1,
                       size_t p0, size_t p1, float *part, float *rows)
{
    size_t panel = j->simd->panel, ld = j->panels * panel, most = group_pixels(j->s->c);
    float *copy = rows + most * j->terms;
    static const float one = 1;
    for (size_t p = first; p < end; p += most) {
        size_t count = min_size(most, end - p);
        make_rows(&j->in, p, count, rows);
        for (size_t k = p0; k < p1; k++) {
            struct simd_product t = {.m = t1 - t0,
                                     .terms = count,
                                     .a = rows + t0 * term_step(&j->in),
                                     .a_row = term_step(&j->in),
                                     .a_term = pixel_step(&j->in),
                                     .c = part + t0 * ld + k * panel,
                                     .ldc = ld,
                                     .add = true};
            t.b = take_panel(j, p, count, k, copy, &t.ldb);
            j->simd->product(&t);
            if (t0 == 0) { /* db: the row after all terms */
                t.m = 1;
                t.a = &one;
                t.a_term = 0;
                t.c = part + j->terms * ld + k * panel;
                j->simd->product(&t);
            }
        }
    }
}

static void weights_item(void *ctx, size_t item, int thread)
{
    const struct weights_job *j = ctx;
    size_t unit = item / j->blocks, block = item % j->blocks, area = j->s->h * j->s->w;
    float *part = j->parts + unit * j->part;
    float *rows = j->ws + (size_t)thread * weights_floats(j);
    if (j->bands) {
        size_t image = unit / j->bands, band = unit % j->bands;
        size_t first = image * area + band * j->s->h / j->bands * j->s->w;
        size_t end = image * area + (band + 1) * j->s->h / j->bands * j->s->w;
        sum_pixels(j, first, end, 0, j->terms, 0, j->panels, part, rows);
        return;
    }
    size_t k = block % j->panels, t = block / j->panels * TERM_BLOCK;
    sum_pixels(j, j->split->begin[unit] * area, j->split->begin[unit + 1] * area, t,
               min_size(t + TERM_BLOCK, j->terms), k, k + 1, part, rows);
}

/* dw (k,c,3,3) of one term, and db at last. */
static void sum_item(void *ctx, size_t term, int thread)
{
    const struct weights_job *j = ctx;
    size_t panel = j->simd->panel, c = j->s->c;
    size_t to = j->s->image ? term : term % c * 9 + term / c;
    float sum[SHARD_BLOCK];
    for (size_t p = 0; p < j->panels; p++) {
        shard_sum_block(j->split, j->bands, j->parts + (term * j->panels + p) * panel, j->part,
                        panel, sum);
        for (size_t v = 0; v < min_size(panel, j->s->k - p * panel); v++) {
            size_t k = p * panel + v;
            if (term == j->terms) {
                j->db[k] = sum[v];
            } else {
                j->dw[k * j->terms + to] = sum[v];
            }
        }
    }
}

static size_t units_of(const struct weights_job *j, size_t rows, size_t shards)
{
    return j->bands ? rows * j->bands : shards;
}

static void backward_weights(const struct conv_shape *s, const struct conv_call *call)
{
    struct weights_job j;
    lay_out(&j, s);
    j.split = call->split;
    j.in = (struct source){.x = call->x, .c = s->c, .h = s->h, .w = s->w, .image = s->image};
    j.dy = call->dy;
    j.dw = call->dw;
    j.db = call->db;
    j.parts = call->ws;
    size_t units = units_of(&j, call->split->rows, call->split->count);
    j.ws = call->ws + units * j.part;
    memset(j.parts, 0, units * j.part * sizeof(float));
    par_for(call->par, units * j.blocks, weights_item, &j);
    par_for(call->par, j.terms + 1, sum_item, &j);
}

/* --- together -------------------------------------------------------------------------------- */

static bool fits(const struct conv_shape *s)
{
    return !s->pool;
}

static size_t workspace(const struct conv_shape *s, int threads, size_t rows, size_t shards,
                        bool train)
{
    const struct simd *simd = simd_of(s);
    size_t t = (size_t)threads;
    size_t most = tensor_round(forward_filters(s)) + t * pass_floats(simd, s->c, s->k);
    if (train) {
        struct weights_job j;
        lay_out(&j, s);
        size_t weights = units_of(&j, rows, shards) * j.part + t * weights_floats(&j);
        size_t data =
            tensor_round(filter_floats(simd, s->k, s->c)) + t * pass_floats(simd, s->k, s->c);
        most = weights > most ? weights : most;
        most = data > most && !s->image ? data : most;
    }
    return most;
}

const struct conv_ops conv_rows = {
    .name = "rows",
    .fits = fits,
    .workspace = workspace,
    .filters = forward_filters,
    .prepare = prepare,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
