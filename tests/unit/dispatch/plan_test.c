/* What runs next: order, slots, gangs, groups, priorities, retries, failures. No process, no file,
 * no real time. */
#include "plan.h"

#include "fake_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct fake_clock fake;

static struct plan *make(int slots, bool in_order)
{
    fake_clock_init(&fake);
    return plan_new(
        &(struct plan_options){.slots = slots, .in_order = in_order, .clock = &fake.clock});
}

static void queue_all(struct plan *p)
{
    size_t n;
    while ((n = plan_next_ready(p)) != SIZE_MAX) {
        plan_queue(p, n);
    }
}

static size_t pick(struct plan *p)
{
    struct plan_pick k;
    return plan_pick(p, &k) ? k.node : SIZE_MAX;
}

static void finish(struct plan *p, size_t node)
{
    plan_commit(p, node);
    plan_finish(p, node);
}

/* a -> b -> d, a -> c -> d */
static struct plan *diamond(int slots)
{
    struct plan *p = make(slots, false);
    for (int i = 0; i < 4; i++) {
        plan_add(p, &(struct plan_spec){.seconds = 1});
    }
    plan_edge(p, 0, 1);
    plan_edge(p, 0, 2);
    plan_edge(p, 1, 3);
    plan_edge(p, 2, 3);
    plan_start(p);
    return p;
}

static void counts_down_predecessors(void **state)
{
    struct plan *p = diamond(4);
    queue_all(p);
    assert_int_equal(pick(p), 0);
    assert_int_equal(pick(p), SIZE_MAX);
    assert_int_equal(plan_state(p, 1), PLAN_BLOCKED);
    finish(p, 0);
    queue_all(p);
    assert_int_equal(pick(p), 1);
    assert_int_equal(pick(p), 2);
    finish(p, 2);
    queue_all(p);
    assert_int_equal(pick(p), SIZE_MAX);
    finish(p, 1);
    queue_all(p);
    assert_int_equal(pick(p), 3);
    assert_false(plan_over(p));
    finish(p, 3);
    assert_true(plan_over(p));
    plan_free(p);
}

static void a_fresh_node_lets_the_next_ones_go(void **state)
{
    struct plan *p = diamond(1);
    assert_int_equal(plan_next_ready(p), 0);
    plan_finish(p, 0);
    assert_int_equal(plan_next_ready(p), 1);
    assert_int_equal(plan_next_ready(p), 2);
    plan_free(p);
}

static void a_committing_node_frees_its_slot_but_blocks_what_follows(void **state)
{
    struct plan *p = diamond(1);
    queue_all(p);
    size_t a = pick(p);
    assert_int_equal(plan_free_slots(p), 0);
    plan_commit(p, a);
    assert_int_equal(plan_free_slots(p), 1);
    assert_int_equal(plan_state(p, 1), PLAN_BLOCKED);
    assert_int_equal(plan_busy(p), 1);
    plan_finish(p, a);
    assert_int_equal(plan_state(p, 1), PLAN_READY);
    plan_free(p);
}

static void longest_chain_goes_first(void **state)
{
    /* 0: short, alone; 1 -> 2: long chain. One slot. */
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){.seconds = 5});
    plan_add(p, &(struct plan_spec){.seconds = 1});
    plan_add(p, &(struct plan_spec){.seconds = 10});
    plan_edge(p, 1, 2);
    plan_start(p);
    assert_true(plan_critical_seconds(p, 1) == 11);
    queue_all(p);
    assert_int_equal(pick(p), 1);
    finish(p, 1);
    queue_all(p);
    assert_int_equal(pick(p), 2);
    finish(p, 2);
    assert_int_equal(pick(p), 0);
    plan_free(p);
}

static void unknown_durations_count_as_the_mean_of_the_known(void **state)
{
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){.seconds = 4});
    plan_add(p, &(struct plan_spec){.seconds = 8});
    plan_add(p, &(struct plan_spec){0});
    plan_start(p);
    assert_true(plan_critical_seconds(p, 2) == 6);
    plan_free(p);
}

static void priority_beats_the_critical_path(void **state)
{
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){.seconds = 100});
    plan_add(p, &(struct plan_spec){.seconds = 1, .priority = 3});
    plan_start(p);
    queue_all(p);
    assert_int_equal(pick(p), 1);
    plan_free(p);
}

static void in_order_runs_one_after_the_other(void **state)
{
    struct plan *p = make(8, true);
    plan_add(p, &(struct plan_spec){.seconds = 1});
    plan_add(p, &(struct plan_spec){.seconds = 100, .priority = 9});
    plan_start(p);
    assert_int_equal(plan_next_ready(p), 0);
    plan_queue(p, 0);
    assert_int_equal(plan_next_ready(p), SIZE_MAX);
    assert_int_equal(pick(p), 0);
    assert_int_equal(plan_next_ready(p), SIZE_MAX);
    finish(p, 0);
    assert_int_equal(plan_next_ready(p), 1);
    plan_free(p);
}

