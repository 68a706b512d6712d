/* Names of archive members: rules at their limits, duplicates, collisions. */
#include "err.h"
#include "member.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_name(const char *raw, const char *normal)
{
    char out[MEMBER_NAME_MAX + 1];
    struct err e = ERR_INIT;
    if (member_normal(raw, out, &e) < 0) {
        fail_msg("%s: %s", raw, e.text);
    }
    assert_string_equal(out, normal);
}

static void expect_refused(const char *raw, const char *words)
{
    char out[MEMBER_NAME_MAX + 1];
    struct err e = ERR_INIT;
    assert_int_equal(member_normal(raw, out, &e), -1);
    if (!strstr(e.text, words)) {
        fail_msg("'%s' is not in: %s", words, e.text);
    }
}

static void names(void **state)
{
    expect_name("Normal/Normal- (12).jpg", "Normal/Normal- (12).jpg");
    expect_name("./a//b/./c/", "a/b/c");
    expect_name("./", "");
    expect_name("...", "...");
    expect_name("a..b/..c", "a..b/..c");
    expect_name("sch\xc3\xb6n", "sch\xc3\xb6n");
    expect_refused(NULL, "no name");
    expect_refused("", "empty name");
    expect_refused("/a", "absolute");
    expect_refused("//a", "absolute");
    expect_refused("..", "'..'");
    expect_refused("a/..", "'..'");
    expect_refused("a/../b", "'..'");
    expect_refused("C:/a", "drive letter");
    expect_refused("a\\b", "backslash");
    expect_refused("a\nb", "control character");
    expect_refused("a\x7f", "control character");
    expect_refused("a\xff", "UTF-8");
    expect_refused("a\xc0\xae\xc0\xae/b", "UTF-8"); /* an over-long ".." */
}

static void limits(void **state)
{
    char name[2048], expect[2048];
    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    expect_name(name, name);
    name[255] = 'a';
    name[256] = '\0';
    expect_refused(name, "255 bytes");
    memset(name, 0, sizeof(name));
    for (int i = 0; i < 32; i++) {
        snprintf(name + 2 * i, 3, "d/");
    }
    memcpy(expect, name, sizeof(expect));
    expect[63] = '\0';
    expect_name(name, expect);
    snprintf(name + 64, 3, "d/");
    expect_refused(name, "32 folders");
    memset(name, 'a', sizeof(name));
    for (int i = 200; i < 1024; i += 200) {
        name[i] = '/';
    }
    name[1024] = '\0';
    expect_name(name, name);
    name[1024] = 'a';
    name[1025] = '\0';
    expect_refused(name, "1024 bytes");
}

static void junk(void **state)
{
    assert_true(member_is_junk("__MACOSX/a/._b.jpg"));
    assert_true(member_is_junk("a/.DS_Store"));
    assert_true(member_is_junk("a/._b.jpg"));
    assert_false(member_is_junk("a/b.jpg"));
    assert_false(member_is_junk("a/__MACOSX2"));
}

static void expect_add(struct member_set *s, const char *name, bool folder, const char *words)
{
    struct err e = ERR_INIT;
    int rc = member_set_add(s, name, folder, &e);
    if (!words) {
        assert_int_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, -1);
    if (!strstr(e.text, words)) {
        fail_msg("'%s' is not in: %s", words, e.text);
    }
}

static void duplicates(void **state)
{
    struct member_set s;
    member_set_init(&s);
    expect_add(&s, "a/b.jpg", false, NULL);
    expect_add(&s, "a", true, NULL);
    expect_add(&s, "a", true, NULL);
    expect_add(&s, "a/b.jpg", false, "there twice");
    expect_add(&s, "a", false, "a file and a folder");
    expect_add(&s, "a/b.jpg/c", false, "a file and a folder");
    expect_add(&s, "a/b.jpg", true, "a file and a folder");
    assert_int_equal(s.collisions, 0);
    member_set_release(&s);
}

static void collisions(void **state)
{
    struct member_set s;
    setlocale(LC_CTYPE, "C.UTF-8");
    member_set_init(&s);
    expect_add(&s, "x/caf\xc3\xa9.jpg", false, NULL);
    expect_add(&s, "x/cafe.jpg", false, NULL);
    assert_int_equal(s.collisions, 0);
    expect_add(&s, "x/cafe\xcc\x81.jpg", false, NULL); /* e + U+0301 */
    assert_int_equal(s.collisions, 1);
    assert_string_equal(s.collision, "x/cafe\xcc\x81.jpg");
    expect_add(&s, "x/CAF\xc3\x89.jpg", false, NULL);
    assert_int_equal(s.collisions, 2);
    expect_add(&s, "X/other.jpg", false, NULL); /* the folder meets, and the file in it does not */
    assert_int_equal(s.collisions, 3);
    member_set_release(&s);
}

static void many(void **state)
{
    struct member_set s;
    char name[64];
    member_set_init(&s);
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "x/%d/%d.jpg", i % 7, i);
        expect_add(&s, name, false, NULL);
    }
    for (int i = 0; i < 200000; i += 999) {
        snprintf(name, sizeof(name), "x/%d/%d.jpg", i % 7, i);
        expect_add(&s, name, false, "there twice");
    }
    assert_int_equal(s.collisions, 0);
    member_set_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),      cmocka_unit_test(limits),     cmocka_unit_test(junk),
        cmocka_unit_test(duplicates), cmocka_unit_test(collisions), cmocka_unit_test(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
