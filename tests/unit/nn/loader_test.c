/*
 * The loader: what a batch holds depends on (seed, epoch, sample) only, whatever the threads, the
 * ring, the cache and the ranks; bad pictures are named; epochs can be left and resumed in the
 * middle.
 */
#include "data_check.h"

#include "augment.h"
#include "loader.h"
#include "par.h"
#include "pixels.h"

enum { SIDE = 12, ROW = 3 * SIDE * SIDE, NA = 13, NB = 10, ALL = NA + NB };

struct world {
    char *dir;
    struct dataset d;
    struct pixels *pixels;
    size_t samples[ALL];
};

static void world_open(struct world *w, bool no_cache)
{
    struct err e = ERR_INIT;
    struct pixels_options o = {.width = SIDE, .height = SIDE, .no_cache = no_cache};

    w->dir = check_temp();
    check_tree(w->dir, NA, NB);
    check_ok(dataset_open(&w->d, w->dir, NULL, &e), e);
    w->pixels = pixels_new(&w->d, &o, &e);
    assert_non_null(w->pixels);
    for (size_t i = 0; i < ALL; i++) {
        w->samples[i] = i;
    }
}

static void world_close(struct world *w)
{
    pixels_free(w->pixels);
    dataset_release(&w->d);
    check_remove(w->dir);
}

/* All rows of an epoch, one after the other. */
struct epoch {
    float x[ALL * ROW];
    int32_t labels[ALL];
    size_t samples[ALL];
    size_t rows, batches;
};

static void run_epoch(struct loader *l, uint64_t epoch, size_t first, struct epoch *out)
{
    struct batch b;
    struct err e = ERR_INIT;
    int rc;

    out->rows = out->batches = 0;
    loader_start(l, epoch, first);
    while ((rc = loader_next(l, &b, &e)) > 0) {
        assert_int_equal(b.index, first + out->batches);
        assert_int_equal(b.epoch, epoch);
        assert_int_equal(b.global_rows, loader_batch_rows(l, b.index));
        memcpy(out->x + out->rows * ROW, b.x, b.rows * ROW * sizeof(float));
        memcpy(out->labels + out->rows, b.labels, b.rows * sizeof(int32_t));
        memcpy(out->samples + out->rows, b.samples, b.rows * sizeof(size_t));
        out->rows += b.rows;
        out->batches++;
    }
    if (rc < 0) {
        fail_msg("%s", e.text);
    }
}

static struct loader_options usual(struct world *w)
{
    static const struct augment_options augment = AUGMENT_DEFAULT;

    return (struct loader_options){.pixels = w->pixels,
                                   .samples = w->samples,
                                   .count = ALL,
                                   .batch = 5,
                                   .seed = 9,
                                   .shuffle = true,
                                   .augment = &augment,
                                   .threads = -1};
}

static struct epoch reference, other;

static void expect_same(const struct epoch *a, const struct epoch *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_memory_equal(a->samples, b->samples, a->rows * sizeof(size_t));
    assert_memory_equal(a->labels, b->labels, a->rows * sizeof(int32_t));
    assert_memory_equal(a->x, b->x, a->rows * ROW * sizeof(float));
}

static void threads_ring_and_cache_change_nothing(void **state)
{
    for (int no_cache = 0; no_cache < 2; no_cache++) {
        struct world w;

        world_open(&w, no_cache);
        for (int threads = -1; threads <= 4; threads++) {
            for (int prefetch = 1; prefetch <= 4; prefetch += 3) {
                struct loader_options o = usual(&w);

                o.threads = threads;
                o.prefetch = prefetch;
                struct loader *l = loader_new(&o, NULL);
                run_epoch(l, 0, 0, &other);
                run_epoch(l, 1, 0, &other);
                assert_int_equal(other.batches, 5);
                assert_int_equal(other.rows, ALL);
                if (!no_cache && threads == -1 && prefetch == 1) {
                    reference = other;
                }
                expect_same(&reference, &other);
                loader_free(l);
            }
        }
        assert_int_equal(pixels_cached(w.pixels), no_cache ? 0 : ALL);
        world_close(&w);
    }
}

static void epochs_permute(void **state)
{
    struct world w;
    bool seen[ALL] = {false};

    world_open(&w, false);
    struct loader_options o = usual(&w);
    struct loader *l = loader_new(&o, NULL);
    run_epoch(l, 0, 0, &reference);
    run_epoch(l, 1, 0, &other);
    assert_memory_not_equal(reference.samples, other.samples, sizeof(reference.samples));
    for (size_t i = 0; i < ALL; i++) {
        assert_false(seen[reference.samples[i]]);
        seen[reference.samples[i]] = true;
        assert_int_equal(reference.labels[i], reference.samples[i] >= NA);
    }
    run_epoch(l, 0, 0, &other);
    expect_same(&reference, &other);
    loader_free(l);

    o.shuffle = false;
    l = loader_new(&o, NULL);
    run_epoch(l, 3, 0, &other);
    assert_memory_equal(other.samples, w.samples, sizeof(w.samples));
    loader_free(l);

    o.drop_last = true;
    l = loader_new(&o, NULL);
    run_epoch(l, 3, 0, &other);
    assert_int_equal(other.rows, 20);
    loader_free(l);
    world_close(&w);
}

struct part {
    size_t rank, world;
};

/* Contiguous shards, as training deals them out. */
static void shard(void *ctx, size_t rows, size_t *first, size_t *last)
{
    const struct part *p = ctx;

    *first = rows * p->rank / p->world;
    *last = rows * (p->rank + 1) / p->world;
}

