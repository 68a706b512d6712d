/* Models to and from files: round trip of every kind of tensor, heads that do not fit, messages. */
#include "weights_check.h"

#include "model.h"
#include "modelio.h"

static char *dir;

static int setup(void **state)
{
    dir = check_dir_new();
    return 0;
}

static int teardown(void **state)
{
    check_dir_free(dir);
    return 0;
}

static struct model *make(const char *name, size_t classes, enum model_head head, uint64_t seed)
{
    struct err e = ERR_INIT;
    struct model_config c = {.name = name,
                             .classes = classes,
                             .height = 32,
                             .width = 64,
                             .head = head,
                             .seed = seed,
                             .width_divisor = 16,
                             .hidden = 256};
    struct model *m = model_new(&c, &e);
    if (m == NULL) {
        fail_msg("%s", e.text);
    }
    /* Buffers that differ from their initial values, and by the seed. */
    size_t count;
    const struct model_buffer *b = model_buffers(m, &count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < b[i].count && b[i].value != NULL; k++) {
            b[i].value[k] = (float)(seed + i + k);
        }
        if (b[i].counter != NULL) {
            *b[i].counter = (int64_t)(seed + 1000);
        }
    }
    return m;
}

static const char *CLASSES[] = {"Normal", "Tumor", "Stone"};

static void save(const struct model *m, const char *path, size_t classes)
{
    struct err e = ERR_INIT;
    struct modelfile_info info = {.classes = CLASSES,
                                  .class_count = classes,
                                  .mean = {0.5f, 0.25f, 0.1f},
                                  .std = {1, 2, 3},
                                  .resize = "bilinear"};
    CHECK_OK(model_save(m, path, &info, &e));
}

static bool same_param(const struct model *a, const struct model *b, const char *name)
{
    const struct param *x = model_param_find(a, name), *y = model_param_find(b, name);
    assert_non_null(x);
    assert_non_null(y);
    return x->count == y->count && memcmp(x->value, y->value, x->count * sizeof(float)) == 0;
}

static void assert_same(const struct model *a, const struct model *b)
{
    size_t n, m;
    assert_int_equal(model_arena_count(a), model_arena_count(b));
    assert_memory_equal(model_values(a), model_values(b), model_arena_count(a) * sizeof(float));
    const struct model_buffer *x = model_buffers(a, &n), *y = model_buffers(b, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(x[i].name, y[i].name);
        if (x[i].counter != NULL) {
            assert_true(*x[i].counter == *y[i].counter);
        } else {
            assert_memory_equal(x[i].value, y[i].value, x[i].count * sizeof(float));
        }
    }
}

static void test_round_trip(void **state)
{
    static const char *const files[] = {"m.pth", "m.safetensors"};
    for (int i = 0; i < 4; i++) {
        struct err e = ERR_INIT;
        struct arena a;
        struct modelfile_info info;
        enum model_head head = i < 2 ? MODEL_HEAD_CLASSIFIER : MODEL_HEAD_LINEAR;
        const char *path = check_path(dir, files[i % 2]);
        struct model *m = make("vgg11_bn", 3, head, 7);
        save(m, path, 3);
        arena_init(&a);
        struct model *again = model_open(path, NULL, &a, &info, &e);
        if (again == NULL) {
            fail_msg("%s", e.text);
        }
        assert_same(m, again);
        assert_string_equal(info.arch, "vgg11_bn");
        assert_string_equal(info.head, model_head_name(head));
        assert_int_equal(info.image_height, 32);
        assert_int_equal(info.image_width, 64);
        assert_string_equal(info.classes[2], "Stone");
        assert_int_equal(model_config(again)->head, head);
        arena_release(&a);
        model_free(again);
        model_free(m);
    }
}

/* As state_dict: the buffers of a batch norm stand behind its bias. */
static void test_order_is_that_of_state_dict(void **state)
{
    static const char *const order[] = {
        "features.0.weight",
        "features.0.bias",
        "features.1.weight",
        "features.1.bias",
        "features.1.running_mean",
        "features.1.running_var",
        "features.1.num_batches_tracked",
        "features.4.weight",
    };
    struct err e = ERR_INIT;
    struct model *m = make("vgg11_bn", 2, MODEL_HEAD_LINEAR, 1);
    save(m, check_path(dir, "m.pth"), 2);
    struct weights *w = weights_open(check_path(dir, "m.pth"), NULL, &e);
    assert_non_null(w);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(w->entries[i].name, order[i]);
    }
    weights_close(w);
    model_free(m);
}

static void test_other_number_of_classes(void **state)
{
    struct err e = ERR_INIT;
    struct modelio_report report = {0};
    struct strbuf text;
    const char *path = check_path(dir, "m.pth");
    struct model *three = make("vgg11_bn", 3, MODEL_HEAD_CLASSIFIER, 1);
    struct model *two = make("vgg11_bn", 2, MODEL_HEAD_CLASSIFIER, 2);
    struct model *before = make("vgg11_bn", 2, MODEL_HEAD_CLASSIFIER, 2);
    strbuf_init(&text);
    report.text = &text;
    save(three, path, 3);

    assert_int_equal(model_load_file(two, path, NULL, NULL, &e), -1);
    CHECK_CONTAINS(e.text, "m.pth: the weights do not belong to this model; different shape: ");
    CHECK_CONTAINS(e.text, "classifier.6.weight is (3, 16) in the file and (2, 16) in the model");
    CHECK_CONTAINS(e.text, "classifier.6.bias is (3,) in the file and (2,) in the model");
    assert_same(two, before); /* nothing was copied */

    CHECK_OK(
        model_load_file(two, path, &(struct modelio_options){MODELIO_HEAD_IF_FITS}, &report, &e));
    assert_int_equal(report.kept, 2);
    CHECK_CONTAINS(text.p,
                   "classifier.6.bias (2,) keeps its initial values: in the file it is (3,)");
    assert_true(same_param(two, three, "features.0.weight"));
    assert_true(same_param(two, three, "classifier.3.weight"));
    assert_true(same_param(two, before, "classifier.6.weight"));

    strbuf_reset(&text);
    struct model *top = make("vgg11_bn", 3, MODEL_HEAD_CLASSIFIER, 3);
    CHECK_OK(
        model_load_file(top, path, &(struct modelio_options){MODELIO_HEAD_IGNORE}, &report, &e));
    assert_int_equal(report.kept, 6);
    CHECK_CONTAINS(text.p, "the head of the file is not used");
    assert_true(same_param(top, three, "features.0.weight"));
    assert_false(same_param(top, three, "classifier.6.weight"));
    strbuf_release(&text);
    model_free(top);
    model_free(before);
    model_free(two);
    model_free(three);
}

