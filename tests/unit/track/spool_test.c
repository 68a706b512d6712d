/* The spool: what was appended is read back, and nothing else, whatever happened to the file. */

#include "spool.h"

#include "err.h"
#include "fs.h"
#include "track_fixture.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

#define RUN "0123456789abcdef0123456789abcdef"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static void append_metric(struct spool *s, int step)
{
    char v[16];
    snprintf(v, sizeof(v), "%d", step);
    struct event_field fields[] = {{"name", "loss"}, {"v", v}, {"step", v}};
    struct event ev = {
        .kind = EVENT_METRIC, .time_ms = 1000 + step, .fields = fields, .field_count = 3};
    struct strbuf p;
    struct err e = ERR_INIT;
    strbuf_init(&p);
    assert_true(spool_pack(&p, &ev, 0));
    assert_int_equal(spool_append(s, strbuf_str(&p), &e), 0);
    strbuf_release(&p);
}

/* Number of whole records in the file; checks that they are the first so many. */
static int count_records(const char *path)
{
    struct spool_cursor c;
    struct spool_record rec;
    struct spool_header h;
    int n = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    if (spool_read_header(fd, &h, NULL) < 0) {
        close(fd);
        return -1;
    }
    spool_cursor_init(&c, fd);
    while (spool_cursor_next(&c, UINT64_MAX, &rec, NULL) == 1) {
        char v[16];
        snprintf(v, sizeof(v), "%d", n);
        assert_int_equal(rec.sequence, n + 1);
        assert_int_equal(rec.event.kind, EVENT_METRIC);
        assert_int_equal(rec.event.time_ms, 1000 + n);
        assert_int_equal(rec.event.field_count, 3);
        assert_string_equal(rec.event.fields[0].value, "loss");
        assert_string_equal(rec.event.fields[1].value, v);
        n++;
    }
    spool_cursor_release(&c);
    close(fd);
    return n;
}

static char *make_spool(struct fixture *f, int records)
{
    struct err e = ERR_INIT;
    struct spool *s = spool_create(f->dir, RUN, &e);
    assert_non_null(s);
    for (int i = 0; i < records; i++) {
        append_metric(s, i);
    }
    assert_int_equal(spool_sequence(s), records);
    char *path = strdup(spool_path(s));
    assert_int_equal(spool_close(s, &e), 0);
    return path;
}

static void reads_back_what_was_appended(void **state)
{
    char *path = make_spool(*state, 3000); /* more than one block of read-ahead */
    assert_int_equal(count_records(path), 3000);
    free(path);
}

static void torn_at_every_byte_of_the_last_record_loses_only_it(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char *path = make_spool(f, 3), copy[128];
    struct strbuf whole;

    strbuf_init(&whole);
    assert_int_equal(fs_read(path, 0, &whole, &e), 0);
    size_t record = (whole.n - SPOOL_HEADER_BYTES) / 3;
    snprintf(copy, sizeof(copy), "%s/torn.log", f->dir);
    for (size_t cut = whole.n - record; cut < whole.n; cut++) {
        assert_int_equal(fs_write_atomic(copy, whole.p, cut, 0644, &e), 0);
        assert_int_equal(count_records(copy), 2);
        /* Taken up again, the file goes on behind the second record. */
        struct spool *s = spool_adopt(copy, &e);
        assert_non_null(s);
        assert_int_equal(spool_sequence(s), 2);
        append_metric(s, 2);
        append_metric(s, 3);
        assert_int_equal(spool_close(s, &e), 0);
        assert_int_equal(count_records(copy), 4);
    }
    strbuf_release(&whole);
    free(path);
}

static void any_changed_byte_ends_the_file_there(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char *path = make_spool(f, 4), copy[128];
    struct strbuf whole;

    strbuf_init(&whole);
    assert_int_equal(fs_read(path, 0, &whole, &e), 0);
    size_t record = (whole.n - SPOOL_HEADER_BYTES) / 4;
    snprintf(copy, sizeof(copy), "%s/flip.log", f->dir);
    for (size_t i = SPOOL_HEADER_BYTES; i < whole.n; i++) {
        whole.p[i] ^= 0x20;
        assert_int_equal(fs_write_atomic(copy, whole.p, whole.n, 0644, &e), 0);
        assert_int_equal(count_records(copy), (int)((i - SPOOL_HEADER_BYTES) / record));
        whole.p[i] ^= 0x20;
    }
    /* In the header: the file is refused (writer and run are under the CRC; byte 12..15 is the
     * CRC). */
    for (size_t i = 0; i < SPOOL_HEADER_BYTES; i++) {
        whole.p[i] ^= 0x20;
        assert_int_equal(fs_write_atomic(copy, whole.p, whole.n, 0644, &e), 0);
        assert_int_equal(count_records(copy), -1);
        whole.p[i] ^= 0x20;
    }
    strbuf_release(&whole);
    free(path);
}

static void a_limit_hides_what_is_behind_it(void **state)
{
    char *path = make_spool(*state, 5);
    struct spool_cursor c;
    struct spool_record rec;
    struct err e = ERR_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    spool_cursor_init(&c, fd);
    assert_int_equal(spool_cursor_next(&c, UINT64_MAX, &rec, &e), 1);
    uint64_t second_end = rec.end + (rec.end - SPOOL_HEADER_BYTES);
    assert_int_equal(spool_cursor_next(&c, second_end - 1, &rec, &e), 0);
    assert_int_equal(spool_cursor_next(&c, second_end, &rec, &e), 1);
    assert_int_equal(spool_cursor_next(&c, second_end, &rec, &e), 0);
    spool_cursor_rewind(&c);
    assert_int_equal(spool_cursor_next(&c, UINT64_MAX, &rec, &e), 1);
    assert_int_equal(rec.sequence, 1);
    spool_cursor_release(&c);
    close(fd);
    free(path);
}

