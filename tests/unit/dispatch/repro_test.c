/*
 * The engine over a real repository and store, with a fake runner: no process is started. A stage's
 * command is a word for the fake: "w FILE TEXT" writes a file, "cat FROM TO" copies one, "fail N"
 * fails the first N times.
 */
#include "repro.h"

#include "err.h"
#include "event.h"
#include "fake_clock.h"
#include "fake_runner.h"
#include "fake_reporter.h"
#include "fs.h"
#include "init.h"
#include "journal.h"
#include "lock.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct fake_runner runner;
static struct fake_reporter reporter;
static struct strbuf events;
static int opened;
static bool fails_always;

static void put(const char *path, const char *text)
{
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0, NULL), 0);
}

static int act(void *ctx, const struct job *j)
{
    for (size_t i = 0; i < j->cmd_count; i++) {
        char verb[16], a[64], b[64];
        int n = sscanf(j->cmds[i], "%15s %63s %63s", verb, a, b);
        char path[256], from[256];
        if (n == 3 && strcmp(verb, "w") == 0) {
            snprintf(path, sizeof path, "%s/%s", j->cwd, a);
            put(path, b);
        } else if (n == 3 && strcmp(verb, "cat") == 0) {
            struct strbuf text;
            strbuf_init(&text);
            snprintf(from, sizeof from, "%s/%s", j->cwd, a);
            snprintf(path, sizeof path, "%s/%s", j->cwd, b);
            assert_int_equal(fs_read(from, 0, &text, NULL), 0);
            put(path, text.p);
            strbuf_release(&text);
        } else if (n >= 2 && strcmp(verb, "fail") == 0) {
            if (fails_always || j->attempt < (int)strtol(a, NULL, 10)) {
                return 3;
            }
        } else {
            fail_msg("what is '%s'?", j->cmds[i]);
        }
    }
    return 0;
}

static struct runner *open_runner(void *ctx, struct repro_context *c,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e)
{
    assert_true(lock_fd >= 0);
    opened++;
    return &runner.base;
}

static void take_event(void *ctx, const struct event *ev)
{
    strbuf_addf(&events, "%s", event_kind_name(ev->kind));
    for (size_t i = 0; i < ev->field_count; i++) {
        if (strcmp(ev->fields[i].key, "stage") == 0 || strcmp(ev->fields[i].key, "status") == 0) {
            strbuf_addf(&events, " %s", ev->fields[i].value);
        }
    }
    strbuf_addch(&events, '\n');
}

static const struct event_sink sink = {take_event, NULL};

static int setup(void **state)
{
    struct strbuf out;
    struct err e = ERR_INIT;
    snprintf(dir, sizeof dir, "/tmp/nephron-repro-XXXXXX");
    if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
        return -1;
    }
    strbuf_init(&out);
    int rc = repo_init(&(struct init_options){.no_scm = true}, &out, &e);
    strbuf_release(&out);
    fails_always = false;
    return rc;
}

static int teardown(void **state)
{
    return chdir("/") == 0 ? fs_remove_tree(dir, NULL) : -1;
}

struct run_outcome {
    int rc;
    struct repro_result result;
    struct err err;
    char log[4096];
};

static struct run_outcome repro_with(int slots, const struct repro_options *options)
{
    struct run_outcome o = {0};
    struct repo r;
    struct pipeline p = {0};
    struct graph g;
    struct repro_options opt = *options;
    opt.cmd = "test";
    fake_runner_init(&runner, slots);
    runner.act = act;
    opened = 0;
    fake_reporter_init(&reporter);
    strbuf_init(&events);
    if (repo_open(&r, NULL, &o.err) < 0 || pipeline_load(&p, &r, &o.err) < 0 ||
        graph_build(&g, &p, &r, &o.err) < 0) {
        fail_msg("%s", o.err.text);
    }
    struct store *s = store_open(&r, &(struct store_options){.no_state = true, .jobs = 1}, &o.err);
    assert_non_null(s);
    struct repro_context c = {.repo = &r,
                              .store = s,
                              .graph = &g,
                              .reporter = &reporter.base,
                              .open_runner = open_runner,
                              .sink = &sink,
                              .run_id = "r",
                              .slots = slots,
                              .in_order = slots == 1};
    o.rc = repro_run(&c, &opt, &o.result, &o.err);
    snprintf(o.log, sizeof o.log, "%s", reporter.log.p);
    store_close(s);
    graph_release(&g);
    pipeline_release(&p);
    repo_close(&r);
    fake_reporter_release(&reporter);
    return o;
}

