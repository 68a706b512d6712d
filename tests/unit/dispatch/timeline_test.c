/* The record of a repro: critical path, use of the slots, the file, the picture. */
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "gantt.h"
#include "str.h"
#include "timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t run(struct timeline *t, const char *stage, size_t after, double ready, double start,
                  double end, int slot)
{
    size_t i = timeline_add(t, stage, &after, after == SIZE_MAX ? 0 : 1, ready);
    struct timeline_entry *n = &t->entries[i];
    n->outcome = OUTCOME_RAN;
    n->start = start;
    n->end = n->done = end;
    n->slot = slot;
    n->slots = 1;
    return i;
}

/*
 * slot 0: prep 0-1, long 1-5;  slot 1: other 0-2, late 2-6 (ready at 1: waited for other's slot)
 * What ended last is late; it began when other freed its slot.
 */
static void fill(struct timeline *t)
{
    timeline_init(t, 2, 1000);
    size_t prep = run(t, "prep", SIZE_MAX, 0, 0, 1, 0);
    run(t, "other", SIZE_MAX, 0, 0, 2, 1);
    run(t, "long", prep, 1, 1, 5, 0);
    run(t, "late", prep, 1, 2, 6, 1);
    timeline_end(t, 6);
}

static void critical_path_follows_slots_and_needs(void **state)
{
    struct timeline t;
    fill(&t);
    assert_float_equal(timeline_mark_critical(&t), 6, 1e-9);
    const bool slots[] = {false, true, false, true};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(t.entries[i].critical, slots[i]);
    }
    assert_float_equal(timeline_used(&t), 11.0 / 12, 1e-9);
    t.entries[3].end = t.entries[3].done = 4; /* now long is the last, which waited for prep */
    assert_float_equal(timeline_mark_critical(&t), 5, 1e-9);
    const bool needs[] = {true, false, true, false};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(t.entries[i].critical, needs[i]);
    }
    timeline_release(&t);
}

/* a ran, b was fresh, c ran after b: the chain goes through what did not run. */
static void critical_path_through_fresh_stages(void **state)
{
    struct timeline t;
    timeline_init(&t, 4, 0);
    size_t a = run(&t, "a", SIZE_MAX, 0, 0, 2, 0);
    size_t b = timeline_add(&t, "b", &a, 1, 2);
    t.entries[b].done = 2;
    run(&t, "c", b, 2, 2, 3, 1);
    timeline_end(&t, 3);
    assert_float_equal(timeline_mark_critical(&t), 3, 1e-9);
    assert_true(t.entries[a].critical && !t.entries[b].critical && t.entries[2].critical);
    timeline_release(&t);
}

static void saved_and_loaded(void **state)
{
    struct timeline t, u;
    char path[] = "/tmp/timeline-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fill(&t);
    t.entries[3].outcome = OUTCOME_FAILED;
    t.entries[3].reason = "a \"reason\"";
    assert_int_equal(timeline_save(&t, path, NULL), 0);
    assert_int_equal(timeline_load(&u, path, NULL), 0);
    assert_int_equal(u.count, 4);
    assert_int_equal(u.started_ms, 1000);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(u.entries[i].stage, t.entries[i].stage);
        assert_float_equal(u.entries[i].start, t.entries[i].start, 0);
        assert_float_equal(u.entries[i].end, t.entries[i].end, 0);
        assert_int_equal(u.entries[i].slot, t.entries[i].slot);
    }
    assert_string_equal(timeline_find(&u, "late")->reason, "a \"reason\"");
    assert_int_equal(timeline_find(&u, "late")->outcome, OUTCOME_FAILED);
    assert_null(timeline_find(&u, "nosuch"));
    timeline_release(&t);
    timeline_release(&u);
    unlink(path);
}

static void foreign_files_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{\"schema\": 2, \"slots\": 1, \"seconds\": 1, \"stages\": []}",
        "{\"schema\": 1, \"slots\": 0, \"seconds\": 1, \"stages\": []}",
        "{\"schema\": 1, \"slots\": 1, \"seconds\": 1, \"stages\": [{}]}",
        "{\"schema\": 1, \"slots\": 1, \"seconds\": 1, \"stages\": [{\"stage\": \"a\", "
        "\"outcome\": "
        "\"ran\", \"start\": 0.5, \"end\": 0.1, \"slots\": 1}]}",
    };
    char path[] = "/tmp/timeline-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct timeline t;
        struct err e = ERR_INIT;
        assert_int_equal(fs_write_atomic(path, texts[i], strlen(texts[i]), 0, NULL), 0);
        assert_int_equal(timeline_load(&t, path, &e), -1);
        assert_non_null(strstr(e.text, path));
    }
    unlink(path);
    struct timeline t;
    struct err e = ERR_INIT;
    assert_int_equal(timeline_load(&t, path, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
}

static void picture(void **state)
{
    struct timeline t;
    struct strbuf out;
    strbuf_init(&out);
    fill(&t);
    t.entries[2].outcome = OUTCOME_FAILED;
    gantt_render(&t, "a < b", &out);
    assert_non_null(strstr(out.p, "critical path 6.0 s:  other → late"));
    assert_non_null(strstr(out.p, "2 slots, 92 % used  ·  4 runs, 1 failed"));
    assert_non_null(strstr(out.p, "class=\"bar failed\""));
    assert_non_null(strstr(out.p, "class=\"bar wait\""));
    assert_non_null(strstr(out.p, "waited 1.0 s"));
    assert_null(strstr(out.p, "a < b"));
    timeline_release(&t);
    strbuf_reset(&out);
    timeline_init(&t, 1, 0); /* nothing ran */
    gantt_render(&t, "empty", &out);
    assert_null(strstr(out.p, "nan"));
    timeline_release(&t);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(critical_path_follows_slots_and_needs),
        cmocka_unit_test(critical_path_through_fresh_stages),
        cmocka_unit_test(saved_and_loaded),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
