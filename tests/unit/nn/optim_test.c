/* Optimisers against their formulas written out in double, clipping, state, refusals. */

#include "nn_check.h"

#include "err.h"
#include "model.h"
#include "optim.h"
#include "par.h"

struct reference {
    double *w, *m, *v;
    size_t n;
};

static struct model *make(struct par *par, int freeze)
{
    struct err e = ERR_INIT;
    struct model *m = model_new(&(struct model_config){.name = "vgg11",
                                                       .classes = 3,
                                                       .height = 32,
                                                       .width = 32,
                                                       .width_divisor = 16,
                                                       .seed = 1,
                                                       .freeze = freeze,
                                                       .par = par},
                                &e);
    assert_non_null(m);
    return m;
}

static void fill_grads(struct model *m, uint64_t stream)
{
    size_t n;
    const struct param *p = model_params(m, &n);
    for (size_t i = 0; i < n; i++) {
        float *g = check_random(p[i].count, 100 * stream + i);
        for (size_t k = 0; k < p[i].count && p[i].trainable; k++) {
            p[i].grad[k] = 0.01f * g[k];
        }
        free(g);
    }
}

static void reference_step(const struct optim_config *c, struct reference *r, const float *grad,
                           double rate, int t)
{
    double norm = 0, scale = 1;
    for (size_t i = 0; i < r->n; i++) {
        norm += (double)grad[i] * grad[i];
    }
    norm = sqrt(norm);
    if (c->clip_norm > 0 && c->clip_norm / (norm + 1e-6) < 1) {
        scale = c->clip_norm / (norm + 1e-6);
    }
    for (size_t i = 0; i < r->n; i++) {
        double g = grad[i] * scale + c->weight_decay * r->w[i];
        if (c->kind == OPTIM_SGD) {
            r->m[i] = c->momentum * r->m[i] + g;
            r->w[i] -= rate * (c->momentum > 0 ? r->m[i] : g);
            continue;
        }
        r->m[i] = 0.9 * r->m[i] + 0.1 * g;
        r->v[i] = 0.999 * r->v[i] + 0.001 * g * g;
        double m = r->m[i] / (1 - pow(0.9, t)), v = r->v[i] / (1 - pow(0.999, t));
        r->w[i] -= rate * m / (sqrt(v) + 1e-8);
    }
}

static void check_optimizer(struct optim_config config, int freeze)
{
    struct err e = ERR_INIT;
    struct par *par = par_new(2);
    struct model *m = make(par, freeze);
    struct optim *o = optim_new(&config, m, &e);
    assert_non_null(o);
    size_t n = model_arena_count(m), begin = model_trainable_offset(m);
    struct reference r = {.w = calloc(3 * n, sizeof(double)), .n = n};
    float *before = malloc(n * sizeof(float));
    assert_true(r.w && before);
    r.m = r.w + n;
    r.v = r.m + n;
    memcpy(before, model_values(m), n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        r.w[i] = before[i];
    }
    for (int t = 1; t <= 5; t++) {
        fill_grads(m, (uint64_t)t);
        reference_step(&config, &r, model_grads(m), 0.02 / t, t);
        double norm = optim_step(o, 0.02 / t);
        assert_true(config.clip_norm > 0 ? norm > 0 : norm == 0);
    }
    assert_int_equal(optim_steps(o), 5);
    for (size_t i = begin; i < n; i++) {
        if (!(fabs(model_values(m)[i] - r.w[i]) <= 2e-6 * (1 + fabs(r.w[i])))) {
            fail_msg("element %zu: %.9g, expected %.9g", i, (double)model_values(m)[i], r.w[i]);
        }
    }
    CHECK_BITS("frozen", model_values(m), before, begin);
    assert_true((freeze != 0) == (begin > 0));
    for (size_t i = 0; i < optim_slots(o); i++) {
        assert_true(check_dot(optim_slot(o, i), optim_slot(o, i), begin) == 0);
        assert_true(check_dot(optim_slot(o, i) + begin, optim_slot(o, i) + begin, n - begin) > 0);
    }
    free(r.w);
    free(before);
    optim_free(o);
    model_free(m);
    par_free(par);
}

