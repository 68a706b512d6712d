/*
 * Forms of the graph. Source: DVC 3.67, dvc/commands/dag.py (output bytes), networkx' and pydot's
 * orders. A view is made first: labels in order, edges (what is needed, what needs it), then
 * written in one of the forms.
 */
#include "dag.h"

#include "alloc.h"
#include "daglayout.h"
#include "err.h"
#include "graph.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "value.h"

struct view {
    struct arena a;
    const char **labels;
    size_t count, label_capacity;
    struct daglayout_edge *edges; /* from: what is needed; in the order of `to` */
    size_t edge_count, edge_capacity;
    struct value *seen; /* "from to" */
};

static uint32_t add_label(struct view *v, const char *label)
{
    ARRAY_RESERVE(v->labels, v->count, v->label_capacity, 1);
    v->labels[v->count] = label;
    return (uint32_t)v->count++;
}

static void add_edge(struct view *v, uint32_t from, uint32_t to)
{
    char key[32];
    snprintf(key, sizeof(key), "%u %u", from, to);
    if (value_get(v->seen, key)) {
        return;
    }
    value_set(&v->a, v->seen, key, value_null(&v->a));
    ARRAY_RESERVE(v->edges, v->edge_count, v->edge_capacity, 1);
    v->edges[v->edge_count++] = (struct daglayout_edge){from, to};
}

/* By target, stable: the order in which DVC's graph lists its edges. */
static void sort_edges(struct view *v)
{
    struct daglayout_edge *sorted = xcalloc(v->edge_count + 1, sizeof(*sorted));
    size_t *at = xcalloc(v->count + 2, sizeof(*at));
    for (size_t i = 0; i < v->edge_count; i++) {
        at[v->edges[i].to + 1]++;
    }
    for (size_t i = 0; i < v->count; i++) {
        at[i + 1] += at[i];
    }
    for (size_t i = 0; i < v->edge_count; i++) {
        sorted[at[v->edges[i].to]++] = v->edges[i];
    }
    free(at);
    free(v->edges);
    v->edges = sorted;
    v->edge_capacity = v->edge_count + 1;
}

static void view_release(struct view *v)
{
    free(v->labels);
    free(v->edges);
    arena_release(&v->a);
}

/* --- views ------------------------------------------------------------------------------------ */

static void view_stages(struct view *v, const struct graph *g)
{
    for (size_t i = 0; i < g->count; i++) {
        add_label(v, g->pipeline->stages[i].addr);
    }
    for (uint32_t i = 0; i < g->count; i++) {
        for (uint32_t k = 0; k < g->nodes[i].up_count; k++) {
            add_edge(v, g->nodes[i].up[k], i);
        }
    }
}

/* Number of an output's node, by stage and output. */
static uint32_t out_number(const uint32_t *first, struct graph_out o)
{
    return first[o.stage] + o.out;
}

static void link_outs(struct view *v, const struct graph *g, uint32_t stage, const char *path,
                      const uint32_t *first, const uint32_t *number)
{
    struct arena scratch;
    struct graph_out *met;
    arena_init(&scratch);
    size_t n = graph_overlapping(g, path, &scratch, &met);
    for (uint32_t k = 0; k < g->pipeline->stages[stage].out_count; k++) {
        for (size_t m = 0; m < n; m++) {
            add_edge(v, number[out_number(first, met[m])], number[first[stage] + k]);
        }
    }
    arena_release(&scratch);
}

/* Outputs in the order of the tree of paths, as DVC's trie gives them. *node_of (free): per output,
 * stages in order. */
static void view_outs(struct view *v, const struct graph *g, const struct repo *r, uint32_t **first,
                      uint32_t **number)
{
    const struct pipeline *p = g->pipeline;
    uint32_t total = 0;
    *first = xcalloc(g->count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < g->count; i++) {
        (*first)[i] = total;
        total += (uint32_t)p->stages[i].out_count;
    }
    *number = xcalloc(total + 1u, sizeof(uint32_t));
    static const char *const roots[] = {".", "/"};
    for (size_t n = 0; n < ARRAY_SIZE(roots); n++) {
        struct graph_out *outs;
        size_t count = graph_overlapping(g, roots[n], &v->a, &outs);
        for (size_t i = 0; i < count; i++) {
            const struct out *o = graph_out_of(g, outs[i]);
            (*number)[out_number(*first, outs[i])] =
                add_label(v, graph_show(r, &v->a, o->def, o->path));
        }
    }
    for (uint32_t i = 0; i < g->count; i++) {
        const struct stage *s = &p->stages[i];
        for (size_t k = 0; k < s->dep_count; k++) {
            if (!(s->name == NULL && s->deps[k].is_url)) {
                link_outs(v, g, i, s->deps[k].path, *first, *number);
            }
        }
        for (size_t k = 0; k < s->param_count; k++) {
            link_outs(v, g, i, s->params[k].path, *first, *number);
        }
    }
}

