/* Heat maps of classes; see gradcam.h. */
#include "gradcam.h"

#include "alloc.h"
#include "err.h"
#include "model.h"
#include "naive.h"
#include "par.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DENSE_MAX 3
#define NORM_EPS 1e-5f /* as torch.nn.BatchNorm2d */
#define COLUMNS 1024   /* of a weight matrix, for one thread's turn */
#define HEAD_SIDE 7    /* of the map that the classifier's first layer takes */

struct dense {
    const float *w, *b; /* (out, in), (out) */
    size_t in, out;
    bool relu;      /* behind it */
    float *y, *dy;  /* (out) */
    const float *x; /* (in) */
    float *dx;
};

struct gradcam {
    struct model *m;
    size_t classes, c, k, h, w; /* the last convolution: channels in and out, size */
    const float *conv_w, *conv_b;
    float *scale, *shift; /* (k) of batch norm; NULL without */
    float *planes;        /* (c, h+2, w+2): its input with a border of zeros */
    float *a, *da;        /* (k,h,w) */
    float *pool, *dpool;  /* (k, h/2, w/2) */
    float *flat, *dflat;  /* what the head takes; = pool with the linear head */
    struct dense dense[DENSE_MAX];
    size_t dense_count;
};

/* --- finding the parts ----------------------------------------------------------------------- */

static const struct param *last_conv(const struct model *m, size_t *index)
{
    size_t count;
    const struct param *p = model_params(m, &count), *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (p[i].ndim == 4) {
            last = &p[i];
            *index = i;
        }
    }
    return last;
}

/* Batch norm at inference is y = scale x + shift. `at`: its number in "features.N". */
static void take_norm(struct gradcam *g, unsigned at)
{
    char name[4][48];
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        snprintf(name[i], sizeof(name[i]), "features.%u.%s", at, parts[i]);
    }
    const struct model_buffer *mean = model_buffer_find(g->m, name[2]);
    const struct model_buffer *var = model_buffer_find(g->m, name[3]);
    if (!mean || !var) {
        return;
    }
    const float *gamma = model_param_find(g->m, name[0])->value;
    const float *beta = model_param_find(g->m, name[1])->value;
    g->scale = xcalloc(g->k, sizeof(float));
    g->shift = xcalloc(g->k, sizeof(float));
    for (size_t i = 0; i < g->k; i++) {
        g->scale[i] = gamma[i] / sqrtf(var->value[i] + NORM_EPS);
        g->shift[i] = beta[i] - mean->value[i] * g->scale[i];
    }
}

static void take_dense(struct gradcam *g, const struct param *weight, const struct param *bias)
{
    if (g->dense_count == DENSE_MAX) {
        BUG("more than %d dense layers", DENSE_MAX);
    }
    struct dense *d = &g->dense[g->dense_count++];
    *d = (struct dense){
        .w = weight->value, .b = bias->value, .out = weight->shape[0], .in = weight->shape[1]};
    d->y = xcalloc(d->out, sizeof(float));
    d->dy = xcalloc(d->out, sizeof(float));
}

static void take_head(struct gradcam *g)
{
    size_t count, pooled = g->k * (g->h / 2) * (g->w / 2);
    const struct param *p = model_params(g->m, &count);
    g->pool = xcalloc(pooled, sizeof(float));
    g->dpool = xcalloc(pooled, sizeof(float));
    for (size_t i = 0; i + 1 < count; i++) {
        if (p[i].ndim == 2) {
            take_dense(g, &p[i], &p[i + 1]);
        }
    }
    bool linear = model_config(g->m)->head == MODEL_HEAD_LINEAR;
    g->flat = linear ? g->pool : xcalloc(g->dense[0].in, sizeof(float));
    g->dflat = linear ? g->dpool : xcalloc(g->dense[0].in, sizeof(float));
    for (size_t i = 0; i < g->dense_count; i++) {
        struct dense *d = &g->dense[i];
        d->relu = i + 1 < g->dense_count;
        d->x = i == 0 ? g->flat : g->dense[i - 1].y;
        d->dx = i == 0 ? g->dflat : g->dense[i - 1].dy;
    }
}

