/* See plan.h. Two heaps (nodes to judge, nodes to run) and a list of slots; every step is O(log n).
 */
#include "plan.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "forecast.h"

#include <uthash.h>

#include <stdlib.h>
#include <string.h>

#define PLAN_SCAN_MAX 64 /* wide nodes looked at in one pick before giving up */
#define PLAN_PASSES 4    /* x slots: how often a wide node lets narrow ones go first */
#define PLAN_UNKNOWN_S 1.0

struct heap {
    size_t *items;
    size_t count, capacity;
};

struct group {
    UT_hash_handle hh;
    char *name;
    int running, limit;
    struct heap parked; /* queued, but the group is at its limit */
    bool *members;      /* members[k]: number k is taken by a running node */
    size_t member_capacity;
};

struct node {
    enum plan_state state;
    struct group *group;
    int slots, priority, retries, attempt;
    int first_slot, member;
    unsigned passed; /* how often others went first since it was the best */
    double seconds, critical;
    double began; /* RUNNING: when, by the clock */
    size_t nblock;
    size_t *down;
    size_t down_count, down_capacity;
};

struct plan {
    const struct clock *clock;
    struct node *nodes;
    size_t count, capacity;
    struct heap ready, queued;
    struct group *groups;
    bool *slot_taken;
    int slots, free_slots;
    size_t busy, parked;
    bool in_order, stopped;
};

/* ---- heaps ---- */

/* a goes before b in the queue of nodes to run. */
static bool runs_before(const struct plan *p, size_t a, size_t b)
{
    const struct node *x = &p->nodes[a], *y = &p->nodes[b];
    if (x->priority != y->priority) {
        return x->priority > y->priority;
    }
    if (x->critical != y->critical && !p->in_order) {
        return x->critical > y->critical;
    }
    return a < b;
}

static bool index_before(const struct plan *p, size_t a, size_t b)
{
    return a < b;
}

typedef bool before_fn(const struct plan *p, size_t a, size_t b);

static void heap_push(const struct plan *p, struct heap *h, before_fn *before, size_t node)
{
    ARRAY_RESERVE(h->items, h->count, h->capacity, 1);
    size_t i = h->count++;
    while (i > 0 && before(p, node, h->items[(i - 1) / 2])) {
        h->items[i] = h->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->items[i] = node;
}

static size_t heap_pop(const struct plan *p, struct heap *h, before_fn *before)
{
    size_t top = h->items[0];
    size_t last = h->items[--h->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->count) {
            break;
        }
        if (child + 1 < h->count && before(p, h->items[child + 1], h->items[child])) {
            child++;
        }
        if (!before(p, h->items[child], last)) {
            break;
        }
        h->items[i] = h->items[child];
        i = child;
    }
    if (h->count > 0) {
        h->items[i] = last;
    }
    return top;
}

/* ---- building ---- */

struct plan *plan_new(const struct plan_options *opt)
{
    struct plan *p = xcalloc(1, sizeof *p);
    p->clock = opt->clock;
    p->slots = opt->slots > 0 ? opt->slots : 1;
    p->free_slots = p->slots;
    p->slot_taken = xcalloc((size_t)p->slots, sizeof *p->slot_taken);
    p->in_order = opt->in_order;
    return p;
}

void plan_free(struct plan *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        free(p->nodes[i].down);
    }
    struct group *g, *tmp;
    HASH_ITER(hh, p->groups, g, tmp)
    {
        HASH_DEL(p->groups, g);
        free(g->name);
        free(g->parked.items);
        free(g->members);
        free(g);
    }
    free(p->nodes);
    free(p->ready.items);
    free(p->queued.items);
    free(p->slot_taken);
    free(p);
}

static struct group *group_get(struct plan *p, const char *name, int limit)
{
    struct group *g;
    HASH_FIND_STR(p->groups, name, g);
    if (g == NULL) {
        g = xcalloc(1, sizeof *g);
        g->name = xstrdup(name);
        HASH_ADD_KEYPTR(hh, p->groups, g->name, strlen(g->name), g);
    }
    if (limit > 0 && (g->limit == 0 || limit < g->limit)) {
        g->limit = limit;
    }
    return g;
}

size_t plan_add(struct plan *p, const struct plan_spec *spec)
{
    ARRAY_RESERVE(p->nodes, p->count, p->capacity, 1);
    struct node *n = &p->nodes[p->count];
    int slots = spec->slots > 0 ? spec->slots : 1;
    *n = (struct node){
        .state = PLAN_BLOCKED,
        .slots = slots < p->slots ? slots : p->slots,
        .priority = spec->priority,
        .retries = spec->retries,
        .seconds = spec->seconds,
        .first_slot = -1,
        .member = -1,
        .group = spec->group != NULL ? group_get(p, spec->group, spec->limit) : NULL,
    };
    return p->count++;
}

