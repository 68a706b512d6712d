/* Addresses, and what a server may send: nothing of it crashes, hangs or is believed unseen. */

#include "redis.h"

#include "arena.h"
#include "err.h"
#include "runread.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void addresses_are_taken_apart(void **state)
{
    struct redis_address a;
    struct err e = ERR_INIT;

    (void)state;
    unsetenv("REDIS_PASSWORD");
    assert_int_equal(redis_address_parse(&a, "redis://me:p%40s%3As@db.example:7000/3", &e), 0);
    assert_string_equal(a.user, "me");
    assert_string_equal(a.password, "p@s:s");
    assert_string_equal(a.host, "db.example");
    assert_int_equal(a.port, 7000);
    assert_int_equal(a.db, 3);
    assert_int_equal(redis_address_parse(&a, "redis://:only@h", &e), 0);
    assert_string_equal(a.user, "");
    assert_string_equal(a.password, "only");
    assert_int_equal(a.port, 6379);
    assert_int_equal(redis_address_parse(&a, "redis://[::1]:6380/", &e), 0);
    assert_string_equal(a.host, "::1");
    assert_int_equal(a.port, 6380);
    assert_int_equal(redis_address_parse(&a, "unix:///run/my%20redis.sock?db=2", &e), 0);
    assert_true(a.is_unix);
    assert_string_equal(a.path, "/run/my redis.sock");
    assert_int_equal(a.db, 2);
}

static void the_password_may_come_from_the_environment(void **state)
{
    struct redis_address a;
    struct err e = ERR_INIT;

    (void)state;
    setenv("REDIS_PASSWORD", "from-env", 1);
    assert_int_equal(redis_address_parse(&a, "redis://h", &e), 0);
    assert_string_equal(a.password, "from-env");
    assert_int_equal(redis_address_parse(&a, "redis://:mine@h", &e), 0);
    assert_string_equal(a.password, "mine");
    unsetenv("REDIS_PASSWORD");
}

static void bad_addresses_are_refused_without_showing_secrets(void **state)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "http://h",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@h:0",
        "redis://:hunter2@h:65536",
        "redis://:hunter2@h:12x",
        "redis://:hunter2%4@h",
        "redis://:hunter2%00@h",
        "redis://:hunter2@h/x",
        "redis://:hunter2@h/-1",
        "redis://:hunter2@[::1",
        "redis://:hunter2@-oProxy",
        "rediss://:hunter2@h",
        "unix://relative",
        "unix:///a?db=x",
        ("unix:///aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct redis_address a;
        struct err e = ERR_INIT;
        assert_int_equal(redis_address_parse(&a, bad[i], &e), -1);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_null(strstr(e.text, "hunter2"));
    }
}

static void messages_show_no_password(void **state)
{
    struct redis_address a;
    struct err e = ERR_INIT;
    char text[REDIS_ADDRESS_TEXT];

    (void)state;
    assert_int_equal(redis_address_parse(&a, "redis://me:hunter2@127.0.0.1:1/0", &e), 0);
    redis_address_text(&a, text);
    assert_string_equal(text, "redis://127.0.0.1:1/0");
    assert_null(redis_open(&a, &e)); /* nobody listens on port 1 */
    assert_int_equal(e.code, ERR_REMOTE);
    assert_null(strstr(e.text, "hunter2"));
}

/* A connection whose server says `bytes` and then closes (or not). */
static struct redis *fake_server(const char *bytes, size_t n, bool leave_open, int *other)
{
    int pair[2];
    struct err e = ERR_INIT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], bytes, n), n);
    if (leave_open) {
        *other = pair[1];
    } else {
        shutdown(pair[1], SHUT_WR); /* still takes what we send */
        *other = pair[1];
    }
    struct redis *r = redis_from_fd(pair[0], &e);
    assert_non_null(r);
    redis_set_timeout(r, 100);
    return r;
}