static void test_formulas(void **state)
{
    check_optimizer((struct optim_config){0}, 0);
    check_optimizer((struct optim_config){.momentum = 0.9}, 0);
    check_optimizer((struct optim_config){.momentum = 0.9, .weight_decay = 0.01, .clip_norm = 0.5},
                    0);
    check_optimizer((struct optim_config){.momentum = 0.5, .clip_norm = 1e6}, 3);
    check_optimizer((struct optim_config){.kind = OPTIM_ADAM, .weight_decay = 0.01}, 0);
    check_optimizer((struct optim_config){.kind = OPTIM_ADAM, .clip_norm = 0.1}, -1);
}

/* Algorithm 1 of You et al. 2017 in double, tensor by tensor. */
static void reference_lars(const struct optim_config *c, const struct param *p, double *w,
                           double *v, double rate, double clip)
{
    double weight = 0, grad = 0, ratio = 1, decay = 0;
    for (size_t i = 0; i < p->count; i++) {
        weight += w[i] * w[i];
        grad += clip * p->grad[i] * clip * p->grad[i];
    }
    if (p->ndim > 1) {
        decay = c->weight_decay;
        ratio = weight > 0 && grad > 0
                    ? c->trust * sqrt(weight) / (sqrt(grad) + decay * sqrt(weight))
                    : 1;
    }
    for (size_t i = 0; i < p->count; i++) {
        v[i] = c->momentum * v[i] + rate * ratio * (clip * p->grad[i] + decay * w[i]);
        w[i] -= v[i];
    }
}

static double clip_of(const struct optim_config *c, struct model *m)
{
    size_t begin = model_trainable_offset(m), n = model_arena_count(m) - begin;
    double norm = sqrt(check_dot(model_grads(m) + begin, model_grads(m) + begin, n));
    return c->clip_norm > 0 && c->clip_norm / (norm + 1e-6) < 1 ? c->clip_norm / (norm + 1e-6) : 1;
}

static void check_lars(struct optim_config config, int freeze)
{
    struct err e = ERR_INIT;
    struct par *par = par_new(2);
    struct model *m = make(par, freeze);
    struct optim *o = optim_new(&config, m, &e);
    size_t n = model_arena_count(m), params;
    const struct param *p = model_params(m, &params);
    double *w = calloc(2 * n, sizeof(double)), *v = w + n, moved = 0;
    assert_non_null(o);
    assert_non_null(w);
    for (size_t i = 0; i < n; i++) {
        w[i] = model_values(m)[i];
    }
    for (int t = 1; t <= 10; t++) {
        fill_grads(m, (uint64_t)t);
        double clip = clip_of(&config, m);
        for (size_t i = 0; i < params; i++) {
            if (p[i].trainable) {
                reference_lars(&config, &p[i], w + p[i].offset, v + p[i].offset, 0.5 / t, clip);
            }
        }
        optim_step(o, 0.5 / t);
    }
    for (size_t i = model_trainable_offset(m); i < n; i++) {
        double got = model_values(m)[i];
        if (!(fabs(got - w[i]) <= 2e-6 * (1 + fabs(w[i])))) {
            fail_msg("element %zu: %.9g, expected %.9g", i, got, w[i]);
        }
        moved += fabs(v[i]) > 1e-4;
    }
    assert_true(config.momentum == 0 || moved > 1000); /* the bound above means something */
    free(w);
    optim_free(o);
    model_free(m);
    par_free(par);
}

static void test_lars(void **state)
{
    struct optim_config c = {.kind = OPTIM_LARS, .momentum = 0.9, .trust = 0.05};
    check_lars(c, 0);
    c.weight_decay = 0.01;
    check_lars(c, 3);
    c.clip_norm = 0.1;
    check_lars(c, 0);
    c.momentum = 0;
    check_lars(c, -1);
}