static struct run_outcome repro(int slots)
{
    return repro_with(slots, &(struct repro_options){0});
}

static void assert_ran(const char *names)
{
    char all[1024] = "";
    for (size_t i = 0; i < runner.started_count; i++) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", i > 0 ? " " : "", runner.started[i].stage);
    }
    assert_string_equal(all, names);
}

static void assert_file(const char *path, const char *text)
{
    struct strbuf b;
    strbuf_init(&b);
    if (fs_read(path, 0, &b, NULL) < 0) {
        fail_msg("%s is missing", path);
    }
    assert_string_equal(b.p, text);
    strbuf_release(&b);
}

static const char chain[] = "stages:\n"
                            "  b:\n    cmd: cat a.out b.out\n    deps: [a.out]\n    outs: [b.out]\n"
                            "  a:\n    cmd: cat in a.out\n    deps: [in]\n    outs: [a.out]\n"
                            "  c:\n    cmd: cat b.out c.out\n    deps: [b.out]\n    outs: [c.out]\n"
                            "  x:\n    cmd: w x.out x\n    outs: [x.out]\n";

static void write_chain(void)
{
    put("dvc.yaml", chain);
    put("in", "1");
}

static void runs_what_is_stale_and_then_nothing(void **state)
{
    write_chain();
    struct run_outcome o = repro(1);
    if (o.rc < 0) {
        fail_msg("%s", o.err.text);
    }
    assert_ran("a b c x");
    assert_int_equal(o.result.ran, 4);
    assert_int_equal(opened, 1);
    assert_non_null(strstr(
        o.log, "note Generating lock file 'dvc.lock'\nnote Updating lock file 'dvc.lock'\n"));
    assert_non_null(strstr(events.p, "stage a running\nstage a finished\n"));
    strbuf_release(&events);
    o = repro(1);
    assert_int_equal(o.rc, 0);
    assert_ran("");
    assert_int_equal(opened, 0);
    assert_string_equal(o.log, "end a fresh\nend b fresh\nend c fresh\nend x fresh\n");
    strbuf_release(&events);
}

static void a_change_runs_what_follows_as_far_as_it_reaches(void **state)
{
    write_chain();
    strbuf_release(&events);
    repro(2);
    strbuf_release(&events);
    put("in", "2");
    struct run_outcome o = repro(2);
    assert_ran("a b c");
    assert_file("c.out", "2");
    strbuf_release(&events);
    /* b's command now makes the same as before: c has nothing to do */
    put("dvc.yaml", "stages:\n"
                    "  a:\n    cmd: cat in a.out\n    deps: [in]\n    outs: [a.out]\n"
                    "  b:\n    cmd: w b.out 2\n    deps: [a.out]\n    outs: [b.out]\n"
                    "  c:\n    cmd: cat b.out c.out\n    deps: [b.out]\n    outs: [c.out]\n");
    o = repro(2);
    assert_int_equal(o.rc, 0);
    assert_ran("b");
    strbuf_release(&events);
}