static void gangs_take_contiguous_slots(void **state)
{
    struct plan *p = make(4, false);
    for (int i = 0; i < 4; i++) {
        plan_add(p, &(struct plan_spec){.seconds = 4 - i});
    }
    size_t gang = plan_add(p, &(struct plan_spec){.slots = 2, .seconds = 0.5});
    plan_start(p);
    queue_all(p);
    struct plan_pick k;
    for (int i = 0; i < 4; i++) {
        assert_true(plan_pick(p, &k));
        assert_int_equal(k.slot, i);
    }
    finish(p, 0);
    finish(p, 2);
    assert_int_equal(plan_free_slots(p), 2);
    assert_false(plan_pick(p, &k)); /* slots 0 and 2: not side by side */
    finish(p, 1);
    assert_true(plan_pick(p, &k));
    assert_int_equal(k.node, gang);
    assert_int_equal(k.slot, 0);
    assert_int_equal(k.slots, 2);
    plan_free(p);
}

static void two_gangs_of_half_the_slots_run_side_by_side(void **state)
{
    struct plan *p = make(4, false);
    plan_add(p, &(struct plan_spec){.slots = 2});
    plan_add(p, &(struct plan_spec){.slots = 2});
    plan_start(p);
    queue_all(p);
    struct plan_pick k;
    assert_true(plan_pick(p, &k));
    assert_int_equal(k.slot, 0);
    assert_true(plan_pick(p, &k));
    assert_int_equal(k.slot, 2);
    plan_free(p);
}

static void more_slots_than_there_are_means_all(void **state)
{
    struct plan *p = make(2, false);
    plan_add(p, &(struct plan_spec){.slots = 16});
    plan_start(p);
    queue_all(p);
    struct plan_pick k;
    assert_true(plan_pick(p, &k));
    assert_int_equal(k.slots, 2);
    plan_free(p);
}

/* Narrow stages may pass a gang that does not fit, but not for ever. */
static void a_gang_does_not_starve(void **state)
{
    struct plan *p = make(2, false);
    size_t gang = plan_add(p, &(struct plan_spec){.slots = 2, .priority = 1});
    for (int i = 0; i < 100; i++) {
        plan_add(p, &(struct plan_spec){0});
    }
    plan_start(p);
    size_t first = plan_next_ready(p);
    assert_int_equal(first, gang);
    size_t narrow = plan_next_ready(p);
    plan_queue(p, narrow);
    assert_int_equal(pick(p), narrow); /* one slot is taken before the gang is judged */
    plan_queue(p, gang);
    queue_all(p);
    size_t running[2] = {narrow, SIZE_MAX};
    size_t passed = 0;
    for (; passed < 100; passed++) {
        size_t n = pick(p);
        if (n == SIZE_MAX) {
            break;
        }
        assert_int_not_equal(n, gang);
        running[1] = n;
        finish(p, running[0]);
        running[0] = running[1];
    }
    assert_in_range(passed, 1, 8);
    finish(p, running[0]);
    assert_int_equal(pick(p), gang);
    plan_free(p);
}

static void a_group_keeps_to_its_limit_and_numbers_its_members(void **state)
{
    struct plan *p = make(8, false);
    for (int i = 0; i < 5; i++) {
        plan_add(p, &(struct plan_spec){.group = "train", .limit = 2});
    }
    size_t other = plan_add(p, &(struct plan_spec){0});
    plan_start(p);
    queue_all(p);
    struct plan_pick a, b, c;
    assert_true(plan_pick(p, &a));
    assert_true(plan_pick(p, &b));
    assert_int_equal(a.member, 0);
    assert_int_equal(b.member, 1);
    assert_true(plan_pick(p, &c));
    assert_int_equal(c.node, other);
    assert_false(plan_pick(p, &c));
    plan_commit(p, a.node);
    assert_true(plan_pick(p, &c));
    assert_int_equal(c.node, 2);
    assert_int_equal(c.member, 0); /* the number that became free */
    plan_free(p);
}

static void a_limited_group_ends(void **state)
{
    struct plan *p = make(4, false);
    for (int i = 0; i < 50; i++) {
        plan_add(p, &(struct plan_spec){.group = "g", .limit = 1});
    }
    plan_start(p);
    queue_all(p);
    size_t n, count = 0;
    while ((n = pick(p)) != SIZE_MAX) {
        assert_false(plan_over(p));
        finish(p, n);
        count++;
    }
    assert_int_equal(count, 50);
    assert_true(plan_over(p));
    plan_free(p);
}

static void a_failed_attempt_is_repeated_as_often_as_allowed(void **state)
{
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){.retries = 2});
    plan_start(p);
    queue_all(p);
    struct plan_pick k;
    for (int attempt = 0; attempt < 3; attempt++) {
        assert_true(plan_pick(p, &k));
        assert_int_equal(k.attempt, attempt);
        assert_int_equal(plan_retry(p, 0), attempt < 2);
    }
    assert_int_equal(plan_free_slots(p), 1);
    plan_fail(p, 0, true, NULL);
    assert_true(plan_over(p));
    assert_int_equal(plan_state(p, 0), PLAN_FAILED);
    plan_free(p);
}