void plan_edge(struct plan *p, size_t from, size_t to)
{
    if (from >= to || to >= p->count) {
        BUG("edge %zu -> %zu of %zu nodes is not in topological order", from, to, p->count);
    }
    struct node *n = &p->nodes[from];
    ARRAY_RESERVE(n->down, n->down_count, n->down_capacity, 1);
    n->down[n->down_count++] = to;
    p->nodes[to].nblock++;
}

static void make_ready(struct plan *p, size_t node)
{
    p->nodes[node].state = PLAN_READY;
    heap_push(p, &p->ready, index_before, node);
}

void plan_start(struct plan *p)
{
    double known = 0;
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->nodes[i].seconds > 0) {
            known += p->nodes[i].seconds;
            count++;
        }
    }
    double guess = count > 0 ? known / (double)count : PLAN_UNKNOWN_S;
    for (size_t i = p->count; i-- > 0;) {
        struct node *n = &p->nodes[i];
        double longest = 0;
        for (size_t k = 0; k < n->down_count; k++) {
            double c = p->nodes[n->down[k]].critical;
            longest = c > longest ? c : longest;
        }
        n->critical = longest + (n->seconds > 0 ? n->seconds : guess);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (p->nodes[i].nblock == 0) {
            make_ready(p, i);
        }
    }
}

/* ---- running ---- */

size_t plan_next_ready(struct plan *p)
{
    bool wait = p->in_order && (p->busy > 0 || p->queued.count > 0 || p->parked > 0);
    if (p->stopped || p->ready.count == 0 || wait) {
        return SIZE_MAX;
    }
    return heap_pop(p, &p->ready, index_before);
}

void plan_queue(struct plan *p, size_t node)
{
    p->nodes[node].state = PLAN_QUEUED;
    p->nodes[node].passed = 0;
    heap_push(p, &p->queued, runs_before, node);
}

void plan_hold(struct plan *p, size_t node)
{
    p->nodes[node].state = PLAN_COMMITTING;
    p->busy++;
}

/* First run of `want` free slots, or -1. */
static int find_slots(const struct plan *p, int want)
{
    int run = 0;
    for (int i = 0; i < p->slots; i++) {
        run = p->slot_taken[i] ? 0 : run + 1;
        if (run == want) {
            return i - want + 1;
        }
    }
    return -1;
}

static int take_member(struct group *g)
{
    for (size_t k = 0; k < g->member_capacity; k++) {
        if (!g->members[k]) {
            g->members[k] = true;
            return (int)k;
        }
    }
    size_t old = g->member_capacity;
    g->member_capacity = old == 0 ? 8 : old * 2;
    g->members = xrealloc(g->members, g->member_capacity * sizeof *g->members);
    memset(g->members + old, 0, (g->member_capacity - old) * sizeof *g->members);
    g->members[old] = true;
    return (int)old;
}

static void take(struct plan *p, size_t node, int first, struct plan_pick *out)
{
    struct node *n = &p->nodes[node];
    n->state = PLAN_RUNNING;
    n->first_slot = first;
    n->began = p->clock != NULL ? clock_seconds(p->clock) : 0;
    n->member = 0;
    for (int i = 0; i < n->slots; i++) {
        p->slot_taken[first + i] = true;
    }
    p->free_slots -= n->slots;
    p->busy++;
    if (n->group != NULL) {
        n->group->running++;
        n->member = take_member(n->group);
    }
    *out = (struct plan_pick){node, first, n->slots, n->member, n->attempt};
}

bool plan_pick(struct plan *p, struct plan_pick *out)
{
    if (p->stopped || (p->in_order && p->busy > 0)) {
        return false;
    }
    size_t passed[PLAN_SCAN_MAX];
    size_t passed_count = 0;
    bool found = false;
    while (!found && p->free_slots > 0 && p->queued.count > 0 && passed_count < PLAN_SCAN_MAX) {
        size_t node = heap_pop(p, &p->queued, runs_before);
        struct node *n = &p->nodes[node];
        if (n->group != NULL && n->group->limit > 0 && n->group->running >= n->group->limit) {
            heap_push(p, &n->group->parked, runs_before, node);
            p->parked++;
            continue;
        }
        int first = find_slots(p, n->slots);
        if (first >= 0) {
            take(p, node, first, out);
            found = true;
        } else {
            passed[passed_count++] = node;
            if (n->passed >= (unsigned)(PLAN_PASSES * p->slots)) {
                break; /* its turn: nothing goes first any more */
            }
        }
    }
    for (size_t i = 0; i < passed_count; i++) {
        p->nodes[passed[i]].passed += found ? 1 : 0;
        heap_push(p, &p->queued, runs_before, passed[i]);
    }
    return found;
}

