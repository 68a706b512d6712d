/* Locks: one at a time, dead holders are no holders, torn rwlock files are taken up. */
#include "repolock.h"

#include "clock.h"
#include "err.h"
#include "fs.h"
#include "init.h"
#include "repo.h"
#include "str.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static struct repo repo;

static int setup(void **state)
{
    struct strbuf out;
    struct err e = ERR_INIT;
    snprintf(dir, sizeof dir, "/tmp/nephron-lock-XXXXXX");
    if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
        return -1;
    }
    strbuf_init(&out);
    int rc = repo_init(&(struct init_options){.no_scm = true}, &out, &e);
    strbuf_release(&out);
    return rc == 0 ? repo_open(&repo, NULL, &e) : -1;
}

static int teardown(void **state)
{
    repo_close(&repo);
    return chdir("/") == 0 ? fs_remove_tree(dir, NULL) : -1;
}

/* A child that takes the lock and keeps it until it is killed. */
static pid_t holder(enum repolock_kind kind)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct repolock l = REPOLOCK_INIT;
        if (repolock_acquire(&l, &repo, kind, "other command", false, NULL, NULL) == 0) {
            ssize_t n = write(ready[1], "x", 1);
            (void)n;
        }
        for (;;) {
            pause();
        }
    }
    char c;
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_busy_repository_names_its_holder(void **state)
{
    pid_t pid = holder(REPOLOCK_REPRO);
    struct repolock l = REPOLOCK_INIT;
    struct err e = ERR_INIT;
    char number[24];
    snprintf(number, sizeof number, "process %ld ", (long)pid);
    assert_int_equal(repolock_acquire(&l, &repo, REPOLOCK_REPRO, "me", false, NULL, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_int_equal(e.detail, 75);
    assert_non_null(strstr(e.text, number));
    assert_non_null(strstr(e.text, "other command"));
    end(pid);
    assert_int_equal(repolock_acquire(&l, &repo, REPOLOCK_REPRO, "me", false, NULL, &e), 0);
    repolock_release(&l);
}

static void the_lock_file_is_dvcs(void **state)
{
    struct repolock l = REPOLOCK_INIT;
    assert_int_equal(repolock_acquire(&l, &repo, REPOLOCK_REPO, "me", false, NULL, NULL), 0);
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_read(".dvc/tmp/lock", 0, &b, NULL), 0);
    char expect[32];
    snprintf(expect, sizeof expect, " %ld\n", (long)getpid());
    assert_string_equal(b.p, expect);
    strbuf_release(&b);
    repolock_release(&l);
    repolock_release(&l);
}

static void waiting_ends_when_the_holder_dies(void **state)
{
    pid_t pid = holder(REPOLOCK_REPO);
    pid_t killer = fork();
    if (killer == 0) {
        clock_sleep_us(300000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    struct repolock l = REPOLOCK_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(repolock_acquire(&l, &repo, REPOLOCK_REPO, "me", true, NULL, &e), 0);
    repolock_release(&l);
    waitpid(killer, NULL, 0);
    waitpid(pid, NULL, 0);
}

static void a_paused_lock_lets_others_in(void **state)
{
    struct repolock l = REPOLOCK_INIT;
    assert_int_equal(repolock_acquire(&l, &repo, REPOLOCK_REPO, "me", false, NULL, NULL), 0);
    repolock_pause(&l);
    pid_t pid = holder(REPOLOCK_REPO);
    end(pid);
    assert_int_equal(repolock_resume(&l, NULL), 0);
    repolock_release(&l);
}

/* ---- rwlock ---- */

static void put_rwlock(const char *text)
{
    assert_int_equal(fs_write_atomic(".dvc/tmp/rwlock", text, strlen(text), 0, NULL), 0);
}

static void assert_rwlock(const char *text)
{
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_read(".dvc/tmp/rwlock", 0, &b, NULL), 0);
    assert_string_equal(b.p, text);
    strbuf_release(&b);
}

static void rwlock_has_dvcs_form(void **state)
{
    struct rwlock *l = rwlock_new(&repo, "nephron repro");
    const char *const reads[] = {"/r/dep"}, *const writes[] = {"/r/out"};
    struct err e = ERR_INIT;
    char expect[256];
    long pid = (long)getpid();
    assert_int_equal(rwlock_acquire(l, 1, reads, 1, writes, 1, NULL, &e), 0);
    snprintf(expect, sizeof expect,
             "{\"write\": {\"/r/out\": {\"pid\": %ld, \"cmd\": \"nephron repro\"}}, "
             "\"read\": {\"/r/dep\": [{\"pid\": %ld, \"cmd\": \"nephron repro\"}]}}",
             pid, pid);
    assert_rwlock(expect);
    /* another of our stages reads the same: no conflict, and it stays until both are done */
    assert_int_equal(rwlock_acquire(l, 2, reads, 1, NULL, 0, NULL, &e), 0);
    rwlock_release(l, 1);
    assert_int_equal(rwlock_flush(l, &e), 0);
    snprintf(
        expect, sizeof expect,
        "{\"write\": {}, \"read\": {\"/r/dep\": [{\"pid\": %ld, \"cmd\": \"nephron repro\"}]}}",
        pid);
    assert_rwlock(expect);
    rwlock_free(l);
    assert_rwlock("{\"write\": {}, \"read\": {}}");
}

static void rwlock_conflicts_are_told_in_dvcs_words(void **state)
{
    char text[256], expect[512];
    long other = (long)getppid();
    struct rwlock *l = rwlock_new(&repo, "me");
    struct err e = ERR_INIT;
    snprintf(text, sizeof text,
             "{\"write\": {\"%s/a.out\": {\"pid\": %ld, \"cmd\": \"dvc repro\"}}}", dir, other);
    put_rwlock(text);
    char path[96], below[96];
    snprintf(path, sizeof path, "%s/a.out", dir);
    snprintf(below, sizeof below, "%s/a.out/x", dir);
    const char *const writes[] = {path};
    assert_int_equal(rwlock_acquire(l, 1, NULL, 0, writes, 1, NULL, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    snprintf(expect, sizeof expect,
             "'%s' is busy, it is being blocked by:\n  (PID %ld): dvc repro\n\nIf there are no "
             "processes "
             "with such PIDs, you can manually remove '%s/.dvc/tmp/rwlock' and try again.",
             path, other, dir);
    assert_string_equal(e.text, expect);
    const char *const reads[] = {below};
    assert_int_equal(rwlock_acquire(l, 1, reads, 1, NULL, 0, NULL, &e), -1);
    rwlock_free(l);
}

static void readers_do_not_block_readers(void **state)
{
    char text[256];
    snprintf(text, sizeof text, "{\"read\": {\"/r/a\": [{\"pid\": %ld, \"cmd\": \"dvc\"}]}}",
             (long)getppid());
    put_rwlock(text);
    struct rwlock *l = rwlock_new(&repo, "me");
    const char *const a[] = {"/r/a"};
    struct err e = ERR_INIT;
    assert_int_equal(rwlock_acquire(l, 1, a, 1, NULL, 0, NULL, &e), 0);
    assert_int_equal(rwlock_acquire(l, 2, NULL, 0, a, 1, NULL, &e), -1);
    rwlock_free(l);
    put_rwlock("{}");
}

static void the_dead_are_dropped_with_a_warning(void **state)
{
    pid_t dead = fork();
    if (dead == 0) {
        _exit(0);
    }
    waitpid(dead, NULL, 0);
    char text[256], expect[256];
    snprintf(text, sizeof text,
             "{\"write\": {\"%s/a.out\": {\"pid\": %ld, \"cmd\": \"dvc repro\"}}}", dir,
             (long)dead);
    put_rwlock(text);
    struct rwlock *l = rwlock_new(&repo, "me");
    struct strbuf w;
    strbuf_init(&w);
    char path[96];
    snprintf(path, sizeof path, "%s/a.out", dir);
    const char *const writes[] = {path};
    assert_int_equal(rwlock_acquire(l, 1, NULL, 0, writes, 1, &w, NULL), 0);
    snprintf(
        expect, sizeof expect,
        "WARNING: Process 'dvc repro' with (Pid %ld), in RWLock-file 'a.out' had been killed. Auto "
        "removed it from the lock file.\n",
        (long)dead);
    assert_string_equal(w.p, expect);
    strbuf_release(&w);
    rwlock_free(l);
}

static void torn_files_are_taken_up(void **state)
{
    static const char *const torn[] = {
        "",
        "{\"write\": {\"/a\": {\"pi",
        "[]",
        "\"x\"",
        "{\"write\": 3}",
        "{\"write\": {\"/a\": {\"pid\": \"x\"}}, \"read\": {\"/b\": [1, null]}}"};
    const char *const writes[] = {"/a"};
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        put_rwlock(torn[i]);
        struct rwlock *l = rwlock_new(&repo, "me");
        struct err e = ERR_INIT;
        assert_int_equal(rwlock_acquire(l, 1, NULL, 0, writes, 1, NULL, &e), 0);
        rwlock_free(l);
        assert_rwlock("{\"write\": {}, \"read\": {}}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_repository_names_its_holder),
        cmocka_unit_test(the_lock_file_is_dvcs),
        cmocka_unit_test(waiting_ends_when_the_holder_dies),
        cmocka_unit_test(a_paused_lock_lets_others_in),
        cmocka_unit_test(rwlock_has_dvcs_form),
        cmocka_unit_test(rwlock_conflicts_are_told_in_dvcs_words),
        cmocka_unit_test(readers_do_not_block_readers),
        cmocka_unit_test(the_dead_are_dropped_with_a_warning),
        cmocka_unit_test(torn_files_are_taken_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
