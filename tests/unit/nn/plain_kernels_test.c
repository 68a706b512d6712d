/* ReLU, pooling, dropout, softmax cross-entropy. */

#include "nn_check.h"

#include "avgpool.h"
#include "dropout.h"
#include "maxpool.h"
#include "naive.h"
#include "par.h"
#include "relu.h"
#include "xent.h"

static void test_relu(void **state)
{
    enum { N = 100003 };
    struct par *par = par_new(3);
    float *x = check_random(N, 1), *y = check_floats(N), *dy = check_random(N, 2);
    float *expect = check_floats(N);
    memcpy(y, x, N * sizeof(float));
    relu_forward(y, N, par);
    naive_relu_forward(N, x, expect);
    assert_true(check_nmse(y, expect, N) == 0);
    naive_relu_backward(N, x, dy, expect);
    relu_backward(y, dy, N, par);
    assert_true(check_nmse(dy, expect, N) == 0);
    float odd[3] = {NAN, -INFINITY, INFINITY};
    relu_forward(odd, 3, NULL);
    assert_true(isnan(odd[0]) && odd[1] == 0 && isinf(odd[2]));
    free(x);
    free(y);
    free(dy);
    free(expect);
    par_free(par);
}

/* Kernels are NHWC, the naive loops NCHW. */
static void test_maxpool(void **state)
{
    static const size_t sides[][2] = {{2, 2}, {3, 2}, {5, 7}, {14, 14}, {1, 5}, {1, 1}, {8, 31}};
    enum { N = 2, C = 3 };
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        const struct maxpool_shape s = {.c = C, .h = sides[i][0], .w = sides[i][1]};
        size_t area = s.h * s.w, half = (s.h / 2) * (s.w / 2), in = N * C * area,
               out = N * C * half;
        struct par *par = par_new((int)(i % 3) + 1);
        float *planes = check_random(in, i), *y = check_floats(out), *ey = check_floats(out);
        float *dplanes = check_random(out, 9), *dx = check_random(in, 8), *ex = check_floats(in);
        uint8_t *argmax = calloc(out + 1, 1);
        for (size_t k = 0; k < in; k++) {
            planes[k] = roundf(4 * planes[k]); /* many equals: the first must win */
        }
        float *x = check_swap(planes, N, C, area), *dy = check_swap(dplanes, N, C, half);
        maxpool_forward(&s, N, x, y, argmax, par);
        maxpool_backward(&s, N, dy, argmax, dx, par);
        naive_maxpool_forward(N * C, s.h, s.w, planes, ey);
        naive_maxpool_backward(N * C, s.h, s.w, planes, dplanes, ex);
        float *fy = check_swap(ey, N, C, half), *fx = check_swap(ex, N, C, area);
        CHECK_BITS("y", y, fy, out);
        CHECK_BITS("dx", dx, fx, in);
        maxpool_forward(&s, N, x, y, NULL, par);
        CHECK_BITS("y without argmax", y, fy, out);
        float *all[] = {planes, y, ey, dplanes, dx, ex, x, dy, fy, fx};
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
            free(all[k]);
        }
        free(argmax);
        par_free(par);
    }
    float x[4] = {1, NAN, 3, 2}, y;
    maxpool_forward(&(struct maxpool_shape){1, 2, 2}, 1, x, &y, NULL, NULL);
    assert_true(isnan(y));
}

static void test_avgpool(void **state)
{
    static const struct avgpool_shape shapes[] = {
        {5, 7, 7, 7, 7},   {5, 1, 1, 7, 7},   {5, 2, 2, 7, 7}, {5, 4, 3, 7, 7},
        {5, 10, 12, 7, 7}, {5, 14, 21, 7, 7}, {5, 5, 9, 2, 3}, {5, 8, 8, 7, 7}};
    enum { N = 3 };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct avgpool_shape *s = &shapes[i];
        size_t planes = N * s->c, area = s->h * s->w, in = planes * area;
        size_t out = planes * s->oh * s->ow;
        float *nchw = check_random(in, 1), *y = check_floats(out), *ey = check_floats(out);
        float *dy = check_random(out, 2), *dx = check_random(in, 3), *ex = check_floats(in);
        float *x = check_swap(nchw, N, s->c, area);
        avgpool_forward(s, N, x, y, NULL);
        avgpool_backward(s, N, dy, NULL, dx, NULL);
        naive_avgpool_forward(planes, s->h, s->w, s->oh, s->ow, nchw, ey);
        naive_avgpool_backward(planes, s->h, s->w, s->oh, s->ow, dy, ex);
        float *fx = check_swap(ex, N, s->c, area);
        CHECK_NEAR("y", y, ey, out, 1e-12);
        CHECK_NEAR("dx", dx, fx, in, 1e-12);
        /* <avgpool(x), dy> = <x, avgpool^T(dy)> */
        assert_true(fabs(check_dot(y, dy, out) - check_dot(x, dx, in)) < 1e-4);
        avgpool_backward(s, N, dy, x, dx, NULL);
        for (size_t k = 0; k < in; k++) {
            assert_true(x[k] > 0 || dx[k] == 0);
            fx[k] = x[k] > 0 ? fx[k] : 0;
        }
        CHECK_NEAR("masked", dx, fx, in, 1e-12);
        float *all[] = {nchw, y, ey, dy, dx, ex, x, fx};
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
            free(all[k]);
        }
    }
}

