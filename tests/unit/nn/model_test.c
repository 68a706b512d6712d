/* A model as its callers see it: names, shapes, first values, freezing, gradients, refusals. */

#include "nn_check.h"

#include "err.h"
#include "model.h"
#include "par.h"
#include "str.h"

static struct model *make(struct model_config c)
{
    struct err e = ERR_INIT;
    struct model *m = model_new(&c, &e);
    if (!m) {
        fail_msg("%s", e.text);
    }
    return m;
}

static void plan(struct model *m, size_t batch, bool inference)
{
    struct err e = ERR_INIT;
    if (model_plan(m, &(struct model_plan){.batch = batch, .inference = inference}, &e) < 0) {
        fail_msg("%s", e.text);
    }
}

static void check_param(const struct model *m, const char *name, size_t a, size_t b)
{
    const struct param *p = model_param_find(m, name);
    if (!p) {
        fail_msg("no parameter %s", name);
        return;
    }
    assert_int_equal(p->shape[0], a);
    assert_int_equal(p->ndim > 1 ? p->shape[1] : 0, b);
    assert_int_equal((uintptr_t)p->value % 64, 0);
    assert_ptr_equal(p->value, model_values(m) + p->offset);
    assert_ptr_equal(p->grad, model_grads(m) + p->offset);
}

static void test_names_and_shapes_are_torchvisions(void **state)
{
    struct model *m = make((struct model_config){
        .name = "vgg16", .classes = 10, .height = 224, .width = 224, .empty = true});
    check_param(m, "features.0.weight", 64, 3);
    check_param(m, "features.0.bias", 64, 0);
    check_param(m, "features.28.weight", 512, 512);
    check_param(m, "classifier.0.weight", 4096, 25088);
    check_param(m, "classifier.3.bias", 4096, 0);
    check_param(m, "classifier.6.weight", 10, 4096);
    assert_null(model_param_find(m, "features.1.weight"));
    size_t n;
    model_params(m, &n);
    assert_int_equal(n, 32);
    assert_int_equal(model_param_count(m), 138357544 - 990 * 4097); /* torchvision: 1000 classes */
    model_free(m);
    m = make((struct model_config){
        .name = "vgg19_bn", .classes = 2, .height = 64, .width = 64, .head = MODEL_HEAD_LINEAR});
    check_param(m, "features.49.weight", 512, 512);
    check_param(m, "features.50.weight", 512, 0);
    check_param(m, "classifier.0.weight", 2, 2 * 2 * 512);
    const struct model_buffer *b = model_buffer_find(m, "features.50.running_var");
    assert_true(b && b->count == 512 && b->value[0] == 1);
    b = model_buffer_find(m, "features.50.num_batches_tracked");
    assert_true(b && b->ndim == 0 && *b->counter == 0);
    model_free(m);
}

static void test_every_name_of_the_table(void **state)
{
    static const struct {
        const char *name;
        size_t params; /* tensors */
    } models[] = {{"vgg11", 22}, {"vgg11_bn", 38}, {"vgg13", 26}, {"vgg13_bn", 46},
                  {"vgg16", 32}, {"vgg16_bn", 58}, {"vgg19", 38}, {"vgg19_bn", 70}};
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        assert_non_null(strstr(model_names(), models[i].name));
        struct model *m = make((struct model_config){
            .name = models[i].name, .classes = 2, .height = 32, .width = 32, .width_divisor = 32});
        size_t n;
        model_params(m, &n);
        assert_int_equal(n, models[i].params);
        model_free(m);
    }
}

