/* The pool of compute threads, and the random streams whose results must not depend on it. */

#include "par.h"
#include "rng.h"

#include "base_check.h"

#include <pthread.h>
#include <stdatomic.h>

struct sums {
    _Atomic unsigned calls;
    unsigned item[1000];
};

static void note_item(void *ctx, size_t item, int thread)
{
    struct sums *s = ctx;
    atomic_fetch_add(&s->calls, 1);
    s->item[item]++;
}

static void every_item_runs_once(void **state)
{
    for (int threads = 1; threads <= 4; threads++) {
        struct par *p = par_new(threads);
        assert_int_equal(par_threads(p), threads);
        for (int loop = 0; loop < 200; loop++) {
            struct sums s = {0};
            size_t count = (size_t)(loop * 7 % 1000);
            par_for(p, count, note_item, &s);
            assert_int_equal(s.calls, count);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(s.item[i], 1);
            }
        }
        par_free(p);
    }
    struct sums s = {0};
    par_for(NULL, 5, note_item, &s);
    assert_int_equal(s.calls, 5);
}

static void spread_turns_take_every_item_once_and_apart(void **state)
{
    for (int threads = 1; threads <= 4; threads++) {
        struct par *p = par_new(threads);
        for (size_t count = 0; count < 50; count++) {
            unsigned seen[50] = {0};
            for (size_t k = 0; k < count; k++) {
                seen[par_spread(p, k, count)]++;
            }
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(seen[i], 1);
            }
        }
        if (threads > 1) {
            assert_int_equal(par_spread(p, 1, 48) - par_spread(p, 0, 48), 48 / threads);
        }
        par_free(p);
    }
}

struct polls {
    struct par *p;
    unsigned calls;
    pthread_t thread;
};

static void note_poll(void *ctx)
{
    struct polls *s = ctx;
    s->calls++;
    assert_true(pthread_equal(pthread_self(), s->thread));
}

static void the_starting_thread_polls_between_items(void **state)
{
    for (int threads = 1; threads <= 3; threads++) {
        struct polls polls = {.thread = pthread_self()};
        struct sums s = {0};
        struct par *p = par_new(threads);
        par_set_poll(p, note_poll, &polls, 0);
        for (int loop = 0; loop < 100; loop++) {
            par_for(p, 1000, note_item, &s);
        }
        /* Others may have taken any one loop, hardly all of them. */
        assert_true(polls.calls > 0 && polls.calls <= 100000);
        par_set_poll(p, NULL, NULL, 0);
        polls.calls = 0;
        par_for(p, 1000, note_item, &s);
        assert_int_equal(polls.calls, 0);
        par_set_poll(p, note_poll, &polls, 1000000000);
        par_for(p, 1000, note_item, &s); /* long ago that it was called: at most once */
        par_for(p, 1000, note_item, &s);
        assert_true(polls.calls <= 1);
        par_free(p);
    }
    par_set_poll(NULL, note_poll, NULL, 0);
}

/* Known answers of the reference implementation (Random123's kat_vectors). */
static void philox_known_answers(void **state)
{
    uint32_t out[4];
    rng_block((const uint32_t[2]){0, 0}, (const uint32_t[4]){0, 0, 0, 0}, out);
    const uint32_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    assert_memory_equal(out, zero, sizeof(zero));
    rng_block((const uint32_t[2]){~0u, ~0u}, (const uint32_t[4]){~0u, ~0u, ~0u, ~0u}, out);
    const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    assert_memory_equal(out, ones, sizeof(ones));
}

static void streams_are_named_and_apart(void **state)
{
    struct rng a, b, c;
    rng_init(&a, 1, RNG_AUGMENT, 2, 3);
    rng_init(&b, 1, RNG_AUGMENT, 2, 3);
    rng_init(&c, 1, RNG_AUGMENT, 2, 4);
    unsigned same = 0;
    double mean = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t x = rng_u32(&a);
        assert_int_equal(x, rng_u32(&b));
        same += x == rng_u32(&c);
    }
    assert_true(same < 3);
    for (int i = 0; i < 20000; i++) {
        mean += rng_normal(&a) / 20000;
        assert_true(rng_below(&b, 7) < 7);
    }
    assert_true(mean > -0.05 && mean < 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(spread_turns_take_every_item_once_and_apart),
        cmocka_unit_test(the_starting_thread_polls_between_items),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_are_named_and_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
