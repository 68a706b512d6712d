/* The text of refs, and names: what stands below refs/exps is foreign. */
#include "expref.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BASE "0123456789abcdef0123456789abcdef01234567"
#define REF "refs/exps/01/23456789abcdef0123456789abcdef01234567/"

static void parses(void **state)
{
    struct arena a;
    struct expref x;
    arena_init(&a);
    assert_true(expref_parse(&a, REF "brisk-otter", &x));
    assert_string_equal(x.baseline, BASE);
    assert_string_equal(x.name, "brisk-otter");
    assert_string_equal(x.ref, REF "brisk-otter");
    /* SHA-256 repositories */
    assert_true(expref_parse(
        &a, "refs/exps/01/23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/n", &x));
    assert_int_equal(strlen(x.baseline), 64);
    arena_release(&a);
}

static void refuses(void **state)
{
    static const char *const texts[] = {
        "",
        "refs/exps",
        "refs/exps/",
        "refs/exps/0",
        "refs/exps/01",
        "refs/exps/01/",
        "refs/exps/01/23456789abcdef0123456789abcdef01234567",
        REF,
        REF "a/b",
        "refs/heads/01/23456789abcdef0123456789abcdef01234567/n",
        "refs/exps/01/23456789abcdef0123456789abcdef0123456/n",
        "refs/exps/01/23456789abcdef0123456789abcdef0123456g/n",
        "refs/exps/0x/23456789abcdef0123456789abcdef01234567/n",
        "refs/exps/exec/EXEC_APPLY",
        "refs/exps/celery/stash",
        "refs/exps/apply/ORIG_HEAD",
    };
    struct arena a;
    struct expref x;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(expref_parse(&a, texts[i], &x));
    }
    arena_release(&a);
}

static void resolves(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct expref found, items[] = {{.ref = REF "a", .baseline = BASE, .name = "a", .commit = "1"},
                                    {.ref = REF "b", .baseline = BASE, .name = "b", .commit = "2"}};
    const struct expref_list list = {items, 2};
    arena_init(&a);
    assert_int_equal(expref_resolve(NULL, &a, &list, "b", &found, &e), 0);
    assert_string_equal(found.commit, "2");
    assert_int_equal(expref_resolve(NULL, &a, &list, REF "a", &found, &e), 0);
    assert_string_equal(found.commit, "1");
    assert_int_equal(expref_resolve(NULL, &a, &list, "c", &found, &e), 0);
    assert_null(found.ref);
    assert_int_equal(expref_resolve(NULL, &a, &list, "refs/heads/main", &found, &e), -1);
    assert_string_equal(e.text, "'refs/heads/main' is not a valid experiment refname.");
    arena_release(&a);
}

static void others(void **state)
{
    struct arena a;
    struct expref items[] = {{.ref = "x"}, {.ref = "y"}, {.ref = "z"}};
    const struct expref_list all = {items, 3}, some = {items + 1, 1}, none = {0};
    struct expref_list rest;
    arena_init(&a);
    expref_others(&a, &all, &some, &rest);
    assert_int_equal(rest.count, 2);
    assert_string_equal(rest.items[1].ref, "z");
    expref_others(&a, &none, &some, &rest);
    assert_int_equal(rest.count, 0);
    arena_release(&a);
}

static void names_unknown(void **state)
{
    const char *const names[] = {"a", "b"};
    struct err e = ERR_INIT;
    assert_int_equal(expref_unknown(names, 1, NULL, &e), -1);
    assert_string_equal(e.text, "'a' is not a valid experiment name");
    assert_int_equal(expref_unknown(names, 2, NULL, &e), -1);
    assert_string_equal(e.text, "'a; b' are not valid experiment names");
    assert_int_equal(expref_unknown(names, 1, "origin", &e), -1);
    assert_string_equal(e.text, "Experiment 'a' does not exist in 'origin'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses), cmocka_unit_test(refuses),       cmocka_unit_test(resolves),
        cmocka_unit_test(others), cmocka_unit_test(names_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