static void ranks_share_the_same_batches(void **state)
{
    struct world w;
    struct batch b;

    world_open(&w, false);
    struct loader_options o = usual(&w);
    struct loader *all = loader_new(&o, NULL);
    run_epoch(all, 2, 0, &reference);
    loader_free(all);
    for (size_t world = 2; world <= 7; world++) { /* 7 ranks on batches of 5 and 3: some get none */
        for (size_t rank = 0; rank < world; rank++) {
            struct part part = {rank, world};
            size_t base = 0;

            o.rows = shard;
            o.rows_ctx = &part;
            o.threads = 2;
            struct loader *l = loader_new(&o, NULL);
            loader_start(l, 2, 0);
            while (loader_next(l, &b, NULL) > 0) {
                size_t from = base + b.first_row;

                assert_memory_equal(b.x, reference.x + from * ROW, b.rows * ROW * sizeof(float));
                assert_memory_equal(b.samples, reference.samples + from, b.rows * sizeof(size_t));
                base += b.global_rows;
            }
            assert_int_equal(base, ALL);
            loader_free(l);
        }
    }
    world_close(&w);
}

static void an_epoch_can_be_left_and_resumed(void **state)
{
    struct world w;
    struct batch b;

    world_open(&w, true);
    struct loader_options o = usual(&w);
    o.threads = 3;
    struct loader *l = loader_new(&o, NULL);
    assert_int_equal(loader_next(l, &b, NULL), 0); /* not started */
    run_epoch(l, 4, 0, &reference);
    for (int i = 0; i < 20; i++) {
        loader_start(l, (uint64_t)i, 0); /* leave with rows in the making */
        if (i % 2) {
            assert_int_equal(loader_next(l, &b, NULL), 1);
        }
    }
    run_epoch(l, 4, 3, &other);
    assert_int_equal(other.batches, 2);
    assert_memory_equal(other.samples, reference.samples + 15, 8 * sizeof(size_t));
    assert_memory_equal(other.x, reference.x + 15 * ROW, 8 * ROW * sizeof(float));
    run_epoch(l, 4, 99, &other);
    assert_int_equal(other.batches, 0);
    loader_free(l);
    world_close(&w);
}

static void bad_pictures_are_named(void **state)
{
    char path[1024];
    struct world w;
    struct batch b;

    for (int threads = -1; threads <= 3; threads += 2) {
        struct err e = ERR_INIT;
        int rc;

        world_open(&w, false);
        snprintf(path, sizeof(path), "%s/A/a 07.png", w.dir);
        assert_int_equal(truncate(path, 60), 0);
        snprintf(path, sizeof(path), "%s/A/a 09.png", w.dir);
        assert_int_equal(unlink(path), 0);
        struct loader_options o = usual(&w);
        o.threads = threads == 0 ? -1 : threads;
        o.shuffle = false;
        struct loader *l = loader_new(&o, NULL);
        loader_start(l, 0, 0);
        assert_int_equal(loader_next(l, &b, &e), 1);
        while ((rc = loader_next(l, &b, &e)) > 0) {
        }
        assert_int_equal(rc, -1);
        check_said(&e, "A/a 07.png"); /* the first of the batch, not the first that failed */
        loader_free(l);
        world_close(&w);
    }
}

static void the_cache_keeps_its_bound(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    struct pixels_options o = {.width = SIDE, .height = SIDE, .cache_bytes = 7 * ROW};

    world_open(&w, false);
    struct pixels *p = pixels_new(&w.d, &o, &e);
    struct par *par = par_new(2);
    check_ok(pixels_fill(p, w.samples, ALL, par, &e), e);
    assert_int_equal(pixels_cached(p), 7);
    assert_int_equal(pixels_decoded(p), ALL);
    par_free(par);
    pixels_free(p);
    o.width = 5000;
    assert_null(pixels_new(&w.d, &o, &e));
    check_said(&e, "5000 x 12");
    world_close(&w);
}

static void pictures_are_decoded_once(void **state)
{
    struct world w;

    world_open(&w, false);
    struct loader_options o = usual(&w);
    struct loader *l = loader_new(&o, NULL);
    for (unsigned i = 0; i < 3; i++) {
        run_epoch(l, i, 0, &other);
    }
    assert_int_equal(pixels_decoded(w.pixels), ALL);
    assert_int_equal(loader_bytes(l), 4 * 5 * (ROW * 4 + 4 + 8));
    loader_free(l);
    world_close(&w);
}

static void wrong_options_are_refused(void **state)
{
    struct world w;
    struct err e = ERR_INIT;

    world_open(&w, false);
    struct loader_options o = usual(&w);
    o.batch = 0;
    assert_null(loader_new(&o, &e));
    check_said(&e, "batch of 0");
    o = usual(&w);
    o.count = 0;
    assert_null(loader_new(&o, &e));
    o = usual(&w);
    o.batch = 100;
    o.drop_last = true;
    assert_null(loader_new(&o, &e));
    check_said(&e, "do not fill");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_ring_and_cache_change_nothing),
        cmocka_unit_test(epochs_permute),
        cmocka_unit_test(ranks_share_the_same_batches),
        cmocka_unit_test(an_epoch_can_be_left_and_resumed),
        cmocka_unit_test(bad_pictures_are_named),
        cmocka_unit_test(the_cache_keeps_its_bound),
        cmocka_unit_test(pictures_are_decoded_once),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
