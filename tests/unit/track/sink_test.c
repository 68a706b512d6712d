/*
 * The sink against a real redis-server: every key of the contract, and every way in which the
 * server goes away. Emitting is never slowed, and afterwards each record is there exactly once.
 */

#include "sink.h"

#include "clock.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "redis.h"
#include "replay.h"
#include "run.h"
#include "runstore.h"
#include "spool.h"
#include "track_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN "018f3c0000000123456789abcdef0123"
#define KEY "nephron:run:" RUN

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fixture_open(f);
    log_set_level(LOG_ERROR);
    *state = f;
    return 0;
}

static int setup_redis(void **state)
{
    setup(state);
    if (fixture_has_redis()) {
        fixture_start_redis(*state, NULL);
    }
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

#define NEED_REDIS()                                                                               \
    do {                                                                                           \
        if (!fixture_has_redis()) {                                                                \
            print_message("SKIP: redis-server is not installed\n");                                \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static struct sink *open_sink(struct fixture *f)
{
    struct err e = ERR_INIT;
    struct sink *s =
        sink_open(&(struct sink_options){.tracking = &f->tracking, .no_system_metrics = true}, &e);
    assert_non_null(s);
    return s;
}

static void emit_step(struct sink *s, const char *run, int step)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", step);
    event_emit(sink_events(s), EVENT_METRIC, run, "name", "loss", "v", text, "step", text, NULL);
}

static void start(struct sink *s, const char *run)
{
    event_emit(sink_events(s), EVENT_RUN_START, run, "kind", "train", "name", "t", NULL);
}

/* The stream has the steps 0..n-1, each once and in order. */
static void assert_steps(struct fixture *f, int n)
{
    char *expected = malloc((size_t)n * 8 + 1);
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(expected + at, 8, "%d ", i);
    }
    assert_int_equal(FIXTURE_WAIT(f, n, "XLEN", KEY ":metric:loss"), n);
    /* The steps alone, by the server itself: the values in order as one line. */
    const char *text =
        FIXTURE_CLI(f, "EVAL",
                    "local t = {} for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do "
                    "t[#t + 1] = e[2][4] end return redis.sha1hex(table.concat(t, ' ') .. ' ')",
                    "1", KEY ":metric:loss");
    char sum[64];
    snprintf(sum, sizeof(sum), "%s", text);
    const char *want = FIXTURE_CLI(f, "EVAL", "return redis.sha1hex(ARGV[1])", "0", expected);
    assert_string_equal(sum, want);
    free(expected);
}

/* ---- the contract ---- */

static void emit_everything(struct sink *s)
{
    const struct event_sink *ev = sink_events(s);
    event_emit(ev, EVENT_RUN_START, RUN, "kind", "train", "name", "first", "experiment", "Kidney",
               "parent", "00000000000000000000000000000001", "stage", "training", "cmd",
               "nephron train", "git_commit", "abc", "git_dirty", "false", "git_branch", "main",
               "user", "me", "host", "h1", "world_size", "2", "hosts", "h1,h2", "version", "0.1",
               NULL);
    event_emit(ev, EVENT_PARAM, RUN, "EPOCHS", "3", "LEARNING_RATE", "0.01", NULL);
    event_emit(ev, EVENT_TAG, RUN, "cpu_model", "Some CPU", NULL);
    emit_step(s, RUN, 0);
    emit_step(s, RUN, 1);
    event_emit(ev, EVENT_LOG, RUN, "line", "hello", "rank", "1", NULL);
    event_emit(ev, EVENT_STAGE, RUN, "stage", "training", "status", "running", "reason",
               "params changed", "rank", "0", "host", "h1", "start_ms", "1700000000000", NULL);
    event_emit(ev, EVENT_STAGE, RUN, "stage", "training", "status", "finished", "end_ms",
               "1700000005000", "exit_code", "0", NULL);
    event_emit(ev, EVENT_RANK, RUN, "rank", "1", "host", "h2", "pid", "77", "state", "training",
               "stage", "training", "img_per_s", "12.5", "rss_bytes", "1000", NULL);
    event_emit(ev, EVENT_RUN_END, RUN, "status", "failed", "exit_code", "3", "error", "no luck",
               NULL);
}

static void assert_type(struct fixture *f, const char *key, const char *type)
{
    assert_string_equal(FIXTURE_CLI(f, "TYPE", key), type);
}

static void assert_field(struct fixture *f, const char *key, const char *field, const char *value)
{
    assert_string_equal(FIXTURE_CLI(f, "HGET", key, field), value);
}

static void every_key_is_as_the_contract_says(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    struct sink *s = open_sink(f);
    emit_everything(s);
    sink_close(s);

    assert_type(f, "nephron:runs", "zset");
    assert_string_equal(FIXTURE_CLI(f, "ZRANGE", "nephron:runs", "0", "-1"), RUN);
    long long score = atoll(FIXTURE_CLI(f, "ZSCORE", "nephron:runs", RUN));
    assert_true(llabs(score - clock_wall_ms(&clock_system)) < 600000);
    assert_type(f, KEY, "hash");
    static const char *const fields[][2] = {{"kind", "train"},
                                            {"name", "first"},
                                            {"experiment", "Kidney"},
                                            {"status", "failed"},
                                            {"exit_code", "3"},
                                            {"error", "no luck"},
                                            {"stage", "training"},
                                            {"cmd", "nephron train"},
                                            {"git_commit", "abc"},
                                            {"git_dirty", "false"},
                                            {"git_branch", "main"},
                                            {"user", "me"},
                                            {"host", "h1"},
                                            {"world_size", "2"},
                                            {"hosts", "h1,h2"},
                                            {"version", "0.1"},
                                            {"parent", "00000000000000000000000000000001"}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        assert_field(f, KEY, fields[i][0], fields[i][1]);
    }
    assert_true(FIXTURE_NUMBER(f, "HGET", KEY, "start_ms") == score);
    assert_true(FIXTURE_NUMBER(f, "HGET", KEY, "end_ms") >= score);
    assert_true(FIXTURE_NUMBER(f, "HGET", KEY, "heartbeat_ms") >= score);
    assert_type(f, KEY ":params", "hash");
    assert_field(f, KEY ":params", "LEARNING_RATE", "0.01");
    assert_type(f, KEY ":tags", "hash");
    assert_field(f, KEY ":tags", "cpu_model", "Some CPU");
    assert_type(f, KEY ":latest", "hash");
    assert_field(f, KEY ":latest", "loss", "1");
    assert_type(f, KEY ":metric:loss", "stream");
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", KEY ":metric:loss"), 2);
    assert_non_null(
        strstr(FIXTURE_CLI(f, "XRANGE", KEY ":metric:loss", "-", "+"), "\nv\n0\nstep\n0\nt\n"));
    assert_type(f, KEY ":log", "stream");
    assert_non_null(
        strstr(FIXTURE_CLI(f, "XRANGE", KEY ":log", "-", "+"), "\nline\nhello\nrank\n1"));
    assert_type(f, KEY ":stages", "hash");
    assert_field(
        f, KEY ":stages", "training",
        "{\"status\": \"finished\", \"reason\": \"params changed\", \"rank\": 0, \"host\": "
        "\"h1\", \"start_ms\": 1700000000000, \"end_ms\": 1700000005000, \"exit_code\": 0}");
    assert_type(f, KEY ":ranks", "hash");
    const char *rank = FIXTURE_CLI(f, "HGET", KEY ":ranks", "1");
    assert_memory_equal(
        rank,
        "{\"host\": \"h2\", \"pid\": 77, \"state\": \"training\", \"stage\": "
        "\"training\", \"img_per_s\": 12.5, \"rss_bytes\": 1000, \"heartbeat_ms\": 1",
        120);
    assert_type(f, "nephron:events", "stream");
    /* run start, stage running, stage finished, rank state, run end */
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", "nephron:events"), 5);
}

static void a_rank_that_beats_without_change_is_no_event(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    struct sink *s = open_sink(f);
    for (int i = 0; i < 5; i++) {
        event_emit(sink_events(s), EVENT_RANK, RUN, "rank", "0", "state", "training", "host", "h",
                   NULL);
    }
    event_emit(sink_events(s), EVENT_RANK, RUN, "rank", "0", "state", "idle", NULL);
    sink_close(s);
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", "nephron:events"), 2);
    assert_non_null(strstr(FIXTURE_CLI(f, "HGET", KEY ":ranks", "0"), "\"host\": \"h\""));
}

static void logs_are_capped_and_cleaned(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    f->tracking.log_lines = 200;
    struct sink *s = open_sink(f);
    for (int i = 0; i < 3000; i++) {
        event_emit(sink_events(s), EVENT_LOG, RUN, "line", "a\x1b[2J\xff", "rank", "0", NULL);
    }
    sink_close(s);
    long n = FIXTURE_NUMBER(f, "XLEN", KEY ":log");
    assert_true(n >= 200 && n < 500); /* "about" is a node of the stream, 100 entries */
    assert_non_null(strstr(FIXTURE_CLI(f, "XREVRANGE", KEY ":log", "+", "-", "COUNT", "1"),
                           "\nline\na\\x1b[2J?\n"));
}

static void events_that_are_none_are_counted_not_stored(void **state)
{
    struct fixture *f = *state;
    struct sink_state st;
    fixture_use_url(f, "none");
    struct sink *s = open_sink(f);
    event_emit(sink_events(s), EVENT_METRIC, "short", "name", "loss", "v", "1", NULL);
    event_emit(sink_events(s), EVENT_METRIC, RUN, "name", "a\nb", "v", "1", NULL);
    event_emit(sink_events(s), EVENT_METRIC, RUN, "name", "../x*", "v", "1", NULL);
    event_emit(sink_events(s), EVENT_PARAM, RUN, "", "1", NULL);
    event_emit(sink_events(s), EVENT_PARAM, RUN, "ok", "1", NULL);
    sink_state(s, &st);
    assert_int_equal(st.emitted, 1);
    assert_int_equal(st.dropped, 4);
    sink_close(s);
}

/* ---- outages ---- */

static void a_stopped_and_killed_server_slows_nobody_and_loses_nothing(void **state)
{
    enum { STEPS = 6000 };
    struct fixture *f = *state;
    int64_t slowest_us = 0;
    NEED_REDIS();
    struct sink *s = open_sink(f);

    start(s, RUN);
    for (int i = 0; i < STEPS; i++) {
        if (i == 1000) {
            fixture_signal_redis(f, SIGSTOP);
        } else if (i == 3000) {
            fixture_signal_redis(f, SIGKILL);
        } else if (i == 5000) {
            fixture_start_redis(f, NULL);
        }
        int64_t before = clock_mono_us(&clock_system);
        emit_step(s, RUN, i);
        int64_t took = clock_mono_us(&clock_system) - before;
        slowest_us = took > slowest_us ? took : slowest_us;
        if (i % 50 == 0) {
            clock_sleep_us(20000); /* 2.4 s in all: the sender meets every state */
        }
    }
    event_emit(sink_events(s), EVENT_RUN_END, RUN, "status", "finished", NULL);
    sink_close(s);
    /* Mean cost is about a microsecond; the bound only tells a wait for Redis (1 s) from a busy
     * machine. */
    assert_true(slowest_us < 500000);
    assert_steps(f, STEPS);
    assert_field(f, KEY, "status", "finished");
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", "nephron:events"), 2);
}

static void a_server_that_forgot_gets_it_again(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    struct sink *s = open_sink(f);
    start(s, RUN);
    for (int i = 0; i < 500; i++) {
        emit_step(s, RUN, i);
    }
    FIXTURE_WAIT(f, 500, "XLEN", KEY ":metric:loss");
    FIXTURE_CLI(f, "FLUSHALL"); /* also the script: as after restoring an older backup */
    FIXTURE_CLI(f, "SCRIPT", "FLUSH");
    for (int i = 500; i < 700; i++) {
        emit_step(s, RUN, i);
    }
    assert_int_equal(FIXTURE_WAIT(f, 700, "XLEN", KEY ":metric:loss"), 700);
    sink_close(s);
    assert_steps(f, 700);
}

/* A process that emits and is killed in the middle, having told `told` when everything was in its
 * spool. */
static void killed_process(struct fixture *f, int from, int to)
{
    int fds[2];
    char byte;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sink *s = sink_open(
            &(struct sink_options){.tracking = &f->tracking, .no_system_metrics = true}, NULL);
        struct sink_state st;
        if (from == 0) {
            start(s, RUN);
        }
        for (int i = from; i < to; i++) {
            emit_step(s, RUN, i);
        }
        do {
            clock_sleep_us(10000);
            sink_state(s, &st);
        } while (st.written < (uint64_t)(to - from));
        if (write(fds[1], "x", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(fds[0]);
}

static void what_a_killed_process_left_is_sent_by_the_next(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    fixture_signal_redis(f, SIGKILL);
    killed_process(f, 0, 800); /* no server at all */
    assert_true(replay_behind(&f->tracking, NULL, INT64_MAX) >= 800);
    fixture_start_redis(f, NULL);
    killed_process(f, 800, 1600); /* sends left-overs and a part of its own, then dies */
    struct sink *s = open_sink(f);
    for (int i = 1600; i < 1700; i++) {
        emit_step(s, RUN, i);
    }
    sink_close(s);
    assert_steps(f, 1700);
    assert_int_equal(replay_behind(&f->tracking, NULL, INT64_MAX), 0);
    /* Once more: nothing is added. */
    s = open_sink(f);
    sink_close(s);
    assert_steps(f, 1700);
}

static void without_a_server_the_spool_has_it_all(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct err e = ERR_INIT;
    int64_t before = clock_mono_us(&clock_system);
    struct sink *s = open_sink(f); /* the socket does not exist */

    start(s, RUN);
    for (int i = 0; i < 300; i++) {
        emit_step(s, RUN, i);
    }
    sink_close(s);
    assert_true(clock_mono_us(&clock_system) - before < 60000000);
    snprintf(path, sizeof(path), "%s/.nephron/spool/" RUN ".log", f->dir);
    struct spool *sp = spool_adopt(path, &e);
    assert_non_null(sp);
    assert_int_equal(spool_sequence(sp), 301);
    assert_int_equal(spool_close(sp, &e), 0);
    snprintf(path, sizeof(path), "%s/.nephron/.gitignore", f->dir);
    assert_true(fs_is_file(path));
}

static void a_wrong_password_is_an_outage_without_showing_it(void **state)
{
    struct fixture *f = *state;
    char url[200];
    NEED_REDIS();
    FIXTURE_CLI(f, "CONFIG", "SET", "requirepass", "right");
    setenv("REDIS_PASSWORD", "wrong-hunter2", 1);
    struct sink *s = open_sink(f);
    start(s, RUN);
    emit_step(s, RUN, 0);
    sink_close(s);
    struct redis_address a;
    struct err e = ERR_INIT;
    snprintf(url, sizeof(url), "unix://%s", f->socket);
    assert_int_equal(redis_address_parse(&a, url, &e), 0);
    assert_null(redis_open(&a, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_null(strstr(e.text, "hunter2"));
    setenv("REDIS_PASSWORD", "right", 1);
    s = open_sink(f);
    sink_close(s);
    unsetenv("REDIS_PASSWORD");
    setenv("REDISCLI_AUTH", "right", 1);
    long n = FIXTURE_NUMBER(f, "XLEN", KEY ":metric:loss");
    unsetenv("REDISCLI_AUTH");
    assert_int_equal(n, 1);
}

/* After the command `set` (words, NULL at the end) the server refuses writes; after `unset` it does not. */
static void refusal(struct fixture *f, const char *const *set, const char *const *unset)
{
    struct sink *s = open_sink(f);
    start(s, RUN);
    for (int i = 0; i < 100; i++) {
        emit_step(s, RUN, i);
    }
    FIXTURE_WAIT(f, 100, "XLEN", KEY ":metric:loss");
    fixture_cli(f, set);
    for (int i = 100; i < 200; i++) {
        emit_step(s, RUN, i);
    }
    clock_sleep_us(300000);
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", KEY ":metric:loss"), 100);
    fixture_cli(f, unset);
    sink_close(s); /* tries once more at the end */
    assert_steps(f, 200);
}

static void a_full_server_gets_it_when_it_has_room(void **state)
{
    NEED_REDIS();
    const char *set[] = {"CONFIG", "SET", "maxmemory", "1", NULL};
    const char *unset[] = {"CONFIG", "SET", "maxmemory", "0", NULL};
    refusal(*state, set, unset);
}

static void a_read_only_replica_gets_it_when_it_is_master(void **state)
{
    NEED_REDIS();
    const char *set[] = {"REPLICAOF", "127.0.0.1", "1", NULL};
    const char *unset[] = {"REPLICAOF", "NO", "ONE", NULL};
    refusal(*state, set, unset);
}

static void a_key_of_another_type_costs_only_itself(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    FIXTURE_CLI(f, "SET", KEY ":metric:loss", "mine");
    struct sink *s = open_sink(f);
    start(s, RUN);
    emit_step(s, RUN, 0);
    event_emit(sink_events(s), EVENT_PARAM, RUN, "a", "b", NULL);
    sink_close(s);
    assert_field(f, KEY ":params", "a", "b");
    assert_string_equal(FIXTURE_CLI(f, "GET", KEY ":metric:loss"), "mine");
}

static void two_writers_of_one_run_do_not_disturb_each_other(void **state)
{
    struct fixture *f = *state;
    NEED_REDIS();
    struct sink *a = open_sink(f), *b = open_sink(f);
    start(a, RUN);
    for (int i = 0; i < 400; i++) {
        emit_step(a, RUN, i);
        event_emit(sink_events(b), EVENT_METRIC, RUN, "name", "other", "v", "1", NULL);
    }
    sink_close(b);
    sink_close(a);
    assert_steps(f, 400);
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", KEY ":metric:other"), 400);
}

static void many_runs_do_not_hold_many_files(void **state)
{
    enum { RUNS = 300 };
    struct fixture *f = *state;
    int open_files = 0;
    NEED_REDIS();
    struct sink *s = open_sink(f);
    for (int i = 0; i < RUNS; i++) {
        char id[33];
        snprintf(id, sizeof(id), "018f3c%026x", (unsigned)i);
        start(s, id);
        event_emit(sink_events(s), EVENT_RUN_END, id, "status", "finished", NULL);
        if (i % 10 == 9) {
            clock_sleep_us(30000);
        }
    }
    FIXTURE_WAIT(f, RUNS, "ZCARD", "nephron:runs");
    clock_sleep_us(1500000); /* a round of the writer */
    for (int fd = 0; fd < 1024; fd++) {
        open_files += fcntl(fd, F_GETFD) >= 0;
    }
    assert_true(open_files < 150);
    sink_close(s);
    assert_int_equal(FIXTURE_NUMBER(f, "ZCARD", "nephron:runs"), RUNS);
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", "nephron:events"), 2 * RUNS);
}

/* ---- the sink's own records ---- */

static void hearts_beat_and_the_system_is_sampled(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    NEED_REDIS();
    struct sink *s = sink_open(
        &(struct sink_options){
            .tracking = &f->tracking, .rank = 1, .world = 2, .heartbeat_ms = 50, .system_ms = 100},
        &e);
    assert_non_null(s);
    start(s, RUN);
    for (int i = 0; i < 400 && FIXTURE_NUMBER(f, "XLEN", KEY ":metric:system/1/cpu_percent") < 2;
         i++) {
        clock_sleep_us(50000);
    }
    assert_true(FIXTURE_NUMBER(f, "XLEN", KEY ":metric:system/1/cpu_percent") >= 2);
    assert_true(FIXTURE_NUMBER(f, "HGET", KEY ":latest", "system/1/memory_bytes") > 100000);
    assert_true(FIXTURE_NUMBER(f, "HGET", KEY, "heartbeat_ms") >
                FIXTURE_NUMBER(f, "HGET", KEY, "start_ms"));
    event_emit(sink_events(s), EVENT_RUN_END, RUN, NULL);
    sink_close(s);
    assert_field(f, KEY, "status", "finished");
}

static void a_short_run_has_one_sample(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    NEED_REDIS();
    struct sink *s = sink_open(&(struct sink_options){.tracking = &f->tracking}, &e);
    start(s, RUN);
    event_emit(sink_events(s), EVENT_RUN_END, RUN, NULL);
    sink_close(s);
    assert_int_equal(FIXTURE_NUMBER(f, "XLEN", KEY ":metric:system/memory_bytes"), 1);
}

static void a_full_spool_is_thinned_but_keeps_last_values(void **state)
{
    struct fixture *f = *state;
    struct sink_state st;
    struct err e = ERR_INIT;
    NEED_REDIS();
    struct sink *s = sink_open(&(struct sink_options){.tracking = &f->tracking,
                                                      .no_system_metrics = true,
                                                      .spool_max_bytes = 20000},
                               &e);
    start(s, RUN);
    for (int i = 0; i < 20000; i++) {
        emit_step(s, RUN, i);
    }
    event_emit(sink_events(s), EVENT_PARAM, RUN, "late", "kept", NULL);
    event_emit(sink_events(s), EVENT_RUN_END, RUN, NULL);
    sink_state(s, &st);
    sink_close(s);
    long n = FIXTURE_NUMBER(f, "XLEN", KEY ":metric:loss");
    assert_true(n > 200 && n < 5000);
    assert_field(f, KEY ":latest", "loss", "19999");
    assert_field(f, KEY ":params", "late", "kept");
    assert_field(f, KEY, "status", "finished");
}

static void a_folder_that_cannot_be_written_does_not_stop_redis(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct err e = ERR_INIT;
    NEED_REDIS();
    snprintf(path, sizeof(path), "%s/.nephron", f->dir);
    assert_int_equal(fs_write_atomic(path, "a file", 6, 0644, &e), 0);
    struct sink *s = open_sink(f);
    start(s, RUN);
    for (int i = 0; i < 50; i++) {
        emit_step(s, RUN, i);
    }
    sink_close(s);
    assert_steps(f, 50);
}

static void old_spools_that_are_sent_go_away(void **state)
{
    struct fixture *f = *state;
    char path[160];
    NEED_REDIS();
    struct sink *s = open_sink(f);
    start(s, RUN);
    sink_close(s);
    snprintf(path, sizeof(path), "%s/.nephron/spool/" RUN ".log", f->dir);
    assert_true(fs_is_file(path));
    s = open_sink(f);
    sink_close(s);
    assert_true(fs_is_file(path)); /* younger than a day */
    struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    s = open_sink(f);
    sink_close(s);
    assert_false(fs_exists(path));
    assert_string_equal(FIXTURE_CLI(f, "ZRANGE", "nephron:runs", "0", "-1"), RUN);
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_redis, teardown)
#define PLAIN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_TEST(every_key_is_as_the_contract_says),
        REDIS_TEST(a_rank_that_beats_without_change_is_no_event),
        REDIS_TEST(logs_are_capped_and_cleaned),
        PLAIN_TEST(events_that_are_none_are_counted_not_stored),
        REDIS_TEST(a_stopped_and_killed_server_slows_nobody_and_loses_nothing),
        REDIS_TEST(a_server_that_forgot_gets_it_again),
        REDIS_TEST(what_a_killed_process_left_is_sent_by_the_next),
        PLAIN_TEST(without_a_server_the_spool_has_it_all),
        REDIS_TEST(a_wrong_password_is_an_outage_without_showing_it),
        REDIS_TEST(a_full_server_gets_it_when_it_has_room),
        REDIS_TEST(a_read_only_replica_gets_it_when_it_is_master),
        REDIS_TEST(a_key_of_another_type_costs_only_itself),
        REDIS_TEST(two_writers_of_one_run_do_not_disturb_each_other),
        REDIS_TEST(many_runs_do_not_hold_many_files),
        REDIS_TEST(hearts_beat_and_the_system_is_sampled),
        REDIS_TEST(a_short_run_has_one_sample),
        REDIS_TEST(a_full_spool_is_thinned_but_keeps_last_values),
        REDIS_TEST(a_folder_that_cannot_be_written_does_not_stop_redis),
        REDIS_TEST(old_spools_that_are_sent_go_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