/* Keeps marked nodes, in order. */
static void keep(struct view *v, const bool *in)
{
    uint32_t *renumber = xcalloc(v->count + 1, sizeof(*renumber));
    size_t n = 0, edges = 0;
    for (size_t i = 0; i < v->count; i++) {
        renumber[i] = (uint32_t)n;
        if (in[i]) {
            v->labels[n++] = v->labels[i];
        }
    }
    for (size_t i = 0; i < v->edge_count; i++) {
        struct daglayout_edge e = v->edges[i];
        if (in[e.from] && in[e.to]) {
            v->edges[edges++] = (struct daglayout_edge){renumber[e.from], renumber[e.to]};
        }
    }
    v->count = n;
    v->edge_count = edges;
    free(renumber);
}

/* Spreads the marks along edges until nothing changes: upwards, or both ways. Edges are taken
 * through lists, so that it is linear. */
static void spread(const struct view *v, bool both, bool *in)
{
    uint32_t *stack = xcalloc(v->count + 1, sizeof(*stack));
    size_t *start = xcalloc(v->count + 2, sizeof(*start)), depth = 0;
    uint32_t *next = xcalloc(v->edge_count * 2 + 1, sizeof(*next));
    for (size_t i = 0; i < v->edge_count; i++) {
        start[v->edges[i].to + 1]++;
        start[v->edges[i].from + 1] += both;
    }
    for (size_t i = 0; i < v->count; i++) {
        start[i + 1] += start[i];
        if (in[i]) {
            stack[depth++] = (uint32_t)i;
        }
    }
    size_t *fill = xcalloc(v->count + 1, sizeof(*fill));
    for (size_t i = 0; i < v->edge_count; i++) {
        uint32_t from = v->edges[i].from, to = v->edges[i].to;
        next[start[to] + fill[to]++] = from;
        if (both) {
            next[start[from] + fill[from]++] = to;
        }
    }
    while (depth) {
        uint32_t node = stack[--depth];
        for (size_t k = start[node]; k < start[node + 1]; k++) {
            if (!in[next[k]]) {
                in[next[k]] = true;
                stack[depth++] = next[k];
            }
        }
    }
    free(stack);
    free(start);
    free(next);
    free(fill);
}

static void restrict_to(struct view *v, const struct graph *g, const struct graph_selection *sel,
                        const struct dag_options *opt, const uint32_t *first,
                        const uint32_t *number)
{
    bool *in = xcalloc(v->count + 1, sizeof(*in));
    for (size_t i = 0; i < sel->count; i++) {
        const struct graph_target *t = &sel->items[i];
        const struct stage *s = &g->pipeline->stages[t->stage];
        if (!opt->outs) {
            in[t->stage] = true;
            continue;
        }
        for (uint32_t k = 0; k < s->out_count; k++) {
            bool named = !t->filter || path_inside(s->outs[k].path, t->filter);
            in[number[first[t->stage] + k]] |= named;
        }
    }
    spread(v, opt->full, in);
    keep(v, in);
    free(in);
}

/* The group's name of "train@x"; NULL for what is no instance. */
static const char *group_of(struct view *v, const char *label)
{
    size_t n = strlen(label);
    const char *at = strchr(label, '@');
    bool file = n >= 4 && strcmp(label + n - 4, ".dvc") == 0;
    return at && !file ? arena_strndup(&v->a, label, (size_t)(at - label)) : NULL;
}

static void collapse(struct view *v)
{
    struct view c = {0};
    arena_init(&c.a);
    c.seen = value_map(&c.a);
    uint32_t *number = xcalloc(v->count + 1, sizeof(*number));
    struct value *groups = value_map(&c.a);
    for (size_t i = 0; i < v->count; i++) {
        if (!group_of(&c, v->labels[i])) {
            number[i] = add_label(&c, arena_strdup(&c.a, v->labels[i]));
            value_set(&c.a, groups, v->labels[i], value_int(&c.a, number[i]));
        }
    }
    for (size_t i = 0; i < v->count; i++) {
        const char *group = group_of(&c, v->labels[i]);
        struct value *have = group ? value_get(groups, group) : NULL;
        if (group && !have) {
            have = value_int(&c.a, add_label(&c, group));
            value_set(&c.a, groups, group, have);
        }
        number[i] = have ? (uint32_t)have->i : number[i];
    }
    for (size_t i = 0; i < v->edge_count; i++) {
        add_edge(&c, number[v->edges[i].from], number[v->edges[i].to]);
    }
    free(number);
    view_release(v);
    *v = c;
}

