/* What kind of source a text is, and what is shown of it. */
#include "arena.h"
#include "err.h"
#include "source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_kind(const char *text, enum source_kind kind)
{
    struct arena a;
    struct source s;
    struct err e = ERR_INIT;
    arena_init(&a);
    if (source_parse(&a, text, &s, &e) < 0) {
        fail_msg("%s: %s", text, e.text);
    }
    assert_string_equal(source_kind_name(s.kind), source_kind_name(kind));
    arena_release(&a);
}

static void expect_refused(const char *text, enum err_code code, const char *words)
{
    struct arena a;
    struct source s;
    struct err e = ERR_INIT;
    arena_init(&a);
    assert_int_equal(source_parse(&a, text, &s, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.text, words)) {
        fail_msg("'%s' is not in: %s", words, e.text);
    }
    arena_release(&a);
}

static void kinds(void **state)
{
    expect_kind("https://example.org/data.zip", SOURCE_HTTP);
    expect_kind("  HTTP://example.org:8000/x \n", SOURCE_HTTP);
    expect_kind("https://drive.google.com/file/d/1vlhZ5c7abUKF8xXER/view?usp=sharing",
                SOURCE_GDRIVE);
    expect_kind("https://drive.google.com.evil.org/file/d/1/view", SOURCE_HTTP);
    expect_kind("phantom:", SOURCE_PHANTOM);
    expect_kind("phantom:?patients=3", SOURCE_PHANTOM);
    expect_kind("/", SOURCE_FOLDER);
    expect_kind("file:///", SOURCE_FOLDER);
    expect_kind("file://localhost/etc/passwd", SOURCE_FILE);
    expect_kind("file:/etc/p%61sswd", SOURCE_FILE);
    expect_kind("/etc/passwd", SOURCE_FILE);
}

static void refusals(void **state)
{
    expect_refused("", ERR_USAGE, "empty");
    expect_refused(" \t", ERR_USAGE, "empty");
    expect_refused("https://", ERR_USAGE, "no host");
    expect_refused("https:///x.zip", ERR_USAGE, "no host");
    expect_refused("https://user@/x.zip", ERR_USAGE, "no host");
    expect_refused("s3://bucket/key", ERR_USAGE, "s3:// is not supported");
    expect_refused("gs://bucket/key", ERR_USAGE, "'gs:' is not known");
    expect_refused("file://server/share", ERR_USAGE, "names a host");
    expect_refused("file:///etc/%00x", ERR_USAGE, "no file URL");
    expect_refused("file:///etc/%6", ERR_USAGE, "no file URL");
    expect_refused("/nowhere/at/all", ERR_MISSING, "/nowhere/at/all");
    expect_refused("/dev/null", ERR_USAGE, "neither a file nor a folder");
    expect_refused("https://drive.google.com/drive/folders/1ylmJWVIV", ERR_USAGE,
                   "not of one file");
}

static void expect_shown(const char *url, const char *shown)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(source_redact(&a, url), shown);
    arena_release(&a);
}

static void secrets_are_not_shown(void **state)
{
    expect_shown("https://h/x.zip", "https://h/x.zip");
    expect_shown("https://u:p@h/x.zip#frag", "https://h/x.zip");
    expect_shown("https://u:p@q@h/x@y", "https://h/x@y");
    expect_shown("https://h/x?a=1&token=abc&b", "https://h/x?a=1&token=***&b");
    expect_shown("https://h/x?X-Amz-Signature=abc&X-Amz-Credential=k",
                 "https://h/x?X-Amz-Signature=***&X-Amz-Credential=***");
    expect_shown("https://h/a\x1b[2Jb\nc", "https://h/a[2Jbc");
    expect_shown("plain/path", "plain/path");
}

static void queries(void **state)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(source_query(&a, "https://h/uc?/export=download&id=a%2Db", "id"), "a-b");
    assert_string_equal(source_query(&a, "https://h/uc?x=1&amp;id=7#id=8", "id"), "7");
    assert_string_equal(source_query(&a, "https://h/uc?id=", "id"), "");
    assert_null(source_query(&a, "https://h/uc?xid=1", "id"));
    assert_null(source_query(&a, "https://h/uc", "id"));
    assert_null(source_query(&a, "https://h/uc?id=%zz", "id"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(refusals),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
