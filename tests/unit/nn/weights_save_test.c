/* Writing weights and reading them again: all types, views, metadata, both formats; what is
 * refused. */
#include "weights_check.h"

#include "weights_show.h"

#include <math.h>
#include <sys/stat.h>

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

static const char *const FILES[] = {"w.pth", "w.safetensors"};

static const float F32[6] = {0.0f, -1.5f, 3.25f, 1e-40f, INFINITY, 65504.0f};
static const int64_t COUNTER = 1234567890123;

static struct weights_entry entry(const char *name, enum weights_dtype type, const void *data,
                                  unsigned ndim, size_t a, size_t b)
{
    struct err e = ERR_INIT;
    struct weights_entry t = {.name = name, .dtype = type, .data = data, .ndim = ndim};
    t.shape[0] = a;
    t.shape[1] = b;
    CHECK_OK(weights_entry_layout(&t, &e));
    return t;
}

static struct weights *reopen(const char *file)
{
    struct err e = ERR_INIT;
    struct weights *w = weights_open(check_path(dir, file), NULL, &e);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    return w;
}

static void same_values(const struct weights_entry *a, const struct weights_entry *b)
{
    struct weights_summary x, y;
    weights_summarise(a, &x);
    weights_summarise(b, &y);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->ndim, b->ndim);
    assert_int_equal(a->count, b->count);
    for (unsigned i = 0; i < a->ndim; i++) {
        assert_int_equal(a->shape[i], b->shape[i]);
    }
    assert_string_equal(x.md5, y.md5);
}

static void test_round_trip_of_every_type(void **state)
{
    static const unsigned char raw[48] = {1, 0, 1, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 0x80, 0xFF, 0x7F};
    for (size_t f = 0; f < 2; f++) {
        struct weights_entry t[WEIGHTS_DTYPE_COUNT + 3];
        struct weights_meta meta[] = {{"key", "value"}, {"text", "Ünï \"quoted\"\n"}};
        struct err e = ERR_INIT;
        size_t n = 0;
        for (int i = 0; i < WEIGHTS_DTYPE_COUNT; i++) {
            if (f == 1 || weights_dtype_torch((enum weights_dtype)i) != NULL) {
                const char *name = weights_dtype_name((enum weights_dtype)i);
                t[n++] = entry(name, (enum weights_dtype)i, raw, 2, 2, 3);
            }
        }
        t[n++] = entry("layer.0/ä", WEIGHTS_F32, F32, 1, 6, 0);
        t[n++] = entry("counter", WEIGHTS_I64, &COUNTER, 0, 0, 0);
        t[n++] = entry("empty", WEIGHTS_F32, raw, 2, 0, 5);
        CHECK_OK(weights_save(check_path(dir, FILES[f]), t, n, meta, 2, &e));
        struct weights *w = reopen(FILES[f]);
        assert_int_equal(w->count, n);
        for (size_t i = 0; i < n; i++) {
            same_values(&t[i], &w->entries[i]); /* also their order */
            assert_ptr_equal(weights_find(w, t[i].name), &w->entries[i]);
            size_t size = weights_dtype_size(t[i].dtype);
            assert_int_equal((uintptr_t)w->entries[i].data % size, 0);
        }
        assert_int_equal(w->meta_count, 2);
        assert_string_equal(weights_meta_find(w, "text"), meta[1].value);
        weights_close(w);
    }
}

/* A transposed matrix, a column, a repeated row: written as the values they show. */
static void test_views_become_plain(void **state)
{
    float m[300 * 200];
    for (size_t i = 0; i < 300 * 200; i++) {
        m[i] = (float)i;
    }
    for (size_t f = 0; f < 2; f++) {
        struct err e = ERR_INIT;
        struct weights_entry t[3] = {entry("transposed", WEIGHTS_F32, m, 2, 200, 300),
                                     entry("column", WEIGHTS_F32, m + 7, 1, 300, 0),
                                     entry("repeated", WEIGHTS_F32, m, 2, 4, 200)};
        t[0].strides[0] = 1;
        t[0].strides[1] = 200;
        t[1].strides[0] = 200;
        t[2].strides[0] = 0;
        assert_false(weights_contiguous(&t[0]));
        CHECK_OK(weights_save(check_path(dir, FILES[f]), t, 3, NULL, 0, &e));
        struct weights *w = reopen(FILES[f]);
        float *out = malloc(60000 * sizeof(*out));
        CHECK_OK(weights_copy_f32(weights_find(w, "transposed"), out, 60000, &e));
        for (size_t i = 0; i < 60000; i++) {
            assert_true(out[i] == m[i % 300 * 200 + i / 300]);
        }
        CHECK_OK(weights_copy_f32(weights_find(w, "column"), out, 300, &e));
        assert_true(out[0] == 7 && out[299] == 299 * 200 + 7);
        CHECK_OK(weights_copy_f32(weights_find(w, "repeated"), out, 800, &e));
        assert_true(out[3 * 200 + 5] == 5);
        for (size_t i = 0; i < 3; i++) {
            assert_true(weights_contiguous(&w->entries[i]));
            same_values(&t[i], &w->entries[i]);
        }
        free(out);
        weights_close(w);
    }
}

