/* emit: the examples of the format table; tests/cli/t0301 holds random documents against DVC
 * itself. */
#include "emit.h"

#include "json.h"

#include <stdio.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct value *v, const char *want)
{
    struct strbuf out;
    strbuf_init(&out);
    emit_yaml(&out, v, NULL);
    assert_string_equal(out.p, want);
    strbuf_release(&out);
}

/* JSON in, YAML out. */
static void expect(const char *json, const char *want)
{
    struct arena a;
    arena_init(&a);
    struct value *v = json_parse(&a, str_from(json), "test", NULL);
    assert_non_null(v);
    check(v, want);
    arena_release(&a);
}

static void scalar(const char *text, const char *want)
{
    struct arena a;
    arena_init(&a);
    struct value *v = value_map(&a);
    value_set(&a, v, "k", value_cstr(&a, text));
    check(v, arena_printf(&a, "k: %s\n", want));
    arena_release(&a);
}

static void structure(void **state)
{
    expect("{\"a\": {\"b\": [1, {\"c\": null, \"d\": [[\"x\"], []]}]}, \"e\": {}, \"f\": null}",
           "a:\n  b:\n  - 1\n  - c:\n    d:\n    - - x\n    - []\ne: {}\nf:\n");
    expect("{\"l\": [null, \"x\"]}", "l:\n- \n- x\n");
    expect("{\"t\": true, \"f\": false}", "t: true\nf: false\n");
}

static void plain_strings(void **state)
{
    static const char *const texts[] = {"yes",      "no",   "on",  "y",  "N",   "1:30",
                                        "a:b",      "a,b",  "x?",  "?x", "-x",  ":a",
                                        "back\\sl", "it's", "x#y", "é",  "日本"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        scalar(texts[i], texts[i]);
    }
    scalar("both ' and \"", "both ' and \"");
}

static void quoted_since_ambiguous(void **state)
{
    static const char *const texts[] = {
        "null", "~",    "",           "1.0",  ".5",   "5.",    "1e5",
        "1e-5", "0x1F", "0o10",       "0b11", "08",   "1_000", "+1",
        "true", "=",    "2020-01-01", "-",    "---",  "...",   "<<",
        "a: b", "a:",   "# c",        "a #b", " x",   "x ",    "- x",
        "@at",  "{x}",  "[x]",        "*a",   "&a",   "!t",    "%p",
        "`b",   "? x",  "|",          ">",    ".inf", "-_",    "2001-1-1 1:00:00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char want[64];
        snprintf(want, sizeof(want), "'%s'", texts[i]);
        scalar(texts[i], want);
    }
    scalar("\"dq\"", "'\"dq\"'");
    scalar("it's: y", "\"it's: y\"");
    scalar("- 'x'", "\"- 'x'\"");
    scalar("both: it's \"x\" here: y", "\"both: it's \\\"x\\\" here: y\"");
}

static void escapes(void **state)
{
    scalar("nl\nhere", "\"nl\\nhere\"");
    scalar("tab\there", "\"tab\\there\"");
    scalar("\x01", "\"\\x01\"");
    scalar("echo one\necho two\n", "\"echo one\\necho two\\n\"");
}

static void numbers(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"}, {1e-5, "1e-05"}, {1e20, "1e+20"},    {1e10, "10000000000.0"},
                 {1.0, "1.0"}, {-0.0, "-0.0"},  {INFINITY, ".inf"}, {-INFINITY, "-.inf"},
                 {NAN, ".nan"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a;
        arena_init(&a);
        struct value *v = value_map(&a);
        value_set(&a, v, "k", value_float(&a, cases[i].v));
        check(v, arena_printf(&a, "k: %s\n", cases[i].text));
        arena_release(&a);
    }
}

static void folding(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *stage = value_map(&a), *v = value_map(&a);
    value_set(&a, v, "s", stage);
    value_set(&a, stage, "cmd",
              value_cstr(&a,
                         "true train.py --epochs 10 --learning-rate 0.001 --batch-size 32 --model "
                         "resnet18 --data data/kidney || echo ok > a.out"));
    struct strbuf out;
    strbuf_init(&out);
    emit_yaml(&out, v, &(struct emit_options){.indent = 2});
    assert_string_equal(
        out.p,
        "  s:\n    cmd: true train.py --epochs 10 --learning-rate 0.001 --batch-size 32 --model\n"
        "      resnet18 --data data/kidney || echo ok > a.out\n");
    strbuf_reset(&out);
    value_set(&a, stage, "cmd",
              value_cstr(&a,
                         "echo hello 128 0.001 true 5 x fromfile v 3 1 1 ${esc} None 0.1 ab12a > "
                         "out_resnet.txt"));
    emit_yaml(&out, v, &(struct emit_options){.indent = 2});
    assert_string_equal(
        out.p,
        "  s:\n    cmd: echo hello 128 0.001 true 5 x fromfile v 3 1 1 ${esc} None 0.1 ab12a > \n"
        "      out_resnet.txt\n");
    strbuf_release(&out);
    arena_release(&a);
}

static void shared_nodes_become_anchors(void **state)
{
    struct arena a;
    arena_init(&a);
    struct value *v = value_map(&a), *shared = value_map(&a), *list = value_list(&a);
    value_set(&a, shared, "z", value_int(&a, 1));
    value_push(&a, list, value_int(&a, 2));
    value_set(&a, v, "a", shared);
    value_set(&a, v, "l", list);
    value_set(&a, v, "b", shared);
    value_set(&a, v, "m", list);
    check(v, "a: &id001\n  z: 1\nl: &id002\n- 2\nb: *id001\nm: *id002\n");
    struct strbuf out;
    unsigned next = 7;
    strbuf_init(&out);
    emit_yaml(&out, v, &(struct emit_options){.next_anchor = &next});
    assert_non_null(strstr(out.p, "a: &id007\n"));
    assert_int_equal(next, 9);
    strbuf_release(&out);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(structure),
                                       cmocka_unit_test(plain_strings),
                                       cmocka_unit_test(quoted_since_ambiguous),
                                       cmocka_unit_test(escapes),
                                       cmocka_unit_test(numbers),
                                       cmocka_unit_test(folding),
                                       cmocka_unit_test(shared_nodes_become_anchors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
