/*
 * Run under mpirun by t0700: sums, gathers and agreement over the ranks there are, checked against
 * the formula on every rank. Exit 0, or 1 with what was wrong.
 */
#include "comm.h"
#include "ranks_agree.h"

#include "err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad;

static void check(int ok, const struct comm *c, const char *what)
{
    if (!ok) {
        fprintf(stderr, "rank %d of %d: %s\n", c->rank, c->size, what);
        bad = 1;
    }
}

/* A value whose sums round, so that another order of additions shows. */
static float value_of(int rank, size_t i)
{
    return 1.0f / (float)(1 + rank * 7 + (int)(i % 1000) * 3) * (rank % 2 ? 1e4f : 1e-4f);
}

/* The tree of comm.h. */
static float tree(int world, size_t i)
{
    float part[64];
    for (int r = 0; r < world; r++) {
        part[r] = value_of(r, i);
    }
    for (int d = 1; d < world; d *= 2) {
        for (int r = 0; r + d < world; r += 2 * d) {
            part[r] += part[r + d];
        }
    }
    return part[0];
}

#define RANGES 21 /* more than travel at a time; every third is short */
#define LENGTH 10007

static void sums(struct comm *c, struct err *e)
{
    float *v = malloc(RANGES * LENGTH * sizeof(float));
    double d[3];
    for (size_t i = 0; i < RANGES * LENGTH; i++) {
        v[i] = value_of(c->rank, i);
    }
    for (size_t k = 0; k < RANGES; k++) {
        size_t n = k % 3 == 2 ? k : LENGTH; /* the rest of its range stays as it is */
        check(comm_sum_start(c, v + k * LENGTH, n, e) == 0, c, "start of a sum");
        check(comm_progress(c, e) == 0, c, "progress");
    }
    check(comm_finish(c, e) == 0, c, "end of the sums");
    for (size_t i = 0; i < RANGES * LENGTH; i++) {
        size_t k = i / LENGTH, at = i % LENGTH;
        float want = k % 3 == 2 && at >= k ? value_of(c->rank, i) : tree(c->size, i);
        if (v[i] != want) {
            check(0, c, "a float sum is not that of the tree");
            break;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        d[i] = c->rank + (double)i;
    }
    check(comm_sum_double(c, d, 3, e) == 0, c, "sum of doubles");
    for (size_t i = 0; i < 3; i++) {
        double want = c->size * (c->size - 1) / 2.0 + (double)i * c->size;
        check(d[i] == want, c, "a sum of doubles is wrong");
    }
    free(v);
}

/* Two gathers and a sum at once: each rank gives its number, rank + 1 times, and the sum goes on.
 */
static void together(struct comm *c, struct err *e)
{
    size_t offsets[64], bytes[64], total = 0;
    for (int r = 0; r < c->size; r++) {
        offsets[r] = total;
        bytes[r] = (size_t)r + 1;
        total += bytes[r];
    }
    char *one = malloc(total), *two = malloc(total);
    memset(one, 'x', total);
    memset(two, 'x', total);
    memset(one + offsets[c->rank], 'a' + c->rank, bytes[c->rank]);
    memset(two + offsets[c->rank], 'A' + c->rank, bytes[c->rank]);
    float *v = malloc(3 * LENGTH * sizeof(float));
    for (size_t i = 0; i < 3 * LENGTH; i++) {
        v[i] = value_of(c->rank, i);
    }
    check(comm_gather_start(c, one, offsets, bytes, e) == 0, c, "start of a gather");
    check(comm_sum_start(c, v, 3 * LENGTH, e) == 0, c, "start of a sum beside gathers");
    check(comm_gather_start(c, two, offsets, bytes, e) == 0, c, "start of a gather");
    check(comm_gather_wait(c, e) == 0, c, "first gather");
    for (int r = 0; r < c->size; r++) {
        check(one[offsets[r]] == 'a' + r && one[offsets[r] + bytes[r] - 1] == 'a' + r, c,
              "rows of the first gather");
    }
    check(comm_finish(c, e) == 0, c, "end of everything");
    for (int r = 0; r < c->size; r++) {
        check(two[offsets[r]] == 'A' + r, c, "rows of the second gather");
    }
    for (size_t i = 0; i < 3 * LENGTH; i++) {
        if (v[i] != tree(c->size, i)) {
            check(0, c, "a sum beside gathers is not that of the tree");
            break;
        }
    }
    free(one);
    free(two);
    free(v);
}

/* Rank r gives r bytes of 'a' + r: rank 0 has nothing. */
static void gathers(struct comm *c, struct err *e)
{
    char mine[64];
    size_t total = 0, at = 0;
    memset(mine, 'a' + c->rank, sizeof(mine));
    char *all = comm_collect(c, mine, (size_t)c->rank, &total, e);
    check(all != NULL && total == (size_t)(c->size * (c->size - 1) / 2), c, "gathered size");
    for (int r = 0; all && r < c->size; r++) {
        for (int i = 0; i < r; i++) {
            check(all[at++] == 'a' + r, c, "gathered bytes");
        }
    }
    free(all);
    int64_t v[2] = {c->rank, -c->rank};
    check(comm_max(c, v, 2, e) == 0 && v[0] == c->size - 1 && v[1] == 0, c, "maximum");
    char word[8] = "";
    if (c->rank == c->size - 1) {
        memcpy(word, "nephron", 8);
    }
    check(comm_bcast(c, word, 8, c->size - 1, e) == 0 && strcmp(word, "nephron") == 0, c,
          "broadcast");
}

static void agreement(struct comm *c)
{
    struct err e = ERR_INIT;
    check(ranks_agree(c, 0, &e) == 0, c, "all well");
    int last = c->rank == c->size - 1;
    int rc = last ? err_set(&e, ERR_IO, "disk") : 0;
    check(ranks_agree(c, rc, &e) == -1, c, "one failed");
    check(last ? strcmp(e.text, "disk") == 0 && !ranks_is_foreign(&e) : ranks_is_foreign(&e), c,
          "who speaks");
}

static void groups(struct comm *c, struct err *e)
{
    struct comm *half = comm_split(c, c->rank % 2, c->rank, e);
    check(half != NULL && half->size == (c->size + 1 - c->rank % 2) / 2, c, "size of a group");
    double one = 1;
    check(half && comm_sum_double(half, &one, 1, e) == 0 && one == half->size, c, "sum in a group");
    check(comm_close(half, e) == 0, c, "end of a group");
}

int main(void)
{
    struct err e = ERR_INIT;
    struct comm *c = comm_launched_world() > 1 ? comm_mpi_open(&e) : comm_single_new();
    if (!c) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    sums(c, &e);
    together(c, &e);
    gathers(c, &e);
    agreement(c);
    groups(c, &e);
    check(comm_barrier(c, &e) == 0, c, "barrier");
    if (e.text[0]) {
        fprintf(stderr, "%s\n", e.text);
    }
    return comm_close(c, &e) < 0 || bad;
}