static void test_threads_change_no_bit(void **state)
{
    float *first = NULL;
    double norms[3];
    size_t n = 0;
    for (int threads = 1; threads <= 3; threads++) {
        struct par *par = par_new(threads);
        struct model *m = make(par, 0);
        struct optim *o = optim_new(
            &(struct optim_config){.momentum = 0.9, .clip_norm = 0.3, .weight_decay = 0.1}, m,
            NULL);
        fill_grads(m, 1);
        norms[threads - 1] = optim_step(o, 0.1);
        n = model_arena_count(m);
        if (!first) {
            first = malloc(n * sizeof(float));
            memcpy(first, model_values(m), n * sizeof(float));
        }
        CHECK_BITS("parameters", model_values(m), first, n);
        optim_free(o);
        model_free(m);
        par_free(par);
    }
    assert_true(norms[0] == norms[1] && norms[1] == norms[2]);
    free(first);
}

static void test_a_norm_that_is_not_finite_updates_nothing(void **state)
{
    struct model *m = make(NULL, 0);
    struct optim *o = optim_new(&(struct optim_config){.clip_norm = 1, .momentum = 0.9}, m, NULL);
    size_t n = model_arena_count(m);
    float *before = malloc(n * sizeof(float));
    memcpy(before, model_values(m), n * sizeof(float));
    fill_grads(m, 1);
    model_grads(m)[17] = NAN;
    assert_true(isnan(optim_step(o, 0.1)));
    CHECK_BITS("parameters", model_values(m), before, n);
    assert_int_equal(optim_steps(o), 0);
    free(before);
    optim_free(o);
    model_free(m);
}

/* Slots and the counter are all that a resumed run needs. */
static void test_state_resumes(void **state)
{
    for (int kind = OPTIM_SGD; kind <= OPTIM_ADAM; kind++) {
        struct optim_config c = {.kind = (enum optim_kind)kind, .momentum = 0.9};
        struct model *a = make(NULL, 0), *b = make(NULL, 0);
        struct optim *oa = optim_new(&c, a, NULL), *ob = optim_new(&c, b, NULL);
        size_t n = model_arena_count(a);
        for (uint64_t t = 0; t < 4; t++) {
            if (t == 2) {
                memcpy(model_values(b), model_values(a), n * sizeof(float));
                for (size_t i = 0; i < optim_slots(oa); i++) {
                    assert_string_equal(optim_slot_name(oa, i), optim_slot_name(ob, i));
                    memcpy(optim_slot(ob, i), optim_slot(oa, i), n * sizeof(float));
                }
                optim_set_steps(ob, optim_steps(oa));
            }
            fill_grads(a, t);
            optim_step(oa, 0.01);
            if (t >= 2) {
                fill_grads(b, t);
                optim_step(ob, 0.01);
            }
        }
        CHECK_BITS("resumed", model_values(b), model_values(a), n);
        optim_free(oa);
        optim_free(ob);
        model_free(a);
        model_free(b);
    }
}

static void test_wrong_settings_are_named(void **state)
{
    struct model *m = make(NULL, 0);
    struct err e = ERR_INIT;
    assert_null(optim_new(&(struct optim_config){.momentum = 1}, m, &e));
    assert_non_null(strstr(e.text, "momentum is 1"));
    assert_null(optim_new(&(struct optim_config){.weight_decay = -1}, m, &e));
    assert_non_null(strstr(e.text, "weight_decay"));
    assert_null(optim_new(&(struct optim_config){.clip_norm = NAN}, m, &e));
    enum optim_kind kind;
    assert_int_equal(optim_parse_kind("SGD!", &kind, &e), -1);
    assert_non_null(strstr(e.text, "sgd, adam or lars"));
    assert_int_equal(optim_parse_kind("adam", &kind, &e), 0);
    assert_string_equal(optim_kind_name(kind), "adam");
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_lars),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_a_norm_that_is_not_finite_updates_nothing),
        cmocka_unit_test(test_state_resumes),
        cmocka_unit_test(test_wrong_settings_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
