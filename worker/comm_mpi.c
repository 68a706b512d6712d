/*
 * Ranks by MPI; see comm.h for the order of sums. Float sums are in comm_sum.c. One thread a rank
 * makes all calls (MPI_THREAD_FUNNELED).
 */
#include "comm_mpi.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1 << 30) /* of one message: MPI counts are int */
#define TAG_DOUBLE 1
#define SPIN_ROUNDS 200
#define PAUSE_MAX_US 1000

int comm_mpi_check(int code, const char *what, struct err *e)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    if (code == MPI_SUCCESS) {
        return 0;
    }
    MPI_Error_string(code, text, &n);
    return err_set(e, ERR_REMOTE, "MPI: %s failed: %s", what, text);
}

void comm_pause(struct comm *c, struct comm_pause *p)
{
    comm_idle(c);
    if (p->rounds++ < SPIN_ROUNDS) {
        sched_yield();
        return;
    }
    p->us = p->us * 3 / 2 + 1;
    p->us = p->us > PAUSE_MAX_US ? PAUSE_MAX_US : p->us;
    clock_sleep_us(p->us);
}

static int wait_all(struct comm *c, int count, MPI_Request *requests, const char *what,
                    struct err *e)
{
    struct comm_pause pause = {0};
    for (;;) {
        int done = 0;
        int code = MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (code != MPI_SUCCESS || done) {
            return comm_mpi_check(code, what, e);
        }
        comm_pause(c, &pause);
    }
}

static int mpi_barrier(struct comm *c, struct err *e)
{
    MPI_Request request = MPI_REQUEST_NULL;
    if (comm_mpi_check(MPI_Ibarrier(comm_mpi_of(c)->handle, &request), "barrier", e) < 0) {
        return -1;
    }
    return wait_all(c, 1, &request, "barrier", e);
}

