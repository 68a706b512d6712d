/* Settings, the facts of a run, and reading runs: the same answers from Redis and from the spool.
 */

#include "run.h"

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "event.h"
#include "fs.h"
#include "json.h"
#include "log.h"
#include "run_facts.h"
#include "runread.h"
#include "runstore.h"
#include "sink.h"
#include "str.h"
#include "track_fixture.h"
#include "value.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fixture_open(f);
    log_set_level(LOG_ERROR);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* ---- settings ---- */

static void write_config(struct fixture *f, const char *text)
{
    char path[128];
    struct err e = ERR_INIT;
    snprintf(path, sizeof(path), "%s/config/config.yaml", f->dir);
    assert_int_equal(fs_mkdirs_for(path, &e), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &e), 0);
}

static void settings_have_defaults_and_places(void **state)
{
    struct fixture *f = *state;
    struct tracking t;
    struct err e = ERR_INIT;

    unsetenv("NEPHRON_REDIS_URL");
    assert_int_equal(tracking_load(&t, f->dir, &e), 0);
    assert_string_equal(t.redis_url, "auto");
    assert_string_equal(t.prefix, "nephron:");
    assert_int_equal(t.log_lines, 10000);
    tracking_release(&t);
    write_config(f, "artifacts_root: artifacts\n"
                    "tracking:\n  redis_url: redis://h:7/1\n  prefix: 'team.'\n  log_lines: 50\n");
    assert_int_equal(tracking_load(&t, f->dir, &e), 0);
    assert_string_equal(t.redis_url, "redis://h:7/1");
    assert_string_equal(t.prefix, "team.");
    assert_int_equal(t.log_lines, 50);
    tracking_release(&t);
    setenv("NEPHRON_REDIS_URL", "unix:///x", 1);
    assert_int_equal(tracking_load(&t, f->dir, &e), 0);
    assert_string_equal(t.redis_url, "unix:///x");
    tracking_release(&t);
    unsetenv("NEPHRON_REDIS_URL");
}

static void bad_settings_name_the_key(void **state)
{
    static const char *const bad[][2] = {
        {"tracking: 5\n", "tracking"},
        {"tracking:\n  redis_url: 5\n", "redis_url"},
        {"tracking:\n  redis_url: ftp://x\n", "redis_url"},
        {"tracking:\n  prefix: 'a b'\n", "prefix"},
        {"tracking:\n  log_lines: 0\n", "log_lines"},
        {"tracking:\n  log_lines: many\n", "log_lines"},
        {"tracking: [\n", "config.yaml"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tracking t;
        struct err e = ERR_INIT;
        write_config(f, bad[i][0]);
        assert_int_equal(tracking_load(&t, f->dir, &e), -1);
        assert_non_null(strstr(e.text, bad[i][1]));
        assert_non_null(strstr(e.text, "config/config.yaml"));
    }
}

static void the_project_is_the_nearest_dvc_folder(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    struct err e = ERR_INIT;
    char path[128];

    arena_init(&a);
    snprintf(path, sizeof(path), "%s/sub/deep", f->dir);
    assert_int_equal(fs_mkdirs(path, &e), 0);
    assert_string_equal(tracking_project(&a, path), path);
    char file[160];
    snprintf(file, sizeof(file), "%s/sub/dvc.yaml", f->dir);
    assert_int_equal(fs_write_atomic(file, "\n", 1, 0644, &e), 0);
    *strrchr(file, '/') = '\0';
    assert_string_equal(tracking_project(&a, path), file);
    snprintf(file, sizeof(file), "%s/.dvc", f->dir);
    assert_int_equal(fs_mkdirs(file, &e), 0);
    assert_string_equal(tracking_project(&a, path), f->dir);
    arena_release(&a);
}

/* ---- facts ---- */

static void secrets_are_taken_out(void **state)
{
    static const char *const cases[][2] = {
        {"nephron train", "nephron train"},
        {"redis://me:hunter2@h:1/0", "redis://me:[redacted]@h:1/0"},
        {"https://token@h/x", "https://[redacted]@h/x"},
        {"https://h/x?sig=1&token=abc&b=2", "https://h/x?sig=1&token=[redacted]&b=2"},
        {"--api-key=abc --epochs=3", "--api-key=[redacted] --epochs=3"},
        {"AKIAIOSFODNN7EXAMPLE", "[redacted]"},
        {"a ghp_0123456789abcdef0123 b", "a [redacted] b"},
        {"-----BEGIN RSA PRIVATE KEY----- MII", "[redacted]"},
        {"redis://h:1/0 me@host", "redis://h:1/0 me@host"},
        {"PATH=/usr/bin", "PATH=/usr/bin"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b;
        strbuf_init(&b);
        redact_text(&b, str_from(cases[i][0]));
        assert_string_equal(b.p, cases[i][1]);
        strbuf_release(&b);
    }
    static const char *const secret[] = {"AWS_SECRET_ACCESS_KEY",    "GITHUB_TOKEN",  "PGPASSWORD",
                                         "MLFLOW_TRACKING_PASSWORD", "REDISCLI_AUTH", "api-key"};
    static const char *const open[] = {"PATH",     "PWD", "OLDPWD", "OMP_NUM_THREADS",
                                       "KEYBOARD", "HOME"};
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
        assert_true(redact_is_secret_name(str_from(secret[i])));
    }
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        assert_false(redact_is_secret_name(str_from(open[i])));
    }
}

