/* Convolution: value against the naive loop, gradients by difference quotients, bits. */

#include "nn_check.h"

#include "conv.h"
#include "naive.h"
#include "par.h"
#include "shard.h"
#include "simd.h"

/* NMSE of fp32 sums of up to 9 x 512 products against double. Measured at most: rows 3e-14;
 * Winograd, which subtracts larger numbers from one another, 5.1e-12. */
#define BOUND 1e-11

/* Under an emulator, twenty times slower: the largest cases and most numbers of threads are left out. */
#ifndef NEPHRON_EMULATED
#define NEPHRON_EMULATED 0
#endif

static const struct conv_case {
    size_t n, c, k, h, w;
    bool image, pool;
} cases[] = {
    {.n = 1, .c = 1, .k = 1, .h = 1, .w = 1},
    {.n = 1, .c = 3, .k = 4, .h = 1, .w = 1, .image = true},
    {.n = 2, .c = 3, .k = 5, .h = 5, .w = 7},
    {.n = 2, .c = 3, .k = 5, .h = 5, .w = 7, .image = true},
    {.n = 1, .c = 3, .k = 64, .h = 9, .w = 9, .image = true},
    {.n = 3, .c = 3, .k = 33, .h = 19, .w = 300, .image = true},
    {.n = 3, .c = 2, .k = 2, .h = 2, .w = 2},
    {.n = 1, .c = 1, .k = 1, .h = 1, .w = 9},
    {.n = 2, .c = 4, .k = 3, .h = 9, .w = 1},
    {.n = 9, .c = 150, .k = 70, .h = 2, .w = 2},
    {.n = 1, .c = 33, .k = 7, .h = 6, .w = 5},
    {.n = 1, .c = 33, .k = 7, .h = 6, .w = 5, .pool = true},
    {.n = 2, .c = 64, .k = 16, .h = 14, .w = 14, .pool = true},
    {.n = 1, .c = 130, .k = 150, .h = 14, .w = 14},
    {.n = 3, .c = 140, .k = 130, .h = 9, .w = 11, .pool = true},
    {.n = 1, .c = 600, .k = 20, .h = 6, .w = 6},
    {.n = 1, .c = 32, .k = 8, .h = 32, .w = 32},
    {.n = 1, .c = 5, .k = 3, .h = 45, .w = 47, .pool = true},
    {.n = 1, .c = 9, .k = 17, .h = 120, .w = 21},
    {.n = 1, .c = 2, .k = 3, .h = 3, .w = 1100},
    {.n = 8, .c = 3, .k = 4, .h = 8, .w = 8},
    {.n = 11, .c = 35, .k = 6, .h = 4, .w = 4},
    {.n = 5, .c = 34, .k = 33, .h = 8, .w = 8},
};

static bool too_slow(const struct conv_case *c)
{
    return NEPHRON_EMULATED && c->n * c->c * c->k * c->h * c->w > 3000000;
}

struct conv_data {
    struct conv_shape s;
    struct naive_conv naive;
    const struct conv_ops *ops;
    size_t xs, ws, ys, ps; /* elements of x, w, y, and y behind the pooling */
    size_t x_image, y_image;
    float *x, *w, *b, *y, *dy, *dx, *dw, *db, *work;
    uint8_t *argmax;
    struct shard_split split;
    struct par *par;
};

static void data_init(struct conv_data *d, const struct conv_case *c, const struct simd *simd,
                      int threads)
{
    *d = (struct conv_data){
        .s = {.c = c->c, .k = c->k, .h = c->h, .w = c->w, .image = c->image, .simd = simd},
        .naive = {c->n, c->c, c->k, c->h, c->w},
        .xs = c->n * c->c * c->h * c->w,
        .ws = 9 * c->c * c->k,
        .ys = c->n * c->k * c->h * c->w,
        .par = par_new(threads)};
    d->ops = conv_choose(&d->s);
    d->s.pool = c->pool;
    assert_true(d->ops->fits(&d->s));
    d->ps = c->pool ? c->n * c->k * (c->h / 2) * (c->w / 2) : d->ys;
    d->x_image = d->xs / c->n;
    d->y_image = d->ps / c->n;
    shard_split_init(&d->split, c->n, 8, 0, 8);
    d->x = check_random(d->xs, 1);
    d->w = check_random(d->ws, 2);
    d->b = check_random(c->k, 3);
    d->dy = check_random(d->ps, 4);
    d->y = check_random(d->ps, 5); /* rubbish that must be overwritten */
    d->dx = check_random(d->xs, 6);
    d->dw = check_random(d->ws, 7);
    d->db = check_random(c->k, 8);
    d->argmax = calloc(d->ps, 1);
    assert_non_null(d->argmax);
    d->work = check_random(d->ops->workspace(&d->s, threads, c->n, 8, true), 9);
}