static void a_living_writer_keeps_its_file(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    struct spool *first = spool_create(f->dir, RUN, &e);
    struct spool *second = spool_create(f->dir, RUN, &e);

    assert_non_null(first);
    assert_non_null(second);
    assert_string_not_equal(spool_path(first), spool_path(second));
    assert_string_not_equal(spool_writer(first), spool_writer(second));
    assert_null(spool_adopt(spool_path(first), &e));
    assert_int_equal(e.code, ERR_BUSY);
    char *path = strdup(spool_path(first));
    assert_int_equal(spool_close(first, &e), 0);
    struct spool *again = spool_adopt(path, &e);
    assert_non_null(again);
    assert_string_equal(spool_run(again), RUN);
    assert_int_equal(spool_close(again, &e), 0);
    assert_int_equal(spool_close(second, &e), 0);
    free(path);
}

static void memory_spool_is_read_through_its_descriptor(void **state)
{
    struct err e = ERR_INIT;
    struct spool *s = spool_create_memory(RUN, &e);
    struct spool_cursor c;
    struct spool_record rec;

    (void)state;
    assert_non_null(s);
    assert_null(spool_path(s));
    append_metric(s, 0);
    spool_cursor_init(&c, spool_fd(s));
    assert_int_equal(spool_cursor_next(&c, spool_bytes(s), &rec, &e), 1);
    append_metric(s, 1);
    assert_int_equal(spool_cursor_next(&c, spool_bytes(s), &rec, &e), 1);
    assert_int_equal(rec.sequence, 2);
    spool_cursor_release(&c);
    assert_int_equal(spool_close(s, &e), 0);
}

static void side_file_is_a_hint_that_may_be_rubbish(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    char *path = make_spool(f, 1), side[128];
    uint64_t offset, sequence;
    static const char *const rubbish[] = {
        "", "x", "12", "12 ", "-1 5", "99999999999999999999 1", "1 2 3x"};

    assert_int_equal(spool_write_sent(path, 123, 45, &e), 0);
    spool_read_sent(path, &offset, &sequence);
    assert_int_equal(offset, 123);
    assert_int_equal(sequence, 45);
    snprintf(side, sizeof(side), "%.*s.sent", (int)strlen(path) - 4, path);
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]) - 1; i++) {
        assert_int_equal(fs_write_atomic(side, rubbish[i], strlen(rubbish[i]), 0644, &e), 0);
        spool_read_sent(path, &offset, &sequence);
        assert_int_equal(offset, 0);
    }
    spool_remove(path);
    assert_false(fs_exists(path));
    assert_false(fs_exists(side));
    free(path);
}

static void payloads_that_are_none_are_refused(void **state)
{
    struct spool_fields fields = {0};
    struct spool_record rec;
    struct strbuf p;
    struct event_field pair = {"k", "v"};
    struct event ev = {.kind = EVENT_PARAM, .time_ms = 7, .fields = &pair, .field_count = 1};

    (void)state;
    strbuf_init(&p);
    assert_true(spool_pack(&p, &ev, SPOOL_STATE_CHANGE));
    assert_int_equal(spool_unpack(strbuf_str(&p), &rec, &fields, NULL), 0);
    assert_int_equal(rec.flags, SPOOL_STATE_CHANGE);
    for (size_t n = 0; n < p.n; n++) {
        assert_int_equal(spool_unpack((struct str){p.p, n}, &rec, &fields, NULL), -1);
    }
    strbuf_addch(&p, 'x');
    assert_int_equal(spool_unpack(strbuf_str(&p), &rec, &fields, NULL), -1);
    p.p[0] = 127;
    assert_int_equal(spool_unpack((struct str){p.p, p.n - 1}, &rec, &fields, NULL), -1);
    strbuf_release(&p);
    spool_fields_release(&fields);
}

static void a_value_beyond_the_limit_is_not_packed(void **state)
{
    size_t n = SPOOL_PAYLOAD_MAX + 10;
    char *big = malloc(n + 1);
    struct event_field pair = {"k", big};
    struct event ev = {.kind = EVENT_PARAM, .fields = &pair, .field_count = 1};
    struct strbuf p;

    (void)state;
    memset(big, 'x', n);
    big[n] = '\0';
    strbuf_init(&p);
    strbuf_adds(&p, "before");
    assert_false(spool_pack(&p, &ev, 0));
    assert_string_equal(p.p, "before");
    strbuf_release(&p);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_back_what_was_appended, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_at_every_byte_of_the_last_record_loses_only_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(any_changed_byte_ends_the_file_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_hides_what_is_behind_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_living_writer_keeps_its_file, setup, teardown),
        cmocka_unit_test(memory_spool_is_read_through_its_descriptor),
        cmocka_unit_test_setup_teardown(side_file_is_a_hint_that_may_be_rubbish, setup, teardown),
        cmocka_unit_test(payloads_that_are_none_are_refused),
        cmocka_unit_test(a_value_beyond_the_limit_is_not_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
