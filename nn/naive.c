/* Reference loops; see naive.h. */

#include "naive.h"

#include "batchnorm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- convolution: y[n,k,r,q] = b[k] + sum over c, i, j of x[n,c,r+i-1,q+j-1] w[k,c,i,j] --------
 */

typedef void tap_fn(void *ctx, size_t x, size_t w, size_t y);

/* Calls fn for every product that the convolution consists of, with indexes into x, w and y. */
static void each_tap(const struct naive_conv *s, tap_fn *fn, void *ctx)
{
    for (size_t n = 0; n < s->n; n++) {
        for (size_t k = 0; k < s->k; k++) {
            for (size_t c = 0; c < s->c; c++) {
                for (size_t at = 0; at < s->h * s->w * 9; at++) {
                    size_t r = at / 9 / s->w, q = at / 9 % s->w, i = at % 9 / 3, j = at % 3;
                    if (r + i < 1 || r + i > s->h || q + j < 1 || q + j > s->w) {
                        continue; /* the zero border */
                    }
                    fn(ctx, ((n * s->c + c) * s->h + r + i - 1) * s->w + q + j - 1,
                       (k * s->c + c) * 9 + i * 3 + j, ((n * s->k + k) * s->h + r) * s->w + q);
                }
            }
        }
    }
}

struct conv_sums {
    const float *x, *w, *dy;
    double *sum;
};

static void tap_forward(void *ctx, size_t x, size_t w, size_t y)
{
    struct conv_sums *s = ctx;
    s->sum[y] += (double)s->x[x] * s->w[w];
}

static void tap_data(void *ctx, size_t x, size_t w, size_t y)
{
    struct conv_sums *s = ctx;
    s->sum[x] += (double)s->dy[y] * s->w[w];
}

static void tap_weights(void *ctx, size_t x, size_t w, size_t y)
{
    struct conv_sums *s = ctx;
    s->sum[w] += (double)s->dy[y] * s->x[x];
}

static void run_taps(const struct naive_conv *s, tap_fn *fn, struct conv_sums *sums, size_t count,
                     float *out)
{
    sums->sum = calloc(count ? count : 1, sizeof(double));
    if (!sums->sum) {
        abort();
    }
    each_tap(s, fn, sums);
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)sums->sum[i];
    }
    free(sums->sum);
}

void naive_conv_forward(const struct naive_conv *s, const float *x, const float *w, const float *b,
                        float *y)
{
    size_t area = s->h * s->w;
    run_taps(s, tap_forward, &(struct conv_sums){.x = x, .w = w}, s->n * s->k * area, y);
    for (size_t i = 0; b && i < s->n * s->k * area; i++) {
        y[i] += b[i / area % s->k];
    }
}

void naive_conv_backward_data(const struct naive_conv *s, const float *dy, const float *w,
                              float *dx)
{
    run_taps(s, tap_data, &(struct conv_sums){.dy = dy, .w = w}, s->n * s->c * s->h * s->w, dx);
}

void naive_conv_backward_weights(const struct naive_conv *s, const float *x, const float *dy,
                                 float *dw, float *db)
{
    run_taps(s, tap_weights, &(struct conv_sums){.x = x, .dy = dy}, 9 * s->k * s->c, dw);
    size_t area = s->h * s->w;
    for (size_t k = 0; k < s->k; k++) {
        double sum = 0;
        for (size_t i = 0; i < s->n * area; i++) {
            sum += dy[(i / area * s->k + k) * area + i % area];
        }
        db[k] = (float)sum;
    }
}

/* --- ReLU ------------------------------------------------------------------------------------ */

void naive_relu_forward(size_t count, const float *x, float *y)
{
    for (size_t i = 0; i < count; i++) {
        y[i] = x[i] > 0 ? x[i] : 0;
    }
}

void naive_relu_backward(size_t count, const float *x, const float *dy, float *dx)
{
    for (size_t i = 0; i < count; i++) {
        dx[i] = x[i] > 0 ? dy[i] : 0;
    }
}

/* --- pooling --------------------------------------------------------------------------------- */

/* Index into x of the largest of the four of output (plane, r, q). */
static size_t largest(const float *x, size_t h, size_t w, size_t plane, size_t r, size_t q)
{
    size_t best = (plane * h + 2 * r) * w + 2 * q, first = best;
    for (size_t i = 0; i < 4; i++) {
        size_t at = first + i / 2 * w + i % 2;
        best = x[at] > x[best] ? at : best;
    }
    return best;
}

void naive_maxpool_forward(size_t planes, size_t h, size_t w, const float *x, float *y)
{
    size_t oh = h / 2, ow = w / 2;
    for (size_t i = 0; i < planes * oh * ow; i++) {
        y[i] = x[largest(x, h, w, i / (oh * ow), i / ow % oh, i % ow)];
    }
}

void naive_maxpool_backward(size_t planes, size_t h, size_t w, const float *x, const float *dy,
                            float *dx)
{
    size_t oh = h / 2, ow = w / 2;
    memset(dx, 0, planes * h * w * sizeof(float));
    for (size_t i = 0; i < planes * oh * ow; i++) {
        dx[largest(x, h, w, i / (oh * ow), i / ow % oh, i % ow)] += dy[i];
    }
}

/* Share of input row i in output row o: 1 / window when it is inside, else 0. */
static double share(size_t o, size_t i, size_t in, size_t out)
{
    size_t begin = (size_t)floor((double)o * (double)in / (double)out);
    size_t end = (size_t)ceil((double)(o + 1) * (double)in / (double)out);
    return i >= begin && i < end ? 1.0 / (double)(end - begin) : 0.0;
}

