/*
 * Ranks by MPI; see comm.h for the order of sums. The only file of this library that includes
 * mpi.h. One thread a rank makes all calls (MPI_THREAD_FUNNELED).
 *
 * A sum of floats is a small state machine (struct sum): for each round of recursive doubling it
 * has one send and one receive under way; when both are done it adds and begins the next round. So
 * several ranges travel at once while backward goes on, each by its own tag.
 */
#include "comm.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SUMS_MAX 96           /* ranges under way; more than layers of any model */
#define CHUNK_BYTES (1 << 30) /* of one message: MPI counts are int */
#define TAG_DOUBLE 1
#define TAG_TREE 2
#define TAG_SUM 16 /* and on, one for each range */
#define SPIN_ROUNDS 200
#define PAUSE_MAX_US 1000

struct sum {
    float *v;
    size_t n;
    float *other; /* the partner's values; [capacity] */
    size_t capacity;
    int distance; /* of this round's partner: 1, 2, 4 … */
    bool active;
    MPI_Request requests[2];
};

struct comm_mpi {
    struct comm base;
    MPI_Comm handle;
    bool owns_mpi;
    struct sum sums[SUMS_MAX];
    size_t sum_count; /* started since the last finish */
    double *doubles;
    size_t doubles_capacity;
};

static struct comm_mpi *mpi_of(struct comm *c)
{
    return (struct comm_mpi *)c;
}

static int check(int code, const char *what, struct err *e)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    if (code == MPI_SUCCESS) {
        return 0;
    }
    MPI_Error_string(code, text, &n);
    return err_set(e, ERR_REMOTE, "MPI: %s failed: %s", what, text);
}

/* Spins a moment (a partner is usually as far as we are), then gives the core away. */
static int wait_all(int count, MPI_Request *requests, const char *what, struct err *e)
{
    int64_t pause_us = 1;
    for (unsigned round = 0;; round++) {
        int done = 0;
        int code = MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (code != MPI_SUCCESS || done) {
            return check(code, what, e);
        }
        if (round < SPIN_ROUNDS) {
            sched_yield();
            continue;
        }
        clock_sleep_us(pause_us);
        pause_us = pause_us * 3 / 2 + 1;
        pause_us = pause_us > PAUSE_MAX_US ? PAUSE_MAX_US : pause_us;
    }
}

static int mpi_barrier(struct comm *c, struct err *e)
{
    MPI_Request request = MPI_REQUEST_NULL;
    if (check(MPI_Ibarrier(mpi_of(c)->handle, &request), "barrier", e) < 0) {
        return -1;
    }
    return wait_all(1, &request, "barrier", e);
}

