/* Fully connected layer: value against the naive loop for every instruction set, gradients, bits.
 */

#include "nn_check.h"

#include "dense.h"
#include "simd.h"
#include "naive.h"
#include "par.h"

#define BOUND 1e-12

static const struct dense_case {
    size_t n, in, out;
} cases[] = {{1, 1, 1},   {1, 7, 3},     {2, 16, 5},    {3, 33, 4},   {4, 100, 49},
             {5, 512, 2}, {8, 1025, 96}, {7, 2000, 50}, {16, 65, 130}};

static void test_values_against_the_naive_loop(void **state)
{
    struct par *par = par_new(2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dense_case *c = &cases[i];
        struct dense_shape s = {c->in, c->out};
        size_t xs = c->n * c->in, ws = c->in * c->out, ys = c->n * c->out;
        float *x = check_random(xs, 1), *w = check_random(ws, 2), *b = check_random(c->out, 3);
        float *dy = check_random(ys, 4), *y = check_random(ys, 5), *dx = check_random(xs, 6);
        float *dw = check_random(ws, 7), *db = check_random(c->out, 8);
        float *ey = check_floats(ys), *ex = check_floats(xs), *ew = check_floats(ws);
        float *eb = check_floats(c->out);
        dense_forward(&s, c->n, x, w, b, y, par);
        dense_backward_data(&s, c->n, dy, w, dx, par);
        dense_backward_weights(&s, c->n, x, dy, dw, db, par);
        naive_dense_forward(c->n, c->in, c->out, x, w, b, ey);
        naive_dense_backward(c->n, c->in, c->out, x, w, dy, ex, ew, eb);
        CHECK_NEAR("forward", y, ey, ys, BOUND);
        CHECK_NEAR("backward data", dx, ex, xs, BOUND);
        CHECK_NEAR("backward weights", dw, ew, ws, BOUND);
        CHECK_NEAR("backward bias", db, eb, c->out, BOUND);
        dense_forward(&s, c->n, x, w, NULL, y, par);
        naive_dense_forward(c->n, c->in, c->out, x, w, NULL, ey);
        CHECK_NEAR("forward without bias", y, ey, ys, BOUND);
        float *all[] = {x, w, b, dy, y, dx, dw, db, ey, ex, ew, eb};
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
            free(all[k]);
        }
    }
    par_free(par);
}

/* The tables that this CPU can run, not only the one that is chosen. */
static void test_every_instruction_set(void **state)
{
    enum { ROWS = 7, IN = 75, OUT = 11 };
    float *x = check_random(ROWS * IN, 1), *w = check_random(OUT * IN, 2);
    float *y = check_floats(ROWS * OUT), *expect = check_floats(ROWS * OUT);
    float *dx = check_floats(ROWS * IN), *dy = check_random(ROWS * OUT, 3);
    float *ex = check_floats(ROWS * IN), *ew = check_floats(OUT * IN), *eb = check_floats(OUT);
    naive_dense_forward(ROWS, IN, OUT, x, w, NULL, expect);
    naive_dense_backward(ROWS, IN, OUT, x, w, dy, ex, ew, eb);
    for (size_t i = 0; simd_at(i); i++) {
        const struct simd *simd = simd_at(i);
        memset(y, 0, ROWS * OUT * sizeof(float));
        simd->dot(ROWS, OUT, IN, x, IN, w, IN, y, OUT);
        CHECK_NEAR(simd->name, y, expect, ROWS * OUT, BOUND);
        simd->blend(&(struct simd_blend){.m = ROWS,
                                         .n = IN,
                                         .terms = OUT,
                                         .a = dy,
                                         .a_row = OUT,
                                         .a_term = 1,
                                         .b = w,
                                         .ldb = IN,
                                         .c = dx,
                                         .ldc = IN});
        CHECK_NEAR(simd->name, dx, ex, ROWS * IN, BOUND);
    }
    float *all[] = {x, w, y, expect, dx, dy, ex, ew, eb};
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        free(all[k]);
    }
}

/* A batch of 8 at once, in two halves, and row by row: the same bits; also for any thread count. */
static void test_rows_do_not_depend_on_the_batch(void **state)
{
    static const struct dense_shape shapes[] = {{75, 11}, {1500, 100}, {513, 67}, {4, 2}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct dense_shape *s = &shapes[i];
        float *x = check_random(8 * s->in, 1), *w = check_random(s->in * s->out, 2);
        float *b = check_random(s->out, 3), *dy = check_random(8 * s->out, 4);
        float *y = check_floats(8 * s->out), *dx = check_floats(8 * s->in);
        float *y2 = check_floats(8 * s->out), *dx2 = check_floats(8 * s->in);
        dense_forward(s, 8, x, w, b, y, NULL);
        dense_backward_data(s, 8, dy, w, dx, NULL);
        for (size_t rows = 1; rows <= 8; rows++) {
            struct par *par = par_new((int)(rows % 3) + 1);
            for (size_t r = 0; r < 8; r += rows) {
                size_t n = 8 - r < rows ? 8 - r : rows;
                dense_forward(s, n, x + r * s->in, w, b, y2 + r * s->out, par);
                dense_backward_data(s, n, dy + r * s->out, w, dx2 + r * s->in, par);
            }
            CHECK_BITS("y", y2, y, 8 * s->out);
            CHECK_BITS("dx", dx2, dx, 8 * s->in);
            par_free(par);
        }
        float *all[] = {x, w, b, dy, y, dx, y2, dx2};
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
            free(all[k]);
        }
    }
}

static void test_no_rows_give_zero_gradients(void **state)
{
    struct dense_shape s = {5, 3};
    float *dw = check_random(15, 1), *db = check_random(3, 2), x = 0;
    dense_backward_weights(&s, 0, &x, &x, dw, db, NULL);
    for (size_t i = 0; i < 15; i++) {
        assert_true(dw[i] == 0 && db[i % 3] == 0);
    }
    free(dw);
    free(db);
}

struct dense_data {
    struct dense_shape s;
    float *x, *w, *b, *y, *dy;
};

static double loss(void *ctx)
{
    struct dense_data *d = ctx;
    dense_forward(&d->s, 3, d->x, d->w, d->b, d->y, NULL);
    return check_dot(d->y, d->dy, 3 * d->s.out);
}

static void test_gradients_by_difference_quotients(void **state)
{
    struct dense_data d = {.s = {9, 5},
                           .x = check_random(27, 1),
                           .w = check_random(45, 2),
                           .b = check_random(5, 3),
                           .y = check_floats(15),
                           .dy = check_random(15, 4)};
    float *dx = check_floats(27), *dw = check_floats(45), *db = check_floats(5);
    dense_backward_data(&d.s, 3, d.dy, d.w, dx, NULL);
    dense_backward_weights(&d.s, 3, d.x, d.dy, dw, db, NULL);
    check_gradient("dx", loss, &d, d.x, dx, 27, 60, 0.25f, 1e-4);
    check_gradient("dw", loss, &d, d.w, dw, 45, 60, 0.25f, 1e-4);
    check_gradient("db", loss, &d, d.b, db, 5, 60, 0.25f, 1e-4);
    float *all[] = {d.x, d.w, d.b, d.y, d.dy, dx, dw, db};
    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        free(all[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_against_the_naive_loop),
        cmocka_unit_test(test_every_instruction_set),
        cmocka_unit_test(test_rows_do_not_depend_on_the_batch),
        cmocka_unit_test(test_no_rows_give_zero_gradients),
        cmocka_unit_test(test_gradients_by_difference_quotients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
