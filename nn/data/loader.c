/*
 * The ring: batch b lives in slot b mod ring. The consumer opens slots (says which rows they hold);
 * threads take rows one by one in order, so that all of them help the batch the step is waiting
 * for. One mutex guards the positions; rows are made outside it, into memory that only the
 * row's thread touches.
 *
 *     held            dealt                 opened
 *     | lent to the   | rows being          | first batch without
 *     | caller        | handed out          | a slot
 *   [ b ][ b+1 ][ b+2 ][ b+3 ]              opened <= held + ring
 */
#include "loader.h"

#include "alloc.h"
#include "augment.h"
#include "dataset.h"
#include "err.h"
#include "image.h"
#include "par.h"
#include "pixels.h"
#include "rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PREFETCH = 3, MAX_THREADS = 64 };

struct slot {
    float *x; /* (rows, 3, H, W) */
    int32_t *labels;
    size_t *samples;
    size_t first_row, rows, global_rows;
    size_t done;      /* rows finished */
    size_t bad_row;   /* lowest row that failed; SIZE_MAX: none */
    struct err error; /* of bad_row */
};

struct loader {
    struct pixels *pixels;
    size_t *samples, count, batch, batches, row_floats;
    uint64_t seed;
    bool shuffle, drop_last, augments;
    struct augment_options augment;
    struct image_norm norm;
    loader_rows_fn *rows;
    void *rows_ctx;
    loader_fill_fn *fill;
    void *fill_ctx;

    size_t *order; /* samples, permuted for the epoch */
    uint64_t epoch;
    struct slot *ring;
    size_t ring_count, max_rows;

    pthread_mutex_t lock;
    pthread_cond_t work, ready; /* rows to deal; a batch is whole, or no row is busy */
    size_t held, next;          /* oldest batch in the ring; the one loader_next gives next */
    size_t opened;              /* batches with a slot */
    size_t dealt, dealt_row;    /* the next row to hand out */
    size_t busy;                /* rows being made */
    bool stop;
    pthread_t threads[MAX_THREADS];
    uint8_t *scratch; /* one picture a thread, and one for the caller */
    int thread_count;
};

/* ---- geometry ---- */

size_t loader_batches(const struct loader *l)
{
    return l->batches;
}

size_t loader_batch_rows(const struct loader *l, size_t index)
{
    size_t left = l->count - index * l->batch;

    return left < l->batch ? left : l->batch;
}

size_t loader_bytes(const struct loader *l)
{
    size_t row = l->row_floats * sizeof(float) + sizeof(int32_t) + sizeof(size_t);

    return l->ring_count * l->max_rows * row;
}

static void own_rows(const struct loader *l, size_t global_rows, size_t *first, size_t *last)
{
    *first = 0;
    *last = global_rows;
    if (l->rows != NULL) {
        l->rows(l->rows_ctx, global_rows, first, last);
    }
    if (*first > *last || *last > global_rows) {
        BUG("rows [%zu, %zu) of a batch of %zu", *first, *last, global_rows);
    }
}

/* ---- one row ---- */

static int make_picture(struct loader *l, size_t sample, float *x, uint8_t *scratch, struct err *e)
{
    int width = pixels_width(l->pixels), height = pixels_height(l->pixels);
    const uint8_t *px = pixels_get(l->pixels, sample, scratch, e);

    if (px == NULL) {
        return -1;
    }
    if (l->augments) {
        struct augment_params p;
        struct affine map;

        augment_draw(&l->augment, l->seed, l->epoch, sample, &p);
        augment_affine(&p, width, height, &map);
        augment_apply(px, width, height, &map, &l->norm, x);
    } else {
        image_to_chw(px, width, height, &l->norm, x);
    }
    return 0;
}

static void make_row(struct loader *l, struct slot *s, size_t row, uint8_t *scratch)
{
    size_t sample = s->samples[row];
    float *x = s->x + row * l->row_floats;
    struct err error = ERR_INIT;
    int rc = l->fill ? l->fill(l->fill_ctx, sample, x, &error)
                     : make_picture(l, sample, x, scratch, &error);

    if (rc < 0) {
        pthread_mutex_lock(&l->lock);
        if (row < s->bad_row) {
            s->bad_row = row;
            s->error = error;
        }
        pthread_mutex_unlock(&l->lock);
    }
}

/* ---- slots and rows; the lock is held ---- */

