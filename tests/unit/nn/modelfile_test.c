/* The description in our model files: both formats, faults of each key. */
#include "weights_check.h"

#include "modelfile.h"

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

static const char *CLASSES[] = {"Normal", "Tumor, \"large\" ü"};
static const struct weights_meta EXTRA[] = {{"x.run", "42"}, {"x.empty", ""}};

static struct modelfile_info make_info(void)
{
    return (struct modelfile_info){.arch = "vgg16_bn",
                                   .head = "classifier",
                                   .classes = CLASSES,
                                   .class_count = 2,
                                   .image_height = 224,
                                   .image_width = 192,
                                   .mean = {0.485f, 0.456f, 0.406f},
                                   .std = {0.229f, 0.224f, 0.225f},
                                   .resize = "bilinear",
                                   .split = "group",
                                   .extra = EXTRA,
                                   .extra_count = 2};
}

static void test_round_trip(void **state)
{
    static const char *const files[] = {"m.pth", "m.safetensors"};
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t counter = 70;
    struct modelfile_tensor tensors[] = {
        {.name = "features.0.weight", .ndim = 2, .shape = {2, 3}, .data = values},
        {.name = "features.1.num_batches_tracked", .type = MODELFILE_I64, .data = &counter},
    };
    for (size_t i = 0; i < 2; i++) {
        struct err e = ERR_INIT;
        struct arena a;
        struct modelfile_info in = make_info(), out;
        const char *path = check_path(dir, files[i]);
        arena_init(&a);
        CHECK_OK(modelfile_write(path, tensors, 2, &in, &e));
        CHECK_OK(modelfile_read_info(&a, path, &out, &e));
        assert_string_equal(out.arch, in.arch);
        assert_string_equal(out.head, in.head);
        assert_int_equal(out.class_count, 2);
        assert_string_equal(out.classes[1], CLASSES[1]);
        assert_int_equal(out.image_height, 224);
        assert_int_equal(out.image_width, 192);
        for (int c = 0; c < 3; c++) { /* bitwise: serving must not differ from training */
            assert_true(out.mean[c] == in.mean[c] && out.std[c] == in.std[c]);
        }
        assert_string_equal(out.resize, "bilinear");
        assert_string_equal(out.split, "group");
        assert_non_null(out.version);
        assert_int_equal(out.extra_count, 2);
        assert_string_equal(out.extra[0].key, "x.run");
        assert_string_equal(out.extra[1].value, "");
        struct weights *w = weights_open(path, NULL, &e);
        assert_non_null(w);
        assert_int_equal(w->count, 2);
        int64_t n;
        CHECK_OK(weights_copy_i64(&w->entries[1], &n, 1, &e));
        assert_int_equal(n, 70);
        assert_int_equal(w->entries[1].ndim, 0);
        weights_close(w);
        arena_release(&a);
    }
}

static void test_what_is_not_written(void **state)
{
    struct err e = ERR_INIT;
    const char *path = check_path(dir, "m.pth");
    struct modelfile_info info = make_info();
    info.std[1] = 0;
    assert_int_equal(modelfile_write(path, NULL, 0, &info, &e), -1);
    info = make_info();
    info.class_count = 0;
    assert_int_equal(modelfile_write(path, NULL, 0, &info, &e), -1);
    info = make_info();
    info.image_width = 0;
    assert_int_equal(modelfile_write(path, NULL, 0, &info, &e), -1);
    info = make_info();
    info.arch = NULL;
    assert_int_equal(modelfile_write(path, NULL, 0, &info, &e), -1);
    assert_false(fs_exists(path));
}

/* A good description with one key replaced (or left out, with value NULL). */
static void check_key(const char *key, const char *value, const char *part)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct weights_meta *meta;
    size_t count;
    struct modelfile_info info = make_info(), out;
    const char *path = check_path(dir, "k.safetensors");
    arena_init(&a);
    CHECK_OK(modelfile_info_meta(&a, &info, &meta, &count, &e));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(meta[i].key, key) != 0) {
            continue;
        }
        if (value != NULL) {
            meta[i].value = value;
        } else {
            meta[i] = meta[--count];
        }
        break;
    }
    CHECK_OK(weights_save(path, NULL, 0, meta, count, &e));
    assert_int_equal(modelfile_read_info(&a, path, &out, &e), -1);
    CHECK_CONTAINS(e.text, part);
    CHECK_CONTAINS(e.text, "k.safetensors");
    arena_release(&a);
}

static void test_faults_are_named(void **state)
{
    check_key("nephron.schema", NULL, "written by another program");
    check_key("nephron.schema", "2", "schema '2', this program knows '1'");
    check_key("architecture", NULL, "no 'architecture'");
    check_key("head", NULL, "no 'head'");
    check_key("resize", NULL, "no 'resize'");
    check_key("classes", NULL, "no 'classes'");
    check_key("classes", "[", "classes");
    check_key("classes", "{}", "'classes' is a dict, expected a list");
    check_key("classes", "[]", "0 classes");
    check_key("classes", "[\"a\", 3]", "class 1 is no text");
    check_key("image_size", "224", "'image_size' is a int");
    check_key("image_size", "[224]", "'image_size' is not [height, width]");
    check_key("image_size", "[224, 0]", "'image_size' is not [height, width]");
    check_key("image_size", "[224, 16385]", "each 1 to 16384");
    check_key("mean", "[1, 2]", "'mean' is not a list of 3 numbers");
    check_key("mean", "[1, 2, NaN]", "mean");
    check_key("std", "[1, 2, 0]", "'std' is not positive");
    check_key("std", "[1, 2, 1e99]", "'std' is not a list of 3 numbers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_are_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