static void the_environment_is_json_without_secrets(void **state)
{
    char *env[] = {"B=\"quoted\"", "A=1", "MY_TOKEN=hunter2", "URL=http://u:hunter2@h", "=odd",
                   "noequals",     NULL};
    struct arena a;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a);
    const char *text = run_facts_environment(&a, env);
    assert_null(strstr(text, "hunter2"));
    struct value *v = json_parse(&a, str_from(text), "environment", &e);
    assert_non_null(v);
    assert_string_equal(value_as_str(value_get(v, "A")).p, "1");
    assert_string_equal(value_as_str(value_get(v, "B")).p, "\"quoted\"");
    assert_string_equal(value_as_str(value_get(v, "MY_TOKEN")).p, "[redacted]");
    arena_release(&a);
}

static void the_environment_has_a_limit(void **state)
{
    char *env[2001], *text = malloc(2000 * 64);
    struct arena a;
    struct err e = ERR_INIT;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        env[i] = text + i * 64;
        snprintf(env[i], 64, "VARIABLE_%04d=some value of it", i);
    }
    env[2000] = NULL;
    arena_init(&a);
    const char *json = run_facts_environment(&a, env);
    assert_true(strlen(json) <= 8000);
    assert_non_null(json_parse(&a, str_from(json), "environment", &e));
    arena_release(&a);
    free(text);
}

/* Collects `key=value` lines. */
static void collect(void *ctx, const struct event *ev)
{
    struct strbuf *b = ctx;
    for (size_t i = 0; i < ev->field_count; i++) {
        strbuf_addf(b, "%s %s=%s\n", event_kind_name(ev->kind), ev->fields[i].key,
                    ev->fields[i].value);
    }
}

static void params_are_flattened_as_python_prints_them(void **state)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct strbuf b;
    struct event_sink sink = {collect, &b};
    struct run run;

    (void)state;
    arena_init(&a);
    strbuf_init(&b);
    run_join(&run, &sink, "018f3c0000000123456789abcdef0123");
    struct value *v = json_parse(&a,
                                 STR("{\"A\": {\"b\": 0.01, \"c\": true}, \"L\": [1, \"x\"], "
                                     "\"N\": null, \"E\": {}, \"S\": \"t\"}"),
                                 "params", &e);
    run_params(&run, v);
    assert_string_equal(b.p, "param A.b=0.01\nparam A.c=True\nparam L=[1, 'x']\nparam N=None\n"
                             "param E={}\nparam S=t\n");
    strbuf_release(&b);
    arena_release(&a);
}

