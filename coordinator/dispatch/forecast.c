/* See forecast.h. Two heaps: tasks that may start, and tasks that run, by their ends. */
#include "forecast.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>

#define OVERDUE 0.1
#define NOTHING_S 0.002 /* tracked data: says nothing of how long commands take */

struct sim {
    const struct forecast_task *tasks;
    size_t *blocked; /* unfinished tasks that each one needs */
    double *end;
    size_t *ready, *running;
    size_t ready_count, running_count;
    double mean;
    int free_slots, slots;
};

typedef bool before_fn(const struct sim *s, size_t a, size_t b);

static bool better(const struct sim *s, size_t a, size_t b)
{
    const struct forecast_task *x = &s->tasks[a], *y = &s->tasks[b];
    if (x->priority != y->priority) {
        return x->priority > y->priority;
    }
    return x->critical != y->critical ? x->critical > y->critical : a < b;
}

static bool sooner(const struct sim *s, size_t a, size_t b)
{
    return s->end[a] != s->end[b] ? s->end[a] < s->end[b] : a < b;
}

static void heap_push(const struct sim *s, size_t *heap, size_t *count, before_fn *before, size_t t)
{
    size_t i = (*count)++;
    for (; i > 0 && before(s, t, heap[(i - 1) / 2]); i = (i - 1) / 2) {
        heap[i] = heap[(i - 1) / 2];
    }
    heap[i] = t;
}

static size_t heap_pop(const struct sim *s, size_t *heap, size_t *count, before_fn *before)
{
    size_t top = heap[0], last = heap[--*count], i = 0;
    for (size_t child = 1; child < *count; child = 2 * i + 1) {
        if (child + 1 < *count && before(s, heap[child + 1], heap[child])) {
            child++;
        }
        if (!before(s, heap[child], last)) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static int slots_of(const struct sim *s, size_t t)
{
    int n = s->tasks[t].slots;
    return n < 1 ? 1 : n > s->slots ? s->slots : n;
}

static double expected(const struct sim *s, size_t t)
{
    return s->tasks[t].seconds > 0 ? s->tasks[t].seconds : s->mean;
}

static void begin(struct sim *s, size_t t, double end)
{
    s->end[t] = end;
    s->free_slots -= slots_of(s, t);
    heap_push(s, s->running, &s->running_count, sooner, t);
}

static void set_up(struct sim *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < s->tasks[i].down_count && !s->tasks[i].done; k++) {
            s->blocked[s->tasks[i].down[k]]++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct forecast_task *t = &s->tasks[i];
        if (t->done) {
            continue;
        }
        if (t->elapsed >= 0) {
            begin(s, i, fmax(expected(s, i) - t->elapsed, OVERDUE * t->elapsed));
        } else if (s->blocked[i] == 0) {
            heap_push(s, s->ready, &s->ready_count, better, i);
        }
    }
}

/* Starts what fits at `now`, the best first; a wide task that does not fit holds up the others, as
 * it does in the plan before long. */
static void start_ready(struct sim *s, double now)
{
    while (s->ready_count > 0 && slots_of(s, s->ready[0]) <= s->free_slots) {
        size_t t = heap_pop(s, s->ready, &s->ready_count, better);
        begin(s, t, now + expected(s, t));
    }
}

static double simulate(struct sim *s)
{
    double now = 0;
    start_ready(s, now);
    while (s->running_count > 0) {
        size_t t = heap_pop(s, s->running, &s->running_count, sooner);
        now = s->end[t];
        s->free_slots += slots_of(s, t);
        for (size_t k = 0; k < s->tasks[t].down_count; k++) {
            size_t down = s->tasks[t].down[k];
            if (--s->blocked[down] == 0 && !s->tasks[down].done && s->tasks[down].elapsed < 0) {
                heap_push(s, s->ready, &s->ready_count, better, down);
            }
        }
        start_ready(s, now);
    }
    return now;
}

double forecast_seconds(const struct forecast_task *tasks, size_t count, int slots)
{
    struct sim s = {.tasks = tasks, .slots = slots > 0 ? slots : 1};
    double sum = 0;
    size_t known = 0, left = 0;
    for (size_t i = 0; i < count; i++) {
        left += !tasks[i].done;
        bool tells = tasks[i].seconds > NOTHING_S;
        known += tells;
        sum += tells ? tasks[i].seconds : 0;
    }
    if (left == 0 || known == 0) {
        return left == 0 ? 0 : -1;
    }
    s.mean = sum / (double)known;
    s.free_slots = s.slots;
    s.blocked = xcalloc(count, sizeof *s.blocked);
    s.end = xcalloc(count, sizeof *s.end);
    s.ready = xcalloc(count, sizeof *s.ready);
    s.running = xcalloc(count, sizeof *s.running);
    set_up(&s, count);
    double seconds = simulate(&s);
    free(s.blocked);
    free(s.end);
    free(s.ready);
    free(s.running);
    return seconds;
}
