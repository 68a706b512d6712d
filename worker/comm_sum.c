/*
 * Float sums that travel while the caller computes; see comm.h for the order of additions and for
 * the calls. Every way forms each element's sum in that one tree, so they differ in time alone:
 *
 *   doubling   Rounds of distance 1, 2, 4 …: the whole range to and from the partner, add. log2 N
 *              messages of n. Two ranks, and ranges so short that only the number of messages
 * counts. halving    Rounds of distance 1, 2, 4 …: the half that the partner keeps goes out, the
 * half that we keep comes in and is added; then the finished parts come back the same way. 2 log2 N
 *              messages, 2 n (N - 1) / N in all: what a ring sends, in fewer messages.
 * (Rabenseifner 2004; usually it begins with the farthest partner. Beginning with the nearest keeps
 *              the tree, and the largest messages between neighbours of one host.)
 *   slices     Each rank owns one N-th: everybody sends it their part, it adds them in the tree and
 *              gives the result to all. 2 (N - 1) messages, 2 n (N - 1) / N in all; the way for
 *              numbers of ranks that are no power of two.
 *
 * Worked example of halving, 4 ranks, 8 elements:
 *     rank 0 round 1: sends 4..7 to 1, receives 0..3 of 1      owns 0..3 of v0+v1
 *            round 2: sends 2..3 to 2, receives 0..1 of 2      owns 0..1 of (v0+v1)+(v2+v3)
 *            back:    0..1 to 2, 2..3 from 2; then 0..3 to 1, 4..7 from 1
 *
 * Only COMM_WINDOW sums travel at a time: more messages would not fill a link better, but each
 * needs memory for what comes in. A slot is the number of the sum modulo the window, and its
 * messages bear the slot's tag; MPI keeps the order of messages with one tag between two ranks, so
 * a rank that is a whole window ahead disturbs nobody.
 */
#include "comm_mpi.h"

#include "alloc.h"
#include "err.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TAG_SUM 16         /* and on, one for each slot */
#define SHORT_FLOATS 8192u /* up to here doubling: at 1 Gb/s 32 KB take 0.3 ms, a message 0.1 */

struct sum_way {
    const char *name;
    /* Floats of others that must be held at a time. */
    size_t (*room)(const struct comm_mpi *m, size_t n);
    /* Posts the messages of this round. */
    int (*begin)(struct comm_mpi *m, struct sum_slot *s, struct err *e);
    /* They are here: adds, and steps on; false when the sum is complete. */
    bool (*end)(struct comm_mpi *m, struct sum_slot *s);
};

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

static int post(struct comm_mpi *m, struct sum_slot *s, bool out, float *data, size_t n,
                int partner, struct err *e)
{
    MPI_Request *r = &s->requests[s->request_count++];
    int tag = TAG_SUM + (int)(s - m->slots);
    *r = MPI_REQUEST_NULL;
    if (out) {
        return comm_mpi_check(MPI_Isend(data, (int)n, MPI_FLOAT, partner, tag, m->handle, r),
                              "send", e);
    }
    return comm_mpi_check(MPI_Irecv(data, (int)n, MPI_FLOAT, partner, tag, m->handle, r), "receive",
                          e);
}

/* --- doubling -------------------------------------------------------------------------------- */

static size_t doubling_room(const struct comm_mpi *m, size_t n)
{
    return n;
}

static int doubling_begin(struct comm_mpi *m, struct sum_slot *s, struct err *e)
{
    struct sum *sum = &s->sum;
    int partner = m->base.rank ^ sum->distance;
    if (post(m, s, false, s->other, sum->n, partner, e) < 0) {
        return -1;
    }
    return post(m, s, true, sum->v, sum->n, partner, e);
}

static bool doubling_end(struct comm_mpi *m, struct sum_slot *s)
{
    struct sum *sum = &s->sum;
    add_floats(sum->v, s->other, sum->n, (m->base.rank & sum->distance) == 0);
    sum->distance *= 2;
    return sum->distance < m->base.size;
}