static void test_dropout_depends_on_the_sample_alone(void **state)
{
    enum { ROWS = 8, WIDTH = 1003 };
    struct dropout_key key = {.seed = 5, .step = 17, .layer = 3, .keep = 0.5};
    size_t bytes = dropout_mask_bytes(WIDTH);
    float *x = check_random(ROWS * WIDTH, 1), *all = check_floats(ROWS * WIDTH);
    float *halves = check_floats(ROWS * WIDTH);
    uint8_t *mask = calloc(ROWS, bytes);
    struct par *par = par_new(3);
    memcpy(all, x, ROWS * WIDTH * sizeof(float));
    memcpy(halves, x, ROWS * WIDTH * sizeof(float));
    dropout_forward(&key, 0, ROWS, WIDTH, all, mask, par);
    size_t kept = 0;
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        assert_true(all[i] == 0 || all[i] == 2 * x[i]);
        kept += all[i] != 0;
    }
    assert_in_range(kept, ROWS * WIDTH / 2 - 250, ROWS * WIDTH / 2 + 250); /* 5 deviations */
    float *dy = check_floats(ROWS * WIDTH);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        dy[i] = 1;
    }
    dropout_backward(&key, ROWS, WIDTH, dy, mask, par);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        assert_true(dy[i] == (all[i] != 0 ? 2.0f : 0.0f));
    }
    dropout_forward(&key, 0, 3, WIDTH, halves, mask, NULL);
    dropout_forward(&key, 3, 5, WIDTH, halves + 3 * WIDTH, mask, par);
    CHECK_BITS("halves", halves, all, ROWS * WIDTH);
    memcpy(halves, x, ROWS * WIDTH * sizeof(float));
    key.step++;
    dropout_forward(&key, 0, ROWS, WIDTH, halves, mask, NULL);
    assert_true(memcmp(halves, all, ROWS * WIDTH * sizeof(float)) != 0);
    free(x);
    free(all);
    free(halves);
    free(dy);
    free(mask);
    par_free(par);
}

static void test_dropout_keep_decides_how_many(void **state)
{
    enum { WIDTH = 20000 };
    for (int k = 1; k <= 4; k++) {
        struct dropout_key key = {.seed = 1, .keep = 0.25 * k};
        float *x = check_floats(WIDTH);
        uint8_t *mask = calloc(1, dropout_mask_bytes(WIDTH));
        for (size_t i = 0; i < WIDTH; i++) {
            x[i] = 1;
        }
        dropout_forward(&key, 0, 1, WIDTH, x, mask, NULL);
        double sum = 0;
        for (size_t i = 0; i < WIDTH; i++) {
            sum += x[i];
        }
        assert_true(fabs(sum / WIDTH - 1) < 0.1); /* the mean is kept */
        assert_true(k < 4 || sum == WIDTH);
        free(x);
        free(mask);
    }
}

struct xent_data {
    float logits[15], p[15], loss[5];
    int32_t labels[5];
};

static double mean_loss(void *ctx)
{
    struct xent_data *d = ctx;
    return naive_xent(5, 3, d->logits, d->labels, NULL);
}

static void test_xent(void **state)
{
    struct xent_data d = {.labels = {0, 1, 2, 2, 0}};
    float *z = check_random(15, 1), dz[15], expect[15];
    for (size_t i = 0; i < 15; i++) {
        d.logits[i] = 3 * z[i];
    }
    xent_forward(5, 3, d.logits, d.labels, d.p, d.loss);
    xent_backward(5, 3, d.p, d.labels, 5, dz);
    double loss = 0;
    for (size_t r = 0; r < 5; r++) {
        loss += d.loss[r] / 5.0;
        assert_true(fabs(d.p[3 * r] + d.p[3 * r + 1] + d.p[3 * r + 2] - 1) < 1e-6);
    }
    assert_true(fabs(loss - naive_xent(5, 3, d.logits, d.labels, expect)) < 1e-6);
    CHECK_NEAR("dlogits", dz, expect, 15, 1e-12);
    check_gradient("dlogits", mean_loss, &d, d.logits, dz, 15, 15, 0.01f, 1e-3);
    free(z);
}

static void test_xent_of_huge_logits(void **state)
{
    const float logits[6] = {1e4f, -1e4f, 0, -3e38f, 3e38f, 0};
    const int32_t labels[2] = {1, 1};
    float p[6], loss[2];
    xent_forward(2, 3, logits, labels, p, loss);
    assert_true(loss[0] == 2e4f && p[0] == 1 && p[1] == 0);
    assert_true(loss[1] == 0 && p[4] == 1);
    const float bad[2] = {NAN, 1};
    xent_forward(1, 2, bad, (const int32_t[]){1}, p, loss);
    assert_true(isnan(loss[0]) && isnan(p[0])); /* a diverged run must show */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relu),
        cmocka_unit_test(test_maxpool),
        cmocka_unit_test(test_avgpool),
        cmocka_unit_test(test_dropout_depends_on_the_sample_alone),
        cmocka_unit_test(test_dropout_keep_decides_how_many),
        cmocka_unit_test(test_xent),
        cmocka_unit_test(test_xent_of_huge_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
