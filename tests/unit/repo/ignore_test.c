/* Ignore patterns: gitignore semantics as DVC applies them; and what git itself ignores, checked
 * against `git check-ignore`. */
#include "ignore.h"

#include "fs.h"
#include "proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/nephron-ignore-XXXXXX";

static int setup(void **state)
{
    return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    return chdir("/") == 0 ? fs_remove_tree(dir, NULL) : -1;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), 0, NULL), 0);
}

static void single_patterns(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool is_dir, match;
    } cases[] = {
        {"foo", "foo", false, true},
        {"foo", "a/foo", false, true},
        {"foo", "a/foo/b", false, true},
        {"foo", "foobar", false, false},
        {"/foo", "foo", false, true},
        {"/foo", "a/foo", false, false},
        {"foo/", "foo", true, true},
        {"foo/", "foo", false, false},
        {"foo/", "foo/x", false, true},
        {"a/b", "a/b", false, true},
        {"a/b", "c/a/b", false, false},
        {"**/b", "c/a/b", false, true},
        {"**/a/b", "c/a/b", false, true},
        {"a/**", "a/x/y", false, true},
        {"a/**", "a", false, false},
        {"a/**/b", "a/b", false, true},
        {"a/**/b", "a/x/y/b", false, true},
        {"a/**/b", "a/x/y/c", false, false},
        {"*.txt", "x.txt", false, true},
        {"*.txt", "a/x.txt", false, true},
        {"/*.txt", "a/x.txt", false, false},
        {"a*c", "abbc", false, true},
        {"a*c", "ab/c", false, false},
        {"a?c",
         "a\xc3\xbc"
         "c",
         false, true},
        {"[a-c]x", "bx", false, true},
        {"[!a-c]x", "bx", false, false},
        {"[^a-c]x", "dx", false, true},
        {"[]x]y", "]y", false, true},
        {"[ab", "[ab", false, false},
        {"\\#x", "#x", false, true},
        {"\\!x", "!x", false, true},
        {"x\\*", "x*", false, true},
        {"x\\*", "xy", false, false},
        {"#x", "#x", false, false},
        {"x  ", "x", false, true},
        {"x\\ ", "x ", false, true},
        {"*", "anything", false, true},
        {"/", "x", false, false},
        {"\\", "\\", false, false},
        {"a*b*c*d", "a1b2c3d", false, true},
        {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (ignore_pattern_match(cases[i].pattern, cases[i].path, cases[i].is_dir) !=
            cases[i].match) {
            fail_msg("'%s' on '%s'%s should %smatch", cases[i].pattern, cases[i].path,
                     cases[i].is_dir ? " (folder)" : "", cases[i].match ? "" : "not ");
        }
    }
}

static void rule_files_of_folders_add_up(void **state)
{
    put(".dvcignore", "# comment\n*.log\n!keep.log\n/root.txt\ndata/tmp/\n");
    put("sub/.dvcignore", "inner\n!b.log\n/only\n");
    put("nested/.dvc/config", "");
    struct ignore *ig = ignore_new(dir);
    assert_true(ignore_match(ig, "a.log", false));
    assert_false(ignore_match(ig, "keep.log", false));
    assert_true(ignore_match(ig, "root.txt", false));
    assert_false(ignore_match(ig, "sub/root.txt", false));
    assert_true(ignore_match(ig, "data/tmp", true));
    assert_true(ignore_match(ig, "data/tmp/x/y", false));
    assert_false(ignore_match(ig, "data/tmp", false));
    assert_true(ignore_match(ig, "sub/inner", false));
    assert_true(ignore_match(ig, "sub/x/inner", false));
    assert_false(ignore_match(ig, "inner", false));
    assert_false(ignore_match(ig, "sub/b.log", false));
    assert_true(ignore_match(ig, "sub/only", false));
    assert_false(ignore_match(ig, "sub/x/only", false));
    assert_true(ignore_match(ig, ".git", true));
    assert_true(ignore_match(ig, ".dvc/config", false));
    assert_true(ignore_match(ig, "nested", true));
    assert_true(ignore_match(ig, "nested/x", false));
    assert_false(ignore_match(ig, "/abs", false));
    assert_false(ignore_match(ig, "../x.log", false));
    assert_false(ignore_match(ig, ".", true));
    ignore_free(ig);
}

static void explains_with_file_line_and_pattern(void **state)
{
    put(".dvcignore", "# one\n\n/root.txt\n*.log\n!keep.log\n");
    struct ignore *ig = ignore_new(dir);
    struct arena a;
    arena_init(&a);
    const struct ignore_rule **rules;
    size_t n;
    assert_true(ignore_explain(ig, "root.txt", false, &a, &rules, &n));
    assert_int_equal(n, 1);
    assert_string_equal(rules[0]->origin, ".dvcignore:3:/root.txt");
    assert_false(ignore_explain(ig, "keep.log", false, &a, &rules, &n));
    assert_int_equal(n, 1);
    assert_string_equal(rules[0]->origin, ".dvcignore:5:!keep.log");
    assert_false(ignore_explain(ig, "nothing", false, &a, &rules, &n));
    assert_int_equal(n, 0);
    arena_release(&a);
    ignore_free(ig);
}

/* git is the oracle for its own files. */
static bool git_says_ignored(const char *path)
{
    const char *const argv[] = {"git", "check-ignore", "-q", path, NULL};
    struct proc_status st;
    assert_int_equal(proc_capture(&(struct proc_options){.argv = argv}, NULL, NULL, &st, NULL), 0);
    return proc_exit_code(&st) == 0;
}

static void gits_own_rules_match_git(void **state)
{
    const char *const init[] = {"git", "init", "-q", ".", NULL};
    struct proc_status st;
    assert_int_equal(proc_capture(&(struct proc_options){.argv = init}, NULL, NULL, &st, NULL), 0);
    put(".gitignore", "*.o\n!important.o\n/build\ndocs/*.html\n\\#hash\nspace\\ "
                      "\n[ab].c\n**/deep/*.x\nfoo/**/bar\n");
    put("lib/.gitignore", "!x.o\n/local\n");
    put(".git/info/exclude", "excluded\n");
    static const char *const paths[] = {
        "a.o",      "important.o",  "build",   "lib/build", "docs/a.html", "docs/x/a.html",
        "#hash",    "space ",       "a.c",     "c.c",       "q/deep/z.x",  "deep/z.x",
        "foo/bar",  "foo/1/2/bar",  "lib/x.o", "lib/y.o",   "lib/local",   "local",
        "excluded", "lib/excluded", "plain"};
    struct ignore *ig = ignore_new_git(dir);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (ignore_match(ig, paths[i], false) != git_says_ignored(paths[i])) {
            fail_msg("'%s': git says %d", paths[i], git_says_ignored(paths[i]));
        }
    }
    ignore_free(ig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_patterns),
        cmocka_unit_test(rule_files_of_folders_add_up),
        cmocka_unit_test(explains_with_file_line_and_pattern),
        cmocka_unit_test(gits_own_rules_match_git),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
