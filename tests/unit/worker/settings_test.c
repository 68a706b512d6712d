/* config/config.yaml and params.yaml: defaults, every key, refusals that name the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "settings.h"

#include "alloc.h"
#include "err.h"
#include "value.h"

#include <string.h>

static void load(struct settings *s, const char *config, const char *params)
{
    struct err e = ERR_INIT;
    if (settings_parse(s, config, params, NULL, &e) < 0) {
        fail_msg("%s", e.text);
    }
}

static void defaults(void **state)
{
    struct settings s;
    load(&s, "artifacts_root: out", "EXTRA: 1");
    assert_string_equal(s.data_dir, "out/data_ingestion/kidney-ct-scan-image");
    assert_string_equal(s.base_model, "out/prepare_base_model/base_model.pth");
    assert_string_equal(s.updated_model, "out/prepare_base_model/base_model_updated.pth");
    assert_string_equal(s.trained_model, "out/training/model.pth");
    assert_string_equal(s.scores, "scores.json");
    assert_string_equal(s.experiment, "Kidney Disease Classification");
    assert_string_equal(s.model, "vgg16");
    assert_int_equal(s.height, 224);
    assert_int_equal(s.batch, 16);
    assert_int_equal(s.epochs, 1);
    assert_int_equal(s.weights, SETTINGS_RANDOM);
    assert_int_equal(s.freeze, MODEL_FREEZE_NONE);
    assert_true(s.augmentation && !s.include_top && s.rebind);
    assert_non_null(value_get(s.params, "EXTRA"));
    settings_release(&s);
}

static void every_key(void **state)
{
    struct settings s;
    load(&s,
         "data_ingestion: {unzip_dir: d, data_dir: pics}\n"
         "training: {root_dir: t, trained_model_path: t/m.safetensors, checkpoint_minutes: 0.5}\n"
         "core: {rebind: false}\n",
         "MODEL: vgg19_bn\nHEAD: linear\nWEIGHTS: imagenet\nINCLUDE_TOP: True\n"
         "IMAGE_SIZE: [64, 96, 3]\nCLASSES: 4\nAUGMENTATION: False\nBATCH_SIZE: 32\nEPOCHS: 7\n"
         "LEARNING_RATE: 1e-3\nOPTIMIZER: adam\nMOMENTUM: 0.9\nWEIGHT_DECAY: 0.1\nCLIP_NORM: 5\n"
         "LR_SCHEDULE: step(3, 0.5)\nVALIDATION_SPLIT: 0.3\nSPLIT_BY: 'group:p([0-9]+)'\n"
         "SEED: 7\nDETERMINISTIC: false\n");
    assert_string_equal(s.data_dir, "d/pics");
    assert_string_equal(s.trained_model, "t/m.safetensors");
    assert_true(s.checkpoint_minutes == 0.5 && !s.rebind);
    assert_int_equal(s.head, MODEL_HEAD_LINEAR);
    assert_int_equal(s.weights, SETTINGS_IMAGENET);
    assert_int_equal(s.freeze, MODEL_FREEZE_FEATURES);
    assert_int_equal(s.width, 96);
    assert_int_equal(s.classes, 4);
    assert_true(s.include_top && !s.augmentation);
    assert_true(s.learning_rate == 1e-3 && s.optim.momentum == 0.9 && s.optim.clip_norm == 5);
    assert_int_equal(s.optim.kind, OPTIM_ADAM);
    assert_int_equal(s.schedule.rule, SCHEDULE_STEP);
    assert_int_equal(s.split_kind, SPLIT_GROUP);
    assert_string_equal(s.split_pattern, "p([0-9]+)");
    assert_int_equal(s.seed, 7);
    settings_release(&s);
}

static void weights_words(void **state)
{
    struct settings s;
    load(&s, "a: 1", "WEIGHTS: None\nCLIP_NORM: null");
    assert_int_equal(s.weights, SETTINGS_RANDOM);
    settings_release(&s);
    load(&s, "a: 1", "WEIGHTS: w/vgg.pth\nFREEZE: 3");
    assert_int_equal(s.weights, SETTINGS_FILE);
    assert_string_equal(s.weights_path, "w/vgg.pth");
    assert_int_equal(s.freeze, 3);
    settings_release(&s);
}

/* Each: what is refused, and words that the message must have. */
static const struct {
    const char *config, *params;
    const char *words[3];
} refused[] = {
    {"a: 1", "", {"params.yaml", "yaml file is empty", ""}},
    {"", "A: 1", {"config/config.yaml", "yaml file is empty", ""}},
    {"a: 1", "- 1", {"params.yaml", "list", ""}},
    {"a: 1", "SEED: 1\nBATCH_SIZE: many", {"params.yaml:2", "BATCH_SIZE", "'many'"}},
    {"a: 1", "BATCH_SIZE: 0", {"BATCH_SIZE", "from 1 to", "int 0"}},
    {"a: 1", "BATCH_SIZE: true", {"BATCH_SIZE", "whole number", "bool"}},
    {"a: 1", "EPOCHS: 1.5", {"EPOCHS", "whole number", "float"}},
    {"a: 1", "LEARNING_RATE: 0", {"LEARNING_RATE", "above 0", ""}},
    {"a: 1", "LEARNING_RATE: .nan", {"LEARNING_RATE", "float", ""}},
    {"a: 1", "IMAGE_SIZE: [224, 224]", {"IMAGE_SIZE", "[height, width, 3]", "[224, 224]"}},
    {"a: 1", "IMAGE_SIZE: [16, 224, 3]", {"IMAGE_SIZE", "32 to 4096", ""}},
    {"a: 1", "MODEL: vgg17", {"MODEL", "vgg16_bn", "'vgg17'"}},
    {"a: 1", "HEAD: flat", {"params.yaml:1", "HEAD", "linear"}},
    {"a: 1", "FREEZE: all", {"params.yaml:1", "FREEZE", "features"}},
    {"a: 1", "FREEZE: [1]", {"FREEZE", "list", ""}},
    {"a: 1", "AUGMENTATION: yes", {"AUGMENTATION", "true or false", "'yes'"}},
    {"a: 1", "OPTIMIZER: lion", {"OPTIMIZER", "adam", ""}},
    {"a: 1", "MOMENTUM: 1", {"MOMENTUM", "below 1", ""}},
    {"a: 1", "LR_SCHEDULE: sawtooth", {"LR_SCHEDULE", "cosine", "sawtooth"}},
    {"a: 1", "SPLIT_BY: patient", {"SPLIT_BY", "group", "'patient'"}},
    {"a: 1", "VALIDATION_SPLIT: 1", {"VALIDATION_SPLIT", "below 1", ""}},
    {"artifacts_root: 3", "A: 1", {"config/config.yaml:1", "artifacts_root", "int 3"}},
    {"core: {rebind: 1}", "A: 1", {"core.rebind", "true or false", ""}},
};