struct gradcam *gradcam_new(struct model *m, struct err *e)
{
    size_t index = 0, h, w, c;
    unsigned number = 0;
    const struct param *conv = last_conv(m, &index);
    model_feature_shape(m, &c, &h, &w);
    if (!conv || c != conv->shape[1] || !conv->trainable || h < 2 || w < 2) {
        err_set(e, ERR_USAGE, "heat maps need a model whose last convolution alone is not frozen");
        return NULL;
    }
    struct gradcam *g = xcalloc(1, sizeof(*g));
    g->m = m;
    g->classes = model_config(m)->classes;
    g->c = c;
    g->h = h;
    g->w = w;
    g->k = conv->shape[0];
    g->conv_w = conv->value;
    g->conv_b = conv[1].value;
    if (sscanf(conv->name, "features.%u.", &number) == 1) {
        take_norm(g, number + 1);
    }
    g->planes = xcalloc(c * (h + 2) * (w + 2) + 2, sizeof(float));
    g->a = xcalloc(g->k * h * w, sizeof(float));
    g->da = xcalloc(g->k * h * w, sizeof(float));
    take_head(g);
    return g;
}

void gradcam_free(struct gradcam *g)
{
    if (!g) {
        return;
    }
    if (g->flat != g->pool) {
        free(g->flat);
        free(g->dflat);
    }
    for (size_t i = 0; i < g->dense_count; i++) {
        free(g->dense[i].y);
        free(g->dense[i].dy);
    }
    free(g->scale);
    free(g->shift);
    free(g->planes);
    free(g->a);
    free(g->da);
    free(g->pool);
    free(g->dpool);
    free(g);
}

void gradcam_size(const struct gradcam *g, size_t *height, size_t *width)
{
    *height = g->h;
    *width = g->w;
}

/* --- forward --------------------------------------------------------------------------------- */

static void fill_planes(struct gradcam *g, const float *features)
{
    size_t stride = g->w + 2;
    for (size_t c = 0; c < g->c; c++) {
        for (size_t y = 0; y < g->h; y++) {
            float *row = g->planes + (c * (g->h + 2) + y + 1) * stride + 1;
            for (size_t x = 0; x < g->w; x++) {
                row[x] = features[model_feature_at(g->m, c, y, x)];
            }
        }
    }
}

/* One output channel. Rows are w+2 apart in input and sum, so that each of the nine taps is one
 * long loop; the two sums behind each row are not used. */
static void conv_channel(void *ctx, size_t k, int thread)
{
    struct gradcam *g = ctx;
    size_t stride = g->w + 2, n = g->h * stride, plane = (g->h + 2) * stride;
    float *sum = xcalloc(n, sizeof(float));
    for (size_t c = 0; c < g->c; c++) {
        const float *w = g->conv_w + (k * g->c + c) * 9, *x = g->planes + c * plane;
        for (size_t tap = 0; tap < 9; tap++) {
            const float *from = x + tap / 3 * stride + tap % 3;
            for (size_t i = 0; i < n; i++) {
                sum[i] += w[tap] * from[i];
            }
        }
    }
    float scale = g->scale ? g->scale[k] : 1, shift = g->shift ? g->shift[k] : 0;
    for (size_t y = 0; y < g->h; y++) {
        for (size_t x = 0; x < g->w; x++) {
            float v = scale * (sum[y * stride + x] + g->conv_b[k]) + shift;
            g->a[(k * g->h + y) * g->w + x] = v > 0 ? v : 0;
        }
    }
    free(sum);
}