static void independent_stages_run_at_the_same_time(void **state)
{
    struct strbuf y;
    strbuf_init(&y);
    strbuf_adds(&y, "stages:\n");
    for (int i = 0; i < 12; i++) {
        strbuf_addf(&y, "  s%d:\n    cmd: w o%d x\n    outs: [o%d]\n", i, i, i);
    }
    put("dvc.yaml", y.p);
    strbuf_release(&y);
    struct run_outcome o = repro(4);
    assert_int_equal(o.rc, 0);
    assert_int_equal(o.result.ran, 12);
    assert_true(runner.most_running > 1);
    assert_true(runner.most_running <= 4);
    strbuf_release(&events);
}

static void a_failure_stops_the_rest(void **state)
{
    put("dvc.yaml", "stages:\n"
                    "  a:\n    cmd: fail 9\n    outs: [a.out]\n"
                    "  b:\n    cmd: cat a.out b.out\n    deps: [a.out]\n    outs: [b.out]\n"
                    "  m:\n    cmd: w m.out x\n    outs: [m.out]\n");
    struct run_outcome o = repro(1);
    assert_int_equal(o.rc, -1);
    assert_int_equal(o.result.exit_code, 255);
    assert_string_equal(o.err.text,
                        "failed to reproduce 'a': failed to run: the command, exited with 3");
    assert_ran("a");
    assert_false(fs_exists("dvc.lock"));
    strbuf_release(&events);
}

static void keep_going_does_what_does_not_depend_on_it(void **state)
{
    put("dvc.yaml", "stages:\n"
                    "  a:\n    cmd: fail 9\n    outs: [a.out]\n"
                    "  b:\n    cmd: cat a.out b.out\n    deps: [a.out]\n    outs: [b.out]\n"
                    "  m:\n    cmd: w m.out x\n    outs: [m.out]\n");
    struct run_outcome o = repro_with(1, &(struct repro_options){.on_error = REPRO_KEEP_GOING});
    assert_int_equal(o.rc, -1);
    assert_string_equal(o.err.text, "failed to reproduce 'a'");
    assert_non_null(strstr(o.log, "warn failed to run: the command, exited with 3\n"
                                  "warn Stage 'b' will be skipped due to this failure\n"));
    assert_ran("a m");
    assert_int_equal(o.result.skipped, 1);
    strbuf_release(&events);
}

static void ignored_errors_are_no_errors(void **state)
{
    put("dvc.yaml", "stages:\n"
                    "  a:\n    cmd: fail 9\n    deps: [in]\n    outs: [a.out]\n"
                    "  m:\n    cmd: w m.out x\n    outs: [m.out]\n");
    put("in", "1");
    struct run_outcome o = repro_with(1, &(struct repro_options){.on_error = REPRO_IGNORE});
    assert_int_equal(o.rc, 0);
    assert_non_null(strstr(o.log, "warn failed to run: the command, exited with 3 (ignored)\n"));
    assert_ran("a m");
    strbuf_release(&events);
}

static void a_stage_is_tried_again_as_often_as_its_meta_says(void **state)
{
    put("dvc.yaml", "stages:\n"
                    "  a:\n    cmd: [fail 2, w a.out x]\n    outs: [a.out]\n    meta: {nephron: "
                    "{retries: 2}}\n");
    struct run_outcome o = repro(2);
    assert_int_equal(o.rc, 0);
    assert_ran("a a a");
    assert_int_equal(runner.started[2].attempt, 2);
    strbuf_release(&events);
}

static void meta_reaches_the_runner(void **state)
{
    put("dvc.yaml",
        "stages:\n"
        "  t:\n    matrix: {k: [p, q, r]}\n    cmd: w ${item.k} x\n    outs: [\"${item.k}\"]\n"
        "    meta: {nephron: {ranks: 2, limit: 2, timeout: 5, env: {GPU: [0, 1], MODE: fast}}}\n");
    struct run_outcome o = repro(8);
    if (o.rc < 0) {
        fail_msg("%s", o.err.text);
    }
    assert_int_equal(runner.started_count, 3);
    assert_int_equal(runner.most_running, 2);
    bool gpu[2] = {false, false};
    for (size_t i = 0; i < 3; i++) {
        const struct fake_job *j = &runner.started[i];
        assert_int_equal(j->ranks, 2);
        assert_int_equal(j->slots, 2);
        assert_true(j->timeout_s == 5);
        assert_non_null(strstr(j->env, "MODE=fast\n"));
        gpu[0] = gpu[0] || strstr(j->env, "GPU=0\n") != NULL;
        gpu[1] = gpu[1] || strstr(j->env, "GPU=1\n") != NULL;
    }
    assert_true(gpu[0] && gpu[1]);
    strbuf_release(&events);
}

