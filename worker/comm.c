/* What both kinds of comm share; see comm.h. */
#include "comm.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "num.h"
#include "str.h"

#include <stdlib.h>
#include <string.h>

int comm_launched_world(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "PMI_SIZE"};
    int64_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *text = getenv(names[i]);
        if (text && num_parse_int(str_from(text), &n) && n >= 1 && n <= 1000000) {
            return (int)n;
        }
    }
    /* srun --mpi=pmix: SLURM_NTASKS alone also stands in batch scripts, where nobody is a rank. */
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (tasks && getenv("SLURM_PROCID") && getenv("PMIX_RANK") &&
        num_parse_int(str_from(tasks), &n) && n >= 1) {
        return (int)n;
    }
    return 1;
}

void comm_idle(struct comm *c)
{
    if (c->idle != NULL) {
        c->idle(c->idle_ctx);
    }
}

/* What a rank spends waiting is not its own slowness: see straggler.h. */
static int waited(struct comm *c, double since, int rc)
{
    c->waited_s += clock_seconds(&clock_system) - since;
    return rc;
}

int comm_barrier(struct comm *c, struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->barrier(c, e);
    return waited(c, since, rc);
}

int comm_bcast(struct comm *c, void *data, size_t bytes, int root, struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->bcast(c, data, bytes, root, e);
    return waited(c, since, rc);
}

int comm_allgatherv(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                    struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->allgatherv(c, data, offsets, bytes, e);
    return waited(c, since, rc);
}

int comm_sum_double(struct comm *c, double *v, size_t n, struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->sum_double(c, v, n, e);
    return waited(c, since, rc);
}

int comm_max(struct comm *c, int64_t *v, size_t n, struct err *e)
{
    if (n > COMM_MAX_VALUES) {
        BUG("comm_max of %zu values", n);
    }
    if (c->size == 1) {
        return 0;
    }
    size_t total = 0;
    int64_t *all = comm_collect(c, v, n * sizeof(*v), &total, e);
    if (!all) {
        return -1;
    }
    for (size_t i = 0; i < total / sizeof(*v); i++) {
        v[i % n] = all[i] > v[i % n] ? all[i] : v[i % n];
    }
    free(all);
    return 0;
}

void *comm_collect(struct comm *c, const void *mine, size_t n, size_t *total, struct err *e)
{
    size_t world = (size_t)c->size;
    size_t *bytes = xcalloc(world, sizeof(*bytes)), *offsets = xcalloc(world, sizeof(*offsets));
    size_t *ones = xcalloc(world, sizeof(*ones));
    char *all = NULL;
    for (size_t i = 0; i < world; i++) {
        offsets[i] = i * sizeof(*bytes);
        ones[i] = sizeof(*bytes);
    }
    bytes[c->rank] = n;
    if (comm_allgatherv(c, bytes, offsets, ones, e) < 0) {
        goto out;
    }
    *total = 0;
    for (size_t i = 0; i < world; i++) {
        offsets[i] = *total;
        *total += bytes[i];
    }
    all = xmalloc(*total + 1);
    if (n > 0) {
        memcpy(all + offsets[c->rank], mine, n);
    }
    if (comm_allgatherv(c, all, offsets, bytes, e) < 0) {
        free(all);
        all = NULL;
    }
out:
    free(bytes);
    free(offsets);
    free(ones);
    return all;
}

int comm_sum_start(struct comm *c, float *v, size_t n, struct err *e)
{
    return c->ops->sum_start(c, v, n, e);
}

const char *comm_sum_way(struct comm *c, size_t n)
{
    return c->ops->sum_way(c, n);
}

int comm_gather_start(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                      struct err *e)
{
    return c->ops->gather_start(c, data, offsets, bytes, e);
}

int comm_gather_wait(struct comm *c, struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->gather_wait(c, e);
    return waited(c, since, rc);
}

int comm_progress(struct comm *c, struct err *e)
{
    comm_idle(c);
    return c->ops->progress(c, e);
}

int comm_finish(struct comm *c, struct err *e)
{
    double since = clock_seconds(&clock_system);
    int rc = c->ops->finish(c, e);
    return waited(c, since, rc);
}

struct comm *comm_split(struct comm *c, int color, int key, struct err *e)
{
    return c->ops->split(c, color, key, e);
}

int comm_host_share(struct comm *c, int *rank, int *size, struct err *e)
{
    return c->ops->share(c, rank, size, e);
}

void comm_fail(struct comm *c, int code)
{
    c->ops->fail(c, code);
}

int comm_close(struct comm *c, struct err *e)
{
    return c ? c->ops->close(c, e) : 0;
}