/* Pieces of a strided tensor, at any start, equal the whole. */
static void test_copy_raw_in_pieces(void **state)
{
    int16_t m[2 * 3 * 5];
    int16_t whole[30], part[30];
    for (int i = 0; i < 30; i++) {
        m[i] = (int16_t)i;
    }
    struct weights_entry t = {.name = "t", .dtype = WEIGHTS_I16, .data = m, .ndim = 3, .count = 30};
    memcpy(t.shape, (size_t[]){5, 2, 3}, 3 * sizeof(size_t));
    memcpy(t.strides, (size_t[]){1, 15, 5}, 3 * sizeof(size_t));
    weights_copy_raw(&t, 0, 30, whole);
    assert_int_equal(whole[0], 0);
    assert_int_equal(whole[1], 5);
    assert_int_equal(whole[3], 15);
    assert_int_equal(whole[29], 29);
    for (size_t from = 0; from < 30; from++) {
        for (size_t n = 0; n <= 30 - from; n++) {
            memset(part, 0x55, sizeof(part));
            weights_copy_raw(&t, from, n, part);
            assert_memory_equal(part, whole + from, n * 2);
            assert_true(n == 30 || part[n] == 0x5555);
        }
    }
}

/* Element sizes 1 and 8, and every integer type. */
static void test_strided_integers(void **state)
{
    static const int64_t wide[4] = {-1, 2, INT64_MIN, 4};
    static const uint16_t small[4] = {1, 65535, 3, 4};
    static const uint32_t words[4] = {1, UINT32_MAX, 3, 4};
    static const uint8_t bytes[4] = {1, 200, 3, 0};
    static const struct {
        enum weights_dtype type;
        const void *data;
        int64_t second, first;
    } cases[] = {
        {WEIGHTS_I64, wide, INT64_MIN, -1}, {WEIGHTS_U64, wide, INT64_MIN, -1},
        {WEIGHTS_I32, words, 3, 1},         {WEIGHTS_U32, words + 1, 4, UINT32_MAX},
        {WEIGHTS_I32, words + 1, 4, -1},    {WEIGHTS_I16, small + 1, 4, -1},
        {WEIGHTS_U16, small + 1, 4, 65535}, {WEIGHTS_U8, bytes + 1, 0, 200},
        {WEIGHTS_I8, bytes + 1, 0, -56},    {WEIGHTS_BOOL, bytes + 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        int64_t out[2];
        float real[2];
        struct weights_entry t = entry("t", cases[i].type, cases[i].data, 1, 2, 0);
        t.strides[0] = 2;
        CHECK_OK(weights_copy_i64(&t, out, 2, &e));
        assert_true(out[0] == cases[i].first && out[1] == cases[i].second);
        CHECK_OK(weights_copy_f32(&t, real, 2, &e));
        assert_true(cases[i].type == WEIGHTS_U64 || real[0] == (float)cases[i].first);
    }
}

static void test_conversions(void **state)
{
    struct err e = ERR_INIT;
    float out[6];
    int64_t ints[6];
    /* 1, -2, largest, smallest subnormal, infinity, -0 */
    static const uint16_t half[6] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x8000};
    struct weights_entry t = entry("t", WEIGHTS_F16, half, 1, 6, 0);
    CHECK_OK(weights_copy_f32(&t, out, 6, &e));
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 65504 && out[3] == 0x1p-24f);
    assert_true(isinf(out[4]) && out[5] == 0 && signbit(out[5]));
    static const uint16_t nan16[1] = {0x7E01};
    t = entry("t", WEIGHTS_F16, nan16, 1, 1, 0);
    CHECK_OK(weights_copy_f32(&t, out, 1, &e));
    assert_true(isnan(out[0]));
    static const uint16_t bf[3] = {0x3F80, 0xC2C8, 0x7F80};
    t = entry("t", WEIGHTS_BF16, bf, 1, 3, 0);
    CHECK_OK(weights_copy_f32(&t, out, 3, &e));
    assert_true(out[0] == 1 && out[1] == -100 && isinf(out[2]));
    static const double d[2] = {0.1, -1e300};
    t = entry("t", WEIGHTS_F64, d, 1, 2, 0);
    CHECK_OK(weights_copy_f32(&t, out, 2, &e));
    assert_true(out[0] == 0.1f && isinf(out[1]));
    static const int8_t i8[3] = {-128, 0, 127};
    t = entry("t", WEIGHTS_I8, i8, 1, 3, 0);
    CHECK_OK(weights_copy_f32(&t, out, 3, &e));
    assert_true(out[0] == -128 && out[2] == 127);
    CHECK_OK(weights_copy_i64(&t, ints, 3, &e));
    assert_int_equal(ints[0], -128);
    static const uint8_t flags[2] = {0, 7};
    t = entry("t", WEIGHTS_BOOL, flags, 1, 2, 0);
    CHECK_OK(weights_copy_f32(&t, out, 2, &e));
    assert_true(out[0] == 0 && out[1] == 1);
    assert_int_equal(weights_copy_f32(&t, out, 3, &e), -1);
    CHECK_CONTAINS(e.text, "tensor 't' has 2 elements, expected 3");
    t = entry("t", WEIGHTS_BF16, bf, 1, 3, 0);
    assert_int_equal(weights_copy_i64(&t, ints, 3, &e), -1);
    CHECK_CONTAINS(e.text, "is bf16, expected integers");
}

