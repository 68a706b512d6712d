/* See exp_mpi.h. */
#include "exp_mpi.h"

#include "err.h"
#include "exprun_cli.h"
#include "log.h"
#include "pool.h"
#include "pool_program.h"
#include "repo.h"
#include "report.h"
#include "repro_stop.h"
#include "runner_mpi.h"

#include <string.h>

static bool is_given(int argc, char **argv, const char *name, const char *other)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0 || strcmp(argv[i], other) == 0) {
            return true;
        }
    }
    return false;
}

static struct runner *open_runner(void *ctx, const struct runner_hooks *hooks, struct err *e)
{
    return runner_mpi_new(&(struct runner_mpi_options){
        .pool = ctx, .hooks = hooks, .no_commands = true, .stop = repro_stop_catch()});
}

static int coordinate(const struct pool *p, int argc, char **argv, bool no_commands)
{
    bool quiet = is_given(argc, argv, "-q", "--quiet");
    struct err e = ERR_INIT;
    struct repo r;
    if (repo_open(&r, NULL, &e) < 0) {
        return report_error(&e, e.code == ERR_MISSING ? 253 : 255);
    }
    if (is_given(argc, argv, "-j", "--jobs")) {
        log_warn("pool", "-j: the launcher started %d rank%s, which run one experiment each",
                 p->size, p->size == 1 ? "" : "s");
    }
    int code = exprun_cli_all(
        &r, &(struct exprun_cli_options){
                .jobs = p->size, .quiet = quiet, .open_runner = open_runner, .ctx = (void *)p});
    repo_close(&r);
    return code;
}

int exp_mpi_main(int argc, char **argv)
{
    /* the command of a job is ours, and nobody's to read */
    return pool_program(argc, argv, true, coordinate);
}
