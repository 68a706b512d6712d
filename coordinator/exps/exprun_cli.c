/* See exprun_cli.h. */
#include "exprun_cli.h"

#include "err.h"
#include "expqueue.h"
#include "exprun.h"
#include "exprunall.h"
#include "proc.h"
#include "repo.h"
#include "report.h"
#include "repro_stop.h"
#include "str.h"
#include "tracked.h"

#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_names(FILE *out, const char *before, const char *const *names, size_t count,
                        const char *after)
{
    fputs(before, out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    fputs(after, out);
}

static void tell(const struct exprunall_result *r, bool quiet)
{
    fflush(stdout);
    if (r->failed_count > 0) {
        print_names(stderr, "Failed to reproduce experiment(s) '", r->failed, r->failed_count,
                    "'\n");
    }
    if (r->ran_count > 0 && !quiet) {
        print_names(stdout, "\nRan experiment(s): ", r->ran, r->ran_count, "\n");
        printf("To apply the results of an experiment to your workspace run:\n\n"
               "\tnephron exp apply <exp>\n");
    }
}

int exprun_cli_all(const struct repo *r, const struct exprun_cli_options *opt)
{
    struct arena a;
    struct strbuf program;
    struct err e = ERR_INIT;
    struct exprunall_result result = {0};
    if (opt->jobs < 1 || opt->jobs > 4096) {
        err_set(&e, ERR_USAGE, "argument -j/--jobs: expected 1..4096, found %ld", opt->jobs);
        return report_error(&e, 254);
    }
    arena_init(&a);
    strbuf_init(&program);
    const struct repro_stop *stop = repro_stop_catch();
    int rc = proc_self_dir(&program, &e);
    if (rc == 0) {
        strbuf_adds(&program, "/nephron");
        if (opt->open_runner == NULL) {
            close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        }
        const struct exprunall_options all = {.slots = (int)opt->jobs,
                                              .open_runner = opt->open_runner,
                                              .ctx = opt->ctx,
                                              .program = program.p,
                                              .stop = stop,
                                              .live = true,
                                              .quiet = opt->quiet,
                                              .worker = opt->worker};
        rc = exprunall(r, &a, &all, &result, &e);
    }
    tell(&result, opt->quiet);
    int code = rc < 0 ? report_error(&e, 255) : 0;
    if (code == 0 && result.interrupted) {
        fprintf(stderr, "ERROR: interrupted; what did not end waits in the queue\n");
        code = repro_stop_exit(stop);
    }
    strbuf_release(&program);
    arena_release(&a);
    return code;
}

int exprun_cli_worker(void)
{
    struct repo r;
    struct err e = ERR_INIT;
    if (repo_open(&r, NULL, &e) < 0) {
        return report_error(&e, 255);
    }
    int code = exprun_cli_all(&r, &(struct exprun_cli_options){.jobs = 1, .worker = true});
    repo_close(&r);
    return code;
}

/* ---- one job ---- */

static int run_task(const struct exptask *t, struct exprun_result *result, struct err *e)
{
    struct repo r;
    if (repo_open(&r, t->root, e) < 0) {
        return -1;
    }
    /* the record of the run names the experiment, not the files of the queue */
    char *words[] = {"exp", "run", "-n", (char *)t->name};
    struct tracked *tracked = tracked_new(&(struct tracked_options){.argc = 4, .argv = words});
    const struct exprun_options opt = {.tracked = tracked, .plain_output = true};
    int rc = exprun_in_copy(&r, t, &opt, result, e);
    tracked_free(tracked);
    repo_close(&r);
    return rc;
}

static bool was_cut_off(void)
{
    return repro_stop_catch()->signal != 0;
}

int exprun_cli_exec(int argc, char **argv)
{
    struct arena a;
    struct exptask t;
    struct err e = ERR_INIT;
    struct exprun_result result = {.exit_code = 255};
    if (argc != 3) {
        fprintf(stderr, "ERROR: exp exec-run is what `nephron exp run --run-all` starts\n");
        return 254;
    }
    arena_init(&a);
    repro_stop_catch();
    int rc = exptask_load(&a, argv[1], &t, &e);
    if (rc == 0) {
        rc = run_task(&t, &result, &e);
    }
    int code = rc == 0 ? 0 : report_error(&e, result.exit_code != 0 ? result.exit_code : 255);
    fflush(stdout);
    /* one that was cut off has no result: it waits again */
    if (rc == 0 || !was_cut_off()) {
        struct err why = ERR_INIT;
        if (expqueue_leave_result(argv[2], rc == 0 ? result.commit : NULL, e.text, &why) < 0) {
            code = report_error(&why, 255);
        }
    }
    arena_release(&a);
    return code;
}
