/*
 * The graph of stages. Source: DVC 3.67, dvc/repo/graph.py and trie.py (behaviour and texts).
 *
 * Outputs stand in a trie of path components, built as a hash from each prefix to its node: "a/b/c"
 * makes the nodes ".", "a", "a/b", "a/b/c". A dep meets the outputs on the way down to it (they
 * contain it) and, when its own node is there, all outputs below (it contains them). Cost: path
 * components, not pairs of stages.
 */
#include "graph.h"

#include "alloc.h"
#include "err.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"

#define NONE UINT32_MAX

struct trie_node {
    uint32_t stage, out;  /* NONE: no output ends here */
    uint32_t first, last; /* children in the order they came */
    uint32_t next;
};

struct graph_trie {
    struct trie_node *nodes;
    size_t count, capacity;
    struct value *index; /* path -> node */
};

/* --- trie ------------------------------------------------------------------------------------- */

static uint32_t trie_add_node(struct graph *g, struct str path)
{
    struct graph_trie *t = g->outs;
    ARRAY_RESERVE(t->nodes, t->count, t->capacity, 1);
    t->nodes[t->count] = (struct trie_node){NONE, NONE, NONE, NONE, NONE};
    value_append(&g->arena, t->index, value_str(&g->arena, path),
                 value_int(&g->arena, (int64_t)t->count));
    return (uint32_t)t->count++;
}

static uint32_t trie_find(const struct graph_trie *t, struct str path)
{
    const struct value *at = value_get_str(t->index, path);
    return at ? (uint32_t)at->i : NONE;
}

/* The next longer prefix of `path` after the first `n` bytes: 0 gives the root ("." or "/").
 * Returns its length in *n and the prefix itself; false after the whole path. */
static bool next_prefix(struct str path, size_t *n, struct str *prefix)
{
    bool absolute = path.n && path.p[0] == '/';
    if (*n == SIZE_MAX) {
        *n = absolute ? 1 : 0;
        *prefix = absolute ? STR("/") : STR(".");
        return true;
    }
    if (*n >= path.n || str_is(path, ".")) {
        return false;
    }
    size_t i = *n + (*n && path.p[*n] == '/' ? 1 : 0);
    while (i < path.n && path.p[i] != '/') {
        i++;
    }
    *n = i;
    *prefix = str_sub(path, 0, i);
    return true;
}

static uint32_t trie_insert(struct graph *g, struct str path)
{
    uint32_t parent = NONE;
    struct str prefix;
    for (size_t n = SIZE_MAX; next_prefix(path, &n, &prefix);) {
        uint32_t node = trie_find(g->outs, prefix);
        if (node == NONE) {
            node = trie_add_node(g, prefix);
            if (parent != NONE) {
                struct trie_node *p = &g->outs->nodes[parent];
                if (p->last == NONE) {
                    p->first = node;
                } else {
                    g->outs->nodes[p->last].next = node;
                }
                p->last = node;
            }
        }
        parent = node;
    }
    return parent;
}

/* Visits the outputs at and below a node, in order of insertion, parents first. Return true to
 * stop. */
typedef bool visit_fn(void *ctx, uint32_t stage, uint32_t out);

static bool visit_below(const struct graph_trie *t, uint32_t node, visit_fn *fn, void *ctx)
{
    const struct trie_node *n = &t->nodes[node];
    if (n->stage != NONE && fn(ctx, n->stage, n->out)) {
        return true;
    }
    for (uint32_t child = n->first; child != NONE; child = t->nodes[child].next) {
        if (visit_below(t, child, fn, ctx)) {
            return true;
        }
    }
    return false;
}

/* Outputs that contain or equal `path`, shortest first, then those inside of it. */
static bool visit_overlapping(const struct graph *g, struct str path, visit_fn *fn, void *ctx)
{
    struct str prefix;
    uint32_t node = NONE;
    size_t n = SIZE_MAX;
    while (next_prefix(path, &n, &prefix)) {
        node = trie_find(g->outs, prefix);
        if (node == NONE) {
            break;
        }
        const struct trie_node *t = &g->outs->nodes[node];
        if (t->stage != NONE && fn(ctx, t->stage, t->out)) {
            return true;
        }
    }
    for (uint32_t c = node == NONE ? NONE : g->outs->nodes[node].first; c != NONE;
         c = g->outs->nodes[c].next) {
        if (visit_below(g->outs, c, fn, ctx)) {
            return true;
        }
    }
    return false;
}

static bool visit_first(void *ctx, uint32_t stage, uint32_t out)
{
    *(struct graph_out *)ctx = (struct graph_out){stage, out};
    return true;
}