static void a_run_from_the_past_is_restored(void **state)
{
    write_chain();
    repro(1);
    strbuf_release(&events);
    put("in", "2");
    repro(1);
    strbuf_release(&events);
    put("in", "1");
    struct run_outcome o = repro(1);
    assert_ran("");
    assert_int_equal(o.result.ran, 3);
    assert_file("c.out", "1");
    assert_non_null(
        strstr(o.log, "note Stage 'a' is cached - skipping run, checking out outputs\n"));
    strbuf_release(&events);
    put("in", "2");
    o = repro_with(1, &(struct repro_options){.no_run_cache = true});
    assert_ran("a b c");
    strbuf_release(&events);
}

static void force_runs_all_and_force_downstream_what_follows(void **state)
{
    write_chain();
    repro(1);
    strbuf_release(&events);
    repro_with(1, &(struct repro_options){.force = true});
    assert_ran("a b c x");
    strbuf_release(&events);
    put("dvc.yaml",
        "stages:\n"
        "  a:\n    cmd: [cat in a.out, cat in a.out]\n    deps: [in]\n    outs: [a.out]\n"
        "  b:\n    cmd: cat a.out b.out\n    deps: [a.out]\n    outs: [b.out]\n");
    repro_with(1, &(struct repro_options){.force_downstream = true});
    assert_ran("a b");
    strbuf_release(&events);
}

static void single_item_looks_at_the_target_alone(void **state)
{
    write_chain();
    repro(1);
    strbuf_release(&events);
    put("in", "2");
    const char *const targets[] = {"b"};
    repro_with(1,
               &(struct repro_options){.targets = targets, .target_count = 1, .single_item = true});
    assert_ran("");
    strbuf_release(&events);
    repro_with(1, &(struct repro_options){.targets = targets, .target_count = 1});
    assert_ran("a b");
    strbuf_release(&events);
}

static void dry_touches_nothing(void **state)
{
    write_chain();
    const char *const targets[] = {"a", "x"};
    struct run_outcome o =
        repro_with(1, &(struct repro_options){.dry = true, .targets = targets, .target_count = 2});
    assert_int_equal(o.rc, 0);
    assert_ran("");
    assert_false(fs_exists("dvc.lock"));
    assert_false(fs_exists("x.out"));
    assert_non_null(strstr(o.log, "dry a: "));
    assert_int_equal(o.result.ran, 2);
    strbuf_release(&events);
    /* as DVC: what needs a file that is not there yet cannot be looked at */
    o = repro_with(1, &(struct repro_options){.dry = true});
    assert_int_equal(o.rc, -1);
    assert_non_null(
        strstr(o.err.text, "failed to reproduce 'b': [Errno 2] No such file or directory: '"));
    strbuf_release(&events);
}

static void a_frozen_stage_never_runs(void **state)
{
    put("dvc.yaml",
        "stages:\n"
        "  a:\n    cmd: cat in a.out\n    deps: [in]\n    outs: [a.out]\n    frozen: true\n"
        "  b:\n    cmd: cat a.out b.out\n    deps: [a.out]\n    outs: [b.out]\n");
    put("in", "1");
    put("a.out", "mine");
    struct run_outcome o = repro(1);
    if (o.rc < 0) {
        fail_msg("%s", o.err.text);
    }
    assert_ran("b");
    assert_non_null(strstr(o.log, "warn stage: 'a' is frozen. Its dependencies are not going to be "
                                  "reproduced.\nnote Verifying outputs in frozen stage: 'a'\n"));
    assert_file("b.out", "mine");
    strbuf_release(&events);
}