static void refusals(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct settings s;
        struct err e = ERR_INIT;
        assert_int_equal(settings_parse(&s, refused[i].config, refused[i].params, NULL, &e), -1);
        assert_int_equal(e.code, ERR_CONFIG);
        for (size_t k = 0; k < 3; k++) {
            if (!strstr(e.text, refused[i].words[k])) {
                fail_msg("'%s' not in: %s", refused[i].words[k], e.text);
            }
        }
    }
}

static void missing_file(void **state)
{
    struct settings s;
    struct err e = ERR_INIT;
    assert_int_equal(
        settings_load(&s, &(struct settings_source){.config = "/nonexistent/config.yaml"}, &e), -1);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_non_null(strstr(e.text, "/nonexistent/config.yaml is missing"));
}

static void set_wins_over_the_file(void **state)
{
    static const char *const set[] = {"LEARNING_RATE=0.25",     "OPTIMIZER=lars",
                                      "TRUST_COEFFICIENT=0.02", "DROPOUT=0",
                                      "tune.depth=3",           "SPLIT_BY=group:^(a=b)"};
    const struct settings_source from = {.set = set, .set_count = 6};
    struct settings s;
    struct err e = ERR_INIT;
    assert_int_equal(settings_parse(&s, "x: 1", "LEARNING_RATE: 0.5\nEPOCHS: 3", &from, &e), 0);
    assert_true(s.learning_rate == 0.25 && s.epochs == 3 && s.dropout == 0);
    assert_true(s.optim.kind == OPTIM_LARS && s.optim.trust == 0.02);
    assert_string_equal(s.split_pattern, "^(a=b)");
    const struct value *depth = value_find(s.params, "tune.depth");
    assert_true(depth && depth->i == 3);
    settings_release(&s);
}

static void set_is_named_when_it_is_wrong(void **state)
{
    static const char *const bad[] = {"DROPOUT=1", "DROPOUT", "=3", "OPTIMIZER=best", "EPOCHS=[1"};
    static const char *const says[] = {"--set: DROPOUT must be", "expected KEY=VALUE",
                                       "expected KEY=VALUE", "--set: OPTIMIZER", "--set EPOCHS"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct settings s;
        struct err e = ERR_INIT;
        assert_int_equal(settings_parse(&s, "x: 1", "EPOCHS: 3",
                                        &(struct settings_source){.set = &bad[i], .set_count = 1},
                                        &e),
                         -1);
        if (!strstr(e.text, says[i])) {
            fail_msg("%s: %s", bad[i], e.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_wins_over_the_file),
        cmocka_unit_test(set_is_named_when_it_is_wrong),
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(weights_words),
        cmocka_unit_test(refusals),
        cmocka_unit_test(missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