void naive_avgpool_forward(size_t planes, size_t h, size_t w, size_t oh, size_t ow, const float *x,
                           float *y)
{
    for (size_t o = 0; o < planes * oh * ow; o++) {
        double sum = 0;
        for (size_t i = 0; i < h * w; i++) {
            sum += x[o / (oh * ow) * h * w + i] * share(o / ow % oh, i / w, h, oh) *
                   share(o % ow, i % w, w, ow);
        }
        y[o] = (float)sum;
    }
}

void naive_avgpool_backward(size_t planes, size_t h, size_t w, size_t oh, size_t ow,
                            const float *dy, float *dx)
{
    for (size_t i = 0; i < planes * h * w; i++) {
        double sum = 0;
        for (size_t o = 0; o < oh * ow; o++) {
            sum += dy[i / (h * w) * oh * ow + o] * share(o / ow, i / w % h, h, oh) *
                   share(o % ow, i % w, w, ow);
        }
        dx[i] = (float)sum;
    }
}

/* --- dense ----------------------------------------------------------------------------------- */

void naive_dense_forward(size_t n, size_t in, size_t out, const float *x, const float *w,
                         const float *b, float *y)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t o = 0; o < out; o++) {
            double sum = b ? b[o] : 0;
            for (size_t i = 0; i < in; i++) {
                sum += (double)x[r * in + i] * w[o * in + i];
            }
            y[r * out + o] = (float)sum;
        }
    }
}

void naive_dense_backward(size_t n, size_t in, size_t out, const float *x, const float *w,
                          const float *dy, float *dx, float *dw, float *db)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t o = 0; o < out; o++) {
                sum += (double)dy[r * out + o] * w[o * in + i];
            }
            dx[r * in + i] = (float)sum;
        }
    }
    for (size_t o = 0; o < out; o++) {
        double bias = 0;
        for (size_t r = 0; r < n; r++) {
            bias += dy[r * out + o];
        }
        db[o] = (float)bias;
        for (size_t i = 0; i < in; i++) {
            double sum = 0;
            for (size_t r = 0; r < n; r++) {
                sum += (double)dy[r * out + o] * x[r * in + i];
            }
            dw[o * in + i] = (float)sum;
        }
    }
}

/* --- batch norm ------------------------------------------------------------------------------ */

static size_t element(size_t i, size_t k, size_t c, size_t area)
{
    return (i / area * c + k) * area + i % area;
}

void naive_batchnorm_forward(size_t n, size_t c, size_t area, const float *x, const float *gamma,
                             const float *beta, float *y, double *mean, double *var)
{
    for (size_t k = 0; k < c; k++) {
        double sum = 0, square = 0, count = (double)(n * area);
        for (size_t i = 0; i < n * area; i++) {
            sum += x[element(i, k, c, area)];
        }
        mean[k] = sum / count;
        for (size_t i = 0; i < n * area; i++) {
            double d = x[element(i, k, c, area)] - mean[k];
            square += d * d;
        }
        var[k] = square / count;
        for (size_t i = 0; i < n * area; i++) {
            size_t at = element(i, k, c, area);
            y[at] = (float)(gamma[k] * (x[at] - mean[k]) / sqrt(var[k] + BATCHNORM_EPS) + beta[k]);
        }
    }
}

/* The derivative written out: d xhat_j / d x_i = (delta_ij - 1/M - xhat_i xhat_j / M) / std. */
void naive_batchnorm_backward(size_t n, size_t c, size_t area, const float *x, const float *gamma,
                              const float *dy, float *dx, float *dgamma, float *dbeta)
{
    double count = (double)(n * area);
    for (size_t k = 0; k < c; k++) {
        double mean = 0, var = 0, sum = 0, dot = 0;
        for (size_t i = 0; i < n * area; i++) {
            mean += x[element(i, k, c, area)] / count;
        }
        for (size_t i = 0; i < n * area; i++) {
            double d = x[element(i, k, c, area)] - mean;
            var += d * d / count;
        }
        double std = sqrt(var + BATCHNORM_EPS);
        for (size_t i = 0; i < n * area; i++) {
            size_t at = element(i, k, c, area);
            sum += dy[at];
            dot += dy[at] * (x[at] - mean) / std;
        }
        for (size_t i = 0; i < n * area; i++) {
            size_t at = element(i, k, c, area);
            double xhat = (x[at] - mean) / std;
            dx[at] = (float)(gamma[k] / std * (dy[at] - sum / count - xhat * dot / count));
        }
        dgamma[k] = (float)dot;
        dbeta[k] = (float)sum;
    }
}

/* --- loss ------------------------------------------------------------------------------------ */

double naive_xent(size_t n, size_t classes, const float *logits, const int32_t *labels,
                  float *dlogits)
{
    double loss = 0;
    for (size_t r = 0; r < n; r++) {
        const float *z = logits + r * classes;
        double sum = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += exp((double)z[c] - z[labels[r]]);
        }
        loss += log(sum) / (double)n;
        for (size_t c = 0; dlogits && c < classes; c++) {
            double p = exp((double)z[c] - z[labels[r]]) / sum, t = (size_t)labels[r] == c;
            dlogits[r * classes + c] = (float)((p - t) / (double)n);
        }
    }
    return loss;
}
