/*
 * Convolution of tiny images (up to 16 pixels: the last layers when the input is 32x32 or 64x64).
 * There a product for each image spends more on packing the filters than on arithmetic. Here each
 * pixel becomes a row of 9 c numbers, rows of many images stand below one another, and the layer is
 * a dense one: y (pixels, k) = rows (pixels, 9 c) . w (k, 9 c)^T. The kernels of dense.h give each
 * row the same bits in any company, which OpenBLAS does not.
 *
 * Measured on Zen 3, one core, 512 -> 512 channels, 16 images, GFLOP/s of this and of conv_im2col:
 * 2x2 63 and 20, 4x4 65 and 53; but 7x7 70 and 70, 8x8 64 and 76: hence the limit.
 * Weights' gradients are conv_im2col's.
 */

#include "conv.h"

#include "dense.h"
#include "par.h"
#include "tensor.h"

#define PIXELS_MAX ((size_t)16)
#define ROWS ((size_t)512) /* of one product: 9.4 MB of rows for 512 channels */

static bool im2row_fits(const struct conv_shape *s)
{
    return s->h * s->w <= PIXELS_MAX;
}

static size_t group_images(const struct conv_shape *s)
{
    return ROWS / (s->h * s->w);
}

struct rows_job {
    struct conv_shape s;
    const float *x, *b;
    float *y, *rows, *sums;
    bool relu;
};

/* rows of pixel (r, q): for each channel the 3x3 around it, in the order of w. */
static void fill_row(const struct conv_shape *s, const float *x, size_t r, size_t q, float *row)
{
    for (size_t c = 0; c < s->c; c++) {
        const float *plane = x + c * s->h * s->w;
        for (size_t tap = 0; tap < 9; tap++) {
            size_t i = r + tap / 3, j = q + tap % 3; /* one more than the place in x */
            bool inside = i >= 1 && i <= s->h && j >= 1 && j <= s->w;
            *row++ = inside ? plane[(i - 1) * s->w + j - 1] : 0.0f;
        }
    }
}

static void rows_of_image(void *ctx, size_t image, int thread)
{
    const struct rows_job *j = ctx;
    const struct conv_shape *s = &j->s;
    size_t area = s->h * s->w;
    for (size_t p = 0; p < area; p++) {
        fill_row(s, j->x + image * s->c * area, p / s->w, p % s->w,
                 j->rows + (image * area + p) * 9 * s->c);
    }
}

/* sums (pixels, k) -> y (k, pixels), with bias and ReLU. */
static void finish_image(void *ctx, size_t image, int thread)
{
    const struct rows_job *j = ctx;
    size_t area = j->s.h * j->s.w;
    for (size_t k = 0; k < j->s.k; k++) {
        float *y = j->y + (image * j->s.k + k) * area, b = j->b ? j->b[k] : 0.0f;
        for (size_t p = 0; p < area; p++) {
            float v = j->sums[(image * area + p) * j->s.k + k] + b;
            y[p] = j->relu && v < 0 ? 0 : v; /* NaN stays NaN */
        }
    }
}

static size_t rows_size(const struct conv_shape *s)
{
    return tensor_round(group_images(s) * s->h * s->w * 9 * s->c);
}

static size_t forward_size(const struct conv_shape *s)
{
    return rows_size(s) + tensor_round(group_images(s) * s->h * s->w * s->k);
}

static void im2row_forward(const struct conv_shape *s, size_t n, const float *x, const float *w,
                           const float *b, bool relu, float *y, float *ws, struct par *par)
{
    size_t area = s->h * s->w, group = group_images(s);
    struct dense_shape product = {.in = 9 * s->c, .out = s->k};
    struct rows_job j = {.s = *s, .b = b, .rows = ws, .sums = ws + rows_size(s), .relu = relu};
    for (size_t at = 0; at < n; at += group) {
        size_t images = n - at < group ? n - at : group;
        j.x = x + at * s->c * area;
        j.y = y + at * s->k * area;
        par_for(par, images, rows_of_image, &j);
        dense_forward(&product, images * area, j.rows, w, NULL, j.sums, par);
        par_for(par, images, finish_image, &j);
    }
}

static void im2row_backward_data(const struct conv_shape *s, size_t n, const float *dy,
                                 const float *w, float *dx, float *ws, struct par *par)
{
    struct conv_shape back = conv_turn(s, w, ws, par);
    im2row_forward(&back, n, dy, ws, NULL, false, dx, ws + tensor_round(9 * s->c * s->k), par);
}

static void im2row_backward_weights(const struct conv_shape *s, const struct shard_split *split,
                                    const float *x, const float *dy, float *dw, float *db,
                                    float *ws, struct par *par)
{
    conv_im2col.backward_weights(s, split, x, dy, dw, db, ws, par);
}

static size_t im2row_workspace(const struct conv_shape *s, int threads, size_t shards)
{
    struct conv_shape back = {.c = s->k, .k = s->c, .h = s->h, .w = s->w};
    size_t data = tensor_round(9 * s->c * s->k) + forward_size(&back);
    size_t most = forward_size(s) > data ? forward_size(s) : data;
    size_t weights = conv_im2col.workspace(s, threads, shards);
    return most > weights ? most : weights;
}

const struct conv_ops conv_im2row = {
    .name = "im2row",
    .fits = im2row_fits,
    .workspace = im2row_workspace,
    .forward = im2row_forward,
    .backward_data = im2row_backward_data,
    .backward_weights = im2row_backward_weights,
};
