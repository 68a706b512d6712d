/* Local processes: commands line by line, output, environment, time-outs, kills, daemons, and no
 * process left behind. */
#include "runner.h"

#include "clock.h"
#include "err.h"
#include "fs.h"
#include "proc.h"

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

static char dir[] = "/tmp/nephron-runner-XXXXXX";

static int setup(void **state)
{
    unsetenv("SHELL");
    setenv("OMPI_COMM_WORLD_RANK", "3", 1);
    setenv("SLURM_JOB_ID", "77", 1);
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    return fs_remove_tree(dir, NULL);
}

static struct runner *local(int slots, bool guard)
{
    return runner_local_new(
        &(struct runner_local_options){.slots = slots, .output = RUNNER_CAPTURE, .guard = guard});
}

static struct job job_of(uint64_t id, const char *const *cmds, size_t count)
{
    return (struct job){
        .id = id, .stage = "s", .cmds = cmds, .cmd_count = count, .cwd = dir, .slots = 1};
}

static struct job_result wait_for(struct runner *r, struct arena *a)
{
    struct job_result out;
    struct err e = ERR_INIT;
    int got = 0;
    for (int i = 0; got == 0 && i < 200; i++) {
        got = r->ops->wait(r, 100, a, &out, &e);
    }
    assert_int_equal(got, 1);
    return out;
}

static struct job_result run(const char *const *cmds, size_t count, struct arena *a)
{
    struct runner *r = local(1, false);
    struct job j = job_of(1, cmds, count);
    struct err e = ERR_INIT;
    assert_int_equal(r->ops->start(r, &j, &e), 0);
    struct job_result out = wait_for(r, a);
    r->ops->close(r);
    return out;
}

static void commands_run_one_after_the_other_until_one_fails(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {"echo one; x=5", "echo two $x", "exit 3", "echo never"};
    struct job_result out = run(cmds, 4, &a);
    assert_int_equal(out.status, 3);
    assert_string_equal(out.failed_cmd, "exit 3");
    assert_string_equal(out.output, "> echo one; x=5\none\n> echo two $x\ntwo\n> exit 3\n");
    arena_release(&a);
}

static void both_streams_are_captured_in_order(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {"echo 1; echo 2 >&2; echo 3"};
    struct job_result out = run(cmds, 1, &a);
    assert_int_equal(out.status, 0);
    assert_non_null(strstr(out.output, "\n1\n2\n3\n"));
    arena_release(&a);
}

static void a_signal_is_a_negative_status(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {"kill -9 $$"};
    assert_int_equal(run(cmds, 1, &a).status, -9);
    arena_release(&a);
}

static void the_launchers_variables_are_gone_and_slurms_stay(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {"echo [$OMPI_COMM_WORLD_RANK] [$SLURM_JOB_ID] [$NEPHRON_SLOT]"};
    struct job_result out = run(cmds, 1, &a);
    assert_non_null(strstr(out.output, "[] [77] [0]\n"));
    arena_release(&a);
}

static void threads_are_set_unless_the_user_did(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const ours[] = {"OMP_NUM_THREADS=9", "PMIX_RANK=1", "PATH=/bin", NULL};
    const char *const add[] = {"PATH=/x", "DVC_STAGE=t"};
    struct job j = {.threads = 2, .env = add, .env_count = 2, .slots = 1, .ranks = 4};
    const char **env = runner_environment(&a, &j, ours);
    struct strbuf all;
    strbuf_init(&all);
    for (; *env != NULL; env++) {
        strbuf_addf(&all, "%s;", *env);
    }
    assert_string_equal(
        all.p, "OMP_NUM_THREADS=9;PATH=/x;OPENBLAS_NUM_THREADS=2;DVC_STAGE=t;NEPHRON_JOB=0;"
               "NEPHRON_SLOT=0;NEPHRON_SLOTS=1;NEPHRON_RANKS=4;");
    strbuf_release(&all);
    arena_release(&a);
}

static void the_shell_is_the_users_without_its_startup_files(void **state)
{
    const char *argv[8];
    setenv("SHELL", "/usr/bin/bash", 1);
    runner_shell("x", argv);
    assert_string_equal(argv[1], "--noprofile");
    assert_string_equal(argv[3], "-c");
    setenv("SHELL", "", 1);
    runner_shell("x", argv);
    assert_string_equal(argv[0], "/bin/sh");
    assert_string_equal(argv[1], "-c");
    assert_string_equal(argv[2], "x");
    assert_null(argv[3]);
    unsetenv("SHELL");
}

