/*
 * Training gives the same bits for any number of threads and for 1, 2, 4 and 8 ranks: loss,
 * parameters, running statistics, after several steps, with dropout, batch norm, clipping, both
 * heads, frozen layers, and batches that shards do not divide.
 */

#include "nn_check.h"

#include "ranks.h"

#include "err.h"
#include "model.h"
#include "par.h"
#include "shard.h"

enum { STEPS = 3, CLASSES = 3 };

struct input {
    float *x;
    int32_t *labels;
};

static struct input make_input(const struct model_config *c, size_t batch)
{
    size_t rows = STEPS * batch;
    struct input in = {.x = check_random(rows * 3 * c->height * c->width, batch),
                       .labels = calloc(rows, sizeof(int32_t))};
    assert_non_null(in.labels);
    for (size_t i = 0; i < rows; i++) {
        in.labels[i] = (int32_t)(i * 7 % CLASSES);
    }
    return in;
}

static void train(const struct model_config *c, const struct input *in, size_t batch, int world,
                  int threads, struct ranks_result *out)
{
    ranks_train(&(struct ranks_job){.config = c,
                                    .world = world,
                                    .threads = threads,
                                    .batch = batch,
                                    .plan_batch = batch + 2,
                                    .steps = STEPS,
                                    .x = in->x,
                                    .labels = in->labels},
                out);
}

static void check_same(const char *what, const struct ranks_result *a, const struct ranks_result *b)
{
    CHECK_BITS(what, a->loss, b->loss, STEPS);
    CHECK_BITS(what, a->values, b->values, b->count);
    CHECK_BITS(what, a->running, b->running, b->running_count);
    assert_int_equal(a->correct, b->correct);
}

static void check_config_bits(const struct model_config *c, size_t batch)
{
    struct input in = make_input(c, batch);
    struct ranks_result alone, other;
    train(c, &in, batch, 1, 1, &alone);
    assert_true(isfinite(alone.loss[STEPS - 1]) && alone.loss[0] != alone.loss[1]);
    for (int threads = 2; threads <= 3; threads++) {
        train(c, &in, batch, 1, threads, &other);
        check_same("threads", &other, &alone);
        ranks_release(&other);
    }
    int most = c->shards ? (int)c->shards : SHARD_DEFAULT;
    for (int world = 2; world <= most; world *= 2) {
        train(c, &in, batch, world, world == 2 ? 2 : 1, &other);
        check_same("ranks", &other, &alone);
        assert_true((other.factored > 0) == (c->head == MODEL_HEAD_CLASSIFIER));
        ranks_release(&other);
    }
    ranks_release(&alone);
    free(in.x);
    free(in.labels);
}

static struct model_config small(const char *name)
{
    return (struct model_config){.name = name,
                                 .classes = CLASSES,
                                 .height = 32,
                                 .width = 37,
                                 .width_divisor = 16,
                                 .hidden = 1024,
                                 .shards = 8,
                                 .seed = 11};
}

static void test_plain(void **state)
{
    struct model_config c = small("vgg11");
    check_config_bits(&c, 8);
    c.shards = 0; /* what training uses */
    check_config_bits(&c, 8);
}

static void test_batchnorm_and_uneven_shards(void **state)
{
    struct model_config c = small("vgg11_bn");
    check_config_bits(&c, 13);
}

/* Wide enough for products in several blocks, and for all ways of summing gradients. */
static void test_wide(void **state)
{
    struct model_config c = small("vgg11_bn");
    c.width_divisor = 2;
    c.height = c.width = 64; /* the last maps are 4x4: both methods of convolution */
    check_config_bits(&c, 9);
}

static void test_fewer_samples_than_shards(void **state)
{
    struct model_config c = small("vgg11_bn");
    check_config_bits(&c, 3); /* some ranks have nothing */
}

static void test_linear_head(void **state)
{
    struct model_config c = small("vgg11_bn");
    c.head = MODEL_HEAD_LINEAR;
    check_config_bits(&c, 8);
}

static void test_frozen(void **state)
{
    struct model_config c =
        small("vgg13"); /* without counters of batches, which frozen layers stop */
    c.freeze = MODEL_FREEZE_FEATURES;
    check_config_bits(&c, 8);
    c.freeze = 4;
    check_config_bits(&c, 8);
}

static void test_three_ranks_agree_within_rounding(void **state)
{
    struct model_config c = small("vgg11_bn");
    struct input in = make_input(&c, 12);
    struct ranks_result alone, three;
    train(&c, &in, 12, 1, 1, &alone);
    train(&c, &in, 12, 3, 1, &three);
    for (size_t i = 0; i < STEPS; i++) {
        assert_true(fabs(three.loss[i] - alone.loss[i]) <= 1e-5 * fabs(alone.loss[i]));
    }
    ranks_release(&alone);
    ranks_release(&three);
    free(in.x);
    free(in.labels);
}

/* Logits of a batch equal those of its images one by one, with the same plan and with others. */
static void test_an_image_does_not_feel_its_batch(void **state)
{
    struct model_config c = small("vgg11_bn");
    c.par = par_new(2);
    struct err e = ERR_INIT;
    float *x = check_random(6 * 3 * 32 * 37, 5), *all = check_floats(6 * CLASSES);
    struct model *m = model_new(&c, &e);
    assert_non_null(m);
    assert_int_equal(model_plan(m, &(struct model_plan){.batch = 6, .inference = true}, &e), 0);
    model_forward(m, &(struct model_batch){.x = x, .count = 6});
    memcpy(all, model_logits(m), 6 * CLASSES * sizeof(float));
    for (int training = 0; training < 2; training++) {
        struct model_plan plan = {.batch = training ? 9 : 4, .inference = !training};
        assert_int_equal(model_plan(m, &plan, &e), 0);
        for (size_t i = 0; i < 6; i++) {
            model_forward(m, &(struct model_batch){.x = x + i * 3 * 32 * 37, .count = 1});
            CHECK_BITS("logits", model_logits(m), all + i * CLASSES, CLASSES);
        }
    }
    model_free(m);
    par_free(c.par);
    free(x);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_batchnorm_and_uneven_shards),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_fewer_samples_than_shards),
        cmocka_unit_test(test_linear_head),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_three_ranks_agree_within_rounding),
        cmocka_unit_test(test_an_image_does_not_feel_its_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
