/* Folders replaced whole, and what is swept. */
#include "arena.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "replace.h"
#include "str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct arena a;
    char dir[64];
    char *target;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    arena_init(&w->a);
    memcpy(w->dir, "/tmp/nephron-replace-XXXXXX", 28);
    assert_non_null(mkdtemp(w->dir));
    w->target = path_join(&w->a, w->dir, "data");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    fs_remove_tree(w->dir, NULL);
    arena_release(&w->a);
    free(w);
    return 0;
}

static void write_file(struct world *w, const char *dir, const char *name, const char *text)
{
    struct err e = ERR_INIT;
    const char *path = path_join(&w->a, dir, name);
    assert_int_equal(fs_mkdirs_for(path, &e), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0, &e), 0);
}

/* Names in the folder, joined by blanks. */
static void expect_names(struct world *w, const char *dir, const char *expected)
{
    char **names;
    size_t count;
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_list(&w->a, dir, &names, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&b, "%s%s", i ? " " : "", names[i]);
    }
    assert_string_equal(b.p, expected);
    strbuf_release(&b);
}

static void fresh_then_replaced(void **state)
{
    struct world *w = *state;
    struct replace r;
    struct err e = ERR_INIT;
    assert_int_equal(replace_begin(&w->a, &r, w->target, &e), 0);
    write_file(w, r.temp, "one", "1");
    expect_names(w, w->dir, path_basename(r.temp));
    assert_int_equal(replace_commit(&w->a, &r, r.temp, &e), 0);
    expect_names(w, w->dir, "data");
    assert_int_equal(replace_begin(&w->a, &r, w->target, &e), 0);
    write_file(w, r.temp, "inner/two", "2");
    write_file(w, r.temp, "outside", "x");
    assert_int_equal(replace_commit(&w->a, &r, path_join(&w->a, r.temp, "inner"), &e), 0);
    expect_names(w, w->dir, "data");
    expect_names(w, w->target, "two");
}

static void aborted(void **state)
{
    struct world *w = *state;
    struct replace r;
    struct err e = ERR_INIT;
    write_file(w, w->target, "old", "o");
    assert_int_equal(replace_begin(&w->a, &r, w->target, &e), 0);
    write_file(w, r.temp, "new", "n");
    replace_abort(&r);
    expect_names(w, w->dir, "data");
    expect_names(w, w->target, "old");
}

static char *name_of(struct world *w, const char *mark, long pid)
{
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    return arena_printf(&w->a, "data%s%s-%ld", mark, host, pid);
}

static void sweeping(void **state)
{
    struct world *w = *state;
    const char *live = name_of(w, ".nephron-tmp-", (long)getpid());
    write_file(w, w->target, "old", "o");
    write_file(w, w->dir, path_join(&w->a, name_of(w, ".nephron-tmp-", 999999999), "x"), "x");
    write_file(w, w->dir, path_join(&w->a, name_of(w, ".nephron-old-", 999999999), "x"), "x");
    write_file(w, w->dir, path_join(&w->a, live, "x"), "x");
    write_file(w, w->dir, "data.nephron-tmp-another.host-1/x", "x");
    write_file(w, w->dir, "data.nephron-tmp-/x", "x");
    write_file(w, w->dir, "database.nephron-tmp-x-1/x", "x");
    replace_sweep(&w->a, w->target);
    expect_names(
        w, w->dir,
        arena_printf(&w->a, "data data.nephron-tmp- %s database.nephron-tmp-x-1",
                     strcmp(live, "data.nephron-tmp-another.host-1") < 0
                         ? arena_printf(&w->a, "%s data.nephron-tmp-another.host-1", live)
                         : arena_printf(&w->a, "data.nephron-tmp-another.host-1 %s", live)));
}

static void an_old_one_comes_back(void **state)
{
    struct world *w = *state;
    write_file(w, w->dir, path_join(&w->a, name_of(w, ".nephron-old-", 999999999), "x"), "x");
    replace_sweep(&w->a, w->target);
    expect_names(w, w->dir, "data");
    expect_names(w, w->target, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fresh_then_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(aborted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_one_comes_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
