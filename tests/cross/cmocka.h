#ifndef NEPHRON_CMOCKA_H
#define NEPHRON_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* As much of cmocka as the kernel tests use, for machines that have no cmocka library: the first
 * failure ends the program. */

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f                                                                                      \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cross_run(tests, sizeof(tests) / sizeof((tests)[0]))
#define fail_msg(...)                                                                              \
    (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__),                 \
     fputc('\n', stderr), exit(1))
#define assert_true(x) ((x) ? (void)0 : fail_msg("not true: %s", #x))
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_in_range(x, low, high) assert_true((x) >= (low) && (x) <= (high))

static inline int cross_run(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;
        clock_t begin = clock();
        tests[i].run(&state);
        printf("ok %zu %s, %.1f s of processors\n", i + 1, tests[i].name,
               (double)(clock() - begin) / CLOCKS_PER_SEC);
    }
    return 0;
}

#endif