static void a_run_begins_with_its_facts(void **state)
{
    struct fixture *f = *state;
    struct strbuf b;
    struct event_sink sink = {collect, &b};
    struct run run;
    char command[512];
    char *argv[] = {"nephron", "train", "--password", "hunter2", "a b"};

    snprintf(
        command, sizeof(command),
        "cd %s && git init -q -b trunk . && echo a >f && git add f && "
        "git -c user.name=n -c user.email=e@x commit -q -m m && echo b >f && echo k: v >dvc.lock",
        f->dir);
    bool has_git = system("git --version >/dev/null 2>&1") == 0 && system(command) == 0;
    strbuf_init(&b);
    setenv("NEPHRON_PARENT_RUN", "018f3c0000000123456789abcdef0123", 1);
    run_begin(&run, &sink,
              &(struct run_options){
                  .kind = "train", .project = f->dir, .argc = 5, .argv = argv, .world_size = 4});
    unsetenv("NEPHRON_PARENT_RUN");
    assert_int_equal(strlen(run.id), 32);
    assert_non_null(strstr(b.p, "run_start kind=train\n"));
    assert_non_null(strstr(b.p, "run_start name=train\n"));
    assert_non_null(strstr(b.p, "run_start parent=018f3c0000000123456789abcdef0123\n"));
    assert_non_null(strstr(b.p, "run_start status=running\n"));
    assert_non_null(strstr(b.p, "run_start cmd=nephron train --password '[redacted]' 'a b'\n"));
    assert_non_null(strstr(b.p, "run_start world_size=4\n"));
    assert_non_null(strstr(b.p, "run_start version="));
    assert_non_null(strstr(b.p, "tag environment={"));
    assert_null(strstr(b.p, "hunter2"));
    if (has_git) {
        char path[160];
        assert_non_null(strstr(b.p, "run_start git_branch=trunk\n"));
        assert_non_null(strstr(b.p, "run_start git_dirty=true\n"));
        assert_non_null(strstr(b.p, "tag dvc_lock_md5="));
        snprintf(path, sizeof(path), "%s/.nephron/runs/%s/git.diff", f->dir, run.id);
        struct strbuf diff;
        strbuf_init(&diff);
        assert_int_equal(fs_read(path, 0, &diff, NULL), 0);
        assert_non_null(strstr(diff.p, "+b\n"));
        strbuf_release(&diff);
    }
    strbuf_release(&b);
}

static void nobody_listening_is_fine(void **state)
{
    struct run run;
    (void)state;
    run_begin(&run, NULL, &(struct run_options){.kind = "train"});
    assert_int_equal(strlen(run.id), 32);
    run_metric(&run, "loss", 1, 1.0);
    run_stage(&run, &(struct run_stage){.stage = "s"});
    run_rank(&run, &(struct run_rank){.rank = 0});
    run_finish(&run, RUN_FAILED, 1, "x");
    sink_close(NULL);
    assert_null(sink_events(NULL));
}

/* ---- reading ---- */

static void tell_a_story(struct fixture *f, struct run *run, const char *id, const char *name)
{
    struct err e = ERR_INIT;
    struct sink *s =
        sink_open(&(struct sink_options){.tracking = &f->tracking, .no_system_metrics = true}, &e);
    assert_non_null(s);
    run_begin(run, sink_events(s),
              &(struct run_options){.id = id, .kind = "train", .name = name, .light = true});
    run_param(run, "EPOCHS", "3");
    for (int i = 0; i < 20; i++) {
        run_metric(run, "loss", i, 1.0 / (i + 1));
    }
    run_log_line(run, 0, "one");
    run_log_line(run, 1, "two");
    run_stage(run, &(struct run_stage){.stage = "train", .status = "running", .reason = "new"});
    run_stage(run, &(struct run_stage){
                       .stage = "train", .status = "finished", .rank = -1, .ended = true});
    run_rank(run, &(struct run_rank){.rank = 1, .state = "idle", .img_per_s = 2.5});
    sink_close(s);
}

static void text_of_run(struct fixture *f, const char *id, bool *is_redis, struct strbuf *out)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct run_record run;
    struct metric_point *points;
    struct log_line *lines;
    struct runread_place place = {0}, log_place = {0};
    size_t count;

    arena_init(&a);
    struct runread *r = runread_open(&f->tracking, &e);
    *is_redis = runread_is_redis(r);
    assert_int_equal(runread_run(r, &a, id, &run, &e), 0);
    const struct value *maps[] = {run.fields, run.params, run.tags,
                                  run.latest, run.stages, run.ranks};
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        json_write(out, maps[i], &(struct json_style){.sort_keys = true});
        strbuf_addch(out, '\n');
    }
    assert_int_equal(runread_metric(r, &a, id, "loss", &place, &points, &count, &e), 0);
    assert_int_equal(count, 20);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "%lld %.17g\n", (long long)points[i].step, points[i].v);
    }
    assert_int_equal(runread_metric(r, &a, id, "loss", &place, &points, &count, &e), 0);
    assert_int_equal(count, 0); /* nothing new */
    assert_int_equal(runread_log(r, &a, id, &log_place, &lines, &count, &e), 0);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "%s: %s\n", lines[i].rank, lines[i].line);
    }
    runread_close(r);
    arena_release(&a);
}