static void refuse(struct model_config c, const char *text)
{
    struct err e = ERR_INIT;
    assert_null(model_new(&c, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    if (!strstr(e.text, text)) {
        fail_msg("'%s' does not say '%s'", e.text, text);
    }
}

static void test_wrong_configurations_are_named(void **state)
{
    struct model_config good = {.name = "vgg11", .classes = 2, .height = 32, .width = 32}, c;
    c = good, c.name = "resnet18", refuse(c, "vgg16_bn");
    c = good, c.name = "vgg11_bnx", refuse(c, "vgg11_bnx");
    c = good, c.name = NULL, refuse(c, "known are");
    c = good, c.classes = 1, refuse(c, "1 classes");
    c = good, c.height = 31, refuse(c, "31x32");
    c = good, c.width = 100000, refuse(c, "100000");
    c = good, c.shards = 65, refuse(c, "65 shards");
    c = good, c.freeze = 9, refuse(c, "has 8");
    c = good, c.keep = 1.5, refuse(c, "1.5");
    c = good, c.keep = NAN, refuse(c, "nan");
    int freeze;
    enum model_head head;
    struct err e = ERR_INIT;
    assert_int_equal(model_parse_freeze("half", &freeze, &e), -1);
    assert_non_null(strstr(e.text, "features, none"));
    assert_int_equal(model_parse_freeze("-3", &freeze, &e), -1);
    assert_int_equal(model_parse_freeze("", &freeze, &e), -1);
    assert_int_equal(model_parse_freeze("7", &freeze, NULL), 0);
    assert_int_equal(freeze, 7);
    assert_int_equal(model_parse_freeze("features", &freeze, NULL), 0);
    assert_int_equal(freeze, MODEL_FREEZE_FEATURES);
    assert_int_equal(model_parse_head("big", &head, &e), -1);
    struct model *m = make(good);
    assert_int_equal(model_plan(m, &(struct model_plan){.batch = 0}, &e), -1);
    assert_int_equal(
        model_plan(m, &(struct model_plan){.batch = 4, .shard_first = 7, .shard_count = 2}, &e),
        -1);
    model_free(m);
}

static void moments(const struct param *p, double *mean, double *std)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < p->count; i++) {
        sum += p->value[i];
        square += (double)p->value[i] * p->value[i];
    }
    *mean = sum / (double)p->count;
    *std = sqrt(square / (double)p->count - *mean * *mean);
}

static void test_first_values(void **state)
{
    struct model_config c = {.name = "vgg11_bn",
                             .classes = 5,
                             .height = 32,
                             .width = 32,
                             .width_divisor = 4,
                             .seed = 3,
                             .par = par_new(3)};
    struct model *m = make(c), *again, *other;
    double mean, std;
    const struct param *p = model_param_find(m, "features.11.weight"); /* 64 x 64 x 3 x 3 */
    moments(p, &mean, &std);
    assert_true(fabs(mean) < 0.003 && fabs(std / sqrt(2.0 / (9 * 64)) - 1) < 0.02);
    moments(model_param_find(m, "classifier.3.weight"), &mean, &std);
    assert_true(fabs(mean) < 1e-4 && fabs(std / 0.01 - 1) < 0.01);
    assert_true(model_param_find(m, "features.1.weight")->value[0] == 1);
    assert_true(model_param_find(m, "features.0.bias")->value[0] == 0);
    struct par *par = c.par;
    c.par = NULL;
    c.classes = 7; /* the last layer differs, all others start the same */
    again = make(c);
    c.seed = 4;
    other = make(c);
    const struct param *q = model_param_find(again, "classifier.3.weight");
    CHECK_BITS("same seed", q->value, model_param_find(m, "classifier.3.weight")->value, q->count);
    assert_true(memcmp(q->value, model_param_find(other, "classifier.3.weight")->value, 64) != 0);
    c.empty = true;
    struct model *empty = make(c);
    assert_true(model_param_find(empty, "classifier.3.weight")->value[5] == 0);
    assert_true(model_param_find(empty, "features.1.weight")->value[0] == 1);
    model_free(empty);
    model_free(m);
    model_free(again);
    model_free(other);
    par_free(par);
}

/* --- a step ---------------------------------------------------------------------------------- */

struct step {
    struct model *m;
    float *x;
    int32_t labels[4];
    bool backward;
};

static struct model_config tiny(const char *name)
{
    return (struct model_config){.name = name,
                                 .classes = 3,
                                 .height = 32,
                                 .width = 35,
                                 .width_divisor = 32,
                                 .hidden = 640,
                                 .seed = 2,
                                 .keep = 1};
}

static double step_loss(void *ctx)
{
    struct step *s = ctx;
    struct model_loss loss;
    model_forward(s->m, &(struct model_batch){.x = s->x, .count = 4, .mode = MODEL_TRAIN});
    model_loss(s->m, s->labels, &loss);
    if (s->backward) {
        model_backward(s->m, NULL);
    }
    double mean = 0; /* the same number in double: differences of floats would be noise */
    const struct model_config *c = model_config(s->m);
    const float *z = model_logits(s->m);
    for (size_t r = 0; r < 4; r++) {
        double sum = 0;
        for (size_t k = 0; k < c->classes; k++) {
            sum += exp((double)z[r * c->classes + k] - z[r * c->classes + (size_t)s->labels[r]]);
        }
        mean += log(sum) / 4;
    }
    assert_true(fabs(mean - loss.loss) < 1e-5);
    return mean;
}

