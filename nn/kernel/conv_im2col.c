/*
 * Convolution as matrix products. A panel (im2col) holds, for a chunk of input channels and a block
 * of image rows, the nine shifted copies of each channel: panel (9 cc, pixels). Then
 *   forward           y  (k, pixels)  = sum over chunks of w[:, chunk] (k, 9 cc) . panel
 *   backward data     the same with dy as input and the turned filter
 *   backward weights  dw[:, chunk] (k, 9 cc) += dy (k, pixels) . panel^T
 * What runs in parallel: (image, row block) in the first two, (shard, channel chunk) in the last;
 * each item writes memory of its own, in an order fixed by the shape, so no thread count changes a
 * bit.
 *
 * Block sizes: measured on Zen 3 (512 KiB L2 a core), sgemm there reaches 80 % of the fp32 peak
 * with 64 rows of w and 90 % and more from 256 on, as long as a product has some 1,000 pixels and
 * 9 x 32 panel rows; the panel (1.2 MB) is then still in the cache nearest to the product.
 *
 * Each image is multiplied by itself. Several small ones in a product would not do: what OpenBLAS
 * makes of a pixel depends on its place in the product (seen on Zen 3), so an image would feel its
 * neighbours. In backward weights, where images of a shard could share one, it gained nothing.
 */

#include "conv.h"

#include "gemm.h"
#include "par.h"
#include "shard.h"
#include "tensor.h"

#include <string.h>

#define BLOCK_PIXELS ((size_t)1024)
#define CHUNK_CHANNELS ((size_t)32)

/* --- blocks ---------------------------------------------------------------------------------- */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t block_rows(const struct conv_shape *s)
{
    size_t rows = BLOCK_PIXELS / s->w;
    rows = rows < 1 ? 1 : rows;
    if (rows >= s->h) {
        return s->h;
    }
    size_t blocks = (s->h + rows - 1) / rows;
    return (s->h + blocks - 1) / blocks; /* blocks of about the same size, no tiny last one */
}

static size_t panel_size(const struct conv_shape *s)
{
    return tensor_round(9 * min_size(CHUNK_CHANNELS, s->c) * block_rows(s) * s->w);
}

/*
 * One panel row: plane (h,w) shifted by (dr, dc), rows [r0, r1) -> dst ((r1 - r0) w). A whole block
 * is one copy, since rows follow one another; what wrapped around at an edge column is then zeroed.
 */
static void shift_rows(const float *plane, size_t h, size_t w, size_t r0, size_t r1, int dr, int dc,
                       float *dst)
{
    size_t rows = r1 - r0, skip = 0, keep = rows;
    if (dr < 0 && r0 == 0) {
        memset(dst, 0, w * sizeof(float));
        skip = 1;
        keep--;
    }
    if (dr > 0 && r1 == h) {
        memset(dst + (rows - 1) * w, 0, w * sizeof(float));
        keep--;
    }
    if (keep == 0) {
        return;
    }
    const float *src = plane + (r0 + skip + (size_t)(dr + 1) - 1) * w;
    float *to = dst + skip * w;
    size_t n = keep * w;
    if (dc == 0) {
        memcpy(to, src, n * sizeof(float));
    } else if (dc < 0) {
        memcpy(to + 1, src, (n - 1) * sizeof(float));
        for (size_t r = 0; r < keep; r++) {
            to[r * w] = 0;
        }
    } else {
        memcpy(to, src + 1, (n - 1) * sizeof(float));
        for (size_t r = 0; r < keep; r++) {
            to[r * w + w - 1] = 0;
        }
    }
}

/* Channels [c0, c0 + cc) of image x, rows [r0, r1) -> panel (9 cc, (r1 - r0) w). */
static void im2col(const struct conv_shape *s, const float *x, size_t c0, size_t cc, size_t r0,
                   size_t r1, float *panel)
{
    size_t pixels = (r1 - r0) * s->w;
    for (size_t c = 0; c < cc; c++) {
        const float *plane = x + (c0 + c) * s->h * s->w;
        for (int tap = 0; tap < 9; tap++) {
            shift_rows(plane, s->h, s->w, r0, r1, tap / 3 - 1, tap % 3 - 1, panel);
            panel += pixels;
        }
    }
}

/* --- forward, backward data ------------------------------------------------------------------ */

struct forward_job {
    struct conv_shape s;
    const float *x, *w, *b;
    float *y, *ws;
    size_t rows, blocks; /* of an image */
    bool relu;
};

/* y (k rows of `pixels`, hw apart): adds the bias and cuts at 0, while the block is in cache. */
static void add_bias(const struct forward_job *j, float *y, size_t pixels)
{
    size_t area = j->s.h * j->s.w;
    if (!j->b && !j->relu) {
        return;
    }
    for (size_t k = 0; k < j->s.k; k++) {
        float *row = y + k * area, b = j->b ? j->b[k] : 0.0f;
        if (j->relu) {
            for (size_t i = 0; i < pixels; i++) {
                float v = row[i] + b;
                row[i] = v < 0 ? 0 : v; /* NaN stays NaN */
            }
        } else {
            for (size_t i = 0; i < pixels; i++) {
                row[i] += b;
            }
        }
    }
}

static void forward_item(void *ctx, size_t item, int thread)
{
    const struct forward_job *j = ctx;
    const struct conv_shape *s = &j->s;
    size_t image = item / j->blocks, r0 = item % j->blocks * j->rows;
    size_t r1 = min_size(r0 + j->rows, s->h), area = s->h * s->w, pixels = (r1 - r0) * s->w;
    const float *x = j->x + image * s->c * area;
    float *y = j->y + image * s->k * area + r0 * s->w;
    float *panel = j->ws + (size_t)thread * panel_size(s);
    for (size_t c = 0; c < s->c; c += CHUNK_CHANNELS) {
        size_t cc = min_size(CHUNK_CHANNELS, s->c - c);
        im2col(s, x, c, cc, r0, r1, panel);
        gemm_nn(s->k, pixels, 9 * cc, j->w + 9 * c, 9 * s->c, panel, pixels, c > 0 ? 1.0f : 0.0f, y,
                area);
    }
    add_bias(j, y, pixels);
}

