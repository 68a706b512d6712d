/* Batch normalisation: value, gradient, running statistics, bits over threads and ranks. */

#include "nn_check.h"

#include "batchnorm.h"
#include "naive.h"
#include "par.h"
#include "shard.h"

static const struct norm_case {
    size_t n, c, area;
} cases[] = {{1, 1, 2}, {1, 3, 35}, {2, 5, 1}, {8, 4, 16}, {5, 16, 49}, {3, 2, 1000}, {2, 77, 600}};

struct norm_data {
    struct batchnorm_shape s;
    size_t n, size;
    struct shard_split split;
    float *x, *y, *dy, *dx, *gamma, *beta, *dgamma, *dbeta, *mean, *inv_std, *running_mean;
    float *running_var;
    double *sums, *back, *ws;
    struct par *par;
};

static void data_init(struct norm_data *d, const struct norm_case *c, int threads)
{
    *d = (struct norm_data){
        .s = {c->c, c->area}, .n = c->n, .size = c->n * c->c * c->area, .par = par_new(threads)};
    shard_split_init(&d->split, c->n, 8, 0, 8);
    float **vectors[] = {&d->gamma, &d->beta,    &d->dgamma,       &d->dbeta,
                         &d->mean,  &d->inv_std, &d->running_mean, &d->running_var};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        *vectors[i] = check_random(c->c, 10 + i);
    }
    d->x = check_random(d->size, 1);
    d->dy = check_random(d->size, 2);
    d->y = check_random(d->size, 3);
    d->dx = check_random(d->size, 4);
    d->sums = calloc(2 * c->c, sizeof(double));
    d->back = calloc(2 * c->c, sizeof(double));
    d->ws = calloc(batchnorm_workspace(&d->s, c->n, 8), sizeof(double));
    assert_true(d->sums && d->back && d->ws);
    for (size_t i = 0; i < d->size; i++) {
        d->x[i] = 3 * d->x[i] + 100; /* a mean far from 0 shows cancellation */
    }
}

static void data_release(struct norm_data *d)
{
    void *all[] = {d->x,      d->y,     d->dy,   d->dx,      d->gamma,        d->beta,
                   d->dgamma, d->dbeta, d->mean, d->inv_std, d->running_mean, d->running_var,
                   d->sums,   d->back,  d->ws};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
    par_free(d->par);
}

static void run_forward(struct norm_data *d)
{
    double count = (double)(d->n * d->s.area);
    batchnorm_sums(&d->s, &d->split, d->x, d->sums, d->ws, d->par);
    batchnorm_statistics(d->s.c, count, d->sums, d->mean, d->inv_std, d->running_mean,
                         d->running_var);
    batchnorm_apply(&d->s, d->n, d->x, d->mean, d->inv_std, d->gamma, d->beta, false, d->y, d->par);
}

static void run_backward(struct norm_data *d)
{
    double count = (double)(d->n * d->s.area);
    batchnorm_backward_sums(&d->s, &d->split, d->x, d->dy, d->mean, d->inv_std, d->back, d->dgamma,
                            d->dbeta, d->ws, d->par);
    batchnorm_backward_data(&d->s, d->n, count, d->x, d->dy, d->mean, d->inv_std, d->gamma, d->back,
                            d->dx, d->par);
}

static void test_values_against_the_naive_loop(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct norm_data d;
        data_init(&d, &cases[i], 2);
        float *rm = check_random(d.s.c, 16), *rv = check_random(d.s.c, 17);
        float *expect = check_floats(d.size), *eg = check_floats(d.s.c), *eb = check_floats(d.s.c);
        double *mean = calloc(2 * d.s.c, sizeof(double)), *var = mean + d.s.c;
        run_forward(&d);
        run_backward(&d);
        /* the naive loops are NCHW */
        float *x = check_swap(d.x, d.n, d.s.area, d.s.c),
              *dy = check_swap(d.dy, d.n, d.s.area, d.s.c);
        float *y = check_swap(d.y, d.n, d.s.area, d.s.c),
              *dx = check_swap(d.dx, d.n, d.s.area, d.s.c);
        naive_batchnorm_forward(d.n, d.s.c, d.s.area, x, d.gamma, d.beta, expect, mean, var);
        CHECK_NEAR("y", y, expect, d.size, 1e-9);
        double count = (double)(d.n * d.s.area);
        for (size_t k = 0; k < d.s.c; k++) {
            double unbiased = count > 1 ? var[k] * count / (count - 1) : var[k];
            assert_true(fabs(d.running_mean[k] - (0.9 * rm[k] + 0.1 * mean[k])) < 1e-5);
            assert_true(fabs(d.running_var[k] - (0.9 * rv[k] + 0.1 * unbiased)) < 1e-5);
        }
        naive_batchnorm_backward(d.n, d.s.c, d.s.area, x, d.gamma, dy, expect, eg, eb);
        double scale = 0;
        for (size_t k = 0; k < d.size; k++) {
            scale = fmax(scale, fabs((double)d.inv_std[k % d.s.c]));
        }
        for (size_t k = 0; k < d.size; k++) { /* two values a channel leave dx near 0 */
            assert_true(fabs((double)dx[k] - expect[k]) < 1e-5 * scale);
        }
        CHECK_NEAR("dgamma", d.dgamma, eg, d.s.c, 1e-8);
        CHECK_NEAR("dbeta", d.dbeta, eb, d.s.c, 1e-12);
        free(rm);
        free(rv);
        free(expect);
        free(eg);
        free(eb);
        free(mean);
        free(x);
        free(dy);
        free(y);
        free(dx);
        data_release(&d);
    }
}