static void open_slot(struct loader *l, size_t index)
{
    struct slot *s = &l->ring[index % l->ring_count];
    const struct dataset *d = pixels_dataset(l->pixels);
    size_t last;

    s->global_rows = loader_batch_rows(l, index);
    own_rows(l, s->global_rows, &s->first_row, &last);
    s->rows = last - s->first_row;
    if (s->rows > l->max_rows) {
        BUG("%zu rows in a ring made for %zu", s->rows, l->max_rows);
    }
    s->done = 0;
    s->bad_row = SIZE_MAX;
    for (size_t i = 0; i < s->rows; i++) {
        s->samples[i] = l->order[index * l->batch + s->first_row + i];
        s->labels[i] = (int32_t)d->samples[s->samples[i]].label;
    }
}

static void open_slots(struct loader *l)
{
    while (l->opened < l->batches && l->opened < l->held + l->ring_count) {
        open_slot(l, l->opened++);
    }
    pthread_cond_broadcast(&l->work);
}

/* The next row to make; false when all opened ones are handed out. */
static bool deal(struct loader *l, struct slot **slot, size_t *row)
{
    while (l->dealt < l->opened) {
        struct slot *s = &l->ring[l->dealt % l->ring_count];

        if (l->dealt_row < s->rows) {
            *slot = s;
            *row = l->dealt_row++;
            return true;
        }
        l->dealt++;
        l->dealt_row = 0;
    }
    return false;
}

/* Makes the dealt row outside the lock. */
static void work_on(struct loader *l, struct slot *s, size_t row, uint8_t *scratch)
{
    l->busy++;
    pthread_mutex_unlock(&l->lock);
    make_row(l, s, row, scratch);
    pthread_mutex_lock(&l->lock);
    l->busy--;
    s->done++;
    if (s->done == s->rows || l->busy == 0) {
        pthread_cond_broadcast(&l->ready);
    }
}

static size_t picture_bytes(const struct loader *l)
{
    return l->fill ? 0 : l->row_floats; /* a byte each */
}

struct worker {
    struct loader *l;
    uint8_t *scratch;
};

static void *run(void *arg)
{
    struct worker w = *(struct worker *)arg;
    struct loader *l = w.l;

    free(arg);
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        struct slot *s;
        size_t row;

        if (deal(l, &s, &row)) {
            work_on(l, s, row, w.scratch);
        } else {
            pthread_cond_wait(&l->work, &l->lock);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- life ---- */

/* Signals belong to the program's main thread. */
static int start_thread(struct loader *l, int index, struct err *e)
{
    struct worker *w = xmalloc(sizeof(*w));
    sigset_t all, old;

    *w = (struct worker){l, l->scratch + (size_t)index * picture_bytes(l)};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&l->threads[index], NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        free(w);
        return err_set(e, ERR_IO, "cannot start a loader thread: %s", strerror(rc));
    }
    l->thread_count++;
    return 0;
}

static int threads_wanted(int asked)
{
    int n = asked > 0 ? asked : asked < 0 ? 0 : par_cores() / 2;

    n = asked == 0 && n < 1 ? 1 : n;
    return n > MAX_THREADS ? MAX_THREADS : n;
}

static void make_ring(struct loader *l, int prefetch)
{
    size_t first, last, full = l->count < l->batch ? l->count : l->batch;

    own_rows(l, full, &first, &last);
    l->max_rows = last - first;
    if (!l->drop_last && l->count % l->batch != 0) {
        own_rows(l, l->count % l->batch, &first, &last);
        l->max_rows = last - first > l->max_rows ? last - first : l->max_rows;
    }
    l->ring_count = (size_t)(prefetch > 0 ? prefetch : DEFAULT_PREFETCH) + 1;
    l->ring = xcalloc(l->ring_count, sizeof(*l->ring));
    for (size_t i = 0; i < l->ring_count; i++) {
        struct slot *s = &l->ring[i];

        s->x = xmalloc((l->max_rows * l->row_floats + 1) * sizeof(float));
        s->labels = xmalloc((l->max_rows + 1) * sizeof(*s->labels));
        s->samples = xmalloc((l->max_rows + 1) * sizeof(*s->samples));
    }
}

static size_t row_floats(const struct loader_options *opt)
{
    return opt->fill ? opt->fill_floats
                     : 3 * (size_t)pixels_width(opt->pixels) * (size_t)pixels_height(opt->pixels);
}

static int check_options(const struct loader_options *opt, struct err *e)
{
    size_t n;

    if (opt->count == 0) {
        return err_set(e, ERR_USAGE, "no pictures to load");
    }
    if (opt->batch == 0) {
        return err_set(e, ERR_USAGE, "a batch of 0 pictures");
    }
    if (opt->drop_last && opt->count < opt->batch) {
        return err_set(e, ERR_USAGE, "%zu pictures do not fill one batch of %zu", opt->count,
                       opt->batch);
    }
    size_t row = row_floats(opt);
    size_t rows = opt->count < opt->batch ? opt->count : opt->batch;
    if (!size_mul(row * sizeof(float), rows, &n) || n > (size_t)1 << 40) {
        return err_set(e, ERR_LIMIT, "a batch of %zu pictures is too large", opt->batch);
    }
    return 0;
}

struct loader *loader_new(const struct loader_options *opt, struct err *e)
{
    if (check_options(opt, e) < 0) {
        return NULL;
    }
    struct loader *l = xcalloc(1, sizeof(*l));
    int threads = threads_wanted(opt->threads);

    l->pixels = opt->pixels;
    l->count = opt->count;
    l->batch = opt->batch;
    l->seed = opt->seed;
    l->shuffle = opt->shuffle;
    l->drop_last = opt->drop_last;
    l->rows = opt->rows;
    l->rows_ctx = opt->rows_ctx;
    l->augments = opt->augment != NULL;
    if (l->augments) {
        l->augment = *opt->augment;
    }
    l->norm = opt->norm ? *opt->norm : IMAGE_NORM_IMAGENET;
    l->fill = opt->fill;
    l->fill_ctx = opt->fill_ctx;
    l->row_floats = row_floats(opt);
    l->batches = l->drop_last ? l->count / l->batch : (l->count + l->batch - 1) / l->batch;
    l->samples = xmalloc(l->count * sizeof(*l->samples));
    memcpy(l->samples, opt->samples, l->count * sizeof(*l->samples));
    l->order = xmalloc(l->count * sizeof(*l->order));
    l->scratch = xmalloc((size_t)(threads + 1) * picture_bytes(l) + 1);
    make_ring(l, opt->prefetch);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->held = l->next = l->opened = l->dealt = l->batches; /* nothing to do until loader_start */
    for (int i = 0; i < threads; i++) {
        if (start_thread(l, i, e) < 0) {
            loader_free(l);
            return NULL;
        }
    }
    return l;
}

void loader_free(struct loader *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->thread_count; i++) {
        pthread_join(l->threads[i], NULL);
    }
    for (size_t i = 0; i < l->ring_count; i++) {
        free(l->ring[i].x);
        free(l->ring[i].labels);
        free(l->ring[i].samples);
    }
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l->ring);
    free(l->scratch);
    free(l->order);
    free(l->samples);
    free(l);
}

