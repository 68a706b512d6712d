/* A runner that runs nothing and says at once that all went well: what is left is the cost of
 * deciding and recording. */
#include "runner.h"

#include "alloc.h"
#include "clock.h"

#include <stdlib.h>

struct null_runner {
    struct runner base;
    int slots;
    uint64_t *ids;
    size_t count, capacity;
};

static int null_capacity(struct runner *r)
{
    return ((struct null_runner *)r)->slots;
}

static int null_start(struct runner *r, const struct job *j, struct err *e)
{
    struct null_runner *n = (struct null_runner *)r;
    ARRAY_RESERVE(n->ids, n->count, n->capacity, 1);
    n->ids[n->count++] = j->id;
    return 0;
}

static int null_wait(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                     struct err *e)
{
    struct null_runner *n = (struct null_runner *)r;
    if (n->count == 0) {
        if (timeout_ms > 0) {
            clock_sleep_us((int64_t)timeout_ms * 1000);
        }
        return 0;
    }
    int64_t now = clock_wall_ms(&clock_system);
    *out = (struct job_result){
        .id = n->ids[--n->count], .host = "", .output = "", .start_ms = now, .end_ms = now};
    return 1;
}

static void null_kill(struct runner *r, uint64_t id, int sig) {}

static void null_wake(struct runner *r) {}

static void null_close(struct runner *r)
{
    free(((struct null_runner *)r)->ids);
    free(r);
}

static const struct runner_ops null_ops = {
    .name = "null",
    .capacity = null_capacity,
    .start = null_start,
    .wait = null_wait,
    .kill = null_kill,
    .wake = null_wake,
    .close = null_close,
};

struct runner *runner_null_new(int slots)
{
    struct null_runner *n = xcalloc(1, sizeof *n);
    n->base.ops = &null_ops;
    n->slots = slots > 0 ? slots : 1;
    return &n->base;
}