static void jobs_run_at_the_same_time(void **state)
{
    /* Each waits for the other's file: one after the other they would never end. */
    struct arena a;
    arena_init(&a);
    struct runner *r = local(2, false);
    const char *const first[] = {"touch f1; while ! test -e f2; do sleep 0.01; done"};
    const char *const second[] = {"touch f2; while ! test -e f1; do sleep 0.01; done"};
    struct job j1 = job_of(1, first, 1), j2 = job_of(2, second, 1);
    assert_int_equal(r->ops->start(r, &j1, NULL), 0);
    assert_int_equal(r->ops->start(r, &j2, NULL), 0);
    assert_int_equal(wait_for(r, &a).status, 0);
    assert_int_equal(wait_for(r, &a).status, 0);
    r->ops->close(r);
    arena_release(&a);
}

static void a_time_out_ends_the_whole_group(void **state)
{
    struct arena a;
    arena_init(&a);
    struct runner *r = local(1, false);
    const char *const cmds[] = {"sleep 1000 & echo $! > child; wait"};
    struct job j = job_of(1, cmds, 1);
    j.timeout_s = 0.3;
    assert_int_equal(r->ops->start(r, &j, NULL), 0);
    struct job_result out = wait_for(r, &a);
    assert_true(out.timed_out);
    assert_int_not_equal(out.status, 0);
    struct strbuf b;
    strbuf_init(&b);
    char path[64];
    snprintf(path, sizeof path, "%s/child", dir);
    assert_int_equal(fs_read(path, 0, &b, NULL), 0);
    pid_t child = (pid_t)strtol(b.p, NULL, 10);
    for (int i = 0; i < 200 && proc_alive(child); i++) {
        clock_sleep_us(10000);
    }
    assert_false(proc_alive(child));
    strbuf_release(&b);
    r->ops->close(r);
    arena_release(&a);
}

static void a_daemon_does_not_keep_its_stage_running(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {"sleep 5 & echo $! > daemon; echo started"};
    struct job_result out = run(cmds, 1, &a);
    assert_int_equal(out.status, 0);
    assert_true(out.seconds < 4);
    struct strbuf b;
    strbuf_init(&b);
    char path[64];
    snprintf(path, sizeof path, "%s/daemon", dir);
    assert_int_equal(fs_read(path, 0, &b, NULL), 0);
    kill((pid_t)strtol(b.p, NULL, 10), SIGKILL);
    strbuf_release(&b);
    arena_release(&a);
}

static void large_output_keeps_head_and_tail(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {
        "echo begin; head -c 40000000 /dev/zero | tr '\\0' x; echo; echo end"};
    struct job_result out = run(cmds, 1, &a);
    assert_int_equal(out.status, 0);
    assert_true(out.output_bytes < RUNNER_OUTPUT_MAX + 10000000);
    assert_non_null(strstr(out.output, "begin\n"));
    assert_string_equal(out.output + out.output_bytes - 5, "\nend\n");
    assert_non_null(strstr(out.output, "bytes left out"));
    arena_release(&a);
}

static void a_command_that_cannot_start_is_a_result(void **state)
{
    struct arena a;
    arena_init(&a);
    setenv("SHELL", "/nonexistent/shell", 1);
    const char *const cmds[] = {"true"};
    struct job_result out = run(cmds, 1, &a);
    unsetenv("SHELL");
    assert_int_not_equal(out.status, 0);
    assert_non_null(out.error);
    assert_non_null(strstr(out.error, "/nonexistent/shell"));
    arena_release(&a);
}

static void wake_ends_a_wait(void **state)
{
    struct arena a;
    arena_init(&a);
    struct runner *r = local(1, false);
    struct job_result out;
    r->ops->wake(r);
    assert_int_equal(r->ops->wait(r, 60000, &a, &out, NULL), 0);
    r->ops->close(r);
    arena_release(&a);
}