/* --- names ------------------------------------------------------------------------------------ */

const char *graph_show(const struct repo *r, struct arena *a, const char *def, const char *path)
{
    if (def[0] == '/' || strstr(def, "://")) {
        return def;
    }
    return path[0] == '/' ? path : repo_show(r, a, path);
}

static const char *show_out(const struct graph *g, const struct repo *r, struct arena *a,
                            struct graph_out o)
{
    const struct out *out = graph_out_of(g, o);
    return graph_show(r, a, out->def, out->path);
}

const struct out *graph_out_of(const struct graph *g, struct graph_out o)
{
    return &g->pipeline->stages[o.stage].outs[o.out];
}

/* --- building --------------------------------------------------------------------------------- */

static int refuse_duplicate(const struct graph *g, const struct repo *r, struct graph_out have,
                            struct graph_out new, struct arena *a, struct err *e)
{
    const struct stage *first = &g->pipeline->stages[have.stage],
                       *second = &g->pipeline->stages[new.stage];
    const char *out = show_out(g, r, a, new);
    if (first == second) {
        return err_set(e, ERR_FORMAT,
                       "output '%s' is already specified in stage: '%s'.\nUse `dvc remove %s` to "
                       "stop tracking the overlapping output.",
                       out, first->addr, first->addr);
    }
    return err_set(e, ERR_FORMAT,
                   "output '%s' is specified in:\n\t- %s\n\t- %s\nUse `dvc remove` with any of the "
                   "above targets to stop tracking the overlapping output.",
                   out, first->addr, second->addr);
}

static int refuse_overlap(const struct graph *g, const struct repo *r, struct graph_out parent,
                          struct graph_out inner, struct arena *a, struct err *e)
{
    return err_set(e, ERR_FORMAT,
                   "The output paths:\n'%s'('%s')\n'%s'('%s')\noverlap and are thus in the same "
                   "tracked directory.\nTo keep reproducibility, outputs should be in separate "
                   "tracked directories or tracked individually.",
                   show_out(g, r, a, parent), g->pipeline->stages[parent.stage].addr,
                   show_out(g, r, a, inner), g->pipeline->stages[inner.stage].addr);
}

/* The output that contains `path`, itself not counted unless `self`. */
static bool find_container(const struct graph *g, struct str path, bool self,
                           struct graph_out *found)
{
    struct str prefix;
    for (size_t n = SIZE_MAX; next_prefix(path, &n, &prefix);) {
        uint32_t node = trie_find(g->outs, prefix);
        if (node == NONE || (!self && prefix.n == path.n && !str_is(prefix, "."))) {
            return false;
        }
        const struct trie_node *t = &g->outs->nodes[node];
        if (t->stage != NONE) {
            *found = (struct graph_out){t->stage, t->out};
            return true;
        }
    }
    return false;
}

static void place_out(struct graph *g, struct graph_out o)
{
    uint32_t node = trie_insert(g, str_from(graph_out_of(g, o)->path));
    if (g->outs->nodes[node].stage == NONE) {
        g->outs->nodes[node].stage = o.stage;
        g->outs->nodes[node].out = o.out;
    }
}

static int add_out(struct graph *g, const struct repo *r, struct graph_out o, struct arena *a,
                   struct err *e)
{
    struct str path = str_from(graph_out_of(g, o)->path);
    struct graph_out other;
    uint32_t node = trie_find(g->outs, path);
    if (node != NONE) {
        const struct trie_node *t = &g->outs->nodes[node];
        if (t->stage != NONE) {
            return refuse_duplicate(g, r, (struct graph_out){t->stage, t->out}, o, a, e);
        }
        if (visit_below(g->outs, node, visit_first, &other)) {
            return refuse_overlap(g, r, o, other, a, e);
        }
    }
    if (find_container(g, path, false, &other)) {
        return refuse_overlap(g, r, other, o, a, e);
    }
    place_out(g, o);
    return 0;
}