static int mpi_bcast(struct comm *c, void *data, size_t bytes, int root, struct err *e)
{
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t n = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        MPI_Request request = MPI_REQUEST_NULL;
        int code =
            MPI_Ibcast((char *)data + at, (int)n, MPI_BYTE, root, mpi_of(c)->handle, &request);
        if (check(code, "broadcast", e) < 0 || wait_all(1, &request, "broadcast", e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int mpi_allgatherv(struct comm *c, void *data, const size_t *offsets, const size_t *bytes,
                          struct err *e)
{
    int *counts = xcalloc((size_t)c->size, sizeof(int));
    int *places = xcalloc((size_t)c->size, sizeof(int));
    MPI_Request request = MPI_REQUEST_NULL;
    int rc = 0;
    for (int i = 0; i < c->size && rc == 0; i++) {
        if (bytes[i] > INT_MAX || offsets[i] > INT_MAX) {
            rc = err_set(e, ERR_LIMIT, "more than 2 GiB in one exchange between ranks");
        } else {
            counts[i] = (int)bytes[i];
            places[i] = (int)offsets[i];
        }
    }
    if (rc == 0) {
        int code = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, counts, places,
                                   MPI_BYTE, mpi_of(c)->handle, &request);
        rc = check(code, "gather", e);
    }
    if (rc == 0) {
        rc = wait_all(1, &request, "gather", e);
    }
    free(counts);
    free(places);
    return rc;
}

/* One message each way, or only one of them when a buffer is NULL. */
static int exchange(struct comm *c, const void *out, void *in, size_t bytes, int partner, int tag,
                    struct err *e)
{
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        int n = (int)(bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES);
        MPI_Request r[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        MPI_Comm h = mpi_of(c)->handle;
        if (in && check(MPI_Irecv((char *)in + at, n, MPI_BYTE, partner, tag, h, &r[0]), "receive",
                        e) < 0) {
            return -1;
        }
        if (out && check(MPI_Isend((const char *)out + at, n, MPI_BYTE, partner, tag, h, &r[1]),
                         "send", e) < 0) {
            return -1;
        }
        if (wait_all(2, r, "exchange between ranks", e) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

/* The lower rank's value stands on the left: both partners form the same sum. (Addition commutes in
 * IEEE 754 but for the payload of a NaN, which may differ; a NaN step is skipped anyway.) */
static void add_floats(float *v, const float *other, size_t n, bool mine_first)
{
    if (mine_first) {
        for (size_t i = 0; i < n; i++) {
            v[i] = v[i] + other[i];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            v[i] = other[i] + v[i];
        }
    }
}

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
    struct comm_mpi *m = mpi_of(c);
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

/* --- sums under way -------------------------------------------------------------------------- */

static int float_by_tree(struct comm *c, struct sum *s, struct err *e)
{
    size_t bytes = s->n * sizeof(float);
    for (int step = 1; step < c->size; step *= 2) {
        if (c->rank % (2 * step) == step) {
            if (exchange(c, s->v, NULL, bytes, c->rank - step, TAG_TREE, e) < 0) {
                return -1;
            }
        } else if (c->rank % (2 * step) == 0 && c->rank + step < c->size) {
            if (exchange(c, NULL, s->other, bytes, c->rank + step, TAG_TREE, e) < 0) {
                return -1;
            }
            add_floats(s->v, s->other, s->n, true);
        }
    }
    return mpi_bcast(c, s->v, bytes, 0, e);
}

static int begin_round(struct comm_mpi *m, struct sum *s, struct err *e)
{
    int partner = m->base.rank ^ s->distance;
    int tag = TAG_SUM + (int)(s - m->sums);
    if (check(MPI_Irecv(s->other, (int)s->n, MPI_FLOAT, partner, tag, m->handle, &s->requests[0]),
              "receive", e) < 0) {
        return -1;
    }
    return check(MPI_Isend(s->v, (int)s->n, MPI_FLOAT, partner, tag, m->handle, &s->requests[1]),
                 "send", e);
}

/* Both messages of the round are here. */
static int end_round(struct comm_mpi *m, struct sum *s, struct err *e)
{
    add_floats(s->v, s->other, s->n, m->base.rank < (m->base.rank ^ s->distance));
    s->distance *= 2;
    if (s->distance < m->base.size) {
        return begin_round(m, s, e);
    }
    s->active = false;
    return 0;
}

static int mpi_sum_finish(struct comm *c, struct err *e)
{
    struct comm_mpi *m = mpi_of(c);
    for (size_t i = 0; i < m->sum_count; i++) {
        struct sum *s = &m->sums[i];
        while (s->active) {
            if (wait_all(2, s->requests, "sum over ranks", e) < 0 || end_round(m, s, e) < 0) {
                return -1;
            }
        }
    }
    m->sum_count = 0;
    return 0;
}

static int mpi_sum_start(struct comm *c, float *v, size_t n, struct err *e)
{
    struct comm_mpi *m = mpi_of(c);
    if (n > INT_MAX) {
        return err_set(e, ERR_LIMIT, "a gradient of %zu values in one range", n);
    }
    if (m->sum_count == SUMS_MAX && mpi_sum_finish(c, e) < 0) {
        return -1;
    }
    struct sum *s = &m->sums[m->sum_count++];
    if (n > s->capacity) {
        free(s->other);
        s->other = xmalloc(n * sizeof(float));
        s->capacity = n;
    }
    s->v = v;
    s->n = n;
    s->distance = 1;
    s->active = power_of_two(c->size);
    return s->active ? begin_round(m, s, e) : float_by_tree(c, s, e);
}

static int mpi_sum_progress(struct comm *c, struct err *e)
{
    struct comm_mpi *m = mpi_of(c);
    for (size_t i = 0; i < m->sum_count; i++) {
        struct sum *s = &m->sums[i];
        int done = 0;
        if (!s->active) {
            continue;
        }
        if (check(MPI_Testall(2, s->requests, &done, MPI_STATUSES_IGNORE), "sum over ranks", e) <
                0 ||
            (done && end_round(m, s, e) < 0)) {
            return -1;
        }
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
    if (check(MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN), "set-up", e) < 0 ||
        check(MPI_Comm_rank(handle, &m->base.rank), "rank", e) < 0 ||
        check(MPI_Comm_size(handle, &m->base.size), "size", e) < 0) {
        free(m);
        return NULL;
    }
    return &m->base;
}

static struct comm *mpi_split(struct comm *c, int color, int key, struct err *e)
{
    MPI_Comm handle = MPI_COMM_NULL;
    if (check(MPI_Comm_split(mpi_of(c)->handle, color, key, &handle), "split", e) < 0) {
        return NULL;
    }
    return wrap(handle, false, e);
}

static int mpi_share(struct comm *c, int *rank, int *size, struct err *e)
{
    MPI_Comm handle = MPI_COMM_NULL;
    int code = MPI_Comm_split_type(mpi_of(c)->handle, MPI_COMM_TYPE_SHARED, c->rank, MPI_INFO_NULL,
                                   &handle);
    if (check(code, "ranks of this host", e) < 0) {
        return -1;
    }
    MPI_Comm_rank(handle, rank);
    MPI_Comm_size(handle, size);
    MPI_Comm_free(&handle);
    return 0;
}

static void mpi_fail(struct comm *c, int code)
{
    MPI_Abort(mpi_of(c)->handle, code);
    exit(code);
}

static int mpi_close(struct comm *c, struct err *e)
{
    struct comm_mpi *m = mpi_of(c);
    int rc = 0;
    for (size_t i = 0; i < SUMS_MAX; i++) {
        free(m->sums[i].other);
    }
    free(m->doubles);
    if (m->handle != MPI_COMM_WORLD) {
        rc = check(MPI_Comm_free(&m->handle), "free", e);
    }
    if (m->owns_mpi) {
        rc = check(MPI_Finalize(), "end", e);
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
    .sum_start = mpi_sum_start,
    .sum_progress = mpi_sum_progress,
    .sum_finish = mpi_sum_finish,
    .split = mpi_split,
    .share = mpi_share,
    .fail = mpi_fail,
    .close = mpi_close,
};

struct comm *comm_mpi_open(struct err *e)
{
    int provided = 0;
    if (check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start", e) < 0) {
        return NULL;
    }
    if (provided < MPI_THREAD_FUNNELED) {
        err_set(e, ERR_REMOTE, "MPI: this library offers no MPI_THREAD_FUNNELED");
        MPI_Finalize();
        return NULL;
    }
    return wrap(MPI_COMM_WORLD, true, e);
}
