/* Drive links and the page that Drive answers for large files. */
#include "arena.h"
#include "err.h"
#include "gdrive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_id(const char *url, const char *id)
{
    struct arena a;
    char *found, *key;
    arena_init(&a);
    assert_true(gdrive_parse(&a, url, &found, &key));
    if (id) {
        assert_non_null(found);
        assert_string_equal(found, id);
    } else {
        assert_null(found);
    }
    arena_release(&a);
}

static void links(void **state)
{
    expect_id("https://drive.google.com/file/d/1vlh_Z5-c7/view?usp=sharing", "1vlh_Z5-c7");
    expect_id("https://drive.google.com/file/d/1vlh", "1vlh");
    expect_id("https://drive.google.com/file/u/1/d/1vlh/edit", "1vlh");
    expect_id("https://drive.google.com/a/example.org/file/d/1vlh/view", "1vlh");
    expect_id("https://docs.google.com/file/d/1vlh/edit", "1vlh");
    expect_id("https://drive.google.com/open?id=1vlh", "1vlh");
    expect_id("https://drive.google.com/uc?export=download&id=1vlh", "1vlh");
    expect_id("https://drive.google.com/uc?/export=download&id=1vlh", "1vlh");
    expect_id("https://DRIVE.google.com:443/uc?id=1vlh&export=download", "1vlh");
    expect_id("https://drive.usercontent.google.com/download?id=1vlh&confirm=t", "1vlh");
    expect_id("https://drive.google.com/drive/folders/1vlh?usp=drive_link", NULL);
    expect_id("https://drive.google.com/open?id=../../x", NULL);
    expect_id("https://drive.google.com/", NULL);
    struct arena a;
    char *id, *key;
    arena_init(&a);
    assert_false(gdrive_parse(&a, "https://example.org/file/d/1/view", &id, &key));
    assert_false(gdrive_parse(&a, "https://drive.google.com@example.org/file/d/1", &id, &key));
    assert_true(
        gdrive_parse(&a, "https://drive.google.com/file/d/7/view?resourcekey=0-aB", &id, &key));
    assert_string_equal(key, "0-aB");
    assert_string_equal(gdrive_url(&a, NULL, id, key),
                        "https://drive.google.com/uc?export=download&id=7&resourcekey=0-aB");
    assert_string_equal(gdrive_url(&a, "http://127.0.0.1:8/", "7", NULL),
                        "http://127.0.0.1:8/uc?export=download&id=7");
    arena_release(&a);
}

#define PAGE "https://drive.google.com/uc?export=download&id=7"

static void expect_next(const char *html, const char *cookie, const char *next)
{
    struct arena a;
    struct err e = ERR_INIT;
    char *found = NULL;
    arena_init(&a);
    if (gdrive_confirm(&a, str_from(html), PAGE, cookie, &found, &e) < 0) {
        fail_msg("%s", e.text);
    }
    assert_string_equal(found, next);
    arena_release(&a);
}

static void pages(void **state)
{
    /* As Drive answered in 2024: the form goes to another Google host. */
    expect_next(
        "<html><form id=\"download-form\" action=\"https://drive.usercontent.google.com/download\" "
        "method=\"get\"><input type=\"submit\" value=\"Download anyway\"/>"
        "<input type=\"hidden\" name=\"id\" value=\"7\"><input type=\"hidden\" name=\"export\" "
        "value=\"download\"><input type=\"hidden\" name=\"confirm\" value=\"t\">"
        "<input type='hidden' name='uuid' value='a b&amp;c'></form>"
        "<form><input name=\"q\" value=\"other\"></form></html>",
        NULL,
        "https://drive.usercontent.google.com/"
        "download?id=7&export=download&confirm=t&uuid=a%20b%26c");
    expect_next("<form action=/uc?x=1 id=download-form><input name=confirm value=t></form>", NULL,
                "https://drive.google.com/uc?x=1&confirm=t");
    expect_next(
        "<p><a id=\"uc-download-link\" href=\"/uc?export=download&amp;confirm=Ab_1&amp;id=7\">",
        NULL, "https://drive.google.com/uc?export=download&confirm=Ab_1&id=7");
    expect_next("<html>nothing", "t0k_EN", PAGE "&confirm=t0k_EN");
}

static void expect_refusal(const char *html, const char *cookie, const char *words)
{
    struct arena a;
    struct err e = ERR_INIT;
    char *found = NULL;
    arena_init(&a);
    assert_int_equal(gdrive_confirm(&a, str_from(html), PAGE, cookie, &found, &e), -1);
    assert_int_equal(e.code, ERR_REMOTE);
    if (!strstr(e.text, words)) {
        fail_msg("'%s' is not in: %s", words, e.text);
    }
    arena_release(&a);
}

static void refusals(void **state)
{
    expect_refusal("<title>Google Drive - Quota exceeded</title>", NULL, "24 hours");
    expect_refusal("<a href=\"https://accounts.google.com/ServiceLogin\">", NULL,
                   "Anyone with the link");
    expect_refusal("<title>Some\npage</title>", NULL, "'Some page'");
    expect_refusal("", NULL, "no download form");
    expect_refusal("<html>", "bad token&x=1", "no download form");
    expect_refusal("<form id=download-form action=https://example.org/download>", NULL,
                   "another host");
    expect_refusal("<form id=download-form action=https://google.com.example.org/download>", NULL,
                   "another host");
    expect_refusal("<form id=download-form action=https://google.com\\@example.org/download>", NULL,
                   "another host");
    expect_refusal("<form id=download-form action=http://drive.google.com/download>", NULL,
                   "another host");
    expect_refusal("<form id=download-form action=javascript:download()>", NULL,
                   "no download form");
    expect_refusal("<form id=\"download-form\" action=\"", NULL, "no download form");
}

/* A quarter of a million tags that never end: the test's time-out is the verdict. */
static void unended_tags(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    for (int i = 0; i < 250000; i++) {
        strbuf_adds(&b, "<a ");
    }
    expect_refusal(b.p, NULL, "no download form");
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links),
        cmocka_unit_test(pages),
        cmocka_unit_test(refusals),
        cmocka_unit_test(unended_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