static void redis_and_spool_give_the_same_answers(void **state)
{
    struct fixture *f = *state;
    struct strbuf from_redis, from_spool;
    struct run run;
    bool is_redis;

    if (!fixture_has_redis()) {
        print_message("SKIP: redis-server is not installed\n");
        skip();
    }
    fixture_start_redis(f, NULL);
    tell_a_story(f, &run, NULL, "same");
    strbuf_init(&from_redis);
    strbuf_init(&from_spool);
    text_of_run(f, run.id, &is_redis, &from_redis);
    assert_true(is_redis);
    fixture_use_url(f, "none");
    text_of_run(f, run.id, &is_redis, &from_spool);
    assert_false(is_redis);
    assert_string_equal(from_redis.p, from_spool.p);
    assert_non_null(strstr(from_spool.p, "\"reason\": \"new\", \"status\": \"finished\""));
    strbuf_release(&from_redis);
    strbuf_release(&from_spool);
}

static void ids_are_resolved_and_unknown_ones_refused(void **state)
{
    struct fixture *f = *state;
    struct run run;
    struct arena a;
    const char *id;

    fixture_use_url(f, "none");
    tell_a_story(f, &run, "aaaa0000000000000000000000000001", "x");
    tell_a_story(f, &run, "aabb0000000000000000000000000002", "y");
    arena_init(&a);
    struct runread *r = runread_open(&f->tracking, NULL);
    struct err e = ERR_INIT;
    assert_int_equal(runread_resolve(r, &a, "latest", &id, &e), 0);
    assert_string_equal(id, "aabb0000000000000000000000000002");
    assert_int_equal(runread_resolve(r, &a, "aaa", &id, &e), 0);
    assert_string_equal(id, "aaaa0000000000000000000000000001");
    assert_int_equal(runread_resolve(r, &a, "aa", &id, &e), -1);
    assert_non_null(strstr(e.text, "2 runs"));
    assert_int_equal(runread_resolve(r, &a, "aabc", &id, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    assert_non_null(strstr(e.text, "did you mean aabb00000000,"));
    assert_int_equal(runread_resolve(r, &a, "", &id, &e), -1);
    runread_close(r);
    arena_release(&a);
}

static int64_t lost_now_ms;
static int64_t lost_wall(void *ctx)
{
    return lost_now_ms;
}
static int64_t lost_mono(void *ctx)
{
    return lost_now_ms * 1000;
}

/* A run that is told to be running, its last sign `age_ms` ago. */
static const char *status_after(struct fixture *f, struct arena *a, const char *id, int64_t age_ms)
{
    struct err e = ERR_INIT;
    struct run_record run;
    struct clock old = {lost_wall, lost_mono, NULL};

    lost_now_ms = clock_wall_ms(&clock_system) - age_ms;
    struct sink *s = sink_open(
        &(struct sink_options){.tracking = &f->tracking, .no_system_metrics = true, .clock = &old},
        &e);
    struct event_field fields[] = {{"kind", "train"}, {"status", "running"}};
    struct event ev = {EVENT_RUN_START, id, lost_now_ms, fields, 2};
    sink_events(s)->emit(sink_events(s)->ctx, &ev);
    sink_close(s);
    struct runread *r = runread_open(&f->tracking, NULL);
    assert_int_equal(runread_run(r, a, id, &run, &e), 0);
    runread_close(r);
    return value_as_str(value_get(run.fields, "status")).p;
}

static void a_run_without_sign_of_life_is_lost(void **state)
{
    struct fixture *f = *state;
    struct arena a;

    fixture_use_url(f, "none");
    arena_init(&a);
    assert_string_equal(
        status_after(f, &a, "aaaa0000000000000000000000000001", RUNSTORE_LOST_MS / 2), "running");
    assert_string_equal(
        status_after(f, &a, "aaaa0000000000000000000000000002", RUNSTORE_LOST_MS + 1000), "lost");
    arena_release(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_have_defaults_and_places),
        TEST(bad_settings_name_the_key),
        TEST(the_project_is_the_nearest_dvc_folder),
        TEST(secrets_are_taken_out),
        TEST(the_environment_is_json_without_secrets),
        TEST(the_environment_has_a_limit),
        TEST(params_are_flattened_as_python_prints_them),
        TEST(a_run_begins_with_its_facts),
        TEST(nobody_listening_is_fine),
        TEST(redis_and_spool_give_the_same_answers),
        TEST(ids_are_resolved_and_unknown_ones_refused),
        TEST(a_run_without_sign_of_life_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