static void give_back(struct plan *p, struct node *n)
{
    for (int i = 0; i < n->slots; i++) {
        p->slot_taken[n->first_slot + i] = false;
    }
    p->free_slots += n->slots;
    n->first_slot = -1;
    struct group *g = n->group;
    if (g != NULL) {
        g->running--;
        g->members[n->member] = false;
        if (g->parked.count > 0) {
            p->parked--;
            heap_push(p, &p->queued, runs_before, heap_pop(p, &g->parked, runs_before));
        }
    }
}

void plan_commit(struct plan *p, size_t node)
{
    p->nodes[node].state = PLAN_COMMITTING;
    give_back(p, &p->nodes[node]);
}

bool plan_retry(struct plan *p, size_t node)
{
    struct node *n = &p->nodes[node];
    if (n->state == PLAN_RUNNING) {
        give_back(p, n);
    }
    if (n->attempt >= n->retries || p->stopped) {
        n->state = PLAN_COMMITTING; /* the caller says plan_fail next */
        return false;
    }
    n->attempt++;
    p->busy--;
    plan_queue(p, node);
    return true;
}

/* Leaves the nodes under way; a node that was never run (fresh, or failed while judged) is not
 * among them. */
static void leave(struct plan *p, struct node *n, enum plan_state state)
{
    if (n->state == PLAN_RUNNING) {
        give_back(p, n);
    }
    if (n->state == PLAN_RUNNING || n->state == PLAN_COMMITTING) {
        p->busy--;
    }
    n->state = state;
}

static void count_down(struct plan *p, const struct node *n)
{
    for (size_t k = 0; k < n->down_count; k++) {
        struct node *d = &p->nodes[n->down[k]];
        if (--d->nblock == 0 && d->state == PLAN_BLOCKED) {
            make_ready(p, n->down[k]);
        }
    }
}

void plan_finish(struct plan *p, size_t node)
{
    struct node *n = &p->nodes[node];
    leave(p, n, PLAN_DONE);
    count_down(p, n);
}

size_t plan_fail(struct plan *p, size_t node, bool skip, size_t *skipped)
{
    struct node *n = &p->nodes[node];
    leave(p, n, PLAN_FAILED);
    if (!skip) {
        count_down(p, n);
        return 0;
    }
    /* Indices grow along edges, so one pass upwards finds all that follows. */
    size_t count = 0;
    bool *hit = xcalloc(p->count, sizeof *hit);
    hit[node] = true;
    for (size_t i = node; i < p->count; i++) {
        if (!hit[i]) {
            continue;
        }
        for (size_t k = 0; k < p->nodes[i].down_count; k++) {
            hit[p->nodes[i].down[k]] = true;
        }
        if (i != node && p->nodes[i].state == PLAN_BLOCKED) {
            p->nodes[i].state = PLAN_SKIPPED;
            if (skipped != NULL) {
                skipped[count] = i;
            }
            count++;
        }
    }
    free(hit);
    return count;
}

void plan_stop(struct plan *p)
{
    p->stopped = true;
}

/* ---- questions ---- */

enum plan_state plan_state(const struct plan *p, size_t node)
{
    return p->nodes[node].state;
}

size_t plan_count(const struct plan *p)
{
    return p->count;
}

size_t plan_busy(const struct plan *p)
{
    return p->busy;
}

bool plan_over(const struct plan *p)
{
    return p->busy == 0 &&
           (p->stopped || (p->ready.count == 0 && p->queued.count == 0 && p->parked == 0));
}

int plan_free_slots(const struct plan *p)
{
    return p->free_slots;
}

double plan_critical_seconds(const struct plan *p, size_t node)
{
    return p->nodes[node].critical;
}

double plan_forecast(const struct plan *p)
{
    double now = p->clock != NULL ? clock_seconds(p->clock) : 0;
    struct forecast_task *tasks = xcalloc(p->count + 1, sizeof *tasks);
    for (size_t i = 0; i < p->count; i++) {
        const struct node *n = &p->nodes[i];
        tasks[i] = (struct forecast_task){
            .seconds = n->seconds,
            .elapsed = n->state == PLAN_RUNNING ? now - n->began : -1,
            .critical = n->critical,
            .slots = n->slots,
            .priority = n->priority,
            .done = n->state >= PLAN_COMMITTING,
            .down = n->down,
            .down_count = n->down_count,
        };
    }
    double seconds = forecast_seconds(tasks, p->count, p->slots);
    free(tasks);
    return seconds;
}