static void a_missing_dep_is_told_and_leaves_the_outputs(void **state)
{
    write_chain();
    repro(1);
    strbuf_release(&events);
    fs_remove("in", NULL);
    struct run_outcome o = repro(1);
    assert_int_equal(o.rc, -1);
    assert_int_equal(o.result.exit_code, 255);
    assert_non_null(strstr(o.err.text, "failed to reproduce 'a': "));
    assert_file("a.out", "1");
    strbuf_release(&events);
}

static void an_output_that_was_not_made_is_a_failure(void **state)
{
    put("dvc.yaml", "stages:\n  s:\n    cmd: w other x\n    outs: [zz]\n");
    struct run_outcome o = repro(2);
    assert_int_equal(o.rc, -1);
    assert_string_equal(o.err.text, "failed to reproduce 's': output 'zz' does not exist");
    strbuf_release(&events);
}

/* What a kill leaves: a journal, and a dvc.lock without the last stages. */
static void a_killed_run_is_taken_up(void **state)
{
    write_chain();
    repro(1);
    strbuf_release(&events);
    struct err e = ERR_INIT;
    struct lock *l = lock_read("dvc.lock", "dvc.lock", NULL, &e);
    assert_non_null(l);
    struct journal *j = journal_new(".dvc/tmp/nephron/journal");
    assert_int_equal(journal_append(j, "dvc.yaml", lock_find(l, "b"), &e), 0);
    assert_int_equal(journal_append(j, "dvc.yaml", lock_find(l, "x"), &e), 0);
    journal_close(j, NULL);
    struct strbuf whole, now;
    strbuf_init(&whole);
    strbuf_init(&now);
    assert_int_equal(fs_read("dvc.lock", 0, &whole, NULL), 0);
    lock_remove(l, "b");
    lock_remove(l, "x");
    assert_int_equal(lock_write(l, &e), 0);
    lock_free(l);
    put("x.out", "changed since"); /* so x's record is worth nothing */
    struct run_outcome o = repro_with(1, &(struct repro_options){.no_run_cache = true});
    assert_int_equal(o.rc, 0);
    assert_ran("x");
    assert_non_null(strstr(o.log, "1 stage that it finished is taken over"));
    strbuf_release(&events);
    o = repro(1);
    assert_ran("");
    strbuf_release(&events);
    strbuf_release(&whole);
    strbuf_release(&now);
}

static void the_order_of_ends_does_not_show_in_the_results(void **state)
{
    write_chain();
    repro(4);
    strbuf_release(&events);
    struct strbuf one;
    strbuf_init(&one);
    assert_int_equal(fs_read("c.out", 0, &one, NULL), 0);
    assert_string_equal(one.p, "1");
    strbuf_release(&one);
    struct run_outcome o = repro(4);
    assert_int_equal(o.result.ran, 0);
    strbuf_release(&events);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(runs_what_is_stale_and_then_nothing),
        T(a_change_runs_what_follows_as_far_as_it_reaches),
        T(independent_stages_run_at_the_same_time),
        T(a_failure_stops_the_rest),
        T(keep_going_does_what_does_not_depend_on_it),
        T(ignored_errors_are_no_errors),
        T(a_stage_is_tried_again_as_often_as_its_meta_says),
        T(meta_reaches_the_runner),
        T(a_run_from_the_past_is_restored),
        T(force_runs_all_and_force_downstream_what_follows),
        T(single_item_looks_at_the_target_alone),
        T(dry_touches_nothing),
        T(a_frozen_stage_never_runs),
        T(a_missing_dep_is_told_and_leaves_the_outputs),
        T(an_output_that_was_not_made_is_a_failure),
        T(a_killed_run_is_taken_up),
        T(the_order_of_ends_does_not_show_in_the_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