static double loss(void *ctx)
{
    struct norm_data *d = ctx;
    run_forward(d);
    return check_dot(d->y, d->dy, d->size);
}

static void test_gradients_by_difference_quotients(void **state)
{
    struct norm_data d;
    data_init(&d, &(struct norm_case){4, 3, 9}, 1);
    for (size_t i = 0; i < d.size; i++) {
        d.x[i] -= 100;
    }
    run_forward(&d);
    run_backward(&d);
    check_gradient("dx", loss, &d, d.x, d.dx, d.size, 60, 0.05f, 2e-3);
    check_gradient("dgamma", loss, &d, d.gamma, d.dgamma, 3, 3, 0.1f, 1e-3);
    check_gradient("dbeta", loss, &d, d.beta, d.dbeta, 3, 3, 0.1f, 1e-3);
    data_release(&d);
}

static void test_threads_change_no_bit(void **state)
{
    struct norm_data one, many;
    data_init(&one, &(struct norm_case){8, 16, 63}, 1);
    data_init(&many, &(struct norm_case){8, 16, 63}, 3);
    run_forward(&one);
    run_backward(&one);
    run_forward(&many);
    run_backward(&many);
    CHECK_BITS("y", many.y, one.y, one.size);
    CHECK_BITS("dx", many.dx, one.dx, one.size);
    CHECK_BITS("dgamma", many.dgamma, one.dgamma, 16);
    data_release(&one);
    data_release(&many);
}

/* Sums of four ranks with two shards each, added pairwise. */
static void test_ranks_change_no_bit(void **state)
{
    struct norm_data d;
    data_init(&d, &(struct norm_case){11, 6, 25}, 2);
    run_forward(&d);
    run_backward(&d);
    double sums[4][12], back[4][12];
    float dgamma[4][6], dbeta[4][6];
    for (size_t r = 0; r < 4; r++) {
        struct shard_split part;
        shard_split_init(&part, d.n, 8, 2 * r, 2);
        size_t at = part.row_first * d.s.c * d.s.area;
        batchnorm_sums(&d.s, &part, d.x + at, sums[r], d.ws, d.par);
        batchnorm_backward_sums(&d.s, &part, d.x + at, d.dy + at, d.mean, d.inv_std, back[r],
                                dgamma[r], dbeta[r], d.ws, d.par);
    }
    for (size_t i = 0; i < 12; i++) {
        sums[0][i] = (sums[0][i] + sums[1][i]) + (sums[2][i] + sums[3][i]);
        back[0][i] = (back[0][i] + back[1][i]) + (back[2][i] + back[3][i]);
    }
    for (size_t i = 0; i < 6; i++) {
        dgamma[0][i] = (dgamma[0][i] + dgamma[1][i]) + (dgamma[2][i] + dgamma[3][i]);
        dbeta[0][i] = (dbeta[0][i] + dbeta[1][i]) + (dbeta[2][i] + dbeta[3][i]);
    }
    CHECK_BITS("sums", sums[0], d.sums, 12);
    CHECK_BITS("backward sums", back[0], d.back, 12);
    CHECK_BITS("dgamma", dgamma[0], d.dgamma, 6);
    CHECK_BITS("dbeta", dbeta[0], d.dbeta, 6);
    data_release(&d);
}

static void test_one_value_a_channel(void **state)
{
    float mean[1], inv_std[1], rm[1] = {0}, rv[1] = {1};
    batchnorm_statistics(1, 1, (const double[2]){3, 9}, mean, inv_std, rm, rv);
    assert_true(mean[0] == 3 && isfinite(inv_std[0]) && isfinite(rv[0]));
}

static void test_evaluation_uses_running_statistics(void **state)
{
    struct batchnorm_shape s = {2, 3};
    const float running_mean[2] = {1, -2}, running_var[2] = {4, 0.25f};
    const float gamma[2] = {3, 1}, beta[2] = {0.5f, 0}, x[6] = {1, -2, 3, -1.5f, -5, -4};
    float mean[2], inv_std[2], y[6];
    batchnorm_from_running(2, running_mean, running_var, mean, inv_std);
    batchnorm_apply(&s, 1, x, mean, inv_std, gamma, beta, true, y, NULL);
    const float expect[6] = {0.5f, 0, 3.5f, 1, 0, 0};
    for (size_t i = 0; i < 6; i++) {
        assert_true(fabsf(y[i] - expect[i]) < 1e-4f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_against_the_naive_loop),
        cmocka_unit_test(test_gradients_by_difference_quotients),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_ranks_change_no_bit),
        cmocka_unit_test(test_one_value_a_channel),
        cmocka_unit_test(test_evaluation_uses_running_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
