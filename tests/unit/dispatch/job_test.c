/* Jobs and results as bytes: what goes in comes out; anything else is refused. */
#include "job.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const cmds[] = {"echo a\tb", "false"};
static const char *const env[] = {"K=V", "EMPTY="};

static const struct job example = {
    .id = 0xfedcba9876543210u,
    .stage = "sub/dvc.yaml:train@x",
    .cmds = cmds,
    .cmd_count = 2,
    .cwd = "/tmp/wo rk",
    .env = env,
    .env_count = 2,
    .log_path = NULL,
    .slot = 3,
    .slots = 2,
    .ranks = 2,
    .threads = -1,
    .timeout_s = 1.5,
    .attempt = 7,
};

static void jobs_survive_the_way_over_the_wire(void **state)
{
    struct arena a;
    arena_init(&a);
    struct strbuf b;
    strbuf_init(&b);
    struct err e = ERR_INIT;
    struct job j;
    job_pack(&example, &b);
    assert_int_equal(job_unpack(strbuf_str(&b), &a, &j, &e), 0);
    assert_true(j.id == example.id);
    assert_string_equal(j.stage, example.stage);
    assert_int_equal(j.cmd_count, 2);
    assert_string_equal(j.cmds[0], cmds[0]);
    assert_string_equal(j.cmds[1], cmds[1]);
    assert_string_equal(j.cwd, example.cwd);
    assert_int_equal(j.env_count, 2);
    assert_string_equal(j.env[1], "EMPTY=");
    assert_null(j.log_path);
    assert_int_equal(j.slot, 3);
    assert_int_equal(j.slots, 2);
    assert_int_equal(j.ranks, 2);
    assert_int_equal(j.threads, -1);
    assert_true(j.timeout_s == 1.5);
    assert_int_equal(j.attempt, 7);
    strbuf_release(&b);
    arena_release(&a);
}

static void results_survive_with_any_bytes_in_the_output(void **state)
{
    struct arena a;
    arena_init(&a);
    struct strbuf b;
    strbuf_init(&b);
    struct err e = ERR_INIT;
    const struct job_result r = {.id = 9,
                                 .status = -15,
                                 .failed_cmd = "sleep",
                                 .timed_out = true,
                                 .host = "h",
                                 .rank = 2,
                                 .start_ms = -1,
                                 .end_ms = 5,
                                 .seconds = 0.25,
                                 .output = "a\0b\xff",
                                 .output_bytes = 4};
    struct job_result got;
    result_pack(&r, &b);
    assert_int_equal(result_unpack(strbuf_str(&b), &a, &got, &e), 0);
    assert_int_equal(got.status, -15);
    assert_true(got.timed_out);
    assert_false(got.killed);
    assert_null(got.error);
    assert_true(got.start_ms == -1);
    assert_int_equal(got.output_bytes, 4);
    assert_memory_equal(got.output, "a\0b\xff", 4);
    strbuf_release(&b);
    arena_release(&a);
}

/* Every shorter text, and every text with one bit turned, is read to an answer or refused, never
 * beyond its end. */
static void damaged_bytes_are_refused_or_harmless(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    job_pack(&example, &b);
    for (size_t n = 0; n < b.n; n++) {
        struct arena a;
        arena_init(&a);
        struct job j;
        struct err e = ERR_INIT;
        char *cut = test_malloc(n + 1);
        memcpy(cut, b.p, n);
        assert_int_equal(job_unpack((struct str){cut, n}, &a, &j, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        test_free(cut);
        arena_release(&a);
    }
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        struct arena a;
        arena_init(&a);
        struct job j;
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ (1 << bit % 8));
        job_unpack(strbuf_str(&b), &a, &j, NULL);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ (1 << bit % 8));
        arena_release(&a);
    }
    strbuf_release(&b);
}

static void the_words_are_those_of_dvc(void **state)
{
    struct strbuf b;
    strbuf_init(&b);
    result_text(&(struct job_result){.status = 3, .failed_cmd = "exit 3"}, &b);
    assert_string_equal(b.p, "failed to run: exit 3, exited with 3");
    strbuf_reset(&b);
    result_text(&(struct job_result){.status = -2, .failed_cmd = "sleep 20"}, &b);
    assert_string_equal(b.p, "failed to run: sleep 20, exited with -2");
    strbuf_reset(&b);
    result_text(&(struct job_result){.status = 1, .error = "rank 3 is gone"}, &b);
    assert_string_equal(b.p, "rank 3 is gone");
    strbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_survive_the_way_over_the_wire),
        cmocka_unit_test(results_survive_with_any_bytes_in_the_output),
        cmocka_unit_test(damaged_bytes_are_refused_or_harmless),
        cmocka_unit_test(the_words_are_those_of_dvc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