static const struct sum_way doubling = {"doubling", doubling_room, doubling_begin, doubling_end};

/* --- halving --------------------------------------------------------------------------------- */

struct part {
    size_t at, n;
};

/* What `rank` owns after the rounds of distances below `distance`. */
static struct part halving_part(size_t n, int rank, int distance)
{
    struct part p = {0, n};
    for (int d = 1; d < distance; d *= 2) {
        size_t low = p.n / 2;
        p = rank & d ? (struct part){p.at + low, p.n - low} : (struct part){p.at, low};
    }
    return p;
}

static size_t halving_room(const struct comm_mpi *m, size_t n)
{
    return n - n / 2;
}

static int halving_begin(struct comm_mpi *m, struct sum_slot *s, struct err *e)
{
    struct sum *sum = &s->sum;
    int partner = m->base.rank ^ sum->distance;
    struct part mine = halving_part(sum->n, m->base.rank, 2 * sum->distance);
    struct part its = halving_part(sum->n, partner, 2 * sum->distance);
    struct part in = sum->gathering ? its : mine, out = sum->gathering ? mine : its;
    float *into = sum->gathering ? sum->v + in.at : s->other;
    if (post(m, s, false, into, in.n, partner, e) < 0) {
        return -1;
    }
    return post(m, s, true, sum->v + out.at, out.n, partner, e);
}

static bool halving_end(struct comm_mpi *m, struct sum_slot *s)
{
    struct sum *sum = &s->sum;
    if (sum->gathering) {
        sum->distance /= 2;
        return sum->distance > 0;
    }
    struct part mine = halving_part(sum->n, m->base.rank, 2 * sum->distance);
    add_floats(sum->v + mine.at, s->other, mine.n, (m->base.rank & sum->distance) == 0);
    if (2 * sum->distance < m->base.size) {
        sum->distance *= 2;
    } else {
        sum->gathering = true; /* begins with the partner of the last round */
    }
    return true;
}

static const struct sum_way halving = {"halving", halving_room, halving_begin, halving_end};

/* --- slices ---------------------------------------------------------------------------------- */

static struct part slice_of(const struct comm_mpi *m, size_t n, int rank)
{
    size_t world = (size_t)m->base.size, r = (size_t)rank;
    size_t at = n / world * r + n % world * r / world;
    size_t end = n / world * (r + 1) + n % world * (r + 1) / world;
    return (struct part){at, end - at};
}

static size_t slices_room(const struct comm_mpi *m, size_t n)
{
    return (n / (size_t)m->base.size + 1) * (size_t)m->base.size;
}

/* Where the values of `rank` for our slice lie. */
static float *slice_values(const struct comm_mpi *m, const struct sum_slot *s, int rank)
{
    struct part mine = slice_of(m, s->sum.n, m->base.rank);
    return rank == m->base.rank ? s->sum.v + mine.at : s->other + (size_t)rank * mine.n;
}

