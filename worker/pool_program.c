/* See pool_program.h. */
#include "pool_program.h"

#include "err.h"
#include "log.h"
#include "pool.h"
#include "repro_stop.h"

#include <stdio.h>

#include <mpi.h>

/* One rank cannot leave alone: the others would wait for it. */
static int give_up(const struct pool *p, const struct err *e)
{
    fflush(stdout);
    fprintf(stderr, "ERROR: rank %d: %s\n", p->rank, e->text);
    fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
}

static int take_part(struct pool *p, int argc, char **argv, bool quiet, pool_program_fn *coordinate)
{
    struct err e = ERR_INIT;
    if (pool_open(p, MPI_COMM_WORLD, &e) < 0) {
        return give_up(p, &e);
    }
    log_set_rank(p->rank, p->size);
    int code;
    if (p->rank == 0) {
        code = coordinate(p, argc, argv, quiet);
        fflush(stdout);
        if (pool_stop(p, code, &e) < 0) {
            return give_up(p, &e);
        }
    } else {
        const struct pool_options opt = {.no_commands = quiet, .stop = repro_stop_catch()};
        code = pool_work(p, &opt, &e);
        if (code < 0) {
            return give_up(p, &e);
        }
    }
    pool_close(p);
    return code;
}

int pool_program(int argc, char **argv, bool quiet, pool_program_fn *coordinate)
{
    int initialised = 0, level = 0;
    struct pool pool = {.comm = MPI_COMM_NULL};
    MPI_Initialized(&initialised);
    if (!initialised && MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS) {
        fprintf(stderr, "ERROR: cannot start MPI\n");
        return 1;
    }
    int code = take_part(&pool, argc, argv, quiet, coordinate);
    MPI_Finalize();
    return code;
}