/* --- forms ------------------------------------------------------------------------------------ */

static bool has_self_loop(const struct view *v)
{
    for (size_t i = 0; i < v->edge_count; i++) {
        if (v->edges[i].from == v->edges[i].to) {
            return true;
        }
    }
    return false;
}

static void write_dot(const struct view *v, struct strbuf *out)
{
    strbuf_adds(out, has_self_loop(v) ? "digraph {\n" : "strict digraph {\n");
    for (size_t i = 0; i < v->count; i++) {
        strbuf_addf(out, "\"%s\";\n", v->labels[i]);
    }
    /* By source, then by target: edges are in the order of their targets already. */
    size_t *start = xcalloc(v->count + 2, sizeof(*start));
    uint32_t *targets = xcalloc(v->edge_count + 1, sizeof(*targets));
    for (size_t i = 0; i < v->edge_count; i++) {
        start[v->edges[i].from + 1]++;
    }
    for (size_t i = 0; i < v->count; i++) {
        start[i + 1] += start[i];
    }
    size_t *fill = xcalloc(v->count + 1, sizeof(*fill));
    for (size_t i = 0; i < v->edge_count; i++) {
        uint32_t from = v->edges[i].from;
        targets[start[from] + fill[from]++] = v->edges[i].to;
    }
    for (size_t i = 0; i < v->count; i++) {
        for (size_t k = start[i]; k < start[i + 1]; k++) {
            strbuf_addf(out, "\"%s\" -> \"%s\";\n", v->labels[i], v->labels[targets[k]]);
        }
    }
    strbuf_adds(out, "}\n\n");
    free(start);
    free(fill);
    free(targets);
}

/* Component of each node, numbered by first node. */
static size_t split(const struct view *v, uint32_t *component)
{
    size_t n = 0;
    bool *in = xcalloc(v->count + 1, sizeof(*in));
    uint32_t *parent = xcalloc(v->count + 1, sizeof(*parent));
    for (uint32_t i = 0; i < v->count; i++) {
        parent[i] = i;
    }
    for (size_t i = 0; i < v->edge_count; i++) {
        uint32_t a = v->edges[i].from, b = v->edges[i].to;
        while (parent[a] != a) {
            a = parent[a] = parent[parent[a]];
        }
        while (parent[b] != b) {
            b = parent[b] = parent[parent[b]];
        }
        parent[a > b ? a : b] = a > b ? b : a;
    }
    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t root = i;
        while (parent[root] != root) {
            root = parent[root];
        }
        component[i] = root == i ? (uint32_t)n++ : component[root];
    }
    free(in);
    free(parent);
    return n;
}

/* Nodes and edges grouped by component, so that each part is visited once. */
struct parts {
    uint32_t *nodes, *edges; /* numbers, part after part */
    size_t *node_start, *edge_start;
    size_t count;
};

static void make_parts(const struct view *v, struct parts *p)
{
    uint32_t *component = xcalloc(v->count + 1, sizeof(*component));
    p->count = split(v, component);
    p->nodes = xcalloc(v->count + 1, sizeof(*p->nodes));
    p->edges = xcalloc(v->edge_count + 1, sizeof(*p->edges));
    p->node_start = xcalloc(p->count + 2, sizeof(*p->node_start));
    p->edge_start = xcalloc(p->count + 2, sizeof(*p->edge_start));
    for (size_t i = 0; i < v->count; i++) {
        p->node_start[component[i] + 1]++;
    }
    for (size_t i = 0; i < v->edge_count; i++) {
        p->edge_start[component[v->edges[i].from] + 1]++;
    }
    for (size_t i = 0; i < p->count; i++) {
        p->node_start[i + 1] += p->node_start[i];
        p->edge_start[i + 1] += p->edge_start[i];
    }
    size_t *fill = xcalloc(p->count + 1, sizeof(*fill));
    for (uint32_t i = 0; i < v->count; i++) {
        p->nodes[p->node_start[component[i]] + fill[component[i]]++] = i;
    }
    memset(fill, 0, (p->count + 1) * sizeof(*fill));
    for (uint32_t i = 0; i < v->edge_count; i++) {
        uint32_t c = component[v->edges[i].from];
        p->edges[p->edge_start[c] + fill[c]++] = i;
    }
    free(fill);
    free(component);
}