static int slices_begin(struct comm_mpi *m, struct sum_slot *s, struct err *e)
{
    struct sum *sum = &s->sum;
    struct part mine = slice_of(m, sum->n, m->base.rank);
    for (int i = 1; i < m->base.size; i++) {
        /* Each begins with its neighbour: not all of them with rank 0. */
        int from = (m->base.rank + m->base.size - i) % m->base.size;
        struct part its = slice_of(m, sum->n, from);
        int rc = sum->gathering ? post(m, s, false, sum->v + its.at, its.n, from, e)
                                : post(m, s, false, slice_values(m, s, from), mine.n, from, e);
        if (rc < 0) {
            return -1;
        }
    }
    for (int i = 1; i < m->base.size; i++) {
        int to = (m->base.rank + i) % m->base.size;
        struct part out = sum->gathering ? mine : slice_of(m, sum->n, to);
        if (post(m, s, true, sum->v + out.at, out.n, to, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool slices_end(struct comm_mpi *m, struct sum_slot *s)
{
    if (s->sum.gathering) {
        return false;
    }
    struct part mine = slice_of(m, s->sum.n, m->base.rank);
    for (int d = 1; d < m->base.size; d *= 2) {
        for (int r = 0; r + d < m->base.size; r += 2 * d) {
            add_floats(slice_values(m, s, r), slice_values(m, s, r + d), mine.n, true);
        }
    }
    if (m->base.rank > 0) {
        memcpy(s->sum.v + mine.at, slice_values(m, s, 0), mine.n * sizeof(float));
    }
    s->sum.gathering = true;
    return true;
}

static const struct sum_way slices = {"slices", slices_room, slices_begin, slices_end};

/* --- sums under way -------------------------------------------------------------------------- */

static const struct sum_way *choose(const struct comm_mpi *m, size_t n)
{
    int size = m->base.size;
    if ((size & (size - 1)) != 0) {
        return &slices;
    }
    return size == 2 || n <= SHORT_FLOATS ? &doubling : &halving;
}

const char *comm_sums_way(struct comm *c, size_t n)
{
    return choose(comm_mpi_of(c), n)->name;
}

static int begin_round(struct comm_mpi *m, struct sum_slot *s, struct err *e)
{
    s->request_count = 0;
    return s->sum.way->begin(m, s, e);
}

/* Gives waiting sums the slots that are free, in order. */
static int fill_slots(struct comm_mpi *m, struct err *e)
{
    while (m->sum_first < m->sum_count) {
        struct sum_slot *s = &m->slots[m->sums_posted % COMM_WINDOW];
        if (s->active) {
            return 0;
        }
        s->sum = m->sums[m->sum_first++];
        m->sums_posted++;
        size_t room = s->sum.way->room(m, s->sum.n);
        if (room > s->capacity) {
            free(s->other);
            s->other = xmalloc(room * sizeof(float));
            s->capacity = room;
        }
        if (!s->requests) {
            s->requests = xcalloc(2 * (size_t)m->base.size, sizeof(*s->requests));
        }
        s->active = true;
        if (begin_round(m, s, e) < 0) {
            return -1;
        }
    }
    m->sum_first = m->sum_count = 0;
    return 0;
}

static int advance(struct comm_mpi *m, struct sum_slot *s, struct err *e)
{
    for (;;) {
        int done = 0;
        int code = MPI_Testall(s->request_count, s->requests, &done, MPI_STATUSES_IGNORE);
        if (comm_mpi_check(code, "sum over ranks", e) < 0) {
            return -1;
        }
        if (!done) {
            return 0;
        }
        if (!s->sum.way->end(m, s)) {
            s->active = false;
            return 0;
        }
        if (begin_round(m, s, e) < 0) {
            return -1;
        }
    }
}

bool comm_sums_done(const struct comm_mpi *m)
{
    for (size_t i = 0; i < COMM_WINDOW; i++) {
        if (m->slots[i].active) {
            return false;
        }
    }
    return m->sum_count == 0;
}

int comm_sums_progress(struct comm *c, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    for (size_t i = 0; i < COMM_WINDOW; i++) {
        if (m->slots[i].active && advance(m, &m->slots[i], e) < 0) {
            return -1;
        }
    }
    return fill_slots(m, e);
}

int comm_sums_start(struct comm *c, float *v, size_t n, struct err *e)
{
    struct comm_mpi *m = comm_mpi_of(c);
    if (n > INT_MAX) {
        return err_set(e, ERR_LIMIT, "a gradient of %zu values in one range", n);
    }
    if (m->base.size == 1 || n == 0) {
        return 0;
    }
    ARRAY_RESERVE(m->sums, m->sum_count, m->sum_capacity, 1);
    m->sums[m->sum_count++] = (struct sum){.v = v, .n = n, .way = choose(m, n), .distance = 1};
    return fill_slots(m, e);
}

void comm_sums_release(struct comm_mpi *m)
{
    for (size_t i = 0; i < COMM_WINDOW; i++) {
        free(m->slots[i].other);
        free(m->slots[i].requests);
    }
    free(m->sums);
}