static void data_release(struct conv_data *d)
{
    float *all[] = {d->x, d->w, d->b, d->y, d->dy, d->dx, d->dw, d->db, d->work};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
    free(d->argmax);
    par_free(d->par);
}

static struct conv_call call_of(struct conv_data *d)
{
    return (struct conv_call){.n = d->naive.n,
                              .x = d->x,
                              .w = d->w,
                              .b = d->b,
                              .y = d->y,
                              .argmax = d->s.pool ? d->argmax : NULL,
                              .dy = d->dy,
                              .dx = d->dx,
                              .split = &d->split,
                              .dw = d->dw,
                              .db = d->db,
                              .ws = d->work,
                              .par = d->par};
}

static void run_forward(struct conv_data *d)
{
    struct conv_call call = call_of(d);
    d->ops->forward(&d->s, &call);
}

static void run_all(struct conv_data *d)
{
    struct conv_call call = call_of(d);
    d->ops->forward(&d->s, &call);
    if (!d->s.image) {
        d->ops->backward_data(&d->s, &call);
    }
    d->ops->backward_weights(&d->s, &call);
}

/* What the naive loops, which are NCHW and pool nothing, make of the same numbers. */
struct expected {
    float *y, *pooled, *dx, *dw, *db; /* in the order of the kernels */
};

static void expect_init(const struct conv_data *d, struct expected *e)
{
    size_t area = d->s.h * d->s.w, n = d->naive.n, pooled = d->ps / n / d->s.k;
    float *x = d->s.image ? check_swap(d->x, 1, 1, d->xs) : check_swap(d->x, n, area, d->s.c);
    float *y = check_floats(d->ys), *dx = check_floats(d->xs);
    float *dy = check_swap(d->dy, n, pooled, d->s.k);
    naive_conv_forward(&d->naive, x, d->w, d->b, y);
    e->y = check_swap(y, n, d->s.k, area);
    e->pooled = NULL;
    if (d->s.pool) {
        float *p = check_floats(d->ps), *full = check_floats(d->ys);
        naive_maxpool_forward(n * d->s.k, d->s.h, d->s.w, y, p);
        naive_maxpool_backward(n * d->s.k, d->s.h, d->s.w, y, dy, full);
        e->pooled = check_swap(p, n, d->s.k, pooled);
        free(p);
        free(dy);
        dy = full;
    }
    naive_conv_backward_data(&d->naive, dy, d->w, dx);
    e->dx = check_swap(dx, n, d->s.c, area);
    e->dw = check_floats(d->ws);
    e->db = check_floats(d->s.k);
    naive_conv_backward_weights(&d->naive, x, dy, e->dw, e->db);
    free(x);
    free(y);
    free(dx);
    free(dy);
}

static void expect_release(struct expected *e)
{
    float *all[] = {e->y, e->pooled, e->dx, e->dw, e->db};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
}

static void check_values(struct conv_data *d, const struct expected *e)
{
    run_all(d);
    CHECK_NEAR("forward", d->y, d->s.pool ? e->pooled : e->y, d->ps, BOUND);
    if (!d->s.image) {
        CHECK_NEAR("backward data", d->dx, e->dx, d->xs, BOUND);
    }
    CHECK_NEAR("backward weights", d->dw, e->dw, d->ws, BOUND);
    CHECK_NEAR("backward bias", d->db, e->db, d->s.k, BOUND);
}

static void test_values_against_the_naive_loop(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct expected e = {0};
        for (size_t v = 0; simd_at(v) && !too_slow(&cases[i]); v++) {
            struct conv_data d;
            data_init(&d, &cases[i], simd_at(v), 2);
            if (v == 0) {
                expect_init(&d, &e);
            }
            check_values(&d, &e);
            data_release(&d);
        }
        expect_release(&e);
    }
}

