/*
 * Near copies by thumbnail distance. All pairs are looked at, but cheaply: thumbnails are sorted by
 * mean grey, and since the root mean square difference of two pictures is at least the difference
 * of their means, only a window around each mean needs the 256-term sum, which stops early.
 */
#include "duplicates.h"

#include "alloc.h"
#include "dataset.h"
#include "err.h"
#include "image.h"
#include "par.h"
#include "pixels.h"
#include "split.h"
#include "str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- thumbnails ---- */

struct make {
    struct thumbs *t;
    struct pixels *p;
    uint8_t *scratch;
    size_t bytes_each;
    size_t first; /* sample of item 0 */
    struct err *errors;
    size_t *bad;
};

static void shrink_to_grey(const uint8_t *px, int width, int height, uint8_t *grey)
{
    const struct image view = {.width = width, .height = height, .px = (uint8_t *)px};
    uint8_t rgb[DUPLICATES_BYTES * 3];

    image_resize(&view, IMAGE_AREA, DUPLICATES_SIDE, DUPLICATES_SIDE, rgb);
    for (size_t i = 0; i < DUPLICATES_BYTES; i++) {
        grey[i] = (uint8_t)((299 * rgb[3 * i] + 587 * rgb[3 * i + 1] + 114 * rgb[3 * i + 2] + 500) /
                            1000);
    }
}

static void make_item(void *ctx, size_t item, int thread)
{
    struct make *m = ctx;

    if (m->bad[thread] != SIZE_MAX) {
        return;
    }
    item += m->first;
    const uint8_t *px =
        pixels_get(m->p, item, m->scratch + (size_t)thread * m->bytes_each, &m->errors[thread]);
    if (px == NULL) {
        m->bad[thread] = item;
        return;
    }
    shrink_to_grey(px, pixels_width(m->p), pixels_height(m->p),
                   m->t->grey + item * DUPLICATES_BYTES);
}

int thumbs_make(struct thumbs *t, struct pixels *p, size_t first, size_t last, struct par *par,
                struct err *e)
{
    size_t threads = (size_t)par_threads(par), worst = SIZE_MAX;
    struct make m = {.t = t, .p = p, .first = first};
    int rc = 0;

    t->count = pixels_dataset(p)->count;
    t->grey = xcalloc(t->count, DUPLICATES_BYTES);
    m.bytes_each = (size_t)pixels_width(p) * (size_t)pixels_height(p) * 3;
    m.scratch = xmalloc(threads * m.bytes_each);
    m.errors = xcalloc(threads, sizeof(*m.errors));
    m.bad = xmalloc(threads * sizeof(*m.bad));
    for (size_t i = 0; i < threads; i++) {
        m.bad[i] = SIZE_MAX;
    }
    par_for(par, last - first, make_item, &m);
    for (size_t i = 0; i < threads; i++) {
        if (m.bad[i] < worst) {
            worst = m.bad[i];
            rc = -1;
            if (e != NULL) {
                *e = m.errors[i];
            }
        }
    }
    if (rc < 0) {
        thumbs_release(t);
    }
    free(m.scratch);
    free(m.errors);
    free(m.bad);
    return rc;
}

void thumbs_release(struct thumbs *t)
{
    free(t->grey);
    *t = (struct thumbs){0};
}

/* Sum of squared differences, or something above `limit` as soon as it is passed. */
static uint32_t squares(const struct thumbs *t, size_t a, size_t b, uint32_t limit)
{
    const uint8_t *p = t->grey + a * DUPLICATES_BYTES, *q = t->grey + b * DUPLICATES_BYTES;
    uint32_t sum = 0;

    for (size_t i = 0; i < DUPLICATES_BYTES && sum <= limit; i += DUPLICATES_SIDE) {
        for (size_t k = i; k < i + DUPLICATES_SIDE; k++) {
            int d = (int)p[k] - (int)q[k];
            sum += (uint32_t)(d * d);
        }
    }
    return sum;
}

double thumbs_distance(const struct thumbs *t, size_t a, size_t b)
{
    return sqrt((double)squares(t, a, b, UINT32_MAX) / DUPLICATES_BYTES);
}

static uint32_t limit_of(double threshold)
{
    return (uint32_t)(threshold * threshold * DUPLICATES_BYTES);
}

/* ---- candidates by mean ---- */

struct ranked {
    double mean;
    size_t sample;
};

static int by_mean(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->mean != y->mean) {
        return x->mean < y->mean ? -1 : 1;
    }
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static double mean_of(const struct thumbs *t, size_t sample)
{
    const uint8_t *p = t->grey + sample * DUPLICATES_BYTES;
    unsigned sum = 0;

    for (size_t i = 0; i < DUPLICATES_BYTES; i++) {
        sum += p[i];
    }
    return (double)sum / DUPLICATES_BYTES;
}

