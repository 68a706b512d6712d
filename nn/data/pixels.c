/*
 * The remembered pictures: one atomic pointer a sample, set once. Two threads that want the same
 * new picture may both decode it; the first to publish wins and the other's copy is freed, which is
 * rarer and cheaper than a lock around every look-up. The bound is kept by an atomic count
 * of bytes reserved before a picture is stored.
 */
#include "pixels.h"

#include "alloc.h"
#include "dataset.h"
#include "err.h"
#include "image.h"
#include "par.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE_PX = 4096 };

struct pixels {
    const struct dataset *d;
    int width, height;
    size_t bytes_each, limit;
    struct image_options decode;
    _Atomic(uint8_t *) *slots; /* [d->count] */
    atomic_size_t reserved, cached, decoded;
};

struct pixels *pixels_new(const struct dataset *d, const struct pixels_options *opt, struct err *e)
{
    if (opt->width < 1 || opt->height < 1 || opt->width > MAX_SIDE_PX ||
        opt->height > MAX_SIDE_PX) {
        err_set(e, ERR_LIMIT, "pictures of %d x %d pixels for the network, expected 1 to %d a side",
                opt->width, opt->height, MAX_SIDE_PX);
        return NULL;
    }
    struct pixels *p = xcalloc(1, sizeof(*p));

    p->d = d;
    p->width = opt->width;
    p->height = opt->height;
    p->bytes_each = (size_t)opt->width * (size_t)opt->height * 3;
    p->limit = opt->no_cache ? 0 : opt->cache_bytes ? opt->cache_bytes : PIXELS_DEFAULT_CACHE_BYTES;
    if (opt->decode != NULL) {
        p->decode = *opt->decode;
    }
    p->slots = xcalloc(d->count, sizeof(*p->slots));
    return p;
}

void pixels_free(struct pixels *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->d->count; i++) {
        free(atomic_load(&p->slots[i]));
    }
    free(p->slots);
    free(p);
}

int pixels_width(const struct pixels *p)
{
    return p->width;
}
int pixels_height(const struct pixels *p)
{
    return p->height;
}
const struct dataset *pixels_dataset(const struct pixels *p)
{
    return p->d;
}
size_t pixels_cached(const struct pixels *p)
{
    return atomic_load(&p->cached);
}
size_t pixels_decoded(const struct pixels *p)
{
    return atomic_load(&p->decoded);
}

static int load(struct pixels *p, size_t sample, uint8_t *dst, struct err *e)
{
    char path[DATASET_PATH_MAX];
    struct image im = IMAGE_INIT;

    if (image_load(dataset_path(p->d, sample, path), &p->decode, &im, e) < 0) {
        return -1;
    }
    image_resize(&im, IMAGE_BILINEAR, p->width, p->height, dst);
    image_release(&im);
    atomic_fetch_add(&p->decoded, 1);
    return 0;
}

/* True when the caller may store one more picture. */
static bool reserve(struct pixels *p)
{
    if (atomic_fetch_add(&p->reserved, p->bytes_each) + p->bytes_each <= p->limit) {
        return true;
    }
    atomic_fetch_sub(&p->reserved, p->bytes_each);
    return false;
}

static const uint8_t *publish(struct pixels *p, size_t sample, uint8_t *mine)
{
    uint8_t *there = NULL;

    if (atomic_compare_exchange_strong(&p->slots[sample], &there, mine)) {
        atomic_fetch_add(&p->cached, 1);
        return mine;
    }
    atomic_fetch_sub(&p->reserved, p->bytes_each);
    free(mine);
    return there;
}

const uint8_t *pixels_get(struct pixels *p, size_t sample, uint8_t *scratch, struct err *e)
{
    const uint8_t *have = atomic_load_explicit(&p->slots[sample], memory_order_acquire);

    if (have != NULL) {
        return have;
    }
    if (!reserve(p)) {
        return load(p, sample, scratch, e) < 0 ? NULL : scratch;
    }
    uint8_t *mine = xmalloc(p->bytes_each);
    if (load(p, sample, mine, e) < 0) {
        atomic_fetch_sub(&p->reserved, p->bytes_each);
        free(mine);
        return NULL;
    }
    return publish(p, sample, mine);
}

/* ---- filling in parallel ---- */

struct fill {
    struct pixels *p;
    const size_t *samples;
    uint8_t *scratch;   /* one picture a thread */
    struct err *errors; /* one a thread: the error of its first bad item .. */
    size_t *bad;        /* .. whose position is here; SIZE_MAX: none */
};

static void fill_item(void *ctx, size_t item, int thread)
{
    struct fill *f = ctx;

    if (f->bad[thread] != SIZE_MAX) {
        return; /* items come in rising order: a thread's first error is its lowest */
    }
    if (pixels_get(f->p, f->samples[item], f->scratch + (size_t)thread * f->p->bytes_each,
                   &f->errors[thread]) == NULL) {
        f->bad[thread] = item;
    }
}

int pixels_fill(struct pixels *p, const size_t *samples, size_t n, struct par *par, struct err *e)
{
    size_t threads = (size_t)par_threads(par), worst = SIZE_MAX;
    struct fill f = {.p = p, .samples = samples};
    int rc = 0;

    f.scratch = xmalloc(threads * p->bytes_each);
    f.errors = xcalloc(threads, sizeof(*f.errors));
    f.bad = xmalloc(threads * sizeof(*f.bad));
    for (size_t t = 0; t < threads; t++) {
        f.bad[t] = SIZE_MAX;
    }
    par_for(par, n, fill_item, &f);
    for (size_t t = 0; t < threads; t++) {
        if (f.bad[t] < worst) {
            worst = f.bad[t];
            rc = -1;
            if (e != NULL) {
                *e = f.errors[t];
            }
        }
    }
    free(f.scratch);
    free(f.errors);
    free(f.bad);
    return rc;
}