static void test_what_cannot_be_written(void **state)
{
    struct err e = ERR_INIT;
    struct weights_entry t[2] = {entry("a", WEIGHTS_F32, F32, 1, 6, 0),
                                 entry("a", WEIGHTS_F32, F32, 1, 6, 0)};
    for (size_t f = 0; f < 2; f++) {
        const char *path = check_path(dir, FILES[f]);
        assert_int_equal(weights_save(path, t, 2, NULL, 0, &e), -1);
        CHECK_CONTAINS(e.text, "two tensors named 'a'");
        t[0].name = "\xff";
        assert_int_equal(weights_save(path, t, 2, NULL, 0, &e), -1);
        CHECK_CONTAINS(e.text, "'\\xff' cannot be written");
        t[0].name = "";
        assert_int_equal(weights_save(path, t, 2, NULL, 0, &e), -1);
        assert_false(fs_exists(path));
        t[0].name = "a";
    }
    assert_int_equal(weights_save(check_path(dir, "w.h5"), t, 1, NULL, 0, &e), -1);
    CHECK_CONTAINS(e.text, "must end in .pth, .pt, .bin or .safetensors");
    t[0].name = "__metadata__";
    assert_int_equal(weights_save(check_path(dir, "w.safetensors"), t, 1, NULL, 0, &e), -1);
    t[0] = entry("u", WEIGHTS_U32, F32, 1, 6, 0);
    assert_int_equal(weights_save(check_path(dir, "w.pth"), t, 1, NULL, 0, &e), -1);
    CHECK_CONTAINS(e.text, "tensor 'u' is u32");
    assert_int_equal(weights_save(check_path(dir, "no/such/w.pth"), t + 1, 1, NULL, 0, &e), -1);
    CHECK_CONTAINS(e.text, "no/such");
}

static void test_same_tensors_same_bytes(void **state)
{
    struct err e = ERR_INIT;
    struct weights_entry t = entry("a", WEIGHTS_F32, F32, 1, 6, 0);
    static const char *const names[][2] = {{"x.pth", "other.pt"},
                                           {"x.safetensors", "y.safetensors"}};
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(weights_save(check_path(dir, names[i][0]), &t, 1, NULL, 0, &e));
        CHECK_OK(weights_save(check_path(dir, names[i][1]), &t, 1, NULL, 0, &e));
        struct strbuf a = check_read(check_path(dir, names[i][0]));
        struct strbuf b = check_read(check_path(dir, names[i][1]));
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.p, b.p, a.n);
        strbuf_release(&a);
        strbuf_release(&b);
    }
}