static void test_wrong_architecture(void **state)
{
    struct err e = ERR_INIT;
    const char *path = check_path(dir, "m.safetensors");
    struct model *a = make("vgg11", 2, MODEL_HEAD_LINEAR, 1);
    struct model *b = make("vgg13_bn", 2, MODEL_HEAD_LINEAR, 1);
    save(a, path, 2);
    assert_int_equal(
        model_load_file(b, path, &(struct modelio_options){MODELIO_HEAD_IGNORE}, NULL, &e), -1);
    CHECK_CONTAINS(e.text, "missing: features.1.");
    CHECK_CONTAINS(e.text, "more");
    CHECK_CONTAINS(e.text, "not in the model: features.");
    model_free(a);
    model_free(b);
}

/* A state dict inside a checkpoint, saved from DataParallel, with optimizer state beside it, in
 * half precision, and without the counters, as old files are. */
static void test_prefix_dtype_and_old_counters(void **state)
{
    struct err e = ERR_INIT;
    struct model *m = make("vgg11_bn", 2, MODEL_HEAD_LINEAR, 1);
    struct model *into = make("vgg11_bn", 2, MODEL_HEAD_LINEAR, 2);
    const char *path = check_path(dir, "m.pth"), *wrapped = check_path(dir, "w.pth");
    save(m, path, 2);
    struct weights *w = weights_open(path, NULL, &e);
    assert_non_null(w);
    struct weights_entry *t = calloc(w->count + 1, sizeof(*t));
    char(*names)[96] = calloc(w->count, sizeof(*names));
    double *wide[2] = {NULL, NULL};
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (strstr(w->entries[i].name, "num_batches_tracked") != NULL) {
            continue;
        }
        snprintf(names[i], sizeof(names[i]), "model/module.%s", w->entries[i].name);
        t[n] = w->entries[i];
        t[n].name = names[i];
        if (n < 2) { /* two of them as f64 */
            const float *f = t[n].data;
            wide[n] = calloc(t[n].count, sizeof(double));
            for (size_t k = 0; k < t[n].count; k++) {
                wide[n][k] = f[k];
            }
            t[n].data = wide[n];
            t[n].dtype = WEIGHTS_F64;
        }
        n++;
    }
    t[n] = w->entries[0];
    t[n++].name = "optimizer/state/0/momentum_buffer";
    CHECK_OK(weights_save(wrapped, t, n, NULL, 0, &e));
    CHECK_OK(model_load_file(into, wrapped, NULL, NULL, &e));
    assert_memory_equal(model_values(m), model_values(into), model_arena_count(m) * sizeof(float));
    const struct model_buffer *b = model_buffer_find(into, "features.1.num_batches_tracked");
    assert_int_equal(*b->counter, 1002); /* kept */
    free(wide[0]);
    free(wide[1]);
    free(names);
    free(t);
    weights_close(w);
    model_free(into);
    model_free(m);
}

static void test_open_refuses(void **state)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct modelfile_info info;
    const char *path = check_path(dir, "m.safetensors");
    static const float value = 1;
    arena_init(&a);
    struct weights_entry t = {.name = "a", .dtype = WEIGHTS_F32, .data = &value};
    CHECK_OK(weights_entry_layout(&t, &e));
    CHECK_OK(weights_save(path, &t, 1, NULL, 0, &e));
    assert_null(model_open(path, NULL, &a, &info, &e));
    assert_int_equal(e.code, ERR_MISSING);

    struct modelfile_info in = {.arch = "resnet18",
                                .head = "linear",
                                .classes = CLASSES,
                                .class_count = 2,
                                .image_height = 64,
                                .image_width = 64,
                                .std = {1, 1, 1},
                                .resize = "bilinear"};
    CHECK_OK(modelfile_write(path, NULL, 0, &in, &e));
    assert_null(model_open(path, NULL, &a, &info, &e));
    CHECK_CONTAINS(e.text, "resnet18");
    in.arch = "vgg11";
    in.head = "transformer";
    CHECK_OK(modelfile_write(path, NULL, 0, &in, &e));
    assert_null(model_open(path, NULL, &a, &info, &e));
    CHECK_CONTAINS(e.text, "transformer");

    struct model *m = make("vgg11", 2, MODEL_HEAD_LINEAR, 1);
    in.class_count = 3;
    in.arch = in.head = NULL;
    assert_int_equal(model_save(m, path, &in, &e), -1);
    CHECK_CONTAINS(e.text, "3 class names for a model of 2 classes");
    model_free(m);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_is_that_of_state_dict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_number_of_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_architecture, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prefix_dtype_and_old_counters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