static int add_outs(struct graph *g, const struct repo *r, struct arena *a, struct err *e)
{
    for (uint32_t i = 0; i < g->count; i++) {
        for (uint32_t k = 0; k < g->pipeline->stages[i].out_count; k++) {
            if (add_out(g, r, (struct graph_out){i, k}, a, e) < 0) {
                return -1;
            }
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        const struct stage *s = &g->pipeline->stages[i];
        struct graph_out o;
        if (find_container(g, str_from(s->file), true, &o)) {
            return err_set(e, ERR_FORMAT, "stage: '%s' is within an output '%s' of another stage",
                           s->addr, show_out(g, r, a, o));
        }
    }
    return 0;
}

struct linking {
    uint32_t *items; /* upstream of the stage at hand */
    size_t count, capacity;
    uint32_t *seen; /* seen[i] == mark: already in items */
    uint32_t mark;
};

static bool link_out(void *ctx, uint32_t stage, uint32_t out)
{
    struct linking *l = ctx;
    if (l->seen[stage] != l->mark) {
        l->seen[stage] = l->mark;
        ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
        l->items[l->count++] = stage;
    }
    return false;
}

/* A dep outside of the repository that holds it meets every output inside. */
static void link_path(const struct graph *g, const struct repo *r, const char *path,
                      struct linking *l)
{
    visit_overlapping(g, str_from(path), link_out, l);
    if (path[0] == '/' && path_inside(path, r->root)) {
        visit_overlapping(g, STR("."), link_out, l);
    }
}

static void add_edges(struct graph *g, const struct repo *r)
{
    struct linking l = {.seen = xcalloc(g->count + 1, sizeof(uint32_t))};
    for (size_t i = 0; i < g->count; i++) {
        const struct stage *s = &g->pipeline->stages[i];
        l.mark = (uint32_t)i + 1;
        l.count = 0;
        for (size_t k = 0; k < s->dep_count; k++) {
            if (!(s->name == NULL && s->deps[k].is_url)) {
                link_path(g, r, s->deps[k].path, &l);
            }
        }
        for (size_t k = 0; k < s->param_count; k++) {
            link_path(g, r, s->params[k].path, &l);
        }
        uint32_t *up = ARENA_ARRAY(&g->arena, l.count + 1, uint32_t);
        for (size_t k = 0; k < l.count; k++) {
            up[k] = l.items[k];
            g->nodes[up[k]].down_count++;
        }
        g->nodes[i].up = up;
        g->nodes[i].up_count = (uint32_t)l.count;
    }
    free(l.items);
    free(l.seen);
}

static void add_reverse_edges(struct graph *g)
{
    uint32_t **fill = xcalloc(g->count + 1, sizeof(*fill));
    for (size_t i = 0; i < g->count; i++) {
        fill[i] = ARENA_ARRAY(&g->arena, g->nodes[i].down_count + 1u, uint32_t);
        g->nodes[i].down = fill[i];
    }
    for (uint32_t i = 0; i < g->count; i++) {
        for (uint32_t k = 0; k < g->nodes[i].up_count; k++) {
            *fill[g->nodes[i].up[k]]++ = i;
        }
    }
    free(fill);
}

/* --- depth first ------------------------------------------------------------------------------ */

/* One walk: nodes in post order. `in` limits it (NULL: all); `active` cuts frozen stages off;
 * `down` reverses. */
struct dfs {
    const struct graph *g;
    const bool *in;
    bool active, down;
    uint8_t *colour; /* 0 new, 1 on the stack, 2 done */
    uint32_t *stack, *at;
    uint32_t *order; /* result; NULL: not wanted */
    size_t depth, count;
    size_t cycle; /* depth of the stack where a cycle closes; SIZE_MAX: none found */
};

static void dfs_init(struct dfs *d, const struct graph *g)
{
    *d = (struct dfs){.g = g, .cycle = SIZE_MAX};
    d->colour = xcalloc(g->count + 1, 1);
    d->stack = xcalloc(g->count + 1, sizeof(uint32_t));
    d->at = xcalloc(g->count + 1, sizeof(uint32_t));
}

static void dfs_release(struct dfs *d)
{
    free(d->colour);
    free(d->stack);
    free(d->at);
}

static uint32_t dfs_next(struct dfs *d, uint32_t node, uint32_t k)
{
    const struct graph_node *n = &d->g->nodes[node];
    if (d->down) {
        return k < n->down_count ? n->down[k] : NONE;
    }
    bool cut = d->active && d->g->pipeline->stages[node].frozen;
    return !cut && k < n->up_count ? n->up[k] : NONE;
}

static bool dfs_allowed(const struct dfs *d, uint32_t from, uint32_t to)
{
    /* Reversed, the edge to a frozen stage is the one that is cut. */
    bool cut = d->down && d->active && d->g->pipeline->stages[to].frozen;
    (void)from;
    return !cut && (!d->in || d->in[to]);
}

static void dfs_close(struct dfs *d, uint32_t to)
{
    for (size_t i = 0; d->cycle == SIZE_MAX && i < d->depth; i++) {
        if (d->stack[i] == to) {
            d->cycle = i;
        }
    }
}

/* Stops with d->cycle set when `find_cycle` and one is met. */
static void dfs_run(struct dfs *d, uint32_t start, bool find_cycle)
{
    if (d->colour[start] || (d->in && !d->in[start])) {
        return;
    }
    d->depth = 1;
    d->stack[0] = start;
    d->at[0] = 0;
    d->colour[start] = 1;
    while (d->depth) {
        uint32_t node = d->stack[d->depth - 1], to = dfs_next(d, node, d->at[d->depth - 1]++);
        if (to == NONE) {
            d->colour[node] = 2;
            d->depth--;
            if (d->order) {
                d->order[d->count++] = node;
            }
        } else if (d->colour[to] == 0 && dfs_allowed(d, node, to)) {
            d->stack[d->depth] = to;
            d->at[d->depth++] = 0;
            d->colour[to] = 1;
        } else if (find_cycle && d->colour[to] == 1) {
            dfs_close(d, to);
            return;
        }
    }
}

static int check_acyclic(const struct graph *g, struct err *e)
{
    struct dfs d;
    int r = 0;
    dfs_init(&d, g);
    for (uint32_t i = 0; r == 0 && i < g->count; i++) {
        dfs_run(&d, i, true);
        if (d.cycle != SIZE_MAX) {
            size_t n = d.depth - d.cycle;
            err_set(e, ERR_FORMAT,
                    "Same item(s) are defined as both a dependency and an output in stage%s: ",
                    n == 1 ? "" : "s");
            for (size_t k = d.cycle; k < d.depth; k++) {
                err_append(e, "%s%s", k > d.cycle ? ", " : "",
                           g->pipeline->stages[d.stack[k]].addr);
            }
            r = err_append(e, ".");
        }
    }
    dfs_release(&d);
    return r;
}

static void begin_graph(struct graph *g, struct pipeline *p)
{
    *g = (struct graph){.pipeline = p, .count = p->stage_count};
    arena_init(&g->arena);
    g->nodes = ARENA_ARRAY(&g->arena, g->count + 1, struct graph_node);
    g->outs = ARENA_NEW(&g->arena, struct graph_trie);
    g->outs->index = value_map(&g->arena);
    for (size_t i = 0; i < p->stage_count; i++) {
        p->stages[i].index = i;
    }
}

void graph_build_unchecked(struct graph *g, struct pipeline *p, const struct repo *r)
{
    begin_graph(g, p);
    for (uint32_t i = 0; i < g->count; i++) {
        for (uint32_t k = 0; k < p->stages[i].out_count; k++) {
            place_out(g, (struct graph_out){i, k});
        }
    }
    add_edges(g, r);
    add_reverse_edges(g);
}

int graph_build(struct graph *g, struct pipeline *p, const struct repo *r, struct err *e)
{
    struct arena scratch;
    begin_graph(g, p);
    arena_init(&scratch);
    int result = add_outs(g, r, &scratch, e);
    if (result == 0) {
        add_edges(g, r);
        add_reverse_edges(g);
        result = check_acyclic(g, e);
    }
    arena_release(&scratch);
    if (result < 0) {
        graph_release(g);
    }
    return result;
}

void graph_release(struct graph *g)
{
    if (g->outs) {
        free(g->outs->nodes);
    }
    arena_release(&g->arena);
    *g = (struct graph){0};
}

/* --- questions -------------------------------------------------------------------------------- */

bool graph_find_out(const struct graph *g, const char *path, struct graph_out *out)
{
    uint32_t node = trie_find(g->outs, str_from(path));
    if (node == NONE || g->outs->nodes[node].stage == NONE) {
        return false;
    }
    *out = (struct graph_out){g->outs->nodes[node].stage, g->outs->nodes[node].out};
    return true;
}

struct collecting {
    struct graph_out *items;
    size_t count, capacity;
};

static bool collect_out(void *ctx, uint32_t stage, uint32_t out)
{
    struct collecting *c = ctx;
    ARRAY_RESERVE(c->items, c->count, c->capacity, 1);
    c->items[c->count++] = (struct graph_out){stage, out};
    return false;
}

size_t graph_overlapping(const struct graph *g, const char *path, struct arena *a,
                         struct graph_out **outs)
{
    struct collecting c = {0};
    visit_overlapping(g, str_from(path), collect_out, &c);
    *outs = ARENA_ARRAY(a, c.count + 1, struct graph_out);
    if (c.count) {
        memcpy(*outs, c.items, c.count * sizeof(*c.items));
    }
    free(c.items);
    return c.count;
}

void graph_reach(const struct graph *g, uint32_t from, bool down, bool active, bool *set)
{
    struct dfs d;
    dfs_init(&d, g);
    d.down = down;
    d.active = active;
    d.order = xcalloc(g->count + 1, sizeof(uint32_t));
    dfs_run(&d, from, false);
    for (size_t i = 0; i < d.count; i++) {
        set[d.order[i]] = true;
    }
    free(d.order);
    dfs_release(&d);
}

static uint32_t find_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Components of the whole graph, or of the graph without the upstream of frozen stages. */
static size_t components(const struct graph *g, bool active, uint32_t *component)
{
    uint32_t *parent = xcalloc(g->count + 1, sizeof(*parent));
    for (uint32_t i = 0; i < g->count; i++) {
        parent[i] = i;
    }
    for (uint32_t i = 0; i < g->count; i++) {
        bool cut = active && g->pipeline->stages[i].frozen;
        for (uint32_t k = 0; !cut && k < g->nodes[i].up_count; k++) {
            uint32_t a = find_root(parent, i), b = find_root(parent, g->nodes[i].up[k]);
            parent[a > b ? a : b] = a > b ? b : a;
        }
    }
    size_t n = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t root = find_root(parent, i);
        component[i] = root == i ? (uint32_t)n++ : component[root];
    }
    free(parent);
    return n;
}