static int mpi_bcast(struct comm *c, void *data, size_t bytes, int root, struct err *e)
{
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t n = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        MPI_Request request = MPI_REQUEST_NULL;
        int code =
            MPI_Ibcast((char *)data + at, (int)n, MPI_BYTE, root, comm_mpi_of(c)->handle, &request);
        if (comm_mpi_check(code, "broadcast", e) < 0 ||
            wait_all(c, 1, &request, "broadcast", e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int gather_begin(struct comm *c, struct gather *g, void *data, const size_t *offsets,
                        const size_t *bytes, struct err *e)
{
    g->request = MPI_REQUEST_NULL;
    g->counts = xcalloc((size_t)c->size, sizeof(int));
    g->places = xcalloc((size_t)c->size, sizeof(int));
    for (int i = 0; i < c->size; i++) {
        if (bytes[i] > INT_MAX || offsets[i] > INT_MAX) {
            return err_set(e, ERR_LIMIT, "more than 2 GiB in one exchange between ranks");
        }
        g->counts[i] = (int)bytes[i];
        g->places[i] = (int)offsets[i];
    }
    int code = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, g->counts, g->places,
                               MPI_BYTE, comm_mpi_of(c)->handle, &g->request);
    return comm_mpi_check(code, "gather", e);
}

static void gather_release(struct gather *g)
{
    free(g->counts);
    free(g->places);
    *g = (struct gather){.request = MPI_REQUEST_NULL};
}

static int mpi_allgatherv(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                          struct err *e)
{
    struct gather g = {0};
    int rc = gather_begin(c, &g, data, offsets, bytes, e);
    rc = rc == 0 ? wait_all(c, 1, &g.request, "gather", e) : rc;
    gather_release(&g);
    return rc;
}

static int mpi_gather_start(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                            struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    ARRAY_RESERVE(m->gathers, m->gather_count, m->gather_capacity, 1);
    return gather_begin(c, &m->gathers[m->gather_count++], data, offsets, bytes, e);
}

/* Waits for the gather that was started first; sums go on meanwhile. */
static int mpi_gather_wait(struct comm *c, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    struct comm_pause pause = {0};
    if (m->gather_first == m->gather_count) {
        return 0;
    }
    struct gather *g = &m->gathers[m->gather_first];
    for (int done = 0;;) {
        if (comm_mpi_check(MPI_Test(&g->request, &done, MPI_STATUS_IGNORE), "gather", e) < 0 ||
            comm_sums_progress(c, e) < 0) {
            return -1;
        }
        if (done) {
            break;
        }
        comm_pause(c, &pause);
    }
    gather_release(g);
    if (++m->gather_first == m->gather_count) {
        m->gather_first = m->gather_count = 0;
    }
    return 0;
}

static int mpi_progress(struct comm *c, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    for (size_t i = m->gather_first; i < m->gather_count; i++) {
        int done = 0;
        if (comm_mpi_check(MPI_Test(&m->gathers[i].request, &done, MPI_STATUS_IGNORE), "gather",
                           e) < 0) {
            return -1;
        }
    }
    return comm_sums_progress(c, e);
}

static int mpi_finish(struct comm *c, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    struct comm_pause pause = {0};
    while (m->gather_first < m->gather_count) {
        if (mpi_gather_wait(c, e) < 0) {
            return -1;
        }
    }
    while (!comm_sums_done(m)) {
        if (comm_sums_progress(c, e) < 0) {
            return -1;
        }
        if (!comm_sums_done(m)) {
            comm_pause(c, &pause);
        }
    }
    return 0;
}

/* One message each way, or only one of them when a buffer is NULL. */
static int exchange(struct comm *c, const void *out, void *in, size_t bytes, int partner, int tag,
                    struct err *e)
{
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        int n = (int)(bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES);
        MPI_Request r[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        MPI_Comm h = comm_mpi_of(c)->handle;
        if (in && comm_mpi_check(MPI_Irecv((char *)in + at, n, MPI_BYTE, partner, tag, h, &r[0]),
                                 "receive", e) < 0) {
            return -1;
        }
        if (out &&
            comm_mpi_check(MPI_Isend((const char *)out + at, n, MPI_BYTE, partner, tag, h, &r[1]),
                           "send", e) < 0) {
            return -1;
        }
        if (wait_all(c, 2, r, "exchange between ranks", e) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

/* The lower rank's value stands on the left; see comm_sum.c. */
static void add_doubles(double *v, const double *other, size_t n, bool mine_first)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = mine_first ? v[i] + other[i] : other[i] + v[i];
    }
}

static int double_by_tree(struct comm *c, double *v, double *other, size_t n, struct err *e)
{
    size_t bytes = n * sizeof(*v);
    for (int step = 1; step < c->size; step *= 2) {
        if (c->rank % (2 * step) == step) {
            if (exchange(c, v, NULL, bytes, c->rank - step, TAG_DOUBLE, e) < 0) {
                return -1;
            }
        } else if (c->rank % (2 * step) == 0 && c->rank + step < c->size) {
            if (exchange(c, NULL, other, bytes, c->rank + step, TAG_DOUBLE, e) < 0) {
                return -1;
            }
            add_doubles(v, other, n, true);
        }
    }
    return mpi_bcast(c, v, bytes, 0, e);
}

static int mpi_sum_double(struct comm *c, double *v, size_t n, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    if (n > m->doubles_capacity) {
        free(m->doubles);
        m->doubles = xcalloc(n, sizeof(double));
        m->doubles_capacity = n;
    }
    if (!power_of_two(c->size)) {
        return double_by_tree(c, v, m->doubles, n, e);
    }
    for (int d = 1; d < c->size; d *= 2) {
        int partner = c->rank ^ d;
        if (exchange(c, v, m->doubles, n * sizeof(*v), partner, TAG_DOUBLE, e) < 0) {
            return -1;
        }
        add_doubles(v, m->doubles, n, c->rank < partner);
    }
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static const struct comm_ops mpi_ops;

static struct comm *wrap(MPI_Comm handle, bool owns_mpi, struct err *e)
{
    struct comm_mpi *m = xcalloc(1, sizeof(*m));
    m->base.ops = &mpi_ops;
    m->handle = handle;
    m->owns_mpi = owns_mpi;
    if (comm_mpi_check(MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN), "set-up", e) < 0 ||
        comm_mpi_check(MPI_Comm_rank(handle, &m->base.rank), "rank", e) < 0 ||
        comm_mpi_check(MPI_Comm_size(handle, &m->base.size), "size", e) < 0) {
        free(m);
        return NULL;
    }
    return &m->base;
}

static struct comm *mpi_split(struct comm *c, int color, int key, struct err *e)
{
    MPI_Comm handle = MPI_COMM_NULL;
    if (comm_mpi_check(MPI_Comm_split(comm_mpi_of(c)->handle, color, key, &handle), "split", e) <
        0) {
        return NULL;
    }
    return wrap(handle, false, e);
}

static int mpi_share(struct comm *c, int *rank, int *size, struct err *e)
{
    MPI_Comm handle = MPI_COMM_NULL;
    int code = MPI_Comm_split_type(comm_mpi_of(c)->handle, MPI_COMM_TYPE_SHARED, c->rank,
                                   MPI_INFO_NULL, &handle);
    if (comm_mpi_check(code, "ranks of this host", e) < 0) {
        return -1;
    }
    MPI_Comm_rank(handle, rank);
    MPI_Comm_size(handle, size);
    MPI_Comm_free(&handle);
    return 0;
}

static void mpi_fail(struct comm *c, int code)
{
    MPI_Abort(comm_mpi_of(c)->handle, code);
    exit(code);
}

static int mpi_close(struct comm *c, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    int rc = 0;
    comm_sums_release(m);
    for (size_t i = m->gather_first; i < m->gather_count; i++) {
        gather_release(&m->gathers[i]);
    }
    free(m->gathers);
    free(m->doubles);
    if (m->handle != MPI_COMM_WORLD) {
        rc = comm_mpi_check(MPI_Comm_free(&m->handle), "free", e);
    }
    if (m->owns_mpi) {
        rc = comm_mpi_check(MPI_Finalize(), "end", e);
    }
    free(m);
    return rc;
}

static const struct comm_ops mpi_ops = {
    .name = "mpi",
    .barrier = mpi_barrier,
    .bcast = mpi_bcast,
    .allgatherv = mpi_allgatherv,
    .sum_double = mpi_sum_double,
    .sum_start = comm_sums_start,
    .sum_way = comm_sums_way,
    .gather_start = mpi_gather_start,
    .gather_wait = mpi_gather_wait,
    .progress = mpi_progress,
    .finish = mpi_finish,
    .split = mpi_split,
    .share = mpi_share,
    .fail = mpi_fail,
    .close = mpi_close,
};

/* MPI's own call is collective over a group alone only with a communicator to find it by: the job's.
 */
struct comm *comm_mpi_group(const int *ranks, int count, struct err *e)
{
    MPI_Comm world = MPI_COMM_WORLD, handle = MPI_COMM_NULL;
    MPI_Group all = MPI_GROUP_NULL, some = MPI_GROUP_NULL;
    int rc = comm_mpi_check(MPI_Comm_group(world, &all), "group", e);
    rc = rc == 0 ? comm_mpi_check(MPI_Group_incl(all, count, ranks, &some), "group", e) : rc;
    rc = rc == 0 ? comm_mpi_check(MPI_Comm_create_group(world, some, 0, &handle), "group", e) : rc;
    if (some != MPI_GROUP_NULL) {
        MPI_Group_free(&some);
    }
    if (all != MPI_GROUP_NULL) {
        MPI_Group_free(&all);
    }
    return rc == 0 ? wrap(handle, false, e) : NULL;
}

struct comm *comm_mpi_open(struct err *e)
{
    int provided = 0;
    if (comm_mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start", e) <
        0) {
        return NULL;
    }
    if (provided < MPI_THREAD_FUNNELED) {
        err_set(e, ERR_REMOTE, "MPI: this library offers no MPI_THREAD_FUNNELED");
        MPI_Finalize();
        return NULL;
    }
    return wrap(MPI_COMM_WORLD, true, e);
}
