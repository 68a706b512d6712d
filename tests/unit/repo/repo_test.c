/* A repository as a place: init, finding it, paths, .gitignore entries, git. */
#include "repo.h"

#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitignore.h"
#include "init.h"
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

static char dir[64];

static void git(const char *a, const char *b, const char *c, const char *d)
{
    const char *const argv[] = {"git", "-c", "user.name=t", "-c", "user.email=t@t", a, b,
                                c,     d,    NULL};
    struct proc_status st;
    struct strbuf out, err;
    strbuf_init(&out);
    strbuf_init(&err);
    assert_int_equal(proc_capture(&(struct proc_options){.argv = argv}, &out, &err, &st, NULL), 0);
    if (proc_exit_code(&st) != 0) {
        fail_msg("git %s: %s", a, err.p);
    }
    strbuf_release(&out);
    strbuf_release(&err);
}

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/nephron-repo-XXXXXX");
    if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
        return -1;
    }
    git("init", "-q", "-b", "main");
    return 0;
}

static int teardown(void **state)
{
    return chdir("/") == 0 ? fs_remove_tree(dir, NULL) : -1;
}

static int init(bool no_scm, bool force, bool subdir, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    int rc = repo_init(&(struct init_options){.no_scm = no_scm, .force = force, .subdir = subdir},
                       &out, e);
    strbuf_release(&out);
    return rc;
}

static void assert_file(const char *path, const char *text)
{
    struct strbuf b;
    strbuf_init(&b);
    if (fs_read(path, 0, &b, NULL) < 0) {
        fail_msg("%s is missing", path);
    }
    assert_string_equal(b.p, text);
    strbuf_release(&b);
}