static void dense_row(void *ctx, size_t o, int thread)
{
    const struct dense *d = ctx;
    const float *w = d->w + o * d->in;
    float lane[8] = {0}, sum = d->b[o];
    size_t i = 0;
    for (; i + 8 <= d->in; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            lane[l] += w[i + l] * d->x[i + l];
        }
    }
    for (; i < d->in; i++) {
        sum += w[i] * d->x[i];
    }
    for (size_t l = 0; l < 8; l++) {
        sum += lane[l];
    }
    d->y[o] = d->relu && sum < 0 ? 0 : sum;
}

const float *gradcam_head(struct gradcam *g)
{
    naive_maxpool_forward(g->k, g->h, g->w, g->a, g->pool);
    if (g->flat != g->pool) {
        naive_avgpool_forward(g->k, g->h / 2, g->w / 2, HEAD_SIDE, HEAD_SIDE, g->pool, g->flat);
    }
    for (size_t i = 0; i < g->dense_count; i++) {
        par_for(model_par(g->m), g->dense[i].out, dense_row, &g->dense[i]);
    }
    return g->dense[g->dense_count - 1].y;
}

const float *gradcam_forward(struct gradcam *g, const float *x)
{
    fill_planes(g, model_features(g->m, x, 1));
    par_for(model_par(g->m), g->k, conv_channel, g);
    return gradcam_head(g);
}

size_t gradcam_best(const struct gradcam *g)
{
    const float *z = g->dense[g->dense_count - 1].y;
    size_t best = 0;
    for (size_t i = 1; i < g->classes; i++) {
        best = z[i] > z[best] ? i : best;
    }
    return best;
}

float *gradcam_map(struct gradcam *g, size_t *channels)
{
    *channels = g->k;
    return g->a;
}

/* --- backward -------------------------------------------------------------------------------- */

static void dense_columns(void *ctx, size_t item, int thread)
{
    const struct dense *d = ctx;
    size_t begin = item * COLUMNS, end = begin + COLUMNS < d->in ? begin + COLUMNS : d->in;
    memset(d->dx + begin, 0, (end - begin) * sizeof(float));
    for (size_t o = 0; o < d->out; o++) {
        float dy = d->relu && d->y[o] <= 0 ? 0 : d->dy[o];
        const float *w = d->w + o * d->in;
        for (size_t i = begin; dy != 0 && i < end; i++) {
            d->dx[i] += dy * w[i];
        }
    }
}

const float *gradcam_gradient(struct gradcam *g, size_t label)
{
    struct dense *last = &g->dense[g->dense_count - 1];
    memset(last->dy, 0, last->out * sizeof(float));
    last->dy[label] = 1;
    for (size_t i = g->dense_count; i-- > 0;) {
        struct dense *d = &g->dense[i];
        par_for(model_par(g->m), (d->in + COLUMNS - 1) / COLUMNS, dense_columns, d);
    }
    if (g->flat != g->pool) {
        naive_avgpool_backward(g->k, g->h / 2, g->w / 2, HEAD_SIDE, HEAD_SIDE, g->dflat, g->dpool);
    }
    naive_maxpool_backward(g->k, g->h, g->w, g->a, g->dpool, g->da);
    return g->da;
}

void gradcam_heat(struct gradcam *g, size_t label, float *heat)
{
    size_t area = g->h * g->w;
    double *sum = xcalloc(area, sizeof(double));
    gradcam_gradient(g, label);
    for (size_t k = 0; k < g->k; k++) {
        const float *a = g->a + k * area, *da = g->da + k * area;
        double alpha = 0;
        for (size_t i = 0; i < area; i++) {
            alpha += (double)da[i];
        }
        alpha /= (double)area;
        for (size_t i = 0; i < area; i++) {
            sum[i] += alpha * (double)a[i];
        }
    }
    for (size_t i = 0; i < area; i++) {
        heat[i] = sum[i] > 0 ? (float)sum[i] : 0;
    }
    free(sum);
}
