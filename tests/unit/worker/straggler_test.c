/* Who is named as the slow rank, when, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "straggler.h"

#include <math.h>

static int steps(struct straggler *s, size_t n, const double *seconds)
{
    int named = -1;
    for (size_t i = 0; i < n; i++) {
        int rank = straggler_step(s, seconds);
        named = rank >= 0 ? rank : named;
    }
    return named;
}

static void the_slow_one_of_four_is_named_once(void **state)
{
    struct straggler *s = straggler_new(4);
    const double slow[] = {0.1, 0.11, 0.35, 0.09};
    assert_int_equal(steps(s, STRAGGLER_STEPS - 1, slow), -1); /* too early to say */
    assert_int_equal(straggler_step(s, slow), 2);
    assert_int_equal(steps(s, 50, slow), -1);
    assert_true(fabs(straggler_seconds(s, 2) - 0.35) < 1e-12);
    assert_true(fabs(straggler_others(s, 2) - 0.1) < 1e-12);
    straggler_free(s);
}

static void of_two_ranks_the_other_is_the_measure(void **state)
{
    struct straggler *s = straggler_new(2);
    assert_int_equal(steps(s, 10, (const double[]){0.2, 0.5}), -1);
    assert_int_equal(steps(s, 20, (const double[]){0.2, 0.7}), 1);
    straggler_free(s);
}

static void named_again_after_it_has_recovered(void **state)
{
    struct straggler *s = straggler_new(3);
    const double slow[] = {0.9, 0.1, 0.1}, even[] = {0.1, 0.1, 0.1};
    assert_int_equal(steps(s, 10, slow), 0);
    assert_int_equal(steps(s, 40, even), -1);
    assert_int_equal(steps(s, 10, slow), 0);
    straggler_free(s);
}

static void a_hiccup_and_short_steps_are_not_blamed(void **state)
{
    struct straggler *s = straggler_new(4);
    const double even[] = {0.1, 0.1, 0.1, 0.1}, hiccup[] = {0.1, 0.1, 0.1, 0.7};
    assert_int_equal(steps(s, 10, even), -1);
    assert_int_equal(steps(s, 1, hiccup), -1);
    assert_int_equal(steps(s, 10, even), -1);
    straggler_free(s);
    s = straggler_new(2);
    assert_int_equal(steps(s, 30, (const double[]){0.0005, 0.01}), -1);
    straggler_free(s);
    s = straggler_new(1);
    assert_int_equal(steps(s, 30, (const double[]){5}), -1);
    straggler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slow_one_of_four_is_named_once),
        cmocka_unit_test(of_two_ranks_the_other_is_the_measure),
        cmocka_unit_test(named_again_after_it_has_recovered),
        cmocka_unit_test(a_hiccup_and_short_steps_are_not_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
