/* The private redis-server: one for a project however many start it, also below long paths, gone
 * after stop. */

#include "redis_server.h"

#include "clock.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "redis.h"
#include "run.h"
#include "runread.h"
#include "sink.h"
#include "track_fixture.h"
#include "value.h"

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

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fixture_open(f);
    fixture_use_url(f, "auto");
    log_set_level(LOG_ERROR);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pid_t pid;
    if (redis_server_alive(&f->tracking, &pid)) {
        redis_server_stop(&f->tracking, NULL);
    }
    if (redis_server_alive(&f->tracking, &pid) && pid > 0) {
        kill(pid, SIGKILL); /* a test that failed with a stopped server */
    }
    fixture_close(f);
    free(f);
    return 0;
}

#define NEED_REDIS()                                                                               \
    do {                                                                                           \
        if (!fixture_has_redis()) {                                                                \
            print_message("SKIP: redis-server is not installed\n");                                \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void started_once_by_many(void **state)
{
    enum { STARTERS = 8 };
    struct fixture *f = *state;
    pid_t children[STARTERS], pid, again;
    int starters = 0, failures = 0;
    NEED_REDIS();

    assert_false(redis_server_alive(&f->tracking, NULL));
    assert_false(redis_server_has_data(&f->tracking));
    for (int i = 0; i < STARTERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            bool started;
            struct err e = ERR_INIT;
            int rc = redis_server_start(&f->tracking, &started, &e);
            _exit(rc < 0 ? 2 : started);
        }
    }
    for (int i = 0; i < STARTERS; i++) {
        int status;
        waitpid(children[i], &status, 0);
        assert_true(WIFEXITED(status));
        starters += WEXITSTATUS(status) == 1;
        failures += WEXITSTATUS(status) > 1;
    }
    assert_int_equal(starters, 1);
    assert_int_equal(failures, 0);
    assert_true(redis_server_alive(&f->tracking, &pid));
    assert_true(pid > 1);
    assert_true(getsid(pid) != getsid(0)); /* the terminal's end is not its end */

    struct err e = ERR_INIT;
    bool started = true;
    assert_int_equal(redis_server_start(&f->tracking, &started, &e), 0);
    assert_false(started);
    assert_true(redis_server_alive(&f->tracking, &again));
    assert_int_equal(pid, again);
    assert_int_equal(redis_server_stop(&f->tracking, &e), 0);
    assert_false(redis_server_alive(&f->tracking, NULL));
    assert_true(redis_server_has_data(&f->tracking));
    assert_int_equal(redis_server_stop(&f->tracking, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
}

static void data_survive_stop_and_kill(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    pid_t pid;
    NEED_REDIS();

    struct redis *r = redis_connect(&f->tracking, true, &e);
    assert_non_null(r);
    redis_reply_free(redis_command(r, &e, "SET", "k", "v1", NULL));
    redis_close(r);
    assert_int_equal(redis_server_stop(&f->tracking, &e), 0);
    assert_null(redis_connect(&f->tracking, false, &e));
    assert_int_equal(e.code, ERR_MISSING);
    r = redis_connect(&f->tracking, true, &e);
    assert_non_null(r);
    redis_close(r);
    assert_true(redis_server_alive(&f->tracking, &pid));
    kill(pid, SIGKILL);
    for (int i = 0; i < 500 && redis_server_alive(&f->tracking, NULL); i++) {
        clock_sleep_us(10000);
    }
    r = redis_connect(&f->tracking, true, &e); /* the stale socket is no hindrance */
    assert_non_null(r);
    struct redisReply *reply = redis_command(r, &e, "EXISTS", "k", NULL);
    assert_non_null(reply);
    redis_reply_free(reply);
    redis_close(r);
}

static void it_holds_nothing_of_its_starter(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    int fds[2];
    char byte;
    NEED_REDIS();

    assert_int_equal(pipe(fds), 0); /* without O_CLOEXEC, as a shell's pipeline */
    assert_int_equal(redis_server_start(&f->tracking, NULL, &e), 0);
    close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

static void a_hung_server_is_busy_not_doubled(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    pid_t pid;
    NEED_REDIS();

    assert_int_equal(redis_server_start(&f->tracking, NULL, &e), 0);
    assert_true(redis_server_alive(&f->tracking, &pid));
    kill(pid, SIGSTOP);
    int rc = redis_server_start(&f->tracking, NULL, &e);
    kill(pid, SIGCONT);
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_int_equal(redis_server_start(&f->tracking, NULL, &e), 0);
}

static void a_long_path_gets_a_short_socket(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    struct redis_address a, b;
    char deep[400];
    NEED_REDIS();

    int n = snprintf(deep, sizeof(deep), "%s", f->dir);
    for (int i = 0; i < 5; i++) {
        n += snprintf(deep + n, sizeof(deep) - (size_t)n, "/a folder with a 'long' name, number %d",
                      i);
    }
    assert_int_equal(fs_mkdirs(deep, &e), 0);
    free(f->tracking.project);
    f->tracking.project = strdup(deep);
    struct redis *r = redis_connect(&f->tracking, true, &e);
    assert_non_null(r);
    redis_close(r);
    assert_int_equal(redis_server_address(&f->tracking, false, &a, &e), 0);
    assert_int_equal(redis_server_address(&f->tracking, false, &b, &e), 0);
    assert_string_equal(a.path, b.path);
    assert_true(strlen(a.path) < 100);
    assert_int_equal(redis_server_stop(&f->tracking, &e), 0);
    /* What is recorded is not believed when it leads elsewhere. */
    char record[512];
    snprintf(record, sizeof(record), "%s/.nephron/redis/socket", deep);
    assert_int_equal(fs_write_atomic(record, "/tmp/evil/redis.sock", 20, 0600, &e), 0);
    assert_int_equal(redis_server_address(&f->tracking, false, &b, &e), -1);
    /* Tidy: the link's folder is outside of the project. */
    *strrchr(a.path, '/') = '\0';
    unlink(a.path);
    *strrchr(a.path, '/') = '\0';
    rmdir(a.path);
}

static void the_sink_starts_it_and_the_reader_finds_the_run(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    struct run run;
    struct arena a;
    struct run_record record;
    NEED_REDIS();

    struct sink *s = sink_open(&(struct sink_options){.tracking = &f->tracking}, &e);
    run_begin(&run, sink_events(s),
              &(struct run_options){.kind = "train", .project = f->dir, .world_size = 2});
    run_metric(&run, "val_loss", 3, 0.25);
    run_finish(&run, RUN_FINISHED, 0, NULL);
    sink_close(s);
    assert_true(redis_server_alive(&f->tracking, NULL));
    assert_int_equal(redis_server_stop(&f->tracking, &e), 0);
    /* The reader starts it again, since it has runs. */
    struct runread *r = runread_open(&f->tracking, &e);
    assert_true(runread_is_redis(r));
    arena_init(&a);
    assert_int_equal(runread_run(r, &a, run.id, &record, &e), 0);
    assert_string_equal(value_as_str(value_get(record.fields, "status")).p, "finished");
    assert_string_equal(value_as_str(value_get(record.fields, "world_size")).p, "2");
    assert_string_equal(value_as_str(value_get(record.latest, "val_loss")).p, "0.25");
    arena_release(&a);
    runread_close(r);
}

static void without_the_program_it_says_the_package(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char *path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin");

    setenv("PATH", f->dir, 1);
    int rc = redis_server_start(&f->tracking, NULL, &e);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_MISSING);
    assert_non_null(strstr(e.text, "Debian package redis-server"));
    assert_false(redis_server_alive(&f->tracking, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(started_once_by_many),
        TEST(data_survive_stop_and_kill),
        TEST(it_holds_nothing_of_its_starter),
        TEST(a_hung_server_is_busy_not_doubled),
        TEST(a_long_path_gets_a_short_socket),
        TEST(the_sink_starts_it_and_the_reader_finds_the_run),
        TEST(without_the_program_it_says_the_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