static void init_makes_dvcs_files(void **state)
{
    struct err e = ERR_INIT;
    assert_int_equal(init(false, false, false, &e), 0);
    assert_file(".dvc/config", "");
    assert_file(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n");
    assert_file(".dvcignore", "# Add patterns of files dvc should ignore, which could improve\n"
                              "# the performance. Learn more at\n"
                              "# https://dvc.org/doc/user-guide/dvcignore\n");
    assert_true(fs_is_file(".dvc/tmp/btime"));
    struct repo r;
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    bool tracked[4];
    const char *const files[] = {".dvc/config", ".dvc/.gitignore", ".dvcignore", "nothing"};
    assert_int_equal(git_tracked(&r, files, 4, tracked, &e), 0);
    assert_true(tracked[0] && tracked[1] && tracked[2] && !tracked[3]);
    repo_close(&r);
    assert_int_equal(init(false, false, false, &e), -1);
    assert_string_equal(e.text, "failed to initiate DVC - '.dvc' exists. Use `-f` to force.");
    assert_int_equal(fs_write_atomic(".dvc/config", "[core]\n    autostage = true\n", 27, 0, NULL),
                     0);
    assert_int_equal(init(false, true, false, &e), 0);
    assert_file(".dvc/config", "");
}

static void init_without_git(void **state)
{
    struct err e = ERR_INIT;
    assert_int_equal(init(true, false, true, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_string_equal(e.text, "Cannot initialize repo with `--no-scm` and `--subdir`");
    assert_int_equal(init(true, false, false, &e), 0);
    assert_file(".dvc/config", "[core]\n    no_scm = True\n");
    assert_false(fs_exists(".dvc/.gitignore"));
    struct repo r;
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_true(r.no_scm);
    bool changed = true;
    assert_int_equal(gitignore_add(&r, "out", &changed, &e), 0);
    assert_false(changed);
    assert_false(fs_exists(".gitignore"));
    repo_close(&r);
}

static void init_in_a_folder_below_git_needs_subdir(void **state)
{
    struct err e = ERR_INIT;
    assert_int_equal(fs_mkdirs("sub", NULL), 0);
    assert_int_equal(chdir("sub"), 0);
    assert_int_equal(init(false, false, false, &e), -1);
    assert_non_null(strstr(e.text, "/sub is not tracked by any supported SCM tool (e.g. Git)."));
    assert_int_equal(init(false, false, true, &e), 0);
    struct repo r;
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_string_equal(r.scm_root, dir);
    repo_close(&r);
}

static void paths_are_seen_from_root_and_from_here(void **state)
{
    struct err e = ERR_INIT;
    struct repo r;
    struct arena a;
    arena_init(&a);
    assert_int_equal(repo_open(&r, NULL, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    assert_string_equal(e.text,
                        "you are not inside of a DVC repository (checked up to mount point '/')");
    assert_int_equal(init(false, false, false, &e), 0);
    assert_int_equal(fs_mkdirs("sub/deep", NULL), 0);
    assert_int_equal(chdir("sub/deep"), 0);
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_string_equal(r.root, dir);
    assert_string_equal(r.prefix, "sub/deep");
    assert_string_equal(repo_path(&r, &a, "x"), "sub/deep/x");
    assert_string_equal(repo_path(&r, &a, "../../y"), "y");
    assert_string_equal(repo_path(&r, &a, "/etc/passwd"), "/etc/passwd");
    assert_string_equal(repo_show(&r, &a, "sub/deep/x"), "x");
    assert_string_equal(repo_show(&r, &a, "y"), "../../y");
    arena_release(&a);
    repo_close(&r);
}

static void gitignore_lines_are_dvcs(void **state)
{
    struct err e = ERR_INIT;
    struct repo r;
    bool changed;
    assert_int_equal(init(false, false, false, &e), 0);
    assert_int_equal(fs_mkdirs("sub", NULL), 0);
    assert_int_equal(fs_write_atomic(".gitignore", "*.tmp\nold", 9, 0, NULL), 0);
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_int_equal(gitignore_add(&r, "#x[1]*.txt", &changed, &e), 0);
    assert_true(changed);
    assert_int_equal(gitignore_add(&r, "#x[1]*.txt", &changed, &e), 0);
    assert_false(changed);
    assert_int_equal(gitignore_add(&r, "a.tmp", &changed, &e), 0); /* ignored already */
    assert_false(changed);
    assert_int_equal(gitignore_add(&r, "!neg", &changed, &e), 0);
    assert_int_equal(gitignore_add(&r, "sub/o", &changed, &e), 0);
    assert_file(".gitignore", "*.tmp\nold\n/\\#x\\[1\\]\\*.txt\n/\\!neg\n");
    assert_file("sub/.gitignore", "/o\n");
    assert_true(gitignore_ignored(&r, "sub/o"));
    assert_int_equal(gitignore_remove(&r, "sub/o", &changed, &e), 0);
    assert_true(changed);
    assert_false(fs_exists("sub/.gitignore"));
    assert_int_equal(gitignore_remove(&r, "!neg", &changed, &e), 0);
    assert_file(".gitignore", "*.tmp\nold\n/\\#x\\[1\\]\\*.txt\n");
    repo_close(&r);
}

/* A stage's command may edit the file behind our back. */
static void gitignore_sees_what_others_changed(void **state)
{
    struct err e = ERR_INIT;
    struct repo r;
    bool changed;
    assert_int_equal(init(false, false, false, &e), 0);
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_int_equal(gitignore_add(&r, "a", &changed, &e), 0);
    assert_int_equal(fs_write_atomic(".gitignore", "/zzz", 4, 0, NULL), 0);
    assert_int_equal(gitignore_add(&r, "b", &changed, &e), 0);
    assert_int_equal(gitignore_add(&r, "zzz", &changed, &e), 0);
    assert_false(changed);
    assert_file(".gitignore", "/zzz\n/b\n");
    repo_close(&r);
}

static void git_answers(void **state)
{
    struct err e = ERR_INIT;
    struct repo r;
    struct git_head head;
    struct arena a;
    struct strbuf out;
    char commit[65];
    arena_init(&a);
    strbuf_init(&out);
    assert_int_equal(init(false, false, false, &e), 0);
    assert_int_equal(repo_open(&r, NULL, &e), 0);
    assert_int_equal(git_head(&r, &head, &e), 0);
    assert_string_equal(head.branch, "main");
    assert_string_equal(head.commit, "");
    assert_int_equal(fs_write_atomic("f", "one\n", 4, 0, NULL), 0);
    git("add", "f", NULL, NULL);
    git("commit", "-q", "-m", "one");
    assert_int_equal(git_head(&r, &head, &e), 0);
    assert_int_equal(git_rev_parse(&r, "HEAD", commit, &e), 0);
    assert_string_equal(head.commit, commit);
    git("pack-refs", "--all", NULL, NULL);
    assert_int_equal(git_head(&r, &head, &e), 0);
    assert_string_equal(head.commit, commit);
    assert_int_equal(git_show(&r, "HEAD", "f", &out, &e), 0);
    assert_string_equal(out.p, "one\n");
    assert_int_equal(git_show(&r, "HEAD", "nothing", &out, &e), -1);
    assert_int_equal(e.code, ERR_MISSING);
    assert_int_equal(git_rev_parse(&r, "nosuch", commit, &e), -1);
    assert_string_equal(e.text, "unknown Git revision 'nosuch'");
    assert_int_equal(git_rev_parse(&r, "--help", commit, &e), -1);
    const char **paths;
    size_t n;
    assert_int_equal(git_ls_tree(&r, "HEAD", &a, &paths, &n, &e), 0);
    assert_int_equal(n, 4);
    assert_string_equal(paths[3], "f");
    git("checkout", "-q", "--detach", NULL);
    assert_int_equal(git_head(&r, &head, &e), 0);
    assert_string_equal(head.branch, "");
    assert_string_equal(head.commit, commit[0] != 0 ? head.commit : "");
    strbuf_reset(&out);
    assert_int_equal(fs_write_atomic("f", "two\n", 4, 0, NULL), 0);
    assert_int_equal(git_diff(&r, 0, &out, &e), 0);
    assert_non_null(strstr(out.p, "+two"));
    strbuf_release(&out);
    arena_release(&a);
    repo_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(init_makes_dvcs_files, setup, teardown),
        cmocka_unit_test_setup_teardown(init_without_git, setup, teardown),
        cmocka_unit_test_setup_teardown(init_in_a_folder_below_git_needs_subdir, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_are_seen_from_root_and_from_here, setup, teardown),
        cmocka_unit_test_setup_teardown(gitignore_lines_are_dvcs, setup, teardown),
        cmocka_unit_test_setup_teardown(gitignore_sees_what_others_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(git_answers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
