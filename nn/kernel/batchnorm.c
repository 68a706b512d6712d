/* Batch normalisation; see batchnorm.h. Sums are formed in double over bands of up to 512 pixels of
 * one image, eight channels at a time; then bands of a shard in order, then the tree of shards. */

#include "batchnorm.h"

#include "par.h"
#include "shard.h"

#include <math.h>
#include <string.h>

#define BAND ((size_t)512) /* pixels */
#define LANES 8            /* channels whose sums stay in registers */

struct band_job {
    struct batchnorm_shape s;
    size_t bands; /* of an image */
    const float *x, *dy, *mean, *inv_std, *gamma, *beta;
    float *out;
    double *sums; /* of bands: (rows bands, 2, c) */
    const double *global;
    double count;
    bool relu;
};

static size_t bands_of(const struct batchnorm_shape *s)
{
    return (s->area + BAND - 1) / BAND;
}

size_t batchnorm_workspace(const struct batchnorm_shape *s, size_t rows, size_t shards)
{
    return 2 * s->c * (rows * bands_of(s) + shards);
}

/* A band: its first element, and its pixels. */
static size_t band_begin(const struct band_job *j, size_t item, size_t *pixels)
{
    size_t image = item / j->bands, first = item % j->bands * BAND;
    *pixels = j->s.area - first < BAND ? j->s.area - first : BAND;
    return (image * j->s.area + first) * j->s.c;
}

/* --- sums over bands ------------------------------------------------------------------------- */

static inline void sums_lanes(const float *x, size_t pixels, size_t c, size_t lanes, double *out)
{
    double sum[LANES] = {0}, square[LANES] = {0};
    for (size_t p = 0; p < pixels; p++, x += c) {
        for (size_t l = 0; l < lanes; l++) {
            double v = x[l];
            sum[l] += v;
            square[l] += v * v;
        }
    }
    memcpy(out, sum, lanes * sizeof(double));
    memcpy(out + c, square, lanes * sizeof(double));
}

static void sums_band(void *ctx, size_t item, int thread)
{
    const struct band_job *j = ctx;
    size_t pixels, at = band_begin(j, item, &pixels), c = j->s.c, k = 0;
    double *out = j->sums + item * 2 * c;
    for (; k + LANES <= c; k += LANES) {
        sums_lanes(j->x + at + k, pixels, c, LANES, out + k);
    }
    if (k < c) {
        sums_lanes(j->x + at + k, pixels, c, c - k, out + k);
    }
}

static inline void backward_sums_lanes(const struct band_job *j, size_t at, size_t pixels, size_t k,
                                       size_t lanes, double *out)
{
    const float *x = j->x + at + k, *dy = j->dy + at + k;
    const float *mean = j->mean + k, *inv_std = j->inv_std + k;
    double sum[LANES] = {0}, dot[LANES] = {0};
    for (size_t p = 0; p < pixels; p++, x += j->s.c, dy += j->s.c) {
        for (size_t l = 0; l < lanes; l++) {
            double d = dy[l];
            sum[l] += d;
            dot[l] += d * (double)((x[l] - mean[l]) * inv_std[l]);
        }
    }
    memcpy(out, sum, lanes * sizeof(double));
    memcpy(out + j->s.c, dot, lanes * sizeof(double));
}

static void backward_sums_band(void *ctx, size_t item, int thread)
{
    const struct band_job *j = ctx;
    size_t pixels, at = band_begin(j, item, &pixels), c = j->s.c, k = 0;
    double *out = j->sums + item * 2 * c;
    for (; k + LANES <= c; k += LANES) {
        backward_sums_lanes(j, at, pixels, k, LANES, out + k);
    }
    if (k < c) {
        backward_sums_lanes(j, at, pixels, k, c - k, out + k);
    }
}

/* bands (rows bands, 2, c) -> shards (count, 2, c), bands of a shard in order. */
static void add_bands(const struct shard_split *split, const struct band_job *j, double *shards)
{
    size_t n = 2 * j->s.c;
    memset(shards, 0, split->count * n * sizeof(double));
    for (size_t i = 0; i < split->count; i++) {
        double *to = shards + i * n;
        for (size_t b = split->begin[i] * j->bands; b < split->begin[i + 1] * j->bands; b++) {
            for (size_t k = 0; k < n; k++) {
                to[k] += j->sums[b * n + k];
            }
        }
    }
}

void batchnorm_sums(const struct batchnorm_shape *s, const struct shard_split *split,
                    const float *x, double *sums, double *ws, struct par *par)
{
    struct band_job j = {.s = *s, .bands = bands_of(s), .x = x, .sums = ws};
    double *shards = ws + 2 * s->c * split->rows * j.bands;
    par_for(par, split->rows * j.bands, sums_band, &j);
    add_bands(split, &j, shards);
    shard_sum_doubles(split, shards, 2 * s->c, 2 * s->c, sums);
}

/* The local tree of shards in float, so that a sum over ranks continues it with the same bits. */
static void add_gradient(const struct shard_split *split, const double *shards, size_t c, size_t at,
                         float *out)
{
    float part[SHARD_MAX];
    for (size_t k = 0; k < c; k++) {
        for (size_t i = 0; i < split->count; i++) {
            part[i] = (float)shards[i * 2 * c + at * c + k];
        }
        for (size_t i = 0; i < split->pairs; i++) {
            part[split->pair[i].to] += part[split->pair[i].from];
        }
        out[k] = part[0];
    }
}

