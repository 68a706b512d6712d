/* One rank alone: every sum is what it is. No MPI is started. See comm.h. */
#include "comm.h"

#include "alloc.h"

#include <stdlib.h>

static int single_barrier(struct comm *c, struct err *e)
{
    return 0;
}

static int single_bcast(struct comm *c, void *data, size_t bytes, int root, struct err *e)
{
    return 0;
}

static int single_allgatherv(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                             struct err *e)
{
    return 0;
}

static int single_sum_double(struct comm *c, double *v, size_t n, struct err *e)
{
    return 0;
}

static int single_sum_start(struct comm *c, float *v, size_t n, struct err *e)
{
    return 0;
}

static const char *single_way(struct comm *c, size_t n)
{
    return "none";
}

static int single_nothing(struct comm *c, struct err *e)
{
    return 0;
}

static struct comm *single_split(struct comm *c, int color, int key, struct err *e)
{
    return comm_single_new();
}

static int single_share(struct comm *c, int *rank, int *size, struct err *e)
{
    *rank = 0;
    *size = 1;
    return 0;
}

static void single_fail(struct comm *c, int code)
{
    exit(code);
}

static int single_close(struct comm *c, struct err *e)
{
    free(c);
    return 0;
}

static const struct comm_ops single_ops = {
    .name = "single",
    .barrier = single_barrier,
    .bcast = single_bcast,
    .allgatherv = single_allgatherv,
    .sum_double = single_sum_double,
    .sum_start = single_sum_start,
    .sum_way = single_way,
    .gather_start = single_allgatherv,
    .gather_wait = single_nothing,
    .progress = single_nothing,
    .finish = single_nothing,
    .split = single_split,
    .share = single_share,
    .fail = single_fail,
    .close = single_close,
};

struct comm *comm_single_new(void)
{
    struct comm *c = xcalloc(1, sizeof(*c));
    *c = (struct comm){.ops = &single_ops, .rank = 0, .size = 1};
    return c;
}