/* Each of ReLU, its mask, prepared filters against the plain pass and a loop. */
static void test_what_is_fused(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conv_data d;
        if (too_slow(&cases[i])) {
            continue;
        }
        data_init(&d, &cases[i], NULL, 2);
        naive_relu_forward(d.xs, d.x, d.x);
        run_forward(&d);
        naive_relu_backward(d.ps, d.y, d.dy, d.dy); /* as the layer above would give it */
        run_all(&d);
        float *y = check_floats(d.ps), *dx = check_floats(d.xs);
        float *filters = check_floats(d.ops->filters(&d.s));
        naive_relu_forward(d.ps, d.y, y);
        naive_relu_backward(d.xs, d.x, d.dx, dx);
        struct conv_call call = call_of(&d);
        d.ops->prepare(&d.s, d.w, filters, d.par);
        d.s.relu = true;
        call.rectified = true;
        call.filters = filters;
        d.ops->forward(&d.s, &call);
        CHECK_BITS("relu", d.y, y, d.ps);
        if (!d.s.image) {
            d.ops->backward_data(&d.s, &call);
            CHECK_BITS("mask", d.dx, dx, d.xs);
        }
        free(y);
        free(dx);
        free(filters);
        data_release(&d);
    }
}

static double loss(void *ctx)
{
    struct conv_data *d = ctx;
    run_forward(d);
    return check_dot(d->y, d->dy, d->ps);
}

static void check_gradients(struct conv_case c)
{
    struct conv_data d;
    data_init(&d, &c, NULL, 1);
    run_all(&d);
    /* linear but for the pooling: any step will do */
    check_gradient("dw", loss, &d, d.w, d.dw, d.ws, 60, 0.25f, 1e-4);
    check_gradient("db", loss, &d, d.b, d.db, d.s.k, 60, 0.25f, 1e-4);
    if (!c.image) {
        check_gradient("dx", loss, &d, d.x, d.dx, d.xs, 60, 0.25f, 1e-4);
    }
    data_release(&d);
}

static void test_gradients_by_difference_quotients(void **state)
{
    check_gradients((struct conv_case){.n = 2, .c = 3, .k = 5, .h = 5, .w = 7});
    check_gradients((struct conv_case){.n = 2, .c = 3, .k = 5, .h = 2, .w = 7});
    check_gradients((struct conv_case){.n = 2, .c = 3, .k = 5, .h = 5, .w = 7, .image = true});
}

static void check_threads(struct conv_case c)
{
    struct conv_data one;
    data_init(&one, &c, NULL, 1);
    run_all(&one);
    for (int threads = 2; threads <= 5; threads += NEPHRON_EMULATED ? 3 : 1) {
        struct conv_data many;
        data_init(&many, &c, NULL, threads);
        run_all(&many);
        CHECK_BITS("y", many.y, one.y, one.ps);
        CHECK_BITS("dx", many.dx, one.dx, one.xs);
        CHECK_BITS("dw", many.dw, one.dw, one.ws);
        CHECK_BITS("db", many.db, one.db, c.k);
        data_release(&many);
    }
    data_release(&one);
}

static void test_threads_change_no_bit(void **state)
{
    check_threads((struct conv_case){.n = 5, .c = 40, .k = 24, .h = 37, .w = 41});
    check_threads((struct conv_case){.n = 1, .c = 40, .k = 24, .h = 60, .w = 9, .pool = true});
    check_threads((struct conv_case){.n = 5, .c = 140, .k = 150, .h = 9, .w = 9});
    check_threads((struct conv_case){.n = 3, .c = 3, .k = 40, .h = 37, .w = 41, .image = true});
    check_threads((struct conv_case){.n = 3, .c = 150, .k = 70, .h = 2, .w = 2});
}

/* Two ranks with half of the shards each, their results added. */
static void check_ranks(struct conv_case c)
{
    struct conv_data d;
    data_init(&d, &c, NULL, 2);
    run_all(&d);
    float *y = check_floats(d.ps), *dw = check_floats(2 * d.ws), *db = check_floats(2 * c.k);
    for (size_t r = 0; r < 2; r++) {
        struct shard_split half;
        shard_split_init(&half, c.n, 8, 4 * r, 4);
        struct conv_call call = call_of(&d);
        call.n = half.rows;
        call.split = &half;
        call.x += half.row_first * d.x_image;
        call.dy += half.row_first * d.y_image;
        call.argmax = call.argmax ? call.argmax + half.row_first * d.y_image : NULL;
        call.dw = dw + r * d.ws;
        call.db = db + r * c.k;
        call.y = y + half.row_first * d.y_image;
        d.ops->forward(&d.s, &call);
        d.ops->backward_weights(&d.s, &call);
    }
    for (size_t i = 0; i < d.ws; i++) {
        dw[i] += dw[d.ws + i];
    }
    for (size_t i = 0; i < c.k; i++) {
        db[i] += db[c.k + i];
    }
    CHECK_BITS("y", y, d.y, d.ps);
    CHECK_BITS("dw", dw, d.dw, d.ws);
    CHECK_BITS("db", db, d.db, c.k);
    free(y);
    free(dw);
    free(db);
    data_release(&d);
}

