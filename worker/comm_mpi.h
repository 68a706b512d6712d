#ifndef NEPHRON_COMM_MPI_H
#define NEPHRON_COMM_MPI_H

#include "comm.h"

#include <mpi.h>
#include <stdbool.h>

/* Shared by comm_mpi.c and comm_sum.c only. */

#define COMM_WINDOW                                                                                \
    8 /* sums whose messages travel at the same time; the others wait their turn   \
                       */

/* A sum of one range; see comm_sum.c. */
struct sum {
    float *v;
    size_t n;
    const struct sum_way *way;
    int distance;   /* pairwise ways: of this round's partner */
    bool gathering; /* second half of a way: finished parts go to all */
};

/* A sum whose messages travel, and the memory for them, kept from step to step. */
struct sum_slot {
    struct sum sum;
    bool active;
    float *other; /* values of others; [capacity] */
    size_t capacity;
    MPI_Request *requests; /* [2 x size] */
    int request_count;
};

/* A gather under way: MPI keeps the two arrays until it is done. */
struct gather {
    int *counts, *places; /* [size] */
    MPI_Request request;
};

struct comm_mpi {
    struct comm base;
    MPI_Comm handle;
    bool owns_mpi;
    double *doubles;
    size_t doubles_capacity;

    struct sum *sums; /* [sum_first, sum_count) wait for a slot, in order */
    size_t sum_first, sum_count, sum_capacity;
    size_t sums_posted; /* ever: names the slot of the next, alike on all ranks */
    struct sum_slot slots[COMM_WINDOW];

    struct gather *gathers; /* of these, [gather_first, gather_count) are not done */
    size_t gather_first, gather_count, gather_capacity;
};

static inline struct comm_mpi *comm_mpi_of(struct comm *c)
{
    return (struct comm_mpi *)c;
}

/* 0, or -1 with MPI's words. */
int comm_mpi_check(int code, const char *what, struct err *e);

/* How a waiting rank waits: it looks after its other work (comm_idle), spins a moment (a partner is
 * usually as far as we are), then gives the core away for longer and longer. Start with {0}. */
struct comm_pause {
    unsigned rounds;
    int64_t us;
};
void comm_pause(struct comm *c, struct comm_pause *p);

/* comm_sum.c: the float sums of comm.h. */
int comm_sums_start(struct comm *c, float *v, size_t n, struct err *e);
int comm_sums_progress(struct comm *c, struct err *e);
bool comm_sums_done(const struct comm_mpi *m);
const char *comm_sums_way(struct comm *c, size_t n);
void comm_sums_release(struct comm_mpi *m);

#endif
