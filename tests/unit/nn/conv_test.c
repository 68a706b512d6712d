/* Convolution: value against the naive loop, gradients by difference quotients, bits. */

#include "nn_check.h"

#include "conv.h"
#include "naive.h"
#include "par.h"
#include "shard.h"

/* NMSE of fp32 sums of up to 9 x 64 products against double: measured 2e-14 at most. */
#define BOUND 1e-12

static const struct conv_case {
    size_t n, c, k, h, w;
} cases[] = {
    {1, 1, 1, 1, 1},     {1, 3, 4, 1, 1},    {2, 3, 5, 5, 7},   {1, 3, 64, 9, 9},
    {3, 2, 2, 2, 2},     {1, 1, 1, 1, 9},    {2, 4, 3, 9, 1},   {1, 33, 7, 6, 5},
    {2, 64, 16, 14, 14}, {1, 32, 8, 32, 32}, {1, 5, 3, 45, 47}, {1, 2, 3, 3, 1100},
    {8, 3, 4, 8, 8},     {11, 35, 6, 4, 4},  {5, 34, 33, 8, 8}, {7, 3, 2, 2, 8},
};

struct conv_data {
    struct conv_shape s;
    struct naive_conv naive;
    const struct conv_ops *ops;
    size_t xs, ws, ys; /* elements */
    float *x, *w, *b, *y, *dy, *dx, *dw, *db, *work;
    struct shard_split split;
    struct par *par;
};

static void data_init(struct conv_data *d, const struct conv_case *c, int threads)
{
    *d = (struct conv_data){.s = {.c = c->c, .k = c->k, .h = c->h, .w = c->w},
                            .naive = {c->n, c->c, c->k, c->h, c->w},
                            .xs = c->n * c->c * c->h * c->w,
                            .ws = 9 * c->c * c->k,
                            .ys = c->n * c->k * c->h * c->w,
                            .par = par_new(threads)};
    d->ops = conv_choose(&d->s);
    assert_true(d->ops->fits(&d->s));
    shard_split_init(&d->split, c->n, 8, 0, 8);
    d->x = check_random(d->xs, 1);
    d->w = check_random(d->ws, 2);
    d->b = check_random(c->k, 3);
    d->dy = check_random(d->ys, 4);
    d->y = check_random(d->ys, 5); /* rubbish that must be overwritten */
    d->dx = check_random(d->xs, 6);
    d->dw = check_random(d->ws, 7);
    d->db = check_random(c->k, 8);
    d->work = check_random(d->ops->workspace(&d->s, threads, 8), 9);
}

static void data_release(struct conv_data *d)
{
    float *all[] = {d->x, d->w, d->b, d->y, d->dy, d->dx, d->dw, d->db, d->work};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
    par_free(d->par);
}

static void run_all(struct conv_data *d, bool relu)
{
    d->ops->forward(&d->s, d->naive.n, d->x, d->w, d->b, relu, d->y, d->work, d->par);
    d->ops->backward_data(&d->s, d->naive.n, d->dy, d->w, d->dx, d->work, d->par);
    d->ops->backward_weights(&d->s, &d->split, d->x, d->dy, d->dw, d->db, d->work, d->par);
}

static void test_values_against_the_naive_loop(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct conv_data d;
        data_init(&d, &cases[i], 2);
        size_t most = d.xs > d.ws ? d.xs : d.ws;
        float *expect = check_floats((d.ys > most ? d.ys : most) + cases[i].k);
        run_all(&d, false);
        naive_conv_forward(&d.naive, d.x, d.w, d.b, expect);
        CHECK_NEAR("forward", d.y, expect, d.ys, BOUND);
        naive_relu_forward(d.ys, d.y, expect);
        d.ops->forward(&d.s, d.naive.n, d.x, d.w, d.b, true, d.y, d.work, d.par);
        assert_true(check_nmse(d.y, expect, d.ys) == 0);
        naive_conv_backward_data(&d.naive, d.dy, d.w, expect);
        CHECK_NEAR("backward data", d.dx, expect, d.xs, BOUND);
        naive_conv_backward_weights(&d.naive, d.x, d.dy, expect, expect + d.ws);
        CHECK_NEAR("backward weights", d.dw, expect, d.ws, BOUND);
        CHECK_NEAR("backward bias", d.db, expect + d.ws, cases[i].k, BOUND);
        free(expect);
        data_release(&d);
    }
}

static double loss(void *ctx)
{
    struct conv_data *d = ctx;
    d->ops->forward(&d->s, d->naive.n, d->x, d->w, d->b, false, d->y, d->work, d->par);
    return check_dot(d->y, d->dy, d->ys);
}

static void test_gradients_by_difference_quotients(void **state)
{
    struct conv_data d;
    data_init(&d, &(struct conv_case){2, 3, 5, 5, 7}, 1);
    run_all(&d, false);
    check_gradient("dx", loss, &d, d.x, d.dx, d.xs, 60, 0.25f, 1e-4); /* linear: any step will do */
    check_gradient("dw", loss, &d, d.w, d.dw, d.ws, 60, 0.25f, 1e-4);
    check_gradient("db", loss, &d, d.b, d.db, d.s.k, 60, 0.25f, 1e-4);
    data_release(&d);
}

