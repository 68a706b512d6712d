/*
 * Checkpoints: bitwise round trip; every flipped byte and every cut is found; the newest good one
 * is chosen and the bad ones are named (robustness promises F10); earlier files survive a failed
 * write.
 */
#include "weights_check.h"

#include "bytes_le.h"
#include "checkpoint.h"
#include "digest.h"

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

#define N 37

/* Floats whose bits are easily lost: NaN with payload, subnormal, -0, infinity. */
static void fill(uint32_t *bits, uint64_t step)
{
    for (size_t i = 0; i < N; i++) {
        bits[i] = 0x3F800000u + (uint32_t)(i * step);
    }
    bits[0] = 0x7FC12345u;
    bits[1] = 0x00000001u;
    bits[2] = 0x80000000u;
    bits[3] = 0xFF800000u;
}

static int write_step(uint64_t step, unsigned keep, struct err *e)
{
    uint32_t params[N], momentum[N];
    int64_t counter = (int64_t)step;
    fill(params, step);
    fill(momentum, step + 1);
    struct checkpoint_array arrays[] = {{"params", WEIGHTS_F32, params, N},
                                        {"momentum", WEIGHTS_F32, momentum, N},
                                        {"empty", WEIGHTS_U8, NULL, 0},
                                        {"counter", WEIGHTS_I64, &counter, 1}};
    struct checkpoint_info info = {.step = step,
                                   .epoch = 3,
                                   .position = 512,
                                   .seed = UINT64_MAX,
                                   .world_size = 4,
                                   .config_digest = "0123456789abcdef",
                                   .note = "{\"run\": \"ü\"}"};
    struct checkpoint_write_options options = {.keep = keep};
    return checkpoint_write(dir, &info, arrays, 4, &options, e);
}

static const char *step_path(uint64_t step)
{
    char name[64];
    snprintf(name, sizeof(name), "ckpt-%010llu.np", (unsigned long long)step);
    return check_path(dir, name);
}