/* The shell dies of the signal, what it started finishes its work: the result waits for that. */
static void what_a_killed_command_started_may_end_in_order(void **state)
{
    struct arena a;
    arena_init(&a);
    const char *const cmds[] = {
        "sh -c 'trap \"sleep 0.3; echo saved; echo x > saved; exit 0\" USR1; echo up; touch up; "
        "while :; do sleep 0.01; done'; true"};
    struct runner *r = local(1, false);
    struct job j = job_of(1, cmds, 1);
    struct err e = ERR_INIT;
    struct job_result out;
    char up[64], saved[64];
    snprintf(up, sizeof up, "%s/up", dir);
    snprintf(saved, sizeof saved, "%s/saved", dir);
    assert_int_equal(r->ops->start(r, &j, &e), 0);
    for (int i = 0; i < 500 && !fs_exists(up); i++) {
        r->ops->wait(r, 20, &a, &out, &e);
    }
    r->ops->kill(r, 1, SIGUSR1);
    out = wait_for(r, &a);
    assert_int_equal(out.status, -SIGUSR1);
    assert_true(out.killed);
    assert_true(fs_exists(saved));
    assert_non_null(strstr(out.output, "saved"));
    r->ops->close(r);
    arena_release(&a);
}

/* A coordinator that is killed: its guard ends the stage, also what left the group. */
static void the_guard_ends_the_stages_of_a_killed_parent(void **state)
{
    char pid_path[96];
    snprintf(pid_path, sizeof pid_path, "%s/guarded", dir);
    pid_t parent = fork();
    if (parent == 0) {
        struct runner *r = local(1, true);
        const char *const cmds[] = {
            "setsid sleep 1000 & echo $! $$ > guarded.tmp; mv guarded.tmp guarded; "
            "trap '' TERM; sleep 1000"};
        struct job j = job_of(0x1234567800000001u + (uint64_t)getpid(), cmds, 1);
        struct arena a;
        arena_init(&a);
        struct job_result out;
        r->ops->start(r, &j, NULL);
        r->ops->wait(r, 60000, &a, &out, NULL);
        _exit(0);
    }
    for (int i = 0; i < 500 && !fs_exists(pid_path); i++) {
        clock_sleep_us(10000);
    }
    struct strbuf b;
    strbuf_init(&b);
    assert_int_equal(fs_read(pid_path, 0, &b, NULL), 0);
    char *end;
    pid_t child = (pid_t)strtol(b.p, &end, 10);
    pid_t shell = (pid_t)strtol(end, NULL, 10);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    for (int i = 0; i < 1200 && (proc_alive(child) || proc_alive(shell)); i++) {
        clock_sleep_us(10000);
    }
    assert_false(proc_alive(child));
    assert_false(proc_alive(shell));
    strbuf_release(&b);
}

static void the_null_runner_says_yes_to_everything(void **state)
{
    struct arena a;
    arena_init(&a);
    struct runner *r = runner_null_new(2);
    const char *const cmds[] = {"false"};
    struct job j = job_of(42, cmds, 1);
    assert_int_equal(r->ops->capacity(r), 2);
    assert_int_equal(r->ops->start(r, &j, NULL), 0);
    struct job_result out;
    assert_int_equal(r->ops->wait(r, 0, &a, &out, NULL), 1);
    assert_int_equal(out.id, 42);
    assert_int_equal(out.status, 0);
    assert_int_equal(r->ops->wait(r, 0, &a, &out, NULL), 0);
    r->ops->close(r);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_run_one_after_the_other_until_one_fails),
        cmocka_unit_test(both_streams_are_captured_in_order),
        cmocka_unit_test(a_signal_is_a_negative_status),
        cmocka_unit_test(the_launchers_variables_are_gone_and_slurms_stay),
        cmocka_unit_test(threads_are_set_unless_the_user_did),
        cmocka_unit_test(the_shell_is_the_users_without_its_startup_files),
        cmocka_unit_test(jobs_run_at_the_same_time),
        cmocka_unit_test(a_time_out_ends_the_whole_group),
        cmocka_unit_test(a_daemon_does_not_keep_its_stage_running),
        cmocka_unit_test(large_output_keeps_head_and_tail),
        cmocka_unit_test(a_command_that_cannot_start_is_a_result),
        cmocka_unit_test(wake_ends_a_wait),
        cmocka_unit_test(what_a_killed_command_started_may_end_in_order),
        cmocka_unit_test(the_guard_ends_the_stages_of_a_killed_parent),
        cmocka_unit_test(the_null_runner_says_yes_to_everything),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