static void a_failure_skips_all_that_needs_it_and_nothing_else(void **state)
{
    /* 0 -> 1 -> 3, 2 alone, 2 -> 4 */
    struct plan *p = make(2, false);
    for (int i = 0; i < 5; i++) {
        plan_add(p, &(struct plan_spec){0});
    }
    plan_edge(p, 0, 1);
    plan_edge(p, 1, 3);
    plan_edge(p, 2, 4);
    plan_start(p);
    queue_all(p);
    pick(p);
    pick(p);
    size_t skipped[5];
    assert_int_equal(plan_fail(p, 0, true, skipped), 2);
    assert_int_equal(skipped[0], 1);
    assert_int_equal(skipped[1], 3);
    assert_int_equal(plan_state(p, 4), PLAN_BLOCKED);
    finish(p, 2);
    assert_int_equal(plan_next_ready(p), 4);
    plan_finish(p, 4);
    assert_true(plan_over(p));
    plan_free(p);
}

static void ignored_failures_let_what_follows_go_on(void **state)
{
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){0});
    plan_add(p, &(struct plan_spec){0});
    plan_edge(p, 0, 1);
    plan_start(p);
    queue_all(p);
    pick(p);
    assert_int_equal(plan_fail(p, 0, false, NULL), 0);
    assert_int_equal(plan_next_ready(p), 1);
    plan_free(p);
}

static void stopping_lets_what_runs_end_and_starts_nothing(void **state)
{
    struct plan *p = make(1, false);
    plan_add(p, &(struct plan_spec){0});
    plan_add(p, &(struct plan_spec){0});
    plan_start(p);
    queue_all(p);
    size_t n = pick(p);
    plan_stop(p);
    assert_false(plan_over(p));
    assert_int_equal(pick(p), SIZE_MAX);
    finish(p, n);
    assert_true(plan_over(p));
    assert_int_equal(plan_next_ready(p), SIZE_MAX);
    plan_free(p);
}

/* Every node of a random graph runs once, after all it needs, and never on a taken slot. */
static void random_graphs_run_completely(void **state)
{
    uint32_t seed = 12345;
    for (int round = 0; round < 50; round++) {
        enum { N = 60, SLOTS = 5 };
        struct plan *p = make(SLOTS, false);
        int width[N];
        unsigned char needs[N][N] = {{0}};
        unsigned char done[N] = {0};
        for (size_t i = 0; i < N; i++) {
            seed = seed * 1664525u + 1013904223u;
            width[i] = (int)(seed >> 24) % SLOTS + 1;
            plan_add(p, &(struct plan_spec){.slots = width[i], .seconds = (double)(seed % 7)});
        }
        for (size_t i = 1; i < N; i++) {
            for (int k = 0; k < 3; k++) {
                seed = seed * 1664525u + 1013904223u;
                size_t from = (seed >> 8) % i;
                if (!needs[i][from]) {
                    needs[i][from] = 1;
                    plan_edge(p, from, i);
                }
            }
        }
        plan_start(p);
        struct plan_pick running[N];
        size_t count = 0, ended = 0;
        bool taken[SLOTS] = {false};
        while (!plan_over(p)) {
            queue_all(p);
            struct plan_pick k;
            while (plan_pick(p, &k)) {
                for (size_t j = 0; j < N; j++) {
                    assert_true(!needs[k.node][j] || done[j]);
                }
                for (int s = k.slot; s < k.slot + k.slots; s++) {
                    assert_false(taken[s]);
                    taken[s] = true;
                }
                running[count++] = k;
            }
            assert_true(count > 0);
            seed = seed * 1664525u + 1013904223u;
            size_t which = (seed >> 8) % count;
            k = running[which];
            running[which] = running[--count];
            for (int s = k.slot; s < k.slot + k.slots; s++) {
                taken[s] = false;
            }
            done[k.node] = 1;
            finish(p, k.node);
            ended++;
        }
        assert_int_equal(ended, N);
        plan_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_down_predecessors),
        cmocka_unit_test(a_fresh_node_lets_the_next_ones_go),
        cmocka_unit_test(a_committing_node_frees_its_slot_but_blocks_what_follows),
        cmocka_unit_test(longest_chain_goes_first),
        cmocka_unit_test(unknown_durations_count_as_the_mean_of_the_known),
        cmocka_unit_test(priority_beats_the_critical_path),
        cmocka_unit_test(in_order_runs_one_after_the_other),
        cmocka_unit_test(gangs_take_contiguous_slots),
        cmocka_unit_test(two_gangs_of_half_the_slots_run_side_by_side),
        cmocka_unit_test(more_slots_than_there_are_means_all),
        cmocka_unit_test(a_gang_does_not_starve),
        cmocka_unit_test(a_group_keeps_to_its_limit_and_numbers_its_members),
        cmocka_unit_test(a_limited_group_ends),
        cmocka_unit_test(a_failed_attempt_is_repeated_as_often_as_allowed),
        cmocka_unit_test(a_failure_skips_all_that_needs_it_and_nothing_else),
        cmocka_unit_test(ignored_failures_let_what_follows_go_on),
        cmocka_unit_test(stopping_lets_what_runs_end_and_starts_nothing),
        cmocka_unit_test(random_graphs_run_completely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
