/* Where the class folders of a tree are. */
#include "arena.h"
#include "classdir.h"
#include "err.h"
#include "fs.h"
#include "path.h"
#include "str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Makes the files (names parted by blanks) and tells "ROOT: CLASS n, …; others n[ nested]". */
static void expect(const char *files, const char *answer)
{
    struct arena a;
    struct classdir c;
    struct err e = ERR_INIT;
    struct strbuf b;
    char dir[] = "/tmp/nephron-classdir-XXXXXX";
    arena_init(&a);
    strbuf_init(&b);
    assert_non_null(mkdtemp(dir));
    struct str rest = str_from(files), part;
    while (str_split(&rest, ' ', &part)) {
        char *path = path_join(&a, dir, arena_strndup(&a, part.p, part.n));
        assert_int_equal(fs_mkdirs_for(path, &e), 0);
        assert_int_equal(fs_write_atomic(path, "x", 1, 0, &e), 0);
    }
    if (classdir_scan(&a, dir, &c, &e) < 0) {
        assert_int_equal(e.code, ERR_FORMAT);
        strbuf_adds(&b, strstr(e.text, "found "));
    } else {
        strbuf_addf(&b, "%s:", c.root);
        for (size_t i = 0; i < c.class_count; i++) {
            strbuf_addf(&b, " %s %d", c.classes[i].name, (int)c.classes[i].images);
        }
        strbuf_addf(&b, "; others %d%s", (int)c.others, c.nested ? " nested" : "");
        assert_int_equal(c.image_bytes, c.images);
    }
    assert_string_equal(b.p, answer);
    strbuf_release(&b);
    arena_release(&a);
    fs_remove_tree(dir, NULL);
}

static void trees(void **state)
{
    expect("N/a.jpg N/b.JPG T/c.png", ".: N 2 T 1; others 0");
    expect("top/N/a.jpg top/T/c.jpeg top/README.md", "top: N 1 T 1; others 1");
    expect("a/b/N/1.jpg a/b/T/2.jpg a/x", "a/b: N 1 T 1; others 1");
    expect("N/a.jpg N/a.txt N/.hidden.jpg", ".: N 1; others 2");
    expect("d/train/N/1.jpg d/train/T/1.jpg d/test/N/1.jpg",
           "d: test/N 1 train/N 1 train/T 1; others 0 nested");
    expect("top/cover.jpg top/N/1.jpg top/T/1.jpg", "top: N 1 T 1; others 1");
    expect("a/1.jpg a-b/1.jpg a/c/1.jpg", ".: a-b 1 a/c 1; others 1 nested");
}

static void refusals(void **state)
{
    expect("a.jpg", "found images that are in no folder");
    expect("x/a.txt", "found other files only");
}

static void image_names(void **state)
{
    assert_true(classdir_is_image("a/b.jpg"));
    assert_true(classdir_is_image("Normal- (12).JPEG"));
    assert_true(classdir_is_image("x.Png"));
    assert_false(classdir_is_image("x.jpg.txt"));
    assert_false(classdir_is_image("jpg"));
    assert_false(classdir_is_image("a.jpg/b"));
    assert_false(classdir_is_image("a/.jpg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees),
        cmocka_unit_test(refusals),
        cmocka_unit_test(image_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