static void free_parts(struct parts *p)
{
    free(p->nodes);
    free(p->edges);
    free(p->node_start);
    free(p->edge_start);
}

static int compare_labels(const void *a, const void *b, void *ctx)
{
    const struct view *v = ctx;
    return strcmp(v->labels[*(const uint32_t *)a], v->labels[*(const uint32_t *)b]);
}

static int compare_edges(const void *a, const void *b, void *ctx)
{
    const struct view *v = ctx;
    const struct daglayout_edge *x = &v->edges[*(const uint32_t *)a],
                                *y = &v->edges[*(const uint32_t *)b];
    int c = strcmp(v->labels[x->from], v->labels[y->from]);
    return c ? c : strcmp(v->labels[x->to], v->labels[y->to]);
}

static void write_mermaid(struct view *v, bool markdown, struct strbuf *out)
{
    struct parts p;
    make_parts(v, &p);
    uint32_t *number = xcalloc(v->count + 1, sizeof(*number)), total = 0;
    strbuf_adds(out, markdown ? "```mermaid\nflowchart TD" : "flowchart TD");
    for (size_t c = 0; c < p.count; c++) {
        uint32_t *nodes = p.nodes + p.node_start[c], *edges = p.edges + p.edge_start[c];
        size_t n = p.node_start[c + 1] - p.node_start[c], m = p.edge_start[c + 1] - p.edge_start[c];
        qsort_r(nodes, n, sizeof(*nodes), compare_labels, v);
        qsort_r(edges, m, sizeof(*edges), compare_edges, v);
        for (size_t i = 0; i < n; i++) {
            number[nodes[i]] = ++total;
            strbuf_addf(out, "\n\tnode%u[\"%s\"]", total, v->labels[nodes[i]]);
        }
        for (size_t i = 0; i < m; i++) {
            strbuf_addf(out, "\n\tnode%u-->node%u", number[v->edges[edges[i]].from],
                        number[v->edges[edges[i]].to]);
        }
    }
    strbuf_adds(out, markdown ? "\n```\n" : "\n");
    free(number);
    free_parts(&p);
}

static int write_text(const struct view *v, struct strbuf *out, struct err *e)
{
    struct parts p;
    int r = 0;
    make_parts(v, &p);
    uint32_t *number = xcalloc(v->count + 1, sizeof(*number));
    const char **labels = xcalloc(v->count + 1, sizeof(*labels));
    struct daglayout_edge *edges = xcalloc(v->edge_count + 1, sizeof(*edges));
    for (size_t c = 0; r == 0 && c < p.count; c++) {
        size_t n = 0, m = 0;
        for (size_t i = p.node_start[c]; i < p.node_start[c + 1]; i++) {
            number[p.nodes[i]] = (uint32_t)n;
            labels[n++] = v->labels[p.nodes[i]];
        }
        for (size_t i = p.edge_start[c]; i < p.edge_start[c + 1]; i++) {
            struct daglayout_edge x = v->edges[p.edges[i]];
            if (x.from != x.to) {
                edges[m++] = (struct daglayout_edge){number[x.from], number[x.to]};
            }
        }
        r = daglayout_draw(labels, n, edges, m, out, e);
        strbuf_addch(out, '\n');
    }
    strbuf_adds(out, p.count ? "" : "\n");
    free(number);
    free(labels);
    free(edges);
    free_parts(&p);
    return r;
}

int dag_render(const struct graph *g, const struct repo *r, const struct graph_selection *sel,
               const struct dag_options *opt, struct strbuf *out, struct err *e)
{
    if (opt->outs && opt->collapse) {
        return err_set(e, ERR_USAGE,
                       "`--outs` and `--collapse-foreach-matrix` are mutually exclusive");
    }
    struct view v = {0};
    uint32_t *first = NULL, *number = NULL;
    arena_init(&v.a);
    v.seen = value_map(&v.a);
    if (opt->outs) {
        view_outs(&v, g, r, &first, &number);
    } else {
        view_stages(&v, g);
    }
    if (sel && sel->count) {
        restrict_to(&v, g, sel, opt, first, number);
    }
    if (opt->collapse) {
        collapse(&v);
    }
    sort_edges(&v);
    int result = 0;
    if (opt->form == DAG_DOT) {
        write_dot(&v, out);
    } else if (opt->form == DAG_TEXT) {
        result = write_text(&v, out, e);
    } else {
        write_mermaid(&v, opt->form == DAG_MARKDOWN, out);
    }
    free(first);
    free(number);
    view_release(&v);
    return result;
}
