/* yamledit: texts that say something else afterwards, and keep the rest. */
#include "yamledit.h"

#include "arena.h"
#include "err.h"
#include "value.h"
#include "yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* `text` made to say what the YAML `want` says. */
static void edit(const char *text, const char *want, const char *expected)
{
    struct arena a;
    struct strbuf out;
    struct err e = ERR_INIT;
    arena_init(&a);
    strbuf_init(&out);
    const struct value *doc = yaml_parse(&a, str_from(want), NULL, &e);
    if (!doc || yamledit_apply(str_from(text), doc, &out, &e) < 0) {
        fail_msg("%s", e.text);
    }
    assert_string_equal(out.p, expected);
    strbuf_release(&out);
    arena_release(&a);
}

static void values_in_their_place(void **state)
{
    edit("a: 1 # one\nb:   'x'  # two\nc: \"y#\\\"\"\n", "{a: 2, b: z, c: w}",
         "a: 2 # one\nb:   z    # two\nc: w\n");
    edit("# top\nm:\n    deep:\n        k: v # here\n\n# end\n", "{m: {deep: {k: w}}}",
         "# top\nm:\n    deep:\n        k: w # here\n\n# end\n");
    edit("a: 'it''s' # c\n", "{a: b}", "a: b       # c\n");
    edit("same: yes\n", "{same: 'yes'}", "same: yes\n");
}

static void keys_come_and_go(void **state)
{
    edit("a: 1\n# about b\nb: 2\n\nc: 3\n", "{a: 1, c: 3}", "a: 1\n# about b\n\nc: 3\n");
    edit("a: 1\n\n# end\n", "{a: 1, n: {k: [1, 2]}}", "a: 1\nn:\n  k:\n  - 1\n  - 2\n\n# end\n");
    edit("a: 1", "{a: 1, b: 2}", "a: 1\nb: 2\n");
    edit("l:\n- x: 1\n  y: 2\n  z: 3 # z\n", "{l: [{z: 3, n: 4}]}", "l:\n- z: 3 # z\n  n: 4\n");
}

static void lists(void **state)
{
    edit("l:\n- b # B\n- a\n- c\n", "{l: [b, a, d]}", "l:\n- b # B\n- a\n- d\n");
    edit("l:\n- a # A\n- b\n# c\n- c\n", "{l: [a, c]}", "l:\n- a # A\n# c\n- c\n");
    edit("l:\n  - a\n  - b\nk: 1\n", "{l: [a, b, c], k: 1}", "l:\n  - a\n  - b\n  - c\nk: 1\n");
    edit("l:\n- p:\n    x: 1 # X\n- q\n", "{l: [{p: {x: 1}}, {q: {y: 2}}]}",
         "l:\n- p:\n    x: 1 # X\n- q:\n    y: 2\n");
}

/* Only the block around it is written anew. */
static void what_is_not_block_style(void **state)
{
    edit("# top\na: {x: 1}\nb: 1 # b\n", "{a: {x: 2}, b: 1}", "# top\na: {x: 2}\nb: 1 # b\n");
    edit("t: |\n  one\n  two\nb: 1 # b\n", "{t: three, b: 1}", "t: three\nb: 1 # b\n");
    edit("n:\nb: 1 # b\n", "{n: 1, b: 1}", "n: 1\nb: 1 # b\n");
    edit("{a: 1, b: 2}\n", "{a: 1, b: 3}", "{a: 1, b: 3}\n");
    edit("x: &k\n  a: 1\ny:\n  <<: *k\n  b: 2 # b\n", "{x: {a: 1}, y: {a: 1, b: 3}}",
         "x: &k\n  a: 1\ny:\n  a: 1\n  b: 3\n");
    edit("a: 1\r\nb: 2\r\n", "{a: 1, b: 3}", "a: 1\r\nb: 3\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_their_place),
        cmocka_unit_test(keys_come_and_go),
        cmocka_unit_test(lists),
        cmocka_unit_test(what_is_not_block_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
