#ifndef NEPHRON_POOL_H
#define NEPHRON_POOL_H

#include "arena.h"

#include <stdbool.h>

#include <mpi.h>

struct err;
struct repro_stop;

/*
 * The stage pool of `mpirun -n N nephron repro`. Rank 0 decides what runs (dispatch/repro.h) and is a slot itself; the others wait for
 * jobs. Slot s is rank s. Everything travels on one communicator of the pool's own, as letters (post.h):
 *
 *   tag          from -> to     bytes                      meaning
 *   POOL_JOB     0 -> rank      job_pack                   run this; a rank has one job at a time
 *   POOL_KILL    0 -> rank      id (u64), signal (u32)     to the job's process group; an id that is over is ignored
 *   POOL_STOP    0 -> rank      exit code (u32)            kill what runs, leave the loop; the last letter
 *   POOL_LINES   rank -> 0      id (u64), text             whole lines of the job's output, each with its newline
 *   POOL_RESULT  rank -> 0      result_pack                the job is over; after it no letter names its id
 *
 * Numbers are in the byte order of the host. Letters of one pair of ranks stay in order.
 *
 * Example, 3 ranks, stages a, b, c independent, d after c; c fails at first and has one retry:
 *
 *   rank 0: runs a itself     0 -> 1 JOB b            0 -> 2 JOB c
 *                             1 -> 0 LINES b          2 -> 0 RESULT c (exit 1)
 *   rank 0: c again, on the first free slot           0 -> 2 JOB c, attempt 1
 *                             1 -> 0 RESULT b (0)     2 -> 0 RESULT c (0)
 *                             0 -> 1 JOB d
 *   Ctrl-C: every rank has the signal from mpirun and passes it to its children; rank 0 also sends 0 -> 1 KILL d, 2.
 *                             1 -> 0 RESULT d (-2, killed)
 *   rank 0 writes dvc.lock    0 -> 1 STOP 130         0 -> 2 STOP 130         all: MPI_Finalize, exit 130
 *
 * A rank that waits looks and sleeps (post.h); while its job runs it sleeps in poll on the job's pipes.
 * Open MPI's mpirun answers a signal with TERM to every rank and, odls_base_sigkill_timeout (1 s) later, KILL: stages that end within
 * that second are recorded as interrupted; slower ones are ended by the guards (TERM, 5 s, KILL) and what was finished is in the
 * journal. The guard of rank 0 keeps the repro lock meanwhile, those of other ranks have none to keep.
 *
 * A rank that dies ends the MPI job (Open MPI 4.1); each rank has a guard process (runner_guard.h) that then ends its children.
 *
 * Gangs (meta: {nephron: {ranks: …}}): the job goes to the first of its ranks alone. Its command finds the number of ranks in
 * NEPHRON_RANKS and a hostfile in NEPHRON_HOSTFILE ("host slots=n" a line, Open MPI's form, deleted afterwards). A command that
 * begins with `nephron train`, `evaluate` or `prepare` is started as `mpirun -n RANKS … nephron-mpi train …` over these hosts, from an
 * environment without the launcher's variables, while the gang's other ranks sleep. So rank 0 goes on dispatching also when it is
 * part of a gang, at the price of starting MPI once a gang (about 0.3 s).
 */

enum pool_tag {
    POOL_JOB = 1,
    POOL_KILL,
    POOL_STOP,
    POOL_LINES,
    POOL_RESULT,
    POOL_JOIN,
    POOL_OUTPUT,
    POOL_LEFT,
};

#define POOL_HOST_MAX 256

struct pool_rank {
    char host[POOL_HOST_MAX];
    long pid;
};

/* Who is in the pool; the same on every rank. */
struct pool {
    MPI_Comm comm; /* the pool's own, a duplicate */
    int rank, size;
    int local_size;          /* ranks on this host */
    int cores;               /* a rank's share of its host's cores, at least 1; the smallest of all ranks */
    struct pool_rank *ranks; /* [size] */
};

/*
 * Collective over `world`. Pairs with pool_close, collective too. A rank that its launcher bound to fewer cores than its share (Open
 * MPI: one core each when there are one or two ranks) is freed, since its children inherit the binding.
 */
int pool_open(struct pool *p, MPI_Comm world, struct err *e);
void pool_close(struct pool *p);
/* "a,b": each host once, in the order of ranks. */
char *pool_hosts(const struct pool *p, struct arena *a);

struct pool_options {
    bool no_commands;              /* as runner_local_options.no_commands */
    const struct repro_stop *stop; /* signals that this rank got; NULL: none. Passed to its job, which then ends */
};

/* The life of a rank above 0: returns the exit code that POOL_STOP brought, or -1 with *e set (then MPI_Abort is all that is left). */
int pool_work(const struct pool *p, const struct pool_options *opt, struct err *e);
/* Rank 0, at the very end: everyone leaves with this code. */
int pool_stop(const struct pool *p, int exit_code, struct err *e);

#endif
