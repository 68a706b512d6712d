/* frame: messages between programs. */
#include "frame.h"

#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void comes_back_as_written(void **state)
{
    struct strbuf out;
    struct arena a;
    struct frame f;
    size_t used = 0;
    strbuf_init(&out);
    arena_init(&a);
    size_t at = frame_begin(&out, 7, 'G');
    frame_adds(&out, "files/md5/ab/cd");
    frame_add(&out, (struct str){"a\0b", 3});
    frame_adds(&out, "");
    frame_add_u64(&out, 1234567890123u);
    frame_end(&out, at);
    size_t first = out.n;
    frame_end(&out, frame_begin(&out, 8, 'B'));
    assert_int_equal(frame_parse(&a, strbuf_str(&out), &f, &used, NULL), 1);
    assert_int_equal(used, first);
    assert_int_equal(f.id, 7);
    assert_int_equal(f.kind, 'G');
    assert_int_equal(f.count, 4);
    assert_string_equal(frame_field(&f, 0), "files/md5/ab/cd");
    assert_int_equal(f.fields[1].n, 3);
    assert_memory_equal(f.fields[1].p, "a\0b", 4);
    assert_true(frame_u64(&f, 3) == 1234567890123u);
    assert_string_equal(frame_field(&f, 4), "");
    assert_false(frame_is_text(&f));
    struct str rest = str_sub(strbuf_str(&out), used, out.n);
    assert_int_equal(frame_parse(&a, rest, &f, &used, NULL), 1);
    assert_int_equal(f.id, 8);
    assert_int_equal(f.count, 0);
    arena_release(&a);
    strbuf_release(&out);
}

static void a_part_is_waited_for(void **state)
{
    struct strbuf out;
    struct arena a;
    struct frame f;
    size_t used = 0;
    strbuf_init(&out);
    arena_init(&a);
    size_t at = frame_begin(&out, 1, 'H');
    frame_adds(&out, "abc");
    frame_end(&out, at);
    for (size_t n = 0; n < out.n; n++) {
        assert_int_equal(frame_parse(&a, (struct str){out.p, n}, &f, &used, NULL), 0);
    }
    arena_release(&a);
    strbuf_release(&out);
}

static void what_is_no_frame_is_refused(void **state)
{
    struct arena a;
    struct frame f;
    struct err e = ERR_INIT;
    size_t used = 0;
    arena_init(&a);
    assert_int_equal(frame_parse(&a, STR("HTTP/1.1 200 OK"), &f, &used, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    const uint32_t tiny = 4;
    assert_int_equal(frame_parse(&a, (struct str){(const char *)&tiny, 4}, &f, &used, &e), -1);
    /* a field that is longer than its frame */
    struct strbuf out;
    strbuf_init(&out);
    size_t at = frame_begin(&out, 1, 'H');
    const uint32_t much = 1000;
    strbuf_add(&out, &much, sizeof(much));
    strbuf_adds(&out, "abc");
    frame_end(&out, at);
    assert_int_equal(frame_parse(&a, strbuf_str(&out), &f, &used, &e), -1);
    strbuf_release(&out);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_written),
        cmocka_unit_test(a_part_is_waited_for),
        cmocka_unit_test(what_is_no_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
