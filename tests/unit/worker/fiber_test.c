/* Fibers: turns with the caller, several at once, deep stacks, errors and locals that survive. */
#include "fiber.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct counter {
    struct fiber *fiber;
    int until, value;
};

static void count(void *ctx)
{
    struct counter *c = ctx;
    for (int i = 0; i < c->until; i++) {
        c->value = i + 1;
        fiber_yield(c->fiber);
    }
}

static void a_fiber_and_its_caller_take_turns(void **state)
{
    struct counter c = {.until = 3};
    c.fiber = fiber_new(count, &c, NULL);
    for (int i = 1; i <= 3; i++) {
        assert_true(fiber_resume(c.fiber));
        assert_int_equal(c.value, i);
    }
    assert_false(fiber_resume(c.fiber));
    assert_false(fiber_resume(c.fiber)); /* over for good */
    fiber_free(c.fiber);
}

static void several_keep_their_places(void **state)
{
    struct counter c[20] = {0};
    for (int i = 0; i < 20; i++) {
        c[i].until = i;
        c[i].fiber = fiber_new(count, &c[i], NULL);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20; i++) {
            assert_int_equal(fiber_resume(c[i].fiber), round < i);
            assert_int_equal(c[i].value, round < i ? round + 1 : i);
        }
    }
    for (int i = 0; i < 20; i++) {
        fiber_free(c[i].fiber);
    }
}

static int fill(struct counter *c, int depth)
{
    char page[4096];
    snprintf(page, sizeof page, "depth %d", depth);
    if (depth == 1000) { /* 4 MiB down */
        fiber_yield(c->fiber);
        return 0;
    }
    int below = fill(c, depth + 1);
    char expect[32];
    snprintf(expect, sizeof expect, "depth %d", depth);
    return below + (strcmp(page, expect) == 0);
}

static void go_deep(void *ctx)
{
    struct counter *c = ctx;
    c->value = fill(c, 0);
}

static void a_deep_stack_survives_a_yield(void **state)
{
    struct counter c = {0};
    c.fiber = fiber_new(go_deep, &c, NULL);
    assert_true(fiber_resume(c.fiber));
    assert_false(fiber_resume(c.fiber));
    assert_int_equal(c.value, 1000);
    fiber_free(c.fiber);
}

static void one_that_never_began_is_freed(void **state)
{
    struct counter c = {.until = 1};
    fiber_free(fiber_new(count, &c, NULL));
    fiber_free(NULL);
    assert_int_equal(c.value, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fiber_and_its_caller_take_turns),
        cmocka_unit_test(several_keep_their_places),
        cmocka_unit_test(a_deep_stack_survives_a_yield),
        cmocka_unit_test(one_that_never_began_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
