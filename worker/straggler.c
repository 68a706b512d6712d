/* The slow rank; see straggler.h. */
#include "straggler.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdlib.h>

#define SMOOTHING 0.25 /* weight of the newest step: about the last seven count */

struct straggler {
    size_t ranks, steps;
    double *seconds; /* smoothed */
    bool *named;
    double *sorted; /* scratch */
};

struct straggler *straggler_new(size_t ranks)
{
    struct straggler *s = xcalloc(1, sizeof(*s));
    s->ranks = ranks;
    s->seconds = xcalloc(ranks, sizeof(double));
    s->named = xcalloc(ranks, sizeof(bool));
    s->sorted = xcalloc(ranks, sizeof(double));
    return s;
}

void straggler_free(struct straggler *s)
{
    if (!s) {
        return;
    }
    free(s->seconds);
    free(s->named);
    free(s->sorted);
    free(s);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double straggler_seconds(const struct straggler *s, size_t rank)
{
    return s->seconds[rank];
}

double straggler_others(const struct straggler *s, size_t rank)
{
    size_t n = 0;
    for (size_t i = 0; i < s->ranks; i++) {
        if (i != rank) {
            s->sorted[n++] = s->seconds[i];
        }
    }
    if (n == 0) {
        return s->seconds[rank];
    }
    qsort(s->sorted, n, sizeof(double), by_size);
    return (s->sorted[(n - 1) / 2] + s->sorted[n / 2]) / 2;
}

int straggler_step(struct straggler *s, const double *seconds)
{
    size_t slowest = 0;
    for (size_t i = 0; i < s->ranks; i++) {
        double weight = s->steps == 0 ? 1 : SMOOTHING;
        s->seconds[i] += weight * (seconds[i] - s->seconds[i]);
        slowest = s->seconds[i] > s->seconds[slowest] ? i : slowest;
    }
    s->steps++;
    if (s->ranks < 2 || s->steps < STRAGGLER_STEPS) {
        return -1;
    }
    bool slow = s->seconds[slowest] >= STRAGGLER_MIN_S &&
                s->seconds[slowest] > STRAGGLER_FACTOR * straggler_others(s, slowest);
    int answer = slow && !s->named[slowest] ? (int)slowest : -1;
    for (size_t i = 0; i < s->ranks; i++) {
        s->named[i] =
            (slow && i == slowest) || (s->named[i] && s->seconds[i] > straggler_others(s, i) * 1.5);
    }
    return answer;
}