/* ---- the consumer ---- */

void loader_order(const struct loader *l, uint64_t epoch, size_t *out)
{
    memcpy(out, l->samples, l->count * sizeof(*out));
    if (l->shuffle) {
        struct rng r;

        rng_init(&r, l->seed, RNG_SHUFFLE, epoch, 0);
        rng_shuffle(&r, out, l->count);
    }
}

void loader_start(struct loader *l, uint64_t epoch, size_t first)
{
    pthread_mutex_lock(&l->lock);
    l->dealt = l->opened; /* no further row of the old epoch */
    while (l->busy > 0) {
        pthread_cond_wait(&l->ready, &l->lock);
    }
    l->epoch = epoch;
    loader_order(l, epoch, l->order);
    l->held = l->next = l->opened = l->dealt = first < l->batches ? first : l->batches;
    l->dealt_row = 0;
    open_slots(l);
    pthread_mutex_unlock(&l->lock);
}

/* Waits for the slot to be whole; without threads, makes its rows here. */
static void await(struct loader *l, struct slot *s)
{
    uint8_t *scratch = l->scratch + (size_t)l->thread_count * picture_bytes(l);

    while (s->done < s->rows) {
        struct slot *other;
        size_t row;

        if (l->thread_count == 0 && deal(l, &other, &row)) {
            work_on(l, other, row, scratch);
        } else {
            pthread_cond_wait(&l->ready, &l->lock);
        }
    }
}

int loader_next(struct loader *l, struct batch *b, struct err *e)
{
    int rc = 1;

    pthread_mutex_lock(&l->lock);
    l->held = l->next;
    open_slots(l);
    if (l->next >= l->batches) {
        pthread_mutex_unlock(&l->lock);
        return 0;
    }
    struct slot *s = &l->ring[l->next % l->ring_count];
    await(l, s);
    if (s->bad_row != SIZE_MAX) {
        rc = -1;
        if (e != NULL) {
            *e = s->error;
        }
    } else {
        *b = (struct batch){.x = s->x,
                            .labels = s->labels,
                            .samples = s->samples,
                            .rows = s->rows,
                            .first_row = s->first_row,
                            .global_rows = s->global_rows,
                            .index = l->next,
                            .epoch = l->epoch};
        l->next++;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}
