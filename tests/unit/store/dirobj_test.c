/* dirobj: canonical text, hostile lists. */
#include "dirobj.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void canonical_text(void **state)
{
    static const char *const paths[] = {
        "a/b", "a.c", "a-b", "A", "\xc3\xbc \"q\\", "\xf0\x9f\x98\x80"};
    struct arena a;
    struct dirobj d;
    struct strbuf out;
    arena_init(&a);
    strbuf_init(&out);
    dirobj_init(&d);
    dirobj_digest(&d);
    assert_string_equal(d.md5, "d751713988987e9331980363e24189ce.dir");
    for (size_t i = 0; i < 6; i++) {
        memcpy(dirobj_add(&a, &d, paths[i])->md5, "acbd18db4cc2f85cedef654fccc4a4d8", 33);
    }
    dirobj_digest(&d);
    dirobj_write(&d, &out);
    static const char want[] =
        "[{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"A\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a-b\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a.c\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a/b\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"\\u00fc \\\"q\\\\\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"\\ud83d\\ude00\"}]";
    assert_string_equal(out.p, want);
    struct dirobj back;
    assert_int_equal(dirobj_parse(&a, &back, strbuf_str(&out), "x", NULL), 0);
    assert_string_equal(back.md5, d.md5);
    assert_int_equal(back.count, 6);
    assert_non_null(dirobj_find(&back, "a/b"));
    assert_null(dirobj_find(&back, "a/c"));
    strbuf_release(&out);
    arena_release(&a);
}

#define MEMBER(path) "[{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"" path "\"}]"

static void refuses_hostile_lists(void **state)
{
    static const char *const texts[] = {
        MEMBER("../x"),
        MEMBER("/etc/passwd"),
        MEMBER("a/../../x"),
        MEMBER("a//b"),
        MEMBER(""),
        MEMBER("."),
        MEMBER("a/"),
        MEMBER("a\\u0000b"),
        MEMBER("\\ud800"),
        "{}",
        "[",
        "[1]",
        "[{}]",
        "[] x",
        "",
        "[{\"md5\": \"short\", \"relpath\": \"a\"}]",
        "[{\"md5\": \"../../../../../../../../etc/passwd\", \"relpath\": \"a\"}]",
        "[{\"relpath\": \"a\"}]",
        "[{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a\"}]",
        "[{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a-b\"}, "
        "{\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\", \"relpath\": \"a/b\"}]"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct arena a;
        struct dirobj d;
        struct err e = ERR_INIT;
        arena_init(&a);
        if (dirobj_parse(&a, &d, str_from(texts[i]), "evil.dir", &e) == 0) {
            fail_msg("accepted: %s", texts[i]);
        }
        assert_int_equal(e.code, ERR_FORMAT);
        assert_int_equal(strncmp(e.text, "evil.dir: ", 10), 0);
        arena_release(&a);
    }
}

static void ignores_other_keys(void **state)
{
    struct arena a;
    struct dirobj d;
    arena_init(&a);
    assert_int_equal(
        dirobj_parse(
            &a, &d,
            str_from("[ {\"size\": 3, \"meta\": {\"a\": [1, null]}, \"relpath\": \"x\\/y\",\n"
                     "\"md5\": \"acbd18db4cc2f85cedef654fccc4a4d8\"} ]\n"),
            "x", NULL),
        0);
    assert_string_equal(d.items[0].relpath, "x/y");
    struct strbuf deep;
    strbuf_init(&deep);
    strbuf_adds(&deep, "[{\"x\": ");
    strbuf_pad(&deep, '[', 100000);
    assert_int_equal(dirobj_parse(&a, &d, strbuf_str(&deep), "x", NULL), -1);
    strbuf_release(&deep);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(canonical_text),
                                       cmocka_unit_test(refuses_hostile_lists),
                                       cmocka_unit_test(ignores_other_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
