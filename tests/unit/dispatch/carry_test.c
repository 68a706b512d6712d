/* Lists of files of a job: what is read, what is refused. */
#include "carry.h"

#include "err.h"
#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MD5 "0123456789abcdef0123456789abcdef"

static int parse(const char *bytes, size_t n, struct arena *a, struct carry *c, struct err *e)
{
    return carry_parse(a, (struct str){bytes, n}, c, e);
}

static void a_list_is_read(void **state)
{
    static const char bytes[] = "R/repo\0D" MD5 " data/a b\0X" MD5 ".dir d\0Oout\0Kkept";
    struct arena a;
    struct carry c;
    struct err e = ERR_INIT;
    arena_init(&a);
    assert_int_equal(parse(bytes, sizeof bytes, &a, &c, &e), 0);
    assert_string_equal(c.root, "/repo");
    assert_int_equal(c.dep_count, 2);
    assert_string_equal(c.deps[0].path, "data/a b");
    assert_string_equal(c.deps[0].md5, MD5);
    assert_false(c.deps[0].isexec);
    assert_true(c.deps[1].isexec);
    assert_string_equal(c.deps[1].md5, MD5 ".dir");
    assert_int_equal(c.out_count, 2);
    assert_false(c.outs[0].keep);
    assert_true(c.outs[1].keep);
    arena_release(&a);
}

static void hostile_lists_are_refused(void **state)
{
    static const struct {
        const char *bytes, *says;
    } cases[] = {
        {"D" MD5 " ../x", "leads out"},
        {"D" MD5 " /etc/passwd", "leads out"},
        {"D" MD5 " a/../../x", "leads out"},
        {"D" MD5 " a//x", "leads out"},
        {"D" MD5 " ", "leads out"},
        {"D" MD5 " .dvc/config", "leads out"},
        {"D" MD5 " sub/.git/hooks/x", "leads out"},
        {"O../out", "leads out"},
        {"O", "leads out"},
        {"D0123 x", "md5"},
        {"D../../../etc x", "md5"},
        {"D" MD5, "without a path"},
        {"Qwhat", "unknown kind"},
        {"Rrelative", "no root"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[256] = "R/r";
        struct arena a;
        struct carry c;
        struct err e = ERR_INIT;
        size_t n = strlen(cases[i].bytes) + 1;
        arena_init(&a);
        memcpy(bytes + 4, cases[i].bytes, n);
        assert_int_equal(parse(bytes, 4 + n, &a, &c, &e), -1);
        assert_non_null(strstr(e.text, cases[i].says));
        assert_int_equal(parse(bytes, 4 + n - 1, &a, &c, &e), -1); /* not ended */
        arena_release(&a);
    }
}

static void a_job_takes_its_list_along(void **state)
{
    static const char list[] = "R/r\0Oo";
    const char *const cmds[] = {"true"};
    struct job j = {
        .stage = "s", .cmds = cmds, .cmd_count = 1, .cwd = "/r", .carry = {list, sizeof list}};
    struct job back;
    struct arena a;
    struct strbuf b;
    arena_init(&a);
    strbuf_init(&b);
    job_pack(&j, &b);
    assert_int_equal(job_unpack(strbuf_str(&b), &a, &back, NULL), 0);
    assert_int_equal(back.carry.n, sizeof list);
    assert_memory_equal(back.carry.p, list, sizeof list);
    strbuf_release(&b);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(hostile_lists_are_refused),
        cmocka_unit_test(a_job_takes_its_list_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