static void malformed_replies_end_the_connection(void **state)
{
    static const char *const bad[] = {
        "",
        "?\r\n",
        "rubbish",
        "$5\r\nab",
        "$-7\r\n",
        "$99999999999999999999\r\n",
        "*-7\r\n",
        "*2000000\r\n",
        "*2147483648\r\n",
        "*99999999999999999999999\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "*3\r\n:1\r\n",
        ":",
        "HTTP/1.1 200 OK\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = ERR_INIT;
        int other;
        struct redis *r = fake_server(bad[i], strlen(bad[i]), false, &other);
        assert_null(redis_command(r, &e, "PING", NULL));
        assert_int_equal(e.code, ERR_REMOTE);
        assert_false(redis_usable(r));
        assert_null(redis_command(r, &e, "PING", NULL)); /* at once, no hang */
        redis_close(r);
        close(other);
    }
}

static void a_silent_server_times_out(void **state)
{
    struct err e = ERR_INIT;
    int other;
    struct redis *r = fake_server("$100\r\nabc", 9, true, &other);

    (void)state;
    assert_null(redis_command(r, &e, "PING", NULL));
    assert_non_null(strstr(e.text, "in time"));
    redis_close(r);
    close(other);
}

static void a_closed_connection_raises_no_signal(void **state)
{
    struct err e = ERR_INIT;
    int other;
    struct redis *r = fake_server("", 0, false, &other);

    (void)state;
    close(other);
    assert_null(redis_command(r, &e, "PING", NULL)); /* EPIPE, not SIGPIPE */
    redis_close(r);
}

static void replies_of_wrong_types_are_no_runs(void **state)
{
    static const char *const odd[] = {
        ":5\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "-ERR no\r\n",
        "*2\r\n:1\r\n$-1\r\n",
        "*1\r\n$5\r\nshort\r\n",
        "*3\r\n$1\r\nk\r\n:5\r\n$1\r\nx\r\n",
        "*1\r\n*2\r\n:1\r\n:2\r\n",
        "*1\r\n*2\r\n$3\r\n1-1\r\n:2\r\n",
        "*1\r\n*2\r\n$3\r\n1-1\r\n*3\r\n$1\r\nv\r\n$1\r\nx\r\n$1\r\nv\r\n",
    };
    static const char id[] = "0123456789abcdef0123456789abcdef";

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        for (int call = 0; call < 4; call++) {
            char bytes[1024] = "";
            size_t n = 0;
            int other;
            for (int k = 0; k < 8; k++) {
                n += (size_t)snprintf(bytes + n, sizeof(bytes) - n, "%s", odd[i]);
            }
            struct arena a;
            struct err e = ERR_INIT;
            const char **ids;
            struct run_record run;
            struct metric_point *points;
            struct log_line *lines;
            struct runread_place place = {0};
            size_t count = 0;
            int rc;
            arena_init(&a);
            struct runread *r = runread_from(fake_server(bytes, n, false, &other), "nephron:");
            if (call == 0) {
                rc = runread_ids(r, &a, 0, &ids, &count, &e);
            } else if (call == 1) {
                rc = runread_run(r, &a, id, &run, &e);
            } else if (call == 2) {
                rc = runread_metric(r, &a, id, "loss", &place, &points, &count, &e);
            } else {
                rc = runread_log(r, &a, id, &place, &lines, &count, &e);
            }
            assert_true(rc == 0 || (rc == -1 && e.code != ERR_NONE));
            assert_true(call == 3 || count == 0);
            runread_close(r);
            arena_release(&a);
            close(other);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(the_password_may_come_from_the_environment),
        cmocka_unit_test(bad_addresses_are_refused_without_showing_secrets),
        cmocka_unit_test(messages_show_no_password),
        cmocka_unit_test(malformed_replies_end_the_connection),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(a_closed_connection_raises_no_signal),
        cmocka_unit_test(replies_of_wrong_types_are_no_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