static void check_model_gradients(struct model_config c)
{
    struct step s = {
        .m = make(c), .x = check_random(4 * 3 * c.height * c.width, 1), .labels = {0, 1, 2, 1}};
    plan(s.m, 4, false);
    size_t n;
    const struct param *p = model_params(s.m, &n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < p[i].count; k++) { /* small first values give gradients like noise */
            p[i].value[k] *= strncmp(p[i].name, "classifier", 10) == 0 ? 10.0f : 1.0f;
        }
    }
    s.backward = true;
    step_loss(&s);
    s.backward = false;
    float *grads = malloc(model_arena_count(s.m) * sizeof(float));
    memcpy(grads, model_grads(s.m), model_arena_count(s.m) * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        if (p[i].trainable && !strstr(p[i].name, ".bias")) {
            check_gradient(p[i].name, step_loss, &s, p[i].value, grads + p[i].offset, p[i].count, 8,
                           1e-3f, 0.03);
        }
    }
    free(grads);
    free(s.x);
    model_free(s.m);
}

/* Without batch norm: with a few samples a channel it bends so much that steps which fp32 can
 * resolve are too long. Its layer has a test of its own, its models are compared with PyTorch
 * (tests/ref). */
static void test_gradients_by_difference_quotients(void **state)
{
    check_model_gradients(tiny("vgg11"));
    struct model_config c = tiny("vgg11");
    c.head = MODEL_HEAD_LINEAR;
    check_model_gradients(c);
}

static void test_frozen_layers_get_no_gradient(void **state)
{
    struct model_config c = tiny("vgg11_bn");
    c.freeze = 3;
    struct step s = {.m = make(c), .x = check_random(4 * 3 * 32 * 35, 1), .backward = true};
    plan(s.m, 4, false);
    step_loss(&s);
    size_t n;
    const struct param *p = model_params(s.m, &n);
    for (size_t i = 0; i < n; i++) {
        bool frozen = i < 3 * 4; /* conv and norm, weight and bias */
        double power = check_dot(p[i].grad, p[i].grad, p[i].count);
        assert_int_equal(p[i].trainable, !frozen);
        assert_true(frozen ? power == 0 : p[i].offset >= model_trainable_offset(s.m));
        assert_true(frozen || power > 0 || strstr(p[i].name, ".bias"));
    }
    assert_true(*model_buffer_find(s.m, "features.1.num_batches_tracked")->counter == 0);
    assert_true(model_buffer_find(s.m, "features.1.running_mean")->value[0] == 0);
    assert_true(*model_buffer_find(s.m, "features.12.num_batches_tracked")->counter == 1);
    free(s.x);
    model_free(s.m);
}

/* The gradients of the layers that learn do not depend on whether those below learn too. */
static void test_freezing_changes_no_other_gradient(void **state)
{
    struct model_config c = tiny("vgg11");
    struct step all = {.m = make(c), .x = check_random(4 * 3 * 32 * 35, 1), .backward = true};
    c.freeze = MODEL_FREEZE_FEATURES;
    struct step top = {.m = make(c), .x = all.x, .backward = true};
    plan(all.m, 4, false);
    plan(top.m, 4, false);
    step_loss(&all);
    step_loss(&top);
    size_t at = model_trainable_offset(top.m);
    assert_true(at > 0);
    CHECK_BITS("gradient", model_grads(top.m) + at, model_grads(all.m) + at,
               model_arena_count(all.m) - at);
    struct model_memory a, b;
    model_memory(all.m, &a);
    model_memory(top.m, &b);
    assert_true(b.activations < a.activations && b.activation_gradients < a.activation_gradients);
    free(all.x);
    model_free(all.m);
    model_free(top.m);
}

static void test_features_can_be_kept(void **state)
{
    struct model_config c = tiny("vgg11_bn");
    c.freeze = MODEL_FREEZE_FEATURES;
    c.keep = 0.5;
    struct step s = {.m = make(c), .x = check_random(4 * 3 * 32 * 35, 1), .backward = true};
    plan(s.m, 4, false);
    step_loss(&s);
    size_t size = model_feature_size(s.m), at = model_trainable_offset(s.m);
    assert_int_equal(size, 7 * 7 * 16);
    float *grads = malloc(model_arena_count(s.m) * sizeof(float));
    memcpy(grads, model_grads(s.m), model_arena_count(s.m) * sizeof(float));
    float *kept = malloc(4 * size * sizeof(float));
    memcpy(kept, model_features(s.m, s.x, 4), 4 * size * sizeof(float));
    memset(model_grads(s.m) + at, 0, (model_arena_count(s.m) - at) * sizeof(float));
    struct model_loss loss;
    model_forward(
        s.m, &(struct model_batch){.x = kept, .count = 4, .mode = MODEL_TRAIN, .features = true});
    model_loss(s.m, s.labels, &loss);
    model_backward(s.m, NULL);
    CHECK_BITS("gradient", model_grads(s.m), grads, model_arena_count(s.m));
    c.freeze = MODEL_FREEZE_NONE;
    struct model *free_model = make(c);
    assert_int_equal(model_feature_size(free_model), 0);
    model_free(free_model);
    free(grads);
    free(kept);
    free(s.x);
    model_free(s.m);
}

