/* The fixed tree of additions: shares, the tree of several ranks against that of one. */

#include "nn_check.h"

#include "par.h"
#include "shard.h"

static void test_shares_cover_the_batch(void **state)
{
    for (size_t batch = 0; batch < 40; batch++) {
        size_t at = 0;
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(shard_begin(batch, 8, i), at);
            assert_int_equal(shard_begin(batch, 8, i), i * batch / 8);
            at = shard_begin(batch, 8, i + 1);
        }
        assert_int_equal(at, batch);
    }
    assert_int_equal(shard_begin(SIZE_MAX - 7, 8, 8), SIZE_MAX - 7); /* no overflow on the way */
}

static void test_ranks_own_whole_shards(void **state)
{
    for (size_t world = 1; world <= 8; world++) {
        size_t at = 0;
        for (size_t r = 0; r < world; r++) {
            size_t first, count;
            shard_of_rank(8, world, r, &first, &count);
            assert_int_equal(first, at);
            assert_true(count >= 1);
            at += count;
        }
        assert_int_equal(at, 8);
    }
}

static void test_rows_max_bounds_every_smaller_batch(void **state)
{
    for (size_t plan = 1; plan < 20; plan++) {
        for (size_t count = 1; count <= 8; count++) {
            size_t most = 0;
            for (size_t batch = 0; batch <= plan; batch++) {
                for (size_t first = 0; first + count <= 8; first++) {
                    struct shard_split s;
                    shard_split_init(&s, batch, 8, first, count);
                    most = s.rows > most ? s.rows : most;
                }
            }
            assert_true(shard_rows_max(plan, 8, count) >= most);
            assert_true(shard_rows_max(plan, 8, count) <= plan);
        }
    }
}

/* What `world` ranks get: local trees, then pairwise exchange. */
static float by_ranks(const float *values, size_t total, size_t world)
{
    float partial[8];
    for (size_t r = 0; r < world; r++) {
        struct shard_split s;
        size_t first, count;
        float local[8];
        shard_of_rank(total, world, r, &first, &count);
        shard_split_init(&s, 64, total, first, count);
        memcpy(local, values + first, count * sizeof(float));
        shard_sum_vectors(&s, local, 1, 1, &partial[r], NULL);
    }
    for (size_t step = 1; step < world; step *= 2) {
        for (size_t r = 0; r + step < world; r += 2 * step) {
            partial[r] += partial[r + step];
        }
    }
    return partial[0];
}

static void test_ranks_continue_the_tree(void **state)
{
    size_t differs = 0;
    for (uint64_t run = 0; run < 200; run++) {
        float *v = check_random(8, run);
        float alone = by_ranks(v, 8, 1), row = 0;
        for (size_t world = 2; world <= 8; world *= 2) {
            float together = by_ranks(v, 8, world);
            CHECK_BITS("tree", &together, &alone, 1);
        }
        for (size_t i = 0; i < 8; i++) {
            row += v[i];
        }
        differs += row != alone;
        free(v);
    }
    assert_true(differs > 0); /* else the order would not matter and this test say nothing */
}

static void test_vectors_are_added_elementwise(void **state)
{
    enum { N = 20000, SHARDS = 5 };
    struct par *par = par_new(3);
    struct shard_split s;
    shard_split_init(&s, 10, 8, 2, SHARDS);
    float *parts = check_random((size_t)SHARDS * N, 3), *out = check_floats(N);
    double *expect = calloc(N, sizeof(double));
    assert_non_null(expect);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < SHARDS; k++) {
            expect[i] += parts[k * N + i];
        }
    }
    shard_sum_vectors(&s, parts, N, N, out, par);
    for (size_t i = 0; i < N; i++) {
        assert_true(fabs(out[i] - expect[i]) < 1e-5);
    }
    free(parts);
    free(out);
    free(expect);
    par_free(par);
}

static void test_odd_ranks_lose_nothing(void **state)
{
    for (size_t world = 3; world <= 7; world++) {
        double part[3 * 8], sum = 0;
        for (size_t r = 0; r < world; r++) {
            struct shard_split s;
            size_t first, count;
            shard_of_rank(8, world, r, &first, &count);
            shard_split_init(&s, 8, 8, first, count);
            for (size_t i = 0; i < count; i++) {
                part[i] = (double)(1 << (first + i));
            }
            sum += shard_sum(&s, part);
        }
        assert_true(sum == 255);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_cover_the_batch),
        cmocka_unit_test(test_ranks_own_whole_shards),
        cmocka_unit_test(test_rows_max_bounds_every_smaller_batch),
        cmocka_unit_test(test_ranks_continue_the_tree),
        cmocka_unit_test(test_vectors_are_added_elementwise),
        cmocka_unit_test(test_odd_ranks_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
