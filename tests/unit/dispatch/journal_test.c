/* The journal: what was appended is replayed, a torn tail is cut, a wrong byte stops the reading
 * there. */
#include "journal.h"

#include "err.h"
#include "fs.h"
#include "lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
    char names[64][32];
    size_t count;
    int fail_at;
};

static char dir[] = "/tmp/nephron-journal-XXXXXX";
static char path[64];

static int setup(void **state)
{
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/sub/journal", dir);
    return 0;
}

static int teardown(void **state)
{
    return fs_remove_tree(dir, NULL);
}

static int take(void *ctx, const char *file, const struct lock_entry *entry, struct err *e)
{
    struct seen *s = ctx;
    assert_string_equal(file, "dvc.yaml");
    assert_int_equal(entry->out_count, 1);
    assert_string_equal(entry->outs[0].path, "out");
    assert_string_equal(entry->outs[0].hash.md5, "b026324c6904b2a9cb4b88d6d61c81d1");
    snprintf(s->names[s->count++], 32, "%s", entry->name);
    return 0;
}

static void append(struct journal *j, const char *name)
{
    struct arena a;
    arena_init(&a);
    struct lock_item out = {
        .path = "out",
        .hash = {.md5 = "b026324c6904b2a9cb4b88d6d61c81d1", .size = 2, .nfiles = -1}};
    const struct lock_entry en = {
        .name = name, .cmd = value_cstr(&a, "echo 1 > out"), .outs = &out, .out_count = 1};
    struct err e = ERR_INIT;
    assert_int_equal(journal_append(j, "dvc.yaml", &en, &e), 0);
    arena_release(&a);
}

static void write_records(const char *const *names, size_t count)
{
    struct err e = ERR_INIT;
    struct journal *j = journal_new(path);
    for (size_t i = 0; i < count; i++) {
        append(j, names[i]);
    }
    assert_int_equal(journal_sync(j, &e), 0);
    assert_int_equal(journal_close(j, &e), 0);
}

static const char *const three[] = {"a", "b", "c@x y"};

static void records_come_back_in_order(void **state)
{
    struct seen s = {0};
    size_t bad = 99;
    struct err e = ERR_INIT;
    write_records(three, 3);
    assert_int_equal(journal_replay(path, take, &s, &bad, &e), 0);
    assert_int_equal(s.count, 3);
    assert_int_equal(bad, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(s.names[i], three[i]);
    }
}

static void nothing_is_made_before_the_first_record(void **state)
{
    struct seen s = {0};
    fs_remove(path, NULL);
    journal_close(journal_new(path), NULL);
    assert_false(fs_exists(path));
    assert_int_equal(journal_replay(path, take, &s, NULL, NULL), 0);
    assert_int_equal(s.count, 0);
}

static void a_cleared_journal_is_empty_and_goes_on(void **state)
{
    struct seen s = {0};
    struct err e = ERR_INIT;
    struct journal *j = journal_new(path);
    append(j, "a");
    assert_int_equal(journal_clear(j, &e), 0);
    append(j, "b");
    assert_int_equal(journal_close(j, &e), 0);
    assert_int_equal(journal_replay(path, take, &s, NULL, &e), 0);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.names[0], "b");
}

/* Cut at every byte: whole records before the cut are there, nothing else, no error. */
static void a_torn_tail_is_cut(void **state)
{
    struct strbuf whole;
    strbuf_init(&whole);
    write_records(three, 3);
    assert_int_equal(fs_read(path, 0, &whole, NULL), 0);
    size_t last = 0;
    for (size_t n = 0; n <= whole.n; n++) {
        struct seen s = {0};
        size_t bad;
        struct err e = ERR_INIT;
        assert_int_equal(journal_parse((struct str){whole.p, n}, take, &s, &bad, &e), 0);
        assert_true(s.count >= last && s.count <= 3);
        last = s.count;
    }
    assert_int_equal(last, 3);
    /* a power loss before the first sync: the size is there, the bytes are not */
    struct seen s = {0};
    size_t bad;
    memset(whole.p, 0, whole.n);
    assert_int_equal(journal_parse(strbuf_str(&whole), take, &s, &bad, NULL), 0);
    assert_int_equal(s.count, 0);
    assert_int_equal(bad, whole.n);
    strbuf_release(&whole);
}

static void a_wrong_byte_stops_the_reading_there(void **state)
{
    struct strbuf whole;
    strbuf_init(&whole);
    write_records(three, 3);
    assert_int_equal(fs_read(path, 0, &whole, NULL), 0);
    for (size_t i = 16; i < whole.n; i++) {
        struct seen s = {0};
        size_t bad;
        struct err e = ERR_INIT;
        whole.p[i] ^= 0x20;
        assert_int_equal(journal_parse(strbuf_str(&whole), take, &s, &bad, &e), 0);
        assert_true(s.count < 3);
        assert_true(bad > 0);
        whole.p[i] ^= 0x20;
    }
    strbuf_release(&whole);
}

static void other_files_and_versions_are_refused(void **state)
{
    struct seen s = {0};
    struct err e = ERR_INIT;
    assert_int_equal(journal_parse(STR("schema: '2.0'\nstages: {}\n"), take, &s, NULL, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    static const char newer[] = "NEPHRONJ\x02\0\0\0\0\0\0";
    assert_int_equal(journal_parse((struct str){newer, 16}, take, &s, NULL, &e), -1);
    assert_non_null(strstr(e.text, "version 2"));
    assert_non_null(strstr(e.text, "version 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order),
        cmocka_unit_test(nothing_is_made_before_the_first_record),
        cmocka_unit_test(a_cleared_journal_is_empty_and_goes_on),
        cmocka_unit_test(a_torn_tail_is_cut),
        cmocka_unit_test(a_wrong_byte_stops_the_reading_there),
        cmocka_unit_test(other_files_and_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