static void test_threads_change_no_bit(void **state)
{
    const struct conv_case c = {5, 40, 24, 37, 41};
    struct conv_data one;
    data_init(&one, &c, 1);
    run_all(&one, true);
    for (int threads = 2; threads <= 3; threads++) {
        struct conv_data many;
        data_init(&many, &c, threads);
        run_all(&many, true);
        CHECK_BITS("y", many.y, one.y, one.ys);
        CHECK_BITS("dx", many.dx, one.dx, one.xs);
        CHECK_BITS("dw", many.dw, one.dw, one.ws);
        CHECK_BITS("db", many.db, one.db, c.k);
        data_release(&many);
    }
    data_release(&one);
}

/* Two ranks with half of the shards each, their results added. */
static void check_ranks(struct conv_case c)
{
    struct conv_data d;
    data_init(&d, &c, 2);
    run_all(&d, false);
    float *y = check_floats(d.ys), *dw = check_floats(2 * d.ws), *db = check_floats(2 * c.k);
    for (size_t r = 0; r < 2; r++) {
        struct shard_split half;
        shard_split_init(&half, c.n, 8, 4 * r, 4);
        size_t at = half.row_first;
        const float *x = d.x + at * d.xs / c.n, *dy = d.dy + at * d.ys / c.n;
        d.ops->forward(&d.s, half.rows, x, d.w, d.b, false, y + at * d.ys / c.n, d.work, d.par);
        d.ops->backward_weights(&d.s, &half, x, dy, dw + r * d.ws, db + r * c.k, d.work, d.par);
    }
    for (size_t i = 0; i < d.ws; i++) {
        dw[i] += dw[d.ws + i];
    }
    for (size_t i = 0; i < c.k; i++) {
        db[i] += db[c.k + i];
    }
    CHECK_BITS("y", y, d.y, d.ys);
    CHECK_BITS("dw", dw, d.dw, d.ws);
    CHECK_BITS("db", db, d.db, c.k);
    free(y);
    free(dw);
    free(db);
    data_release(&d);
}

static void test_ranks_change_no_bit(void **state)
{
    check_ranks((struct conv_case){8, 36, 20, 14, 14});
    check_ranks((struct conv_case){29, 36, 20, 4, 4}); /* tiny images: the other method */
    check_ranks((struct conv_case){13, 130, 70, 8, 8});
    check_ranks((struct conv_case){13, 33, 9, 3, 5});
}

/* The first of n images against the same image in other places of other batches. */
static void test_an_image_does_not_feel_its_neighbours(void **state)
{
    static const size_t sides[][2] = {{4, 4}, {8, 8}, {2, 8}, {3, 5}, {7, 7}, {14, 14}};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        struct conv_data d;
        data_init(&d, &(struct conv_case){23, 70, 45, sides[i][0], sides[i][1]}, 2);
        size_t xs = d.xs / 23, ys = d.ys / 23;
        float *alone = check_floats(ys), *back = check_floats(xs);
        run_all(&d, true);
        for (size_t n = 0; n < 23; n++) {
            d.ops->forward(&d.s, 1, d.x + n * xs, d.w, d.b, true, alone, d.work, NULL);
            d.ops->backward_data(&d.s, 1, d.dy + n * ys, d.w, back, d.work, NULL);
            CHECK_BITS("y", d.y + n * ys, alone, ys);
            CHECK_BITS("dx", d.dx + n * xs, back, xs);
        }
        free(alone);
        free(back);
        data_release(&d);
    }
}

static void test_no_images_give_zero_gradients(void **state)
{
    struct conv_data d;
    data_init(&d, &(struct conv_case){1, 3, 4, 5, 5}, 2);
    shard_split_init(&d.split, 0, 8, 0, 8);
    d.ops->backward_weights(&d.s, &d.split, d.x, d.dy, d.dw, d.db, d.work, d.par);
    for (size_t i = 0; i < d.ws; i++) {
        assert_true(d.dw[i] == 0);
    }
    for (size_t i = 0; i < d.s.k; i++) {
        assert_true(d.db[i] == 0);
    }
    data_release(&d);
}

static void test_not_a_number_stays_visible(void **state)
{
    struct conv_data d;
    data_init(&d, &(struct conv_case){1, 1, 1, 4, 4}, 1);
    d.x[5] = NAN;
    d.ops->forward(&d.s, 1, d.x, d.w, d.b, true, d.y, d.work, d.par);
    assert_true(isnan(d.y[5]));
    data_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_against_the_naive_loop),
        cmocka_unit_test(test_gradients_by_difference_quotients),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_ranks_change_no_bit),
        cmocka_unit_test(test_an_image_does_not_feel_its_neighbours),
        cmocka_unit_test(test_no_images_give_zero_gradients),
        cmocka_unit_test(test_not_a_number_stays_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