static void count_range(void *ctx, size_t offset, size_t count)
{
    size_t *next = ctx; /* ranges come from the end of the arena to its trainable begin */
    assert_int_equal(offset + count, *next);
    *next = offset;
}

static void test_hooks_cover_the_arena_last_layer_first(void **state)
{
    for (int freeze = 0; freeze < 3; freeze++) {
        struct model_config c = tiny("vgg11_bn");
        c.freeze = freeze;
        struct step s = {.m = make(c), .x = check_random(4 * 3 * 32 * 35, 1)};
        plan(s.m, 4, false);
        step_loss(&s);
        size_t next = model_arena_count(s.m);
        model_backward(s.m, &(struct model_hooks){.ctx = &next, .ready = count_range});
        assert_int_equal(next, model_trainable_offset(s.m));
        free(s.x);
        model_free(s.m);
    }
}

static void test_inference_needs_less_memory_and_gives_the_same(void **state)
{
    struct model_config c = tiny("vgg16");
    struct model *m = make(c);
    float *x = check_random(5 * 3 * 32 * 35, 1), logits[15];
    struct model_memory train, infer;
    plan(m, 5, false);
    model_memory(m, &train);
    model_forward(m, &(struct model_batch){.x = x, .count = 5});
    memcpy(logits, model_logits(m), sizeof(logits));
    plan(m, 8, true);
    model_memory(m, &infer);
    assert_true(infer.activation_gradients == 0 && infer.activations < train.activations);
    assert_int_equal(model_rows(m), 8);
    model_forward(m, &(struct model_batch){.x = x, .count = 5}); /* fewer than planned */
    CHECK_BITS("logits", model_logits(m), logits, 15);
    struct model_loss loss;
    model_loss(m, (const int32_t[]){0, 1, 2, 0, 1}, &loss);
    double mean = 0;
    for (size_t i = 0; i < 5; i++) {
        mean += loss.sample_loss[i] / 5.0;
    }
    assert_true(fabs(mean - loss.loss) < 1e-6 && loss.correct <= 5);
    free(x);
    model_free(m);
}

/* Filters that a plan keeps: values written before the first forward, or told of, are seen. */
static void test_written_values_are_seen(void **state)
{
    struct model_config c = tiny("vgg11");
    struct model *m = make(c);
    float *x = check_random(2 * 3 * 32 * 35, 1), first[6], second[6];
    struct param *w = (struct param *)model_param_find(m, "features.3.weight");
    plan(m, 2, true);
    model_forward(m, &(struct model_batch){.x = x, .count = 2});
    memcpy(first, model_logits(m), sizeof(first));
    for (size_t i = 0; i < w->count; i++) {
        w->value[i] *= 0.5f;
    }
    model_values_changed(m);
    model_forward(m, &(struct model_batch){.x = x, .count = 2});
    memcpy(second, model_logits(m), sizeof(second));
    assert_true(memcmp(first, second, sizeof(first)) != 0);
    plan(m, 2, true);
    model_forward(m, &(struct model_batch){.x = x, .count = 2});
    CHECK_BITS("logits", model_logits(m), second, 6);
    free(x);
    model_free(m);
}

static void test_description(void **state)
{
    struct model *m = make((struct model_config){
        .name = "vgg16", .classes = 2, .height = 224, .width = 224, .freeze = -1, .empty = true});
    struct strbuf text;
    strbuf_init(&text);
    plan(m, 2, false);
    model_describe(m, &text);
    assert_non_null(strstr(text.p, "features.28    conv       512x7x7"));
    assert_non_null(strstr(text.p, "frozen winograd"));
    assert_non_null(strstr(text.p, "134268738 parameters, 119554050 trainable"));
    assert_non_null(strstr(text.p, "30.93 GFLOP"));
    strbuf_release(&text);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_shapes_are_torchvisions),
        cmocka_unit_test(test_every_name_of_the_table),
        cmocka_unit_test(test_wrong_configurations_are_named),
        cmocka_unit_test(test_first_values),
        cmocka_unit_test(test_gradients_by_difference_quotients),
        cmocka_unit_test(test_frozen_layers_get_no_gradient),
        cmocka_unit_test(test_freezing_changes_no_other_gradient),
        cmocka_unit_test(test_features_can_be_kept),
        cmocka_unit_test(test_hooks_cover_the_arena_last_layer_first),
        cmocka_unit_test(test_inference_needs_less_memory_and_gives_the_same),
        cmocka_unit_test(test_written_values_are_seen),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
