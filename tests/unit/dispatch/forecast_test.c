/* Forecasts by list scheduling, with durations made up. */
#include "fake_clock.h"
#include "forecast.h"
#include "plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const size_t to_2[] = {2}, to_3[] = {3};

#define TASK(s, ...)                                                                               \
    {                                                                                              \
        .seconds = (s), .elapsed = -1, .slots = 1, .critical = (s), __VA_ARGS__                    \
    }

static void example_of_the_header(void **state)
{
    const struct forecast_task t[] = {TASK(3, ), TASK(2, .down = to_2, .down_count = 1), TASK(4, )};
    assert_float_equal(forecast_seconds(t, 3, 2), 6, 1e-9);
    assert_float_equal(forecast_seconds(t, 3, 1), 9, 1e-9);
    assert_float_equal(forecast_seconds(t, 3, 100), 6, 1e-9);
}

static void longest_chain_first(void **state)
{
    /* 2 slots: with the longest first 4 s; the other way round 5 s */
    const struct forecast_task t[] = {TASK(1, ), TASK(1, ), TASK(2, ), TASK(4, )};
    assert_float_equal(forecast_seconds(t, 4, 2), 4, 1e-9);
    const struct forecast_task u[] = {TASK(1, .priority = 1), TASK(1, .priority = 1), TASK(2, ),
                                      TASK(4, )};
    assert_float_equal(forecast_seconds(u, 4, 2), 5, 1e-9);
}

static void what_runs_counts_for_its_rest(void **state)
{
    struct forecast_task t[] = {TASK(10, ), TASK(5, .done = true)};
    t[0].elapsed = 4;
    assert_float_equal(forecast_seconds(t, 2, 1), 6, 1e-9);
    t[0].elapsed = 20; /* longer than expected */
    assert_float_equal(forecast_seconds(t, 2, 1), 2, 1e-9);
    t[0].done = true;
    assert_float_equal(forecast_seconds(t, 2, 1), 0, 0);
}

static void unknown_ones_take_the_mean(void **state)
{
    const struct forecast_task t[] = {TASK(2, ), TASK(4, ), TASK(0, ), TASK(0.001, )};
    assert_float_equal(forecast_seconds(t, 4, 1), 9.001, 1e-9);
    const struct forecast_task u[] = {TASK(0, ), TASK(0.001, )};
    assert_true(forecast_seconds(u, 2, 1) < 0);
}

static void gangs_take_all_slots(void **state)
{
    struct forecast_task t[] = {TASK(1, .down = to_3, .down_count = 1),
                                TASK(2, .down = to_3, .down_count = 1),
                                TASK(1, .down = to_3, .down_count = 1), TASK(5, )};
    t[3].slots = 2;
    assert_float_equal(forecast_seconds(t, 4, 2), 7, 1e-9);
    t[3].slots = 9; /* more than there are */
    assert_float_equal(forecast_seconds(t, 4, 2), 7, 1e-9);
}

/* A plan tells its states and times: two of 10 s on one slot; 4 s into the first, 16 are left. */
static void of_a_plan(void **state)
{
    struct fake_clock f;
    fake_clock_init(&f);
    struct plan *p = plan_new(&(struct plan_options){.slots = 1, .clock = &f.clock});
    plan_add(p, &(struct plan_spec){.seconds = 10});
    plan_add(p, &(struct plan_spec){.seconds = 10});
    plan_edge(p, 0, 1);
    plan_start(p);
    assert_float_equal(plan_forecast(p), 20, 1e-9);
    struct plan_pick pick;
    plan_queue(p, plan_next_ready(p));
    assert_true(plan_pick(p, &pick));
    fake_clock_advance(&f, 4);
    assert_float_equal(plan_forecast(p), 16, 1e-6);
    plan_commit(p, 0);
    plan_finish(p, 0);
    assert_float_equal(plan_forecast(p), 10, 1e-9);
    plan_fail(p, plan_next_ready(p), true, NULL);
    assert_float_equal(plan_forecast(p), 0, 0);
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_header),
        cmocka_unit_test(longest_chain_first),
        cmocka_unit_test(what_runs_counts_for_its_rest),
        cmocka_unit_test(unknown_ones_take_the_mean),
        cmocka_unit_test(gangs_take_all_slots),
        cmocka_unit_test(of_a_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