void batchnorm_backward_sums(const struct batchnorm_shape *s, const struct shard_split *split,
                             const float *x, const float *dy, const float *mean,
                             const float *inv_std, double *sums, float *dgamma, float *dbeta,
                             double *ws, struct par *par)
{
    struct band_job j = {.s = *s,
                         .bands = bands_of(s),
                         .x = x,
                         .dy = dy,
                         .mean = mean,
                         .inv_std = inv_std,
                         .sums = ws};
    double *shards = ws + 2 * s->c * split->rows * j.bands;
    par_for(par, split->rows * j.bands, backward_sums_band, &j);
    add_bands(split, &j, shards);
    add_gradient(split, shards, s->c, 0, dbeta);
    add_gradient(split, shards, s->c, 1, dgamma);
    shard_sum_doubles(split, shards, 2 * s->c, 2 * s->c, sums);
}

/* --- statistics ------------------------------------------------------------------------------ */

void batchnorm_statistics(size_t c, double count, const double *sums, float *mean, float *inv_std,
                          float *running_mean, float *running_var)
{
    for (size_t k = 0; k < c; k++) {
        double m = sums[k] / count, var = sums[c + k] / count - m * m;
        var = var < 0 ? 0 : var; /* rounding of equal values; NaN stays */
        mean[k] = (float)m;
        inv_std[k] = (float)(1.0 / sqrt(var + BATCHNORM_EPS));
        if (running_mean) {
            double unbiased = count > 1 ? var * count / (count - 1) : var;
            running_mean[k] =
                (float)((1 - BATCHNORM_MOMENTUM) * running_mean[k] + BATCHNORM_MOMENTUM * m);
            running_var[k] =
                (float)((1 - BATCHNORM_MOMENTUM) * running_var[k] + BATCHNORM_MOMENTUM * unbiased);
        }
    }
}

void batchnorm_from_running(size_t c, const float *running_mean, const float *running_var,
                            float *mean, float *inv_std)
{
    for (size_t k = 0; k < c; k++) {
        mean[k] = running_mean[k];
        inv_std[k] = (float)(1.0 / sqrt((double)running_var[k] + BATCHNORM_EPS));
    }
}

/* --- pixels ---------------------------------------------------------------------------------- */

static void apply_band(void *ctx, size_t item, int thread)
{
    const struct band_job *j = ctx;
    size_t pixels, at = band_begin(j, item, &pixels), c = j->s.c;
    const float *x = j->x + at;
    float *y = j->out + at;
    for (size_t p = 0; p < pixels; p++, x += c, y += c) {
        for (size_t k = 0; k < c; k++) {
            float v = (x[k] - j->mean[k]) * (j->gamma[k] * j->inv_std[k]) + j->beta[k];
            y[k] = j->relu && v < 0 ? 0 : v;
        }
    }
}

void batchnorm_apply(const struct batchnorm_shape *s, size_t n, const float *x, const float *mean,
                     const float *inv_std, const float *gamma, const float *beta, bool relu,
                     float *y, struct par *par)
{
    struct band_job j = {.s = *s,
                         .bands = bands_of(s),
                         .x = x,
                         .mean = mean,
                         .inv_std = inv_std,
                         .gamma = gamma,
                         .beta = beta,
                         .out = y,
                         .relu = relu};
    par_for(par, n * j.bands, apply_band, &j);
}

#define BLOCK ((size_t)64) /* channels whose factors are formed together */

/* dx = gamma inv_std (dy - mean(dy) - xhat mean(dy xhat)), channels [k0, k0 + n) */
static void backward_block(const struct band_job *j, size_t at, size_t pixels, size_t k0, size_t n)
{
    const float *x = j->x + at + k0, *dy = j->dy + at + k0, *mean = j->mean + k0;
    float *dx = j->out + at + k0, scale[BLOCK], mean_dy[BLOCK], slope[BLOCK];
    size_t c = j->s.c;
    for (size_t k = 0; k < n; k++) {
        float inv_std = j->inv_std[k0 + k];
        scale[k] = j->gamma[k0 + k] * inv_std;
        mean_dy[k] = (float)(j->global[k0 + k] / j->count);
        slope[k] = (float)(j->global[c + k0 + k] / j->count * inv_std);
    }
    for (size_t p = 0; p < pixels; p++, x += c, dy += c, dx += c) {
        for (size_t k = 0; k < n; k++) {
            dx[k] = scale[k] * (dy[k] - mean_dy[k] - (x[k] - mean[k]) * slope[k]);
        }
    }
}

static void backward_band(void *ctx, size_t item, int thread)
{
    const struct band_job *j = ctx;
    size_t pixels, at = band_begin(j, item, &pixels), c = j->s.c;
    for (size_t k = 0; k < c; k += BLOCK) {
        backward_block(j, at, pixels, k, c - k < BLOCK ? c - k : BLOCK);
    }
}

void batchnorm_backward_data(const struct batchnorm_shape *s, size_t n, double count,
                             const float *x, const float *dy, const float *mean,
                             const float *inv_std, const float *gamma, const double *sums,
                             float *dx, struct par *par)
{
    struct band_job j = {.s = *s,
                         .bands = bands_of(s),
                         .x = x,
                         .dy = dy,
                         .mean = mean,
                         .inv_std = inv_std,
                         .gamma = gamma,
                         .out = dx,
                         .global = sums,
                         .count = count};
    par_for(par, n * j.bands, backward_band, &j);
}
