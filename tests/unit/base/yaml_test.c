/* YAML by DVC's rules, limits and refusals. */

#include "yaml.h"

#include "err.h"
#include "json.h"

#include "base_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The document as JSON, or "error: …". */
static const char *read_as_json(struct arena *a, const char *text)
{
    struct err e = ERR_INIT;
    struct value *v = yaml_parse(a, str_from(text), NULL, &e);
    if (v == NULL) {
        return arena_printf(a, "error: %s", e.text);
    }
    struct strbuf out;
    strbuf_init(&out);
    json_write(&out, v, NULL);
    const char *json = arena_strdup(a, out.p);
    strbuf_release(&out);
    return json;
}

static void scalars_resolve_as_yaml_1_2(void **state)
{
    static const char *const cases[][2] = {
        {"yes", "\"yes\""},
        {"on", "\"on\""},
        {"010", "10"},
        {"0o10", "8"},
        {"0x1F", "31"},
        {"1_000", "1000"},
        {"1e-5", "1e-05"},
        {"1.", "1.0"},
        {".5", "0.5"},
        {"~", "null"},
        {"", "null"},
        {"True", "true"},
        {"FALSE", "false"},
        {"-.inf", "-Infinity"},
        {".nan", "NaN"},
        {"2020-01-01", "\"2020-01-01\""},
        {"1:30", "\"1:30\""},
        {"'1'", "\"1\""},
        {"-", "[null]"},
        {"+1", "1"},
        {"1e", "\"1e\""},
        {".", "\".\""},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"0b11", "3"},
        {"!!str 1", "\"1\""},
        {"!!float 1", "1.0"},
        {"\"a\\tb\"", "\"a\\tb\""},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(read_as_json(&a, cases[i][0]), cases[i][1]);
    }
    arena_release(&a);
}

static void structures_aliases_and_merges(void **state)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(read_as_json(&a, "a: [1, {b: c}]\nd:\n- x\n"),
                        "{\"a\": [1, {\"b\": \"c\"}], \"d\": [\"x\"]}");
    assert_string_equal(read_as_json(&a, "a: &x {k: 1}\nb: *x\n"),
                        "{\"a\": {\"k\": 1}, \"b\": {\"k\": 1}}");
    assert_string_equal(read_as_json(&a, "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n"),
                        "{\"a\": {\"k\": 1, \"l\": 2}, \"b\": {\"k\": 3, \"l\": 2}}");
    arena_release(&a);
}

static void refusals_name_the_place(void **state)
{
    static const char *const cases[][2] = {
        {"a: 1\na: 2\n", "<yaml>:2:1: found duplicate key \"a\" with value 2 (original value: 1)"},
        {"a: *x\n", "<yaml>:1:4: found undefined alias x"},
        {"a: &x [*x]\n", "<yaml>:1:8: alias x refers to a node that contains it"},
        {"a: !!python/object:os.system {}\n",
         "tag tag:yaml.org,2002:python/object:os.system is not supported"},
        {"--- 1\n--- 2\n", "expected a single document"},
        {"a: [1\n", "<yaml>:2:1"},
        {"{[1]: 2}", "a mapping key must be a scalar"},
        {"a: \x80", "expected UTF-8 text"},
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = read_as_json(&a, cases[i][0]);
        assert_memory_equal(got, "error: ", 7);
        if (strstr(got, cases[i][1]) == NULL) {
            fail_msg("expected '%s' in '%s'", cases[i][1], got);
        }
    }
    arena_release(&a);
}

static void expansion_is_counted_while_composing(void **state)
{
    struct strbuf text;
    strbuf_init(&text);
    strbuf_adds(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        strbuf_addf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            strbuf_addf(&text, "%s*a%d", k > 0 ? "," : "", i - 1);
        }
        strbuf_adds(&text, "]\n");
    }
    struct arena a;
    arena_init(&a);
    struct err e = ERR_INIT;
    assert_null(yaml_parse(&a, strbuf_str(&text), NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_reset(&text);
    strbuf_pad(&text, '[', 100000);
    assert_null(yaml_parse(&a, strbuf_str(&text), NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    arena_release(&a);
    strbuf_release(&text);
}

static void lines_and_columns_are_kept(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *v = yaml_parse(&a, STR("a:\n  b: 1\n"), NULL, NULL);
    struct value *b = value_find(v, "a.b");
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 6);
    arena_release(&a);
}

/* Everything is a text but "one", and "=" is nothing. */
static struct value *own_rules(struct arena *a, struct str text)
{
    return str_is(text, "=") ? NULL : str_is(text, "one") ? value_int(a, 1) : value_str(a, text);
}

static void a_reader_may_bring_its_own_rules(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    const struct yaml_options how = {.plain = own_rules};
    arena_init(&a);
    struct value *v = yaml_parse(
        &a, STR("b: &b {x: 1, y: one}\nc: {z: 'one', <<: *b, y: 2}\none: a\none: ! one\n"), &how,
        &e);
    struct strbuf text;
    strbuf_init(&text);
    value_repr(&text, v);
    assert_string_equal(text.p, "{'b': {'x': '1', 'y': 1}, 'c': {'x': '1', 'y': '2', 'z': 'one'}, "
                                "1: 1}");
    strbuf_release(&text);
    assert_null(yaml_parse(&a, STR("a: 1\na: 2\n"), &how, &e));
    assert_null(yaml_parse(&a, STR("a: =\n"), &how, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_resolve_as_yaml_1_2),
        cmocka_unit_test(structures_aliases_and_merges),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(expansion_is_counted_while_composing),
        cmocka_unit_test(lines_and_columns_are_kept),
        cmocka_unit_test(a_reader_may_bring_its_own_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
