/* Batch normalisation; see batchnorm.h. Sums are formed a plane (image, channel) at a time in
 * double, in eight lanes; then planes of a shard in order, then the tree of shards. */

#include "batchnorm.h"

#include "par.h"
#include "shard.h"

#include <math.h>
#include <string.h>

struct plane_job {
    struct batchnorm_shape s;
    const float *x, *dy, *mean, *inv_std, *gamma, *beta;
    float *out;
    double *planes; /* (rows, c, 2) */
    const double *sums;
    double count;
    bool relu;
};

size_t batchnorm_workspace(const struct batchnorm_shape *s, size_t rows, size_t shards)
{
    return 2 * s->c * (rows + shards);
}

static double add_lanes(const double *l)
{
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

/* --- sums over planes ------------------------------------------------------------------------ */

static void sums_plane(void *ctx, size_t plane, int thread)
{
    const struct plane_job *j = ctx;
    const float *x = j->x + plane * j->s.area;
    double sum[8] = {0}, square[8] = {0};
    size_t i = 0;
    for (; i + 8 <= j->s.area; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            double v = x[i + l];
            sum[l] += v;
            square[l] += v * v;
        }
    }
    for (; i < j->s.area; i++) {
        double v = x[i];
        sum[i % 8] += v;
        square[i % 8] += v * v;
    }
    j->planes[2 * plane] = add_lanes(sum);
    j->planes[2 * plane + 1] = add_lanes(square);
}

static void backward_sums_plane(void *ctx, size_t plane, int thread)
{
    const struct plane_job *j = ctx;
    const float *x = j->x + plane * j->s.area, *dy = j->dy + plane * j->s.area;
    float mean = j->mean[plane % j->s.c], inv_std = j->inv_std[plane % j->s.c];
    double sum[8] = {0}, dot[8] = {0};
    size_t i = 0;
    for (; i + 8 <= j->s.area; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            double d = dy[i + l];
            sum[l] += d;
            dot[l] += d * (double)((x[i + l] - mean) * inv_std);
        }
    }
    for (; i < j->s.area; i++) {
        double d = dy[i];
        sum[i % 8] += d;
        dot[i % 8] += d * (double)((x[i] - mean) * inv_std);
    }
    j->planes[2 * plane] = add_lanes(sum);
    j->planes[2 * plane + 1] = add_lanes(dot);
}

/* planes (rows, c, 2) -> shards (count, 2, c), rows of a shard in order. */
static void add_planes(const struct shard_split *split, size_t c, const double *planes,
                       double *shards)
{
    memset(shards, 0, split->count * 2 * c * sizeof(double));
    for (size_t i = 0; i < split->count; i++) {
        double *to = shards + i * 2 * c;
        for (size_t n = split->begin[i]; n < split->begin[i + 1]; n++) {
            for (size_t k = 0; k < c; k++) {
                to[k] += planes[2 * (n * c + k)];
                to[c + k] += planes[2 * (n * c + k) + 1];
            }
        }
    }
}

void batchnorm_sums(const struct batchnorm_shape *s, const struct shard_split *split,
                    const float *x, double *sums, double *ws, struct par *par)
{
    double *shards = ws + 2 * s->c * split->rows;
    struct plane_job j = {.s = *s, .x = x, .planes = ws};
    par_for(par, split->rows * s->c, sums_plane, &j);
    add_planes(split, s->c, ws, shards);
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
    double *shards = ws + 2 * s->c * split->rows;
    struct plane_job j = {
        .s = *s, .x = x, .dy = dy, .mean = mean, .inv_std = inv_std, .planes = ws};
    par_for(par, split->rows * s->c, backward_sums_plane, &j);
    add_planes(split, s->c, ws, shards);
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

/* --- planes ---------------------------------------------------------------------------------- */

static void apply_plane(void *ctx, size_t plane, int thread)
{
    const struct plane_job *j = ctx;
    size_t k = plane % j->s.c;
    const float *x = j->x + plane * j->s.area;
    float *y = j->out + plane * j->s.area;
    float mean = j->mean[k], scale = j->gamma[k] * j->inv_std[k], beta = j->beta[k];
    if (j->relu) {
        for (size_t i = 0; i < j->s.area; i++) {
            float v = (x[i] - mean) * scale + beta;
            y[i] = v < 0 ? 0 : v;
        }
    } else {
        for (size_t i = 0; i < j->s.area; i++) {
            y[i] = (x[i] - mean) * scale + beta;
        }
    }
}

void batchnorm_apply(const struct batchnorm_shape *s, size_t n, const float *x, const float *mean,
                     const float *inv_std, const float *gamma, const float *beta, bool relu,
                     float *y, struct par *par)
{
    struct plane_job j = {.s = *s,
                          .x = x,
                          .mean = mean,
                          .inv_std = inv_std,
                          .gamma = gamma,
                          .beta = beta,
                          .out = y,
                          .relu = relu};
    par_for(par, n * s->c, apply_plane, &j);
}

/* dx = gamma inv_std (dy - mean(dy) - xhat mean(dy xhat)) */
static void backward_plane(void *ctx, size_t plane, int thread)
{
    const struct plane_job *j = ctx;
    size_t k = plane % j->s.c;
    const float *x = j->x + plane * j->s.area, *dy = j->dy + plane * j->s.area;
    float *dx = j->out + plane * j->s.area;
    float mean = j->mean[k], inv_std = j->inv_std[k], scale = j->gamma[k] * inv_std;
    float mean_dy = (float)(j->sums[k] / j->count);
    float slope = (float)(j->sums[j->s.c + k] / j->count * inv_std);
    for (size_t i = 0; i < j->s.area; i++) {
        dx[i] = scale * (dy[i] - mean_dy - (x[i] - mean) * slope);
    }
}

void batchnorm_backward_data(const struct batchnorm_shape *s, size_t n, double count,
                             const float *x, const float *dy, const float *mean,
                             const float *inv_std, const float *gamma, const double *sums,
                             float *dx, struct par *par)
{
    struct plane_job j = {.s = *s,
                          .x = x,
                          .dy = dy,
                          .mean = mean,
                          .inv_std = inv_std,
                          .gamma = gamma,
                          .out = dx,
                          .sums = sums,
                          .count = count};
    par_for(par, n * s->c, backward_plane, &j);
}
