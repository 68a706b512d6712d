/* Names of experiments. */
#include "expname.h"

#include "alloc.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void random_names(void **state)
{
    (void)state;
    char first[EXPNAME_SIZE], name[EXPNAME_SIZE];
    size_t same = 0;
    expname_random(first);
    for (int i = 0; i < 1000; i++) {
        expname_random(name);
        const char *dash = strchr(name, '-');
        assert_non_null(dash);
        assert_null(strchr(dash + 1, '-'));
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
        assert_int_equal(expname_check(name, NULL), 0);
        same += strcmp(first, name) == 0;
    }
    assert_true(same < 10);
}

static void checked_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a",   "A_b-c.d", "x@y", "1",  "\xc3\xa4",
                                       "a.b", "-x",      "{}",  "a'b"};
    static const char *const bad[] = {"",     "a/b",  ".a",     "a.",    "a..b",  "a b",
                                      "a~b",  "a^b",  "a:b",    "a?b",   "a*b",   "a[b",
                                      "a\\b", "a@{b", "x.lock", "a\x01", "a\x7f", "\t"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(expname_check(good[i], NULL), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(expname_check(bad[i], &e), -1);
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.text, "Invalid exp name"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_names),
                                       cmocka_unit_test(checked_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
