/* safetensors: every rule of the format broken once, and the file that keeps them all. */
#include "weights_check.h"

/* Length, header and `data_bytes` zero bytes. */
static struct strbuf make(const char *header, size_t data_bytes)
{
    struct strbuf b;
    uint64_t n = strlen(header);
    strbuf_init(&b);
    strbuf_add(&b, &n, sizeof(n));
    strbuf_adds(&b, header);
    strbuf_pad(&b, '\0', data_bytes);
    return b;
}

#define A8 "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void test_good_file(void **state)
{
    struct err e = ERR_INIT;
    void *block;
    /* Members in another order than their data, a scalar, an empty tensor, blanks at the end. */
    struct strbuf b = make("{\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]}," A8
                           ",\"none\":{\"dtype\":\"BF16\",\"shape\":[0,3],\"data_offsets\":[8,8]}"
                           ",\"__metadata__\":{\"k\":\"v\"}}   ",
                           16);
    float one = 1.0f;
    memcpy(b.p + b.n - 12, &one, 4);
    struct weights *w = check_parse(b.p, b.n, &e, &block);
    if (w == NULL) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(w->format, WEIGHTS_SAFETENSORS);
    assert_int_equal(w->count, 3);
    assert_string_equal(w->entries[0].name, "b");
    assert_int_equal(w->entries[0].ndim, 0);
    assert_int_equal(w->entries[0].count, 1);
    const struct weights_entry *t = weights_find(w, "a");
    assert_non_null(t);
    float values[2];
    CHECK_OK(weights_copy_f32(t, values, 2, &e));
    assert_true(values[0] == 0.0f && values[1] == 1.0f);
    assert_int_equal(weights_find(w, "none")->count, 0);
    assert_string_equal(weights_meta_find(w, "k"), "v");
    assert_null(weights_meta_find(w, "none"));
    weights_close(w);
    free(block);
    strbuf_release(&b);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *part;
    } cases[] = {
        {"{", 0, "safetensors header"},
        {"{}x", 0, "safetensors header"},
        {"{" A8 "}", 7, "do not lie in the 7 bytes"},
        {"{" A8 "}", 9, "end at byte 8 of 9"},
        {"{}", 1, "end at byte 0 of 1"},
        {"{\"a\":3}", 0, "tensor 'a': is a int"},
        {"{\"a\":{}}", 0, "tensor 'a': no 'dtype'"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\"}}", 0, "dtype 'F8_E4M3' is not supported"},
        {"{\"a\":{\"dtype\":\"F32\"}}", 0, "no list 'shape'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5]}}", 0, "something else than sizes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1]}}", 0, "something else than sizes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999]}}", 0, "integer"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1]}}", 0, "9 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,3]}}", 0, "more than 2^6"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
         "more than 2^63 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "no 'data_offsets'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "no 'data_offsets'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "do not lie"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,7]}}", 8,
         "needs 8 bytes, its range has 7"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "leaving a hole"},
        {"{" A8 ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12,
         "inside the one that ends at byte 8"},
        {"{" A8 ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "inside"},
        {"{" A8 ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", 16, "hole"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "'k' is a int, expected a string"},
        {"{\"__metadata__\":[]}", 0, "is a list, expected an object"},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "name of 0 bytes"},
        {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "test"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b = make(cases[i].header, cases[i].data_bytes);
        check_refused(b.p, b.n, cases[i].part);
        strbuf_release(&b);
    }
}

static void test_header_length(void **state)
{
    struct strbuf b = make("{" A8 "}", 8);
    uint64_t n = b.n - 7;
    memcpy(b.p, &n, 8);
    check_refused(b.p, b.n, "cut short");
    n = 100 * 1000 * 1000 + 1;
    memcpy(b.p, &n, 8);
    check_refused(b.p, b.n, "the limit is 100000000");
    n = UINT64_MAX;
    memcpy(b.p, &n, 8);
    check_refused(b.p, b.n, "no weights file that is known");
    strbuf_release(&b);
}

static void test_every_truncation_and_flip(void **state)
{
    struct strbuf b = make("{" A8 ",\"__metadata__\":{\"k\":\"v\"}}", 8);
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(check_survives(b.p, n), 0);
    }
    for (size_t i = 0; i < b.n; i++) {
        for (int bit = 1; bit < 256; bit <<= 1) {
            b.p[i] = (char)(b.p[i] ^ bit);
            check_survives(b.p, b.n);
            b.p[i] = (char)(b.p[i] ^ bit);
        }
    }
    strbuf_release(&b);
}

/* 100,000 tensors are read, one more is not; a name of 1,024 bytes, not one of 1,025. */
static void test_limits_on_both_sides(void **state)
{
    for (size_t count = WEIGHTS_MAX_TENSORS; count <= WEIGHTS_MAX_TENSORS + 1; count++) {
        struct strbuf header;
        strbuf_init(&header);
        for (size_t i = 0; i < count; i++) {
            strbuf_addf(&header,
                        "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                        i == 0 ? '{' : ',', i);
        }
        strbuf_addch(&header, '}');
        struct strbuf b = make(header.p, 0);
        if (count > WEIGHTS_MAX_TENSORS) {
            check_refused(b.p, b.n, "more than 100000 tensors");
        } else {
            assert_int_equal(check_survives(b.p, b.n), 1);
        }
        strbuf_release(&header);
        strbuf_release(&b);
    }
    for (int n = 1024; n <= 1025; n++) {
        struct strbuf header;
        strbuf_init(&header);
        strbuf_adds(&header, "{\"");
        strbuf_pad(&header, 'n', (size_t)n);
        strbuf_adds(&header, "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}");
        struct strbuf b = make(header.p, 1);
        if (n > 1024) {
            check_refused(b.p, b.n, "name of 1025 bytes");
        } else {
            assert_int_equal(check_survives(b.p, b.n), 1);
        }
        strbuf_release(&header);
        strbuf_release(&b);
    }
}

/* A header made of brackets must not take the memory of a hundred million JSON nodes. */
static void test_structure_bomb(void **state)
{
    struct strbuf header;
    strbuf_init(&header);
    strbuf_adds(&header, "{\"a\":[0");
    for (int i = 0; i < 3000000; i++) {
        strbuf_adds(&header, ",0");
    }
    strbuf_adds(&header, "]}");
    struct strbuf b = make(header.p, 0);
    check_refused(b.p, b.n, "more than 100000 tensors");
    strbuf_release(&header);
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_every_truncation_and_flip),
        cmocka_unit_test(test_limits_on_both_sides),
        cmocka_unit_test(test_structure_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
