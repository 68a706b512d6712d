/*
 * Sums over ranks by size: `mpirun -n N nephron bench allreduce`. Ours as training uses it (pieces,
 * several at once, fixed tree), beside MPI_Allreduce of the library. The sums are checked.
 */
#include "bench.h"

#include "comm.h"
#include "exchange.h"
#include "ranks_agree.h"

#include "clock.h"
#include "err.h"
#include "num.h"
#include "value.h"

#include <mpi.h>

#include <limits.h>
#include <stdlib.h>

#define SMALLEST ((size_t)4096)
#define ENOUGH_S 0.3
#define REPEATS_MAX 50

struct trial {
    float *v;
    size_t n;
    bool library; /* MPI_Allreduce */
};

static double now(void)
{
    return clock_seconds(&clock_system);
}

static int one_sum(struct bench *b, const struct trial *t, double *seconds, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        t->v[i] = (float)(b->comm->rank + 1);
    }
    if (comm_barrier(b->comm, e) < 0) {
        return -1;
    }
    double begin = now();
    if (t->library) {
        int code = MPI_Allreduce(MPI_IN_PLACE, t->v, (int)t->n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        if (code != MPI_SUCCESS) {
            return err_set(e, ERR_REMOTE, "MPI: allreduce failed with code %d", code);
        }
    } else if (exchange_sum_start(b->comm, t->v, t->n, e) < 0 || comm_finish(b->comm, e) < 0) {
        return -1;
    }
    *seconds = now() - begin;
    float want = (float)b->comm->size * (float)(b->comm->size + 1) / 2;
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i] != want) {
            return err_set(e, ERR_REMOTE,
                           "a sum of %zu floats over %d ranks is wrong at %zu: expected %g, found "
                           "%g; memory or network of a host is damaged",
                           t->n, b->comm->size, i, (double)want, (double)t->v[i]);
        }
    }
    return 0;
}

/* Median over repeats of the slowest rank's time. */
static int time_sums(struct bench *b, const struct trial *t, double *median, struct err *e)
{
    double seconds[REPEATS_MAX], spent = 0;
    size_t n = 0;
    while (n < REPEATS_MAX && (n < 3 || spent < ENOUGH_S)) {
        double s = 0;
        if (ranks_agree(b->comm, one_sum(b, t, &s, e), e) < 0) {
            return -1;
        }
        int64_t ns = (int64_t)(s * 1e9);
        if (comm_max(b->comm, &ns, 1, e) < 0) {
            return -1;
        }
        seconds[n++] = (double)ns / 1e9;
        spent += (double)ns / 1e9;
    }
    *median = rig_median(seconds + 1, n - 1); /* the first maps memory and opens connections */
    return 0;
}

static void add_row(struct bench *b, struct value *list, size_t n, double ours, double library)
{
    double bytes = (double)(n * sizeof(float)), world = b->comm->size;
    double sent = 2 * bytes * (world - 1) / world; /* what no way of adding can avoid */
    char size[NUM_TEXT_SIZE];
    struct value *row = value_map(b->arena);
    num_bytes(size, bytes);
    value_set(b->arena, row, "bytes", value_int(b->arena, (int64_t)(n * sizeof(float))));
    value_set(b->arena, row, "seconds", value_float(b->arena, ours));
    value_set(b->arena, row, "gb_per_s", value_float(b->arena, bytes / ours / 1e9));
    value_set(b->arena, row, "link_gb_per_s", value_float(b->arena, sent / ours / 1e9));
    value_set(b->arena, row, "algorithm", value_cstr(b->arena, comm_sum_way(b->comm, n)));
    value_set(b->arena, row, "mpi_allreduce_seconds", value_float(b->arena, library));
    value_push(b->arena, list, row);
    strbuf_addf(b->text, "%10s %12.1f %9.3f %9.3f  %-9s %12.1f\n", size, ours * 1e6,
                bytes / ours / 1e9, sent / ours / 1e9, comm_sum_way(b->comm, n), library * 1e6);
}

int bench_allreduce(struct bench *b, struct err *e)
{
    size_t most = (size_t)b->opt.max_mb << 20;
    struct value *list = value_list(b->arena);
    if (b->comm->size == 1) {
        return err_set(e, ERR_USAGE,
                       "sums need ranks; type 'mpirun -n 2 nephron bench allreduce' or more");
    }
    float *v = malloc(most); /* not xmalloc: the size is the user's */
    int rc = v ? 0 : err_set(e, ERR_LIMIT, "no memory for %ld MB; lower --max-mb", b->opt.max_mb);
    if (ranks_agree(b->comm, rc, e) < 0) {
        free(v);
        return -1;
    }
    strbuf_addf(b->text, "sums of floats over %d ranks\n\n%10s %12s %9s %9s  %-9s %12s\n",
                b->comm->size, "size", "us", "GB/s", "link", "way", "MPI's us");
    for (size_t bytes = SMALLEST; bytes <= most && rc == 0; bytes *= bytes < (1 << 20) ? 4 : 8) {
        double ours = 0, library = 0;
        struct trial t = {.v = v, .n = bytes / sizeof(float)};
        rc = time_sums(b, &t, &ours, e);
        t.library = true;
        rc = rc == 0 ? time_sums(b, &t, &library, e) : rc;
        if (rc == 0) {
            add_row(b, list, t.n, ours, library);
        }
    }
    strbuf_addf(b->text,
                "\nGB/s: size by time. link: what each rank must send, 2 (N-1)/N of the size, "
                "by time.\n\n");
    value_set(b->arena, b->report, "ranks", value_int(b->arena, b->comm->size));
    value_set(b->arena, b->report, "sums", list);
    free(v);
    return rc;
}