static void im2col_forward(const struct conv_shape *s, size_t n, const float *x, const float *w,
                           const float *b, bool relu, float *y, float *ws, struct par *par)
{
    size_t rows = block_rows(s), blocks = (s->h + rows - 1) / rows;
    struct forward_job j = {.s = *s,
                            .x = x,
                            .w = w,
                            .b = b,
                            .y = y,
                            .ws = ws,
                            .rows = rows,
                            .blocks = blocks,
                            .relu = relu};
    par_for(par, n * blocks, forward_item, &j);
}

static void im2col_backward_data(const struct conv_shape *s, size_t n, const float *dy,
                                 const float *w, float *dx, float *ws, struct par *par)
{
    struct conv_shape back = conv_turn(s, w, ws, par);
    im2col_forward(&back, n, dy, ws, NULL, false, dx, ws + tensor_round(9 * s->c * s->k), par);
}

/* --- backward weights ------------------------------------------------------------------------ */

struct weights_job {
    struct conv_shape s;
    const struct shard_split *split;
    const float *x, *dy;
    float *parts, *panels; /* parts (shards, stride): dw (k,9c), then db (k) */
    size_t stride, chunks, rows;
};

static size_t part_size(const struct conv_shape *s)
{
    return tensor_round(9 * s->c * s->k + s->k);
}

/* Sum of n floats in eight lanes, whose order does not depend on the compiler's vectors. */
static float sum_row(const float *v, size_t n)
{
    float lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            lane[l] += v[i + l];
        }
    }
    for (; i < n; i++) {
        lane[i % 8] += v[i];
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static void bias_rows(const struct weights_job *j, size_t shard)
{
    const struct conv_shape *s = &j->s;
    size_t area = s->h * s->w;
    float *db = j->parts + shard * j->stride + 9 * s->c * s->k;
    memset(db, 0, s->k * sizeof(float));
    for (size_t n = j->split->begin[shard]; n < j->split->begin[shard + 1]; n++) {
        for (size_t k = 0; k < s->k; k++) {
            db[k] += sum_row(j->dy + (n * s->k + k) * area, area);
        }
    }
}

/* One shard, one chunk of input channels; the bias is an item more for each shard. */
static void weights_item(void *ctx, size_t item, int thread)
{
    const struct weights_job *j = ctx;
    const struct conv_shape *s = &j->s;
    size_t shard = item / (j->chunks + 1), chunk = item % (j->chunks + 1);
    if (chunk == j->chunks) {
        bias_rows(j, shard);
        return;
    }
    size_t c = chunk * CHUNK_CHANNELS, cc = min_size(CHUNK_CHANNELS, s->c - c), area = s->h * s->w;
    float *dw = j->parts + shard * j->stride + 9 * c;
    float *panel = j->panels + (size_t)thread * panel_size(s);
    for (size_t k = 0; k < s->k; k++) {
        memset(dw + k * 9 * s->c, 0, 9 * cc * sizeof(float));
    }
    for (size_t n = j->split->begin[shard]; n < j->split->begin[shard + 1]; n++) {
        for (size_t r0 = 0; r0 < s->h; r0 += j->rows) {
            size_t r1 = min_size(r0 + j->rows, s->h), pixels = (r1 - r0) * s->w;
            im2col(s, j->x + n * s->c * area, c, cc, r0, r1, panel);
            gemm_nt(s->k, 9 * cc, pixels, j->dy + n * s->k * area + r0 * s->w, area, panel, pixels,
                    1.0f, dw, 9 * s->c);
        }
    }
}

static void im2col_backward_weights(const struct conv_shape *s, const struct shard_split *split,
                                    const float *x, const float *dy, float *dw, float *db,
                                    float *ws, struct par *par)
{
    size_t chunks = (s->c + CHUNK_CHANNELS - 1) / CHUNK_CHANNELS, stride = part_size(s);
    struct weights_job j = {.s = *s,
                            .split = split,
                            .x = x,
                            .dy = dy,
                            .parts = ws,
                            .panels = ws + split->count * stride,
                            .stride = stride,
                            .chunks = chunks,
                            .rows = block_rows(s)};
    par_for(par, split->count * (chunks + 1), weights_item, &j);
    shard_sum_vectors(split, ws, stride, 9 * s->c * s->k, dw, par);
    shard_sum_vectors(split, ws + 9 * s->c * s->k, stride, s->k, db, NULL);
}

/* --- table ----------------------------------------------------------------------------------- */

static bool im2col_fits(const struct conv_shape *s)
{
    return true;
}

static size_t im2col_workspace(const struct conv_shape *s, int threads, size_t shards)
{
    struct conv_shape back = {.c = s->k, .k = s->c, .h = s->h, .w = s->w};
    size_t panels = (size_t)threads * panel_size(s);
    size_t data = tensor_round(9 * s->c * s->k) + (size_t)threads * panel_size(&back);
    size_t weights = shards * part_size(s) + panels;
    size_t most = panels > data ? panels : data;
    return most > weights ? most : weights;
}

const struct conv_ops conv_im2col = {
    .name = "im2col",
    .fits = im2col_fits,
    .workspace = im2col_workspace,
    .forward = im2col_forward,
    .backward_data = im2col_backward_data,
    .backward_weights = im2col_backward_weights,
};
