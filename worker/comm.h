#ifndef NEPHRON_COMM_H
#define NEPHRON_COMM_H

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * Ranks that compute together: what training needs of MPI, and nothing else. Two tables exist:
 * comm_single.c (one rank, no MPI call ever) and comm_mpi.c. All calls are collective and are made
 * by one thread a rank, in the same order on all ranks.
 *
 * Sums are formed in one fixed tree over the ranks, lower rank first, so that every rank gets the
 * same bits in every run. Worked example, 4 ranks with values v0..v3:
 *
 *     round 1   0 <-> 1, 2 <-> 3     0 and 1 hold v0+v1,           2 and 3 hold v2+v3
 *     round 2   0 <-> 2, 1 <-> 3     all hold (v0+v1)+(v2+v3)
 *
 * Three ranks, no power of two: (v0+v1)+v2. Which messages form the sum is another matter: large
 * ranges are cut up, so that no rank sends more than twice their size (comm_sum.c).
 *
 * While a rank waits it polls, with pauses that grow to 1 ms: Open MPI's own waiting takes a core,
 * which the host's other ranks and loader threads need.
 */

struct comm;

struct comm_ops {
    const char *name;
    int (*barrier)(struct comm *c, struct err *e);
    int (*bcast)(struct comm *c, void *data, size_t bytes, int root, struct err *e);
    int (*allgatherv)(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                      struct err *e);
    int (*sum_double)(struct comm *c, double *v, size_t n, struct err *e);
    int (*sum_start)(struct comm *c, float *v, size_t n, struct err *e);
    const char *(*sum_way)(struct comm *c, size_t n);
    int (*gather_start)(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                        struct err *e);
    int (*gather_wait)(struct comm *c, struct err *e);
    int (*progress)(struct comm *c, struct err *e);
    int (*finish)(struct comm *c, struct err *e);
    struct comm *(*split)(struct comm *c, int color, int key, struct err *e);
    int (*share)(struct comm *c, int *rank, int *size, struct err *e);
    void (*fail)(struct comm *c, int code);
    int (*close)(struct comm *c, struct err *e);
};

struct comm {
    const struct comm_ops *ops;
    int rank, size;
    void (*idle)(void *ctx); /* called while a rank waits, and by comm_idle; NULL: nothing */
    void *idle_ctx;
    double waited_s; /* time this rank has spent in calls that wait for others */
};

/* One rank. Returns new (comm_close); never NULL. */
struct comm *comm_single_new(void);
/* All ranks of the launcher's job. Starts MPI (MPI_THREAD_FUNNELED) and, with comm_close, ends it.
 * Returns new; ERR_REMOTE with MPI's words. */
struct comm *comm_mpi_open(struct err *e);
/*
 * Ranks of a launcher's job in which MPI runs already, as a comm of their own, in the order of the
 * list (numbers of the whole job). Collective over these ranks alone: the others take no part and
 * may be in groups of their own. Returns new (comm_close).
 */
struct comm *comm_mpi_group(const int *ranks, int count, struct err *e);
/* Ranks that the launcher's environment tells of (Open MPI, PMIx, MPICH's PMI, Slurm); 1 without
 * any. */
int comm_launched_world(void);

int comm_barrier(struct comm *c, struct err *e);
int comm_bcast(struct comm *c, void *data, size_t bytes, int root, struct err *e);
/* In place: rank r has filled data + offsets[r], bytes[r] long; afterwards all ranks have all
 * pieces. offsets and bytes have an entry for each rank, the same on all. */
int comm_allgatherv(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                    struct err *e);
/* v[i] = sum over ranks, the same bits everywhere. */
int comm_sum_double(struct comm *c, double *v, size_t n, struct err *e);
/* v[i] = max over ranks; n <= COMM_MAX_VALUES. How ranks agree on "somebody failed". */
#define COMM_MAX_VALUES 8
int comm_max(struct comm *c, int64_t *v, size_t n, struct err *e);
/* Gathers n bytes of each rank, in rank order. Returns new (free); *total in bytes. NULL: *e. */
void *comm_collect(struct comm *c, const void *mine, size_t n, size_t *total, struct err *e);

/*
 * What travels while the caller computes: start sums and gathers, call comm_progress now and then
 * (Open MPI moves nothing outside of its own calls), comm_finish waits for all of them. Memory
 * handed to a start is the transport's until then.
 */
/* v[i] = sum over ranks, for n floats. */
int comm_sum_start(struct comm *c, float *v, size_t n, struct err *e);
/* As comm_allgatherv; the two arrays are copied. */
int comm_gather_start(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                      struct err *e);
/* Waits for the gather that was started first of those not yet waited for. */
int comm_gather_wait(struct comm *c, struct err *e);
int comm_progress(struct comm *c, struct err *e);
int comm_finish(struct comm *c, struct err *e);
/* The way that a sum of n floats takes here, for tables: "doubling", "halving", "slices", "none".
 */
const char *comm_sum_way(struct comm *c, size_t n);

/* A moment at which other work of this rank may be looked after (comm.idle). Waiting and
 * comm_progress are such moments by themselves; loops that compute for long call it. */
void comm_idle(struct comm *c);
/* Ranks of one colour form a group, ordered by key. Returns new (comm_close, before c's). */
struct comm *comm_split(struct comm *c, int color, int key, struct err *e);
/* This rank's number among the ranks of its host, and how many those are. */
int comm_host_share(struct comm *c, int *rank, int *size, struct err *e);
/* A rank that cannot go on ends all of them: returning from one alone would hang the others. */
void comm_fail(struct comm *c, int code);
/* NULL is fine. */
int comm_close(struct comm *c, struct err *e);

#endif
