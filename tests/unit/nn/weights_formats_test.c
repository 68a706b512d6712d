/*
 * Files that other programs wrote: every value against TENSORS.tsv, every file that must be
 * refused, and what cutting and flipping them does. Skips without the test inputs (NEPHRON_SHARED).
 */
#include "weights_check.h"

#include "num.h"

#include <math.h>

static struct weights *open_file(const char *name)
{
    struct err e = ERR_INIT;
    char path[256];
    snprintf(path, sizeof(path), "data/formats/%s", name);
    struct weights *w = weights_open(check_shared(path), NULL, &e);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    return w;
}

/* "<f4 non-contiguous", "F32" -> "f32" */
static const char *our_dtype(const char *theirs)
{
    static const char *const names[][2] = {
        {"<f4", "f32"}, {"<f2", "f16"}, {"<i8", "i64"}, {"F32", "f32"}, {"I64", "i64"},
    };
    for (size_t i = 0; i < 5; i++) {
        if (strncmp(theirs, names[i][0], 3) == 0) {
            return names[i][1];
        }
    }
    return "?";
}

static void check_row(const struct weights *w, char *const *column)
{
    struct weights_summary s;
    char shape[128] = "";
    const struct weights_entry *t = weights_find(w, column[1]);
    if (t == NULL) {
        fail_msg("%s: no tensor '%s'", column[0], column[1]);
    }
    for (unsigned i = 0; i < t->ndim; i++) {
        snprintf(shape + strlen(shape), sizeof(shape) - strlen(shape), i > 0 ? "x%zu" : "%zu",
                 t->shape[i]);
    }
    assert_string_equal(shape, column[3]);
    assert_string_equal(weights_dtype_name(t->dtype), our_dtype(column[2]));
    weights_summarise(t, &s);
    double sum = strtod(column[4], NULL), first = strtod(column[5], NULL);
    assert_true(fabs(s.sum - sum) <= 1e-6 * (1 + fabs(sum)));
    assert_true(fabs(s.first - first) <= 1e-8 * (1 + fabs(first)));
    assert_string_equal(s.md5, column[6]);
    /* The converted values carry the same sum. */
    struct err e = ERR_INIT;
    float *values = malloc((t->count + 1) * sizeof(*values));
    CHECK_OK(weights_copy_f32(t, values, t->count, &e));
    double again = 0;
    for (size_t i = 0; i < t->count; i++) {
        again += values[i];
    }
    assert_true(again == s.sum);
    free(values);
}

static size_t split_tabs(char *line, char **column, size_t max)
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *p = line; p != NULL && n < max; n++) {
        column[n] = p;
        p = strchr(p, '\t');
        if (p != NULL) {
            *p++ = '\0';
        }
    }
    return n;
}

static void test_values_of_tensors_tsv(void **state)
{
    const char *list = check_shared("data/formats/TENSORS.tsv");
    if (list == NULL) {
        print_message("SKIP: no test inputs, set NEPHRON_SHARED\n");
        skip();
    }
    FILE *f = fopen(list, "r");
    assert_non_null(f);
    char line[4096], opened[256] = "";
    struct weights *w = NULL;
    size_t rows = 0, in_file = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *column[8];
        if (split_tabs(line, column, 8) != 7 ||
            (strncmp(column[0], "torch/", 6) != 0 && strncmp(column[0], "safetensors/", 12) != 0)) {
            continue;
        }
        if (strcmp(opened, column[0]) != 0) {
            assert_true(w == NULL || in_file == w->count);
            weights_close(w);
            w = open_file(column[0]);
            snprintf(opened, sizeof(opened), "%s", column[0]);
            in_file = 0;
        }
        check_row(w, column);
        rows++;
        in_file++;
    }
    assert_true(w != NULL && in_file == w->count);
    weights_close(w);
    fclose(f);
    assert_int_equal(rows, 134);
}

static void test_metadata_of_safetensors(void **state)
{
    if (check_shared("data/formats/TENSORS.tsv") == NULL) {
        skip();
    }
    struct weights *w =
        open_file("safetensors/CoffeeVampir3__Model-Saving-Test-Repo/model.safetensors");
    assert_string_equal(weights_meta_find(w, "git_tag"), "v1.45");
    weights_close(w);
}

static void test_other_formats_are_refused_by_name(void **state)
{
    static const struct {
        const char *file, *part;
    } cases[] = {
        {"torch/00arun00__Pruning-Pytorch/lenet.pth", "'core.model.lenet.LeNet'"},
        {"keras-h5/David200308__mnist-experiment/mnist_1.h5", "HDF5"},
        {"hdf5/usnistgov__h5wasm/empty.h5", "HDF5"},
        {"keras-zip/SliferSkyd__digit-recognition/model.keras", "Keras 3 archive"},
        {"npz/huggingface__candle/test.npz", ".npz"},
        {"onnx/FYH620__lenet-mnist-openvino/lenet.onnx", "ONNX"},
        {"onnx/onnx__onnx/light_vgg19.onnx", "ONNX"},
        {"README.md", "no weights file that is known"},
        {"mlflow-file-store/mlruns/0/meta.yaml", "no weights file that is known"},
    };
    if (check_shared("data/formats/TENSORS.tsv") == NULL) {
        skip();
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        char path[256];
        snprintf(path, sizeof(path), "data/formats/%s", cases[i].file);
        const char *full = check_shared(path);
        assert_non_null(full);
        assert_null(weights_open(full, NULL, &e));
        assert_int_equal(e.code, ERR_FORMAT);
        CHECK_CONTAINS(e.text, cases[i].part);
        CHECK_CONTAINS(e.text, cases[i].file);
    }
}

static const char *const SMALL[] = {
    "torch/huggingface__candle/test_with_key.pt",
    "torch/richzhang__PerceptualSimilarity/v0.0-vgg.pth",
    "torch/richzhang__PerceptualSimilarity/v0.1-alex.pth",
    "safetensors/CoffeeVampir3__Model-Saving-Test-Repo/model.safetensors",
};

/* Each file's structure is small: every length below 8 KiB, then in steps. Every one is refused. */
static void test_truncations(void **state)
{
    if (check_shared("data/formats/TENSORS.tsv") == NULL) {
        skip();
    }
    for (size_t i = 0; i < sizeof(SMALL) / sizeof(SMALL[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "data/formats/%s", SMALL[i]);
        struct strbuf b = check_read(check_shared(path));
        for (size_t n = 0; n < b.n; n++) {
            if (check_survives(b.p, n)) {
                fail_msg("%s cut to %zu bytes was read", SMALL[i], n);
            }
        }
        strbuf_release(&b);
    }
}

static void test_flips(void **state)
{
    if (check_shared("data/formats/TENSORS.tsv") == NULL) {
        skip();
    }
    for (size_t i = 0; i < sizeof(SMALL) / sizeof(SMALL[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "data/formats/%s", SMALL[i]);
        struct strbuf b = check_read(check_shared(path));
        for (size_t at = 0; at < b.n && at < 4096; at++) {
            static const unsigned char masks[] = {0x01, 0x80, 0xFF};
            for (size_t m = 0; m < 3; m++) {
                b.p[at] = (char)(b.p[at] ^ masks[m]);
                check_survives(b.p, b.n);
                b.p[at] = (char)(b.p[at] ^ masks[m]);
            }
        }
        strbuf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_tensors_tsv),
        cmocka_unit_test(test_metadata_of_safetensors),
        cmocka_unit_test(test_other_formats_are_refused_by_name),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