size_t graph_components(const struct graph *g, uint32_t *component)
{
    return components(g, false, component);
}

/* --- plans ------------------------------------------------------------------------------------ */

static void count_blockers(const struct graph *g, struct graph_plan *plan, bool edges)
{
    for (size_t i = 0; i < g->count; i++) {
        plan->nblock[i] = NONE;
    }
    for (size_t i = 0; i < plan->count; i++) {
        plan->nblock[plan->order[i]] = 0;
    }
    for (size_t i = 0; edges && i < plan->count; i++) {
        uint32_t s = plan->order[i];
        for (uint32_t k = 0; !g->pipeline->stages[s].frozen && k < g->nodes[s].up_count; k++) {
            plan->nblock[s] += plan->nblock[g->nodes[s].up[k]] != NONE;
        }
    }
}

/* Marks what the selection stands for. */
static void mark_plan(const struct graph *g, const struct graph_selection *sel, bool downstream,
                      bool *in)
{
    struct dfs d;
    dfs_init(&d, g);
    d.active = true;
    d.down = downstream;
    d.order = xcalloc(g->count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < sel->count; i++) {
        dfs_run(&d, sel->items[i].stage, false);
    }
    for (size_t i = 0; i < d.count; i++) {
        in[d.order[i]] = true;
    }
    free(d.order);
    dfs_release(&d);
}