static struct ranked *rank_samples(const struct thumbs *t, const size_t *samples, size_t n)
{
    struct ranked *list = xmalloc((n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++) {
        size_t sample = samples ? samples[i] : i;
        list[i] = (struct ranked){mean_of(t, sample), sample};
    }
    qsort(list, n, sizeof(*list), by_mean);
    return list;
}

/* First entry with a mean of at least `low`. */
static size_t lower_bound(const struct ranked *list, size_t n, double low)
{
    size_t from = 0;

    while (n > 0) {
        size_t half = n / 2;

        if (list[from + half].mean < low) {
            from += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return from;
}

/* ---- across the split ---- */

struct nearest {
    size_t train;
    uint32_t sum; /* of squares; UINT32_MAX: none near */
};

struct find {
    const struct thumbs *t;
    const struct split *s;
    const struct ranked *train;
    double threshold;
    struct nearest *best; /* [valid_count] */
};

static void find_item(void *ctx, size_t item, int thread)
{
    struct find *f = ctx;
    size_t sample = f->s->valid[item];
    double mean = mean_of(f->t, sample);
    uint32_t limit = limit_of(f->threshold);
    struct nearest best = {.sum = UINT32_MAX};

    for (size_t i = lower_bound(f->train, f->s->train_count, mean - f->threshold);
         i < f->s->train_count && f->train[i].mean <= mean + f->threshold; i++) {
        uint32_t sum = squares(f->t, sample, f->train[i].sample, limit);

        if (sum <= limit &&
            (sum < best.sum || (sum == best.sum && f->train[i].sample < best.train))) {
            best = (struct nearest){f->train[i].sample, sum};
        }
    }
    f->best[item] = best;
}

void duplicates_find(const struct thumbs *t, const struct split *s, double threshold,
                     struct par *par, struct duplicates *out)
{
    struct ranked *train = rank_samples(t, s->train, s->train_count);
    struct find f = {.t = t,
                     .s = s,
                     .train = train,
                     .threshold = threshold > 0 ? threshold : DUPLICATES_THRESHOLD,
                     .best = xcalloc(s->valid_count + 1, sizeof(struct nearest))};
    uint32_t least = UINT32_MAX;

    par_for(par, s->valid_count, find_item, &f);
    *out = (struct duplicates){.valid_count = s->valid_count, .threshold = f.threshold};
    for (size_t i = 0; i < s->valid_count; i++) {
        if (f.best[i].sum == UINT32_MAX) {
            continue;
        }
        out->near_count++;
        if (f.best[i].sum < least) {
            least = f.best[i].sum;
            out->valid_example = s->valid[i];
            out->train_example = f.best[i].train;
            out->example_distance = sqrt((double)least / DUPLICATES_BYTES);
        }
    }
    free(f.best);
    free(train);
}

/* ---- groups ---- */

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

size_t duplicates_groups(const struct thumbs *t, double threshold, size_t *group_of)
{
    double near = threshold > 0 ? threshold : DUPLICATES_THRESHOLD;
    uint32_t limit = limit_of(near);
    struct ranked *list = rank_samples(t, NULL, t->count);
    size_t *parent = xmalloc((t->count + 1) * sizeof(*parent)), groups = 0;

    for (size_t i = 0; i < t->count; i++) {
        parent[i] = i;
    }
    for (size_t i = 0; i < t->count; i++) {
        for (size_t j = i + 1; j < t->count && list[j].mean <= list[i].mean + near; j++) {
            size_t a = root_of(parent, list[i].sample), b = root_of(parent, list[j].sample);

            if (a != b && squares(t, list[i].sample, list[j].sample, limit) <= limit) {
                parent[a > b ? a : b] = a < b ? a : b; /* the root is the first sample */
            }
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t root = root_of(parent, i);
        group_of[i] = root == i ? groups++ : group_of[root];
    }
    free(parent);
    free(list);
    return groups;
}

void duplicates_describe(const struct duplicates *r, const struct dataset *d, struct strbuf *out)
{
    strbuf_addf(out, "%zu of %zu validation pictures have a near copy in training", r->near_count,
                r->valid_count);
    if (r->near_count > 0) {
        strbuf_addf(out, " (e.g. %s and %s, %.1f grey levels apart at %d x %d)",
                    d->samples[r->valid_example].path, d->samples[r->train_example].path,
                    r->example_distance, DUPLICATES_SIDE, DUPLICATES_SIDE);
    }
}
