/* Heat maps: the same logits as the network's, gradients against finite differences, the formula.
 */
#include "nn_check.h"

#include "err.h"
#include "gradcam.h"
#include "model.h"
#include "par.h"

struct fixture {
    struct par *par;
    struct model *m;
    struct gradcam *g;
    float *x;
    size_t k, h, w;
};

/* Statistics that change something, and a head whose logits are not all but zero. */
static void liven(struct model *m)
{
    size_t count;
    const struct model_buffer *b = model_buffers(m, &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; b[i].value && j < b[i].count; j++) {
            b[i].value[j] += 0.02f * (float)(j % 7);
        }
    }
    const struct param *p = model_params(m, &count);
    for (size_t i = 0; i < count; i++) {
        float *r = check_random(p[i].count, 50 + i);
        for (size_t j = 0; j < p[i].count && p[i].ndim < 3; j++) {
            p[i].value[j] += 0.2f * r[j];
        }
        free(r);
    }
}

static void begin(struct fixture *f, const struct model_config *config)
{
    struct err e = ERR_INIT;
    struct model_config c = *config;
    f->par = par_new(2);
    c.par = f->par;
    c.freeze = MODEL_FREEZE_BUT_LAST;
    c.classes = 3;
    c.seed = 5;
    f->m = model_new(&c, &e);
    assert_non_null(f->m);
    liven(f->m);
    assert_int_equal(model_plan(f->m, &(struct model_plan){.batch = 1, .inference = true}, &e), 0);
    f->g = gradcam_new(f->m, &e);
    if (!f->g) {
        fail_msg("%s", e.text);
    }
    f->x = check_random(3 * c.height * c.width, 9);
    gradcam_size(f->g, &f->h, &f->w);
}

static void end(struct fixture *f)
{
    gradcam_free(f->g);
    model_free(f->m);
    par_free(f->par);
    free(f->x);
}

static const struct model_config nets[] = {
    {.name = "vgg11", .height = 64, .width = 96, .width_divisor = 8, .hidden = 512},
    {.name = "vgg16_bn", .height = 64, .width = 64, .width_divisor = 8, .hidden = 512},
    {.name = "vgg13_bn", .height = 96, .width = 64, .width_divisor = 8, .head = MODEL_HEAD_LINEAR},
    {.name = "vgg11", .height = 65, .width = 49, .width_divisor = 4, .head = MODEL_HEAD_LINEAR},
};

static void the_logits_are_those_of_the_network(void **state)
{
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        struct fixture f;
        float z[3];
        begin(&f, &nets[i]);
        memcpy(z, gradcam_forward(f.g, f.x), sizeof(z));
        model_forward(f.m, &(struct model_batch){.x = f.x, .count = 1, .mode = MODEL_EVAL});
        const float *expect = model_logits(f.m);
        for (int c = 0; c < 3; c++) {
            if (!(fabs((double)z[c] - expect[c]) < 1e-5 + 1e-5 * fabs((double)expect[c]))) {
                fail_msg("net %zu: logit %d is %g, expected %g", i, c, (double)z[c],
                         (double)expect[c]);
            }
        }
        assert_true(z[gradcam_best(f.g)] >= z[0] && z[gradcam_best(f.g)] >= z[2]);
        end(&f);
    }
}

/* The slope at `a`. The logit is piecewise linear in it: where the slopes to both sides disagree a
 * kink lies there and the element says nothing. */
static bool slope(struct fixture *f, float *a, size_t label, float eps, double *out)
{
    float old = *a;
    double z[3];
    for (int i = -1; i <= 1; i++) {
        *a = old + (float)i * eps;
        z[i + 1] = (double)gradcam_head(f->g)[label];
    }
    *a = old;
    double left = (z[1] - z[0]) / (double)eps, right = (z[2] - z[1]) / (double)eps;
    *out = (left + right) / 2;
    return fabs(left - right) < 1e-3 * (1e-2 + fabs(*out));
}

static void gradients_are_finite_differences(void **state)
{
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        struct fixture f;
        size_t used = 0, moving = 0;
        begin(&f, &nets[i]);
        gradcam_forward(f.g, f.x);
        float *a = gradcam_map(f.g, &f.k);
        size_t n = f.k * f.h * f.w;
        float *da = malloc(n * sizeof(float));
        assert_non_null(da);
        memcpy(da, gradcam_gradient(f.g, 1), n * sizeof(float));
        for (size_t at = 0; at < n; at += 1 + n / 150) {
            double expect;
            if (slope(&f, &a[at], 1, 0.01f, &expect)) {
                used++;
                moving += fabs(expect) > 1e-5;
                if (!(fabs(expect - (double)da[at]) < 2e-3 * (1e-2 + fabs(expect)))) {
                    fail_msg("net %zu: gradient %zu is %g, expected %g", i, at, (double)da[at],
                             expect);
                }
            }
        }
        assert_true(used > 60 && moving > 5);
        free(da);
        end(&f);
    }
}

static void heat_is_the_formula(void **state)
{
    struct fixture f;
    begin(&f, &nets[1]);
    gradcam_forward(f.g, f.x);
    size_t area = f.h * f.w, hot = 0;
    float *heat = malloc(area * sizeof(float));
    assert_non_null(heat);
    for (size_t label = 0; label < 3; label++) {
        gradcam_heat(f.g, label, heat);
        const float *a = gradcam_map(f.g, &f.k), *da = gradcam_gradient(f.g, label);
        for (size_t i = 0; i < area; i++) {
            double sum = 0;
            for (size_t k = 0; k < f.k; k++) {
                double alpha = 0;
                for (size_t j = 0; j < area; j++) {
                    alpha += (double)da[k * area + j] / (double)area;
                }
                sum += alpha * (double)a[k * area + i];
            }
            assert_true(fabs((double)heat[i] - (sum > 0 ? sum : 0)) < 1e-6 + 1e-5 * fabs(sum));
            hot += heat[i] > 0;
        }
    }
    assert_true(hot > 0 && hot < 3 * area);
    free(heat);
    end(&f);
}

static void another_model_is_refused(void **state)
{
    struct err e = ERR_INIT;
    struct model_config c = nets[0];
    c.classes = 2;
    for (int freeze = -1; freeze < 4; freeze++) {
        c.freeze = freeze;
        struct model *m = model_new(&c, &e);
        assert_non_null(m);
        assert_null(gradcam_new(m, &e));
        assert_non_null(strstr(e.text, "last convolution"));
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_logits_are_those_of_the_network),
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(heat_is_the_formula),
        cmocka_unit_test(another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