/* .pth -> .safetensors -> .pth, also onto itself: the first and last file are the same bytes. */
static void test_convert_keeps_everything(void **state)
{
    struct err e = ERR_INIT;
    struct weights_meta meta = {"architecture", "vgg16"};
    static const uint16_t half[6] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x8000};
    struct weights_entry t[2] = {entry("h", WEIGHTS_F16, half, 2, 3, 2),
                                 entry("n", WEIGHTS_I64, &COUNTER, 0, 0, 0)};
    const char *a = check_path(dir, "a.pth"), *b = check_path(dir, "b.safetensors");
    const char *c = check_path(dir, "c.pth");
    CHECK_OK(weights_save(a, t, 2, &meta, 1, &e));
    CHECK_OK(weights_convert(a, b, &e));
    CHECK_OK(weights_convert(b, b, &e));
    CHECK_OK(weights_convert(b, c, &e));
    struct strbuf x = check_read(a), y = check_read(c);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    strbuf_release(&x);
    strbuf_release(&y);
    assert_int_equal(weights_convert(a, check_path(dir, "d.bmp"), &e), -1);
    assert_int_equal(weights_convert(check_path(dir, "none.pth"), c, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
}

static void test_show(void **state)
{
    struct err e = ERR_INIT;
    struct weights_meta meta = {"key", "a\x1b[31mb"};
    struct weights_entry t[2] = {entry("a", WEIGHTS_F32, F32, 2, 3, 1),
                                 entry("inf", WEIGHTS_F32, F32 + 4, 1, 1, 0)};
    const char *path = check_path(dir, "s.safetensors"), *text = check_path(dir, "out");
    CHECK_OK(weights_save(path, t, 2, &meta, 1, &e));
    for (int json = 0; json < 2; json++) {
        FILE *out = fopen(text, "w");
        CHECK_OK(weights_show(path, json, out, &e));
        fclose(out);
        struct strbuf b = check_read(text);
        CHECK_CONTAINS(b.p, json ? "\"shape\": [" : "(3, 1)");
        CHECK_CONTAINS(b.p, "f32");
        CHECK_CONTAINS(b.p, "1.75"); /* the sum */
        CHECK_CONTAINS(b.p, json ? "\"sum\": null" : "inf");
        assert_null(strchr(b.p, '\x1b'));
        strbuf_release(&b);
    }
    FILE *full = fopen("/dev/full", "w");
    if (full != NULL) {
        assert_int_equal(weights_show(path, true, full, &e), -1);
        fclose(full);
    }
}

static void test_files_that_are_no_files(void **state)
{
    struct err e = ERR_INIT;
    assert_null(weights_open(dir, NULL, &e));
    CHECK_CONTAINS(e.text, "is a folder");
    assert_null(weights_open("/dev/null", NULL, &e));
    CHECK_CONTAINS(e.text, "no regular file");
    CHECK_OK(fs_write_atomic(check_path(dir, "empty.pth"), "", 0, 0, &e));
    assert_null(weights_open(check_path(dir, "empty.pth"), NULL, &e));
    CHECK_CONTAINS(e.text, "the file is empty");
    assert_int_equal(mkfifo(check_path(dir, "fifo"), 0600), 0);
    assert_null(weights_open(check_path(dir, "fifo"), NULL, &e)); /* and does not wait */
}

static void test_other_magics(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
        {"<!DOCTYPE html>", 15, "HTML"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "git lfs pull"},
        {"\x1f\x8b\x08", 3, "gzip"},
        {"GGUFabcd", 8, "GGUF"},
        {"\x80\x04K\1.", 5, "not one that torch.save wrote"},
        {"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "without PyTorch's data.pkl"},
        {"PK\3\4", 4, "cut short"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_refused(cases[i].bytes, cases[i].n, cases[i].part);
    }
    char tar[512] = "protocol_version";
    memcpy(tar + 257, "ustar", 5);
    check_refused(tar, sizeof(tar), "CVE-2025-32434");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_views_become_plain, setup, teardown),
        cmocka_unit_test(test_copy_raw_in_pieces),
        cmocka_unit_test(test_strided_integers),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_tensors_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_convert_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_show, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_files, setup, teardown),
        cmocka_unit_test(test_other_magics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