/* Whole pipelines, one after the other in the order of the targets; each in graph order before the
 * walk. */
static void plan_pipelines(const struct graph *g, const struct graph_selection *sel, struct dfs *d)
{
    uint32_t *component = xcalloc(g->count + 1, sizeof(*component));
    components(g, true, component);
    for (size_t i = 0; i < sel->count; i++) {
        for (uint32_t k = 0; k < g->count; k++) {
            if (component[k] == component[sel->items[i].stage]) {
                dfs_run(d, k, false);
            }
        }
    }
    free(component);
}

void graph_make_plan(const struct graph *g, const struct graph_selection *sel,
                     const struct graph_plan_options *opt, struct arena *a, struct graph_plan *plan)
{
    bool all = opt->all || !sel || sel->count == 0;
    plan->order = ARENA_ARRAY(a, g->count + 1, uint32_t);
    plan->nblock = ARENA_ARRAY(a, g->count + 1, uint32_t);
    plan->count = 0;
    if (opt->single && !opt->all && !opt->pipeline) {
        for (size_t i = 0; sel && i < sel->count; i++) {
            plan->order[plan->count++] = sel->items[i].stage;
        }
        count_blockers(g, plan, false);
        return;
    }
    struct dfs d;
    dfs_init(&d, g);
    d.active = true;
    d.order = plan->order;
    bool *in = NULL;
    if (!all && opt->pipeline) {
        plan_pipelines(g, sel, &d);
    } else {
        if (!all) {
            in = xcalloc(g->count + 1, sizeof(*in));
            mark_plan(g, sel, opt->downstream && !opt->all, in);
            d.in = in;
        }
        for (uint32_t i = 0; i < g->count; i++) {
            dfs_run(&d, i, false);
        }
    }
    plan->count = d.count;
    free(in);
    dfs_release(&d);
    count_blockers(g, plan, true);
}