static void test_ranks_change_no_bit(void **state)
{
    check_ranks((struct conv_case){.n = 8, .c = 36, .k = 20, .h = 14, .w = 14});
    check_ranks((struct conv_case){.n = 13, .c = 3, .k = 20, .h = 14, .w = 14, .image = true});
    check_ranks((struct conv_case){.n = 29, .c = 36, .k = 20, .h = 4, .w = 4, .pool = true});
    check_ranks((struct conv_case){.n = 29, .c = 130, .k = 127, .h = 5, .w = 4, .pool = true});
    check_ranks((struct conv_case){.n = 3, .c = 130, .k = 170, .h = 8, .w = 8});
    check_ranks((struct conv_case){.n = 13, .c = 133, .k = 90, .h = 2, .w = 5});
}

/* An image in a batch against the same image alone. */
static void test_an_image_does_not_feel_its_neighbours(void **state)
{
    static const size_t sides[][2] = {{4, 4}, {8, 8}, {2, 8}, {3, 5}, {7, 7}, {14, 14}};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        struct conv_data d;
        struct conv_case c = {.n = 23, .c = 70, .k = 45, .h = sides[i][0], .w = sides[i][1]};
        data_init(&d, &c, NULL, 2);
        run_all(&d);
        float *alone = check_floats(d.y_image), *back = check_floats(d.x_image);
        for (size_t n = 0; n < c.n; n += NEPHRON_EMULATED ? 11 : 1) {
            struct conv_call call = call_of(&d);
            call.n = 1;
            call.x += n * d.x_image;
            call.dy += n * d.y_image;
            call.y = alone;
            call.dx = back;
            call.par = NULL;
            d.ops->forward(&d.s, &call);
            d.ops->backward_data(&d.s, &call);
            CHECK_BITS("y", d.y + n * d.y_image, alone, d.y_image);
            CHECK_BITS("dx", d.dx + n * d.x_image, back, d.x_image);
        }
        free(alone);
        free(back);
        data_release(&d);
    }
}

static void check_nothing(struct conv_case c)
{
    struct conv_data d;
    data_init(&d, &c, NULL, 2);
    shard_split_init(&d.split, 0, 8, 0, 8);
    struct conv_call call = call_of(&d);
    call.n = 0;
    d.ops->backward_weights(&d.s, &call);
    for (size_t i = 0; i < d.ws; i++) {
        assert_true(d.dw[i] == 0);
    }
    for (size_t i = 0; i < d.s.k; i++) {
        assert_true(d.db[i] == 0);
    }
    data_release(&d);
}

static void test_no_images_give_zero_gradients(void **state)
{
    check_nothing((struct conv_case){.n = 1, .c = 3, .k = 4, .h = 5, .w = 5});
    check_nothing((struct conv_case){.n = 1, .c = 3, .k = 4, .h = 5, .w = 5, .image = true});
    check_nothing((struct conv_case){.n = 1, .c = 130, .k = 130, .h = 5, .w = 5});
    check_nothing((struct conv_case){.n = 1, .c = 130, .k = 130, .h = 2, .w = 2});
}

static void test_not_a_number_stays_visible(void **state)
{
    for (int pool = 0; pool < 2; pool++) {
        struct conv_data d;
        data_init(&d, &(struct conv_case){.n = 1, .c = 1, .k = 1, .h = 4, .w = 4, .pool = pool},
                  NULL, 1);
        d.x[5] = NAN;
        d.s.relu = true;
        run_forward(&d);
        assert_true(isnan(d.y[0]));
        data_release(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_against_the_naive_loop),
        cmocka_unit_test(test_what_is_fused),
        cmocka_unit_test(test_gradients_by_difference_quotients),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_ranks_change_no_bit),
        cmocka_unit_test(test_an_image_does_not_feel_its_neighbours),
        cmocka_unit_test(test_no_images_give_zero_gradients),
        cmocka_unit_test(test_not_a_number_stays_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
