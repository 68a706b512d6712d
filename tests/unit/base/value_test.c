/* The document tree and JSON. */

#include "value.h"

#include "err.h"
#include "json.h"

#include "base_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void maps_keep_order_and_find_among_many(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *map = value_map(&a);
    char key[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "stage%d", i);
        value_set(&a, map, key, value_int(&a, i));
    }
    value_set(&a, map, "stage7", value_int(&a, -7));
    assert_int_equal(map->map.count, 5000);
    assert_int_equal(value_get(map, "stage7")->i, -7);
    assert_int_equal(value_get(map, "stage4999")->i, 4999);
    assert_null(value_get(map, "stage5000"));
    assert_true(value_remove(map, "stage7"));
    assert_null(value_get(map, "stage7"));
    assert_int_equal(value_get(map, "stage8")->i, 8);
    assert_string_equal(map->map.pairs[7].key->s.p, "stage8");
    arena_release(&a);
}

static void dotted_paths(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *v = json_parse(&a, STR("{\"a\": {\"b\": [{\"c\": 1}, [2, 3]]}}"), NULL, NULL);
    assert_int_equal(value_find(v, "a.b[0].c")->i, 1);
    assert_int_equal(value_find(v, "a.b.1.0")->i, 2);
    assert_int_equal(value_find(v, "a.b[1][1]")->i, 3);
    assert_null(value_find(v, "a.x"));
    assert_null(value_find(v, "a.b[9]"));
    arena_release(&a);
}

static void equality_is_pythons(void **state)
{
    struct arena a;
    arena_init(&a);
    assert_true(value_eq(value_int(&a, 1), value_float(&a, 1.0)));
    assert_true(value_eq(value_bool(&a, true), value_int(&a, 1)));
    assert_false(value_eq(value_float(&a, NAN), value_float(&a, NAN)));
    assert_false(value_eq(value_cstr(&a, "1"), value_int(&a, 1)));
    struct value *x = json_parse(&a, STR("{\"a\": 1, \"b\": [1, 2]}"), NULL, NULL);
    struct value *y = json_parse(&a, STR("{\"b\": [1, 2.0], \"a\": 1}"), NULL, NULL);
    assert_true(value_eq(x, y));
    value_push(&a, value_get(y, "b"), value_null(&a));
    assert_false(value_eq(x, y));
    arena_release(&a);
}

static void json_is_written_as_python_does(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *v = json_parse(
        &a,
        STR("{\"b\": [1, 0.1, null, true], \"a\": \"\\u00e9\\ud83d\\ude00\\n\\\"\", \"e\": {}}"),
        NULL, NULL);
    assert_non_null(v);
    struct strbuf out;
    strbuf_init(&out);
    json_write(&out, v, &(struct json_style){.sort_keys = true});
    assert_string_equal(
        out.p, "{\"a\": \"\\u00e9\\ud83d\\ude00\\n\\\"\", \"b\": [1, 0.1, null, true], \"e\": {}}");
    strbuf_reset(&out);
    json_write(&out, value_get(v, "b"), &(struct json_style){.indent = 4});
    assert_string_equal(out.p, "[\n    1,\n    0.1,\n    null,\n    true\n]");
    strbuf_reset(&out);
    value_repr(&out, v);
    assert_string_equal(
        out.p, "{'b': [1, 0.1, None, True], 'a': '\xc3\xa9\xf0\x9f\x98\x80\\n\"', 'e': {}}");
    strbuf_release(&out);
    arena_release(&a);
}

static void bad_json_is_refused(void **state)
{
    static const char *const cases[] = {"{\"a\": 1} x", "[1,]", "\"\\ud800\"", "",
                                        "{1: 2}",       "1e999"};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        assert_null(json_parse(&a, str_from(cases[i]), "f.json", &e));
        assert_int_equal(e.code, ERR_FORMAT);
        assert_memory_equal(e.text, "f.json:", 7);
    }
    struct strbuf deep;
    strbuf_init(&deep);
    strbuf_pad(&deep, '[', 100000);
    struct err e = ERR_INIT;
    assert_null(json_parse(&a, strbuf_str(&deep), NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_release(&deep);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_keep_order_and_find_among_many),
        cmocka_unit_test(dotted_paths),
        cmocka_unit_test(equality_is_pythons),
        cmocka_unit_test(json_is_written_as_python_does),
        cmocka_unit_test(bad_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