static void test_round_trip_is_bitwise(void **state)
{
    struct err e = ERR_INIT;
    uint32_t expect[N], params[N];
    int64_t counter;
    CHECK_OK(write_step(7, 0, &e));
    struct checkpoint *c = checkpoint_open(step_path(7), &e);
    if (c == NULL) {
        fail_msg("%s", e.text);
    }
    assert_true(c->info.step == 7 && c->info.epoch == 3 && c->info.position == 512);
    assert_true(c->info.seed == UINT64_MAX && c->info.world_size == 4);
    assert_string_equal(c->info.config_digest, "0123456789abcdef");
    assert_string_equal(c->info.model_digest, "");
    assert_string_equal(c->info.note, "{\"run\": \"ü\"}");
    assert_int_equal(c->count, 4);
    fill(expect, 7);
    CHECK_OK(checkpoint_copy(c, "params", WEIGHTS_F32, params, N, &e));
    assert_memory_equal(params, expect, sizeof(params));
    fill(expect, 8);
    CHECK_OK(checkpoint_copy(c, "momentum", WEIGHTS_F32, params, N, &e));
    assert_memory_equal(params, expect, sizeof(params));
    CHECK_OK(checkpoint_copy(c, "counter", WEIGHTS_I64, &counter, 1, &e));
    assert_int_equal(counter, 7);
    CHECK_OK(checkpoint_copy(c, "empty", WEIGHTS_U8, NULL, 0, &e));
    for (size_t i = 0; i < c->count; i++) {
        assert_int_equal((uintptr_t)c->arrays[i].data % 64, 0);
    }
    assert_int_equal(checkpoint_copy(c, "params", WEIGHTS_F32, params, N - 1, &e), -1);
    CHECK_CONTAINS(e.text, "'params' has 37 elements of f32, expected 36 of f32");
    assert_int_equal(checkpoint_copy(c, "params", WEIGHTS_F64, params, N, &e), -1);
    assert_int_equal(checkpoint_copy(c, "none", WEIGHTS_F32, params, N, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    checkpoint_close(c);
}

static void refused(const char *p, size_t n)
{
    struct err e = ERR_INIT;
    void *block = malloc(n > 0 ? n : 1);
    memcpy(block, p, n);
    assert_null(checkpoint_parse(block, n, "test", &e));
    CHECK_CONTAINS(e.text, "checkpoint test: ");
    assert_int_equal(e.code, ERR_FORMAT);
    free(block);
}

static void test_every_cut_and_flip_is_found(void **state)
{
    struct err e = ERR_INIT;
    CHECK_OK(write_step(7, 0, &e));
    struct strbuf b = check_read(step_path(7));
    for (size_t n = 0; n < b.n; n++) {
        refused(b.p, n);
    }
    for (size_t i = 0; i < b.n; i++) {
        for (int bit = 1; bit < 256; bit <<= 1) {
            b.p[i] = (char)(b.p[i] ^ bit);
            refused(b.p, b.n);
            b.p[i] = (char)(b.p[i] ^ bit);
        }
    }
    strbuf_addch(&b, '\0');
    refused(b.p, b.n);
    strbuf_release(&b);
}

/* A header that lies, with a digest that holds: only the size checks stand between it and memory.
 */
static void test_lies_with_a_good_digest(void **state)
{
    static const struct {
        size_t offset;
        uint64_t value;
        const char *part;
    } cases[] = {
        {8, 2 | (uint64_t)4 << 32, "version 2"},
        {12, 65, "do not fit"},
        {12, 64, "do not fit"},
        {12, UINT32_MAX, "do not fit"},
        {16, 4096, "its header says 4096"},
        {60, UINT32_MAX, "do not fit"},
        {60, 600, ""},
        {64, 0x0a, "damaged header"},
        {192, 0, "damaged table"},
        {192 + 32, 0x3939, "unknown type '99'"},
        {192 + 40, UINT64_MAX, "does not fit"},
        {192 + 40, (uint64_t)1 << 62, "does not fit"},
        {192 + 40, N + 1, "does not fit"},
        {192 + 48, 64, "does not fit"},
        {192 + 48, UINT64_MAX - 63, "does not fit"},
        {192 + 56, 8, "does not fit"},
    };
    struct err e = ERR_INIT;
    CHECK_OK(write_step(7, 0, &e));
    struct strbuf good = check_read(step_path(7));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b;
        char hex[DIGEST_HEX_SIZE];
        strbuf_init(&b);
        strbuf_add(&b, good.p, good.n);
        size_t width = cases[i].offset == 12 || cases[i].offset == 60 ? 4 : 8;
        memcpy(b.p + cases[i].offset, &cases[i].value, width);
        digest_buffer(DIGEST_SHA256, b.p, b.n - 64, hex);
        memcpy(b.p + b.n - 64, hex, 64);
        assert_null(checkpoint_parse(b.p, b.n, "test", &e));
        CHECK_CONTAINS(e.text, cases[i].part);
        strbuf_release(&b);
    }
    strbuf_release(&good);
}

static void expect_latest(uint64_t step, const char *noted)
{
    struct err e = ERR_INIT;
    struct strbuf notes;
    strbuf_init(&notes);
    struct checkpoint *c = checkpoint_latest(dir, &notes, &e);
    if (c == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(c->info.step, step);
    if (noted == NULL) {
        assert_string_equal(notes.p, "");
    } else {
        CHECK_CONTAINS(notes.p, noted);
    }
    checkpoint_close(c);
    strbuf_release(&notes);
}

static void damage(uint64_t step, size_t offset)
{
    struct err e = ERR_INIT;
    struct strbuf b = check_read(step_path(step));
    b.p[offset] = (char)(b.p[offset] ^ 1);
    CHECK_OK(fs_write_atomic(step_path(step), b.p, b.n, 0, &e));
    strbuf_release(&b);
}

static void test_newest_good_one_is_chosen(void **state)
{
    struct err e = ERR_INIT;
    assert_null(checkpoint_latest(check_path(dir, "none"), NULL, &e));
    assert_int_equal(e.code, ERR_MISSING);
    assert_null(checkpoint_latest(dir, NULL, &e));
    assert_int_equal(e.code, ERR_MISSING);
    CHECK_OK(write_step(9, 3, &e));
    CHECK_OK(write_step(100, 3, &e));
    CHECK_OK(write_step(1000, 3, &e));
    CHECK_OK(fs_write_atomic(check_path(dir, "notes.txt"), "x", 1, 0, &e));
    expect_latest(1000, NULL);
    damage(1000, 700);
    expect_latest(100, "ckpt-0000001000.np: the SHA-256 does not hold");
    CHECK_OK(fs_write_atomic(step_path(1000), "", 0, 0, &e));
    expect_latest(100, "ckpt-0000001000.np: the file is empty");
    assert_int_equal(truncate(step_path(100), 600), 0);
    expect_latest(9, "its header says");
    damage(9, 0);
    struct strbuf notes;
    strbuf_init(&notes);
    assert_null(checkpoint_latest(dir, &notes, &e));
    assert_int_equal(e.code, ERR_MISSING);
    CHECK_CONTAINS(e.text, "none of the 3 checkpoints");
    CHECK_CONTAINS(notes.p, "ckpt-0000000009.np: no Nephron checkpoint");
    strbuf_release(&notes);
}

/* Two files that changed names: the header's step decides, and it is said. */
static void test_swapped_files(void **state)
{
    struct err e = ERR_INIT;
    CHECK_OK(write_step(5, 2, &e));
    CHECK_OK(write_step(6, 2, &e));
    const char *other = check_path(dir, "other");
    assert_int_equal(rename(step_path(5), other), 0);
    assert_int_equal(rename(step_path(6), step_path(5)), 0);
    assert_int_equal(rename(other, step_path(6)), 0);
    expect_latest(6, "ckpt-0000000005.np holds step 6");
}

static void test_keep_and_remove_all(void **state)
{
    struct err e = ERR_INIT;
    for (uint64_t step = 1; step <= 5; step++) {
        CHECK_OK(write_step(step, 0, &e)); /* 0: two */
    }
    assert_false(fs_exists(step_path(3)));
    assert_true(fs_exists(step_path(4)));
    assert_true(fs_exists(step_path(5)));
    CHECK_OK(write_step(2, 1, &e)); /* a resume from an earlier step leaves the later files alone */
    assert_true(fs_exists(step_path(2)));
    assert_true(fs_exists(step_path(5)));
    CHECK_OK(write_step(6, 1, &e));
    assert_false(fs_exists(step_path(5)));
    CHECK_OK(fs_write_atomic(check_path(dir, "ckpt-12x.np"), "x", 1, 0, &e));
    CHECK_OK(checkpoint_remove_all(dir, &e));
    assert_false(fs_exists(step_path(6)));
    assert_true(fs_exists(check_path(dir, "ckpt-12x.np")));
    CHECK_OK(checkpoint_remove_all(check_path(dir, "none"), &e));
}

static void test_what_is_not_written(void **state)
{
    struct err e = ERR_INIT;
    struct checkpoint_info info = {.step = 1};
    struct checkpoint_array bad[] = {
        {"a name that is longer than the field holds", WEIGHTS_F32, "", 0}};
    assert_int_equal(checkpoint_write(dir, &info, bad, 1, NULL, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    bad[0].name = "";
    assert_int_equal(checkpoint_write(dir, &info, bad, 1, NULL, &e), -1);
    bad[0].name = "a b";
    assert_int_equal(checkpoint_write(dir, &info, bad, 1, NULL, &e), -1);
    bad[0].name = "ok";
    info.config_digest = "0123456789012345678901234567890123456789012345678901234567890123456789";
    assert_int_equal(checkpoint_write(dir, &info, bad, 1, NULL, &e), -1);
    assert_false(fs_exists(step_path(1)));
    /* A folder that cannot be: nothing else is touched. */
    CHECK_OK(write_step(1, 0, &e));
    info.config_digest = NULL;
    assert_int_equal(checkpoint_write(step_path(1), &info, bad, 1, NULL, &e), -1);
    expect_latest(1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip_is_bitwise, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_cut_and_flip_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lies_with_a_good_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newest_good_one_is_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swapped_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_and_remove_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
