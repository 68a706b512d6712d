#ifndef NEPHRON_POOL_H
#define NEPHRON_POOL_H

#include "arena.h"

#include <stdbool.h>

#include <mpi.h>

struct err;
struct repro_stop;

/*
 * The stage pool of `mpirun -n N nephron repro`. Rank 0 decides what runs (dispatch/repro.h) and is
 * a slot itself; the others wait for jobs. Slot s is rank s. Everything travels on one communicator
 * of the pool's own, as letters (post.h); trainings have communicators of theirs (gang.h).
 *
 *   tag          from -> to      bytes                    meaning
 *   POOL_JOB     0 -> rank       job_pack                 run this; a rank has one job at a time
 *   POOL_KILL    0 -> rank       id (u64), signal (u32)   to the job; an id that is over is ignored
 *   POOL_STOP    0 -> rank       exit code (u32)          end what runs, leave; the last letter
 *   POOL_LINES   rank -> 0       id (u64), text           whole lines of the job's output
 *   POOL_RESULT  rank -> 0       result_pack              the job is over; its last letter
 *   POOL_OUTS    rank -> 0       id, list of files        what the job made (carry.h, ferry.h)
 *   POOL_KEPT    0 -> rank       id, text                 it is in the workspace, or why it is not
 *   POOL_NEED and POOL_BYTES between rank 0 and another: ferry.h
 *   POOL_JOIN, POOL_OUTPUT, POOL_LEFT and POOL_KILL between the ranks of one gang: gang.h
 *
 * Numbers are in the byte order of the host. Letters of one pair of ranks stay in order.
 *
 * Example, 4 ranks: a matrix of two trainings with `ranks: 2`, t1 and t2; a quick stage q that runs
 * first and a stage e after t2.
 *
 *   rank 0                        rank 1           rank 2                     rank 3
 *   runs q, a child of its own    sleeps, looks every millisecond
 *   leads t1: 0 -> 1 JOIN t1
 *             0 -> 2 JOB t2                        leads t2: 2 -> 3 JOIN t2
 *   ── create_group {1, 0} ──────────              ── create_group {3, 2} ─────────────
 *   trains, a slice of 2 ms at a  trains           trains, looks at its       trains
 *   time, and is coordinator      1 -> 0 OUTPUT    letters between slices     3 -> 2 OUTPUT
 *   between slices                "epoch 1/9 …"    2 -> 0 LINES t2
 *                                                                             3 -> 2 LEFT t2
 *                                                  2 -> 0 RESULT t2 (0)
 *   stores t2's outs, judges e
 *             0 -> 3 JOB e                         sleeps                     runs e, a child
 *   Ctrl-C (once): t1's stop flag is set, 0 -> 1 KILL t1, 0 -> 3 KILL e
 *   t1 checkpoints at its next step, in rank 1, which is rank 0 of {1, 0}
 *                                 1 -> 0 LEFT t1                              3 -> 0 RESULT e (-2)
 *   writes dvc.lock               0 -> 1, 2, 3 STOP 130     all: MPI_Finalize, exit 130
 *
 * A rank that waits looks and sleeps (post.h), also in the waits of a gang (comm.h); while a child
 * runs it sleeps in poll on the child's pipes.
 *
 * A rank that dies ends the MPI job (Open MPI 4.1); each rank has a guard process (runner_guard.h)
 * that then ends its children. `nephron launch` (dispatch/launch.h) starts it again. Its signals go
 * straight to the ranks; mpirun's own answer to SIGTERM and SIGINT is TERM a second later and KILL
 * one more second later (odls_base_sigkill_timeout stretches both alike), exit 1: stages that end
 * in that time are recorded as interrupted, of others the guards make an end, and what was finished
 * is in the journal.
 *
 * A gang whose command line is no plain `nephron train|evaluate|prepare` (another program, a pipe,
 * quotes) is a child of its lead alone. It finds the number of ranks in NEPHRON_RANKS and a
 * hostfile in NEPHRON_HOSTFILE ("host slots=n" a line, Open MPI's form, deleted afterwards), and
 * may start an MPI job of its own there; `nephron train | tee log` trains on the lead's host alone,
 * to the same bits.
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
    POOL_NEED,
    POOL_BYTES,
    POOL_OUTS,
    POOL_KEPT,
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
    int local_size; /* ranks on this host */
    int cores;      /* a rank's share of its host's cores, at least 1; the smallest of all ranks */
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
    bool no_commands; /* as runner_local_options.no_commands */
    /* Signals that this rank got, for its job, which then ends; NULL: none. */
    const struct repro_stop *stop;
};

/* The life of a rank above 0: returns the exit code that POOL_STOP brought, or -1 with *e set (then MPI_Abort is all that is left). */
int pool_work(const struct pool *p, const struct pool_options *opt, struct err *e);
/* Rank 0, at the very end: everyone leaves with this code. */
int pool_stop(const struct pool *p, int exit_code, struct err *e);

#endif
