/*
 * Layered drawing of a graph. The steps, each a section below:
 *   rank    longest path from the sources; then sources slide down to just above what uses them
 *   dummies an edge over several layers gets a place in each layer between
 *   order   sweeps down, up, down; a layer with crossings is sorted by barycentre, then neighbours
 * are swapped place   four alignments (from the left and right, from above and below); the mean of
 * the two middle ones draw    arrows as straight lines of '*' clipped at the boxes, then the boxes
 * over them Widths: boxes are their text + 4; layers are 3 lines with 3 lines between; boxes keep
 * the width of the narrowest box apart.
 *
 * The file is long because the steps work on one struct, and text and numbers are two readings of it.
 */
#include "daglayout.h"

#include "alloc.h"
#include "arena.h"
#include "dagcanvas.h"
#include "err.h"

#include <math.h>

#define MAX_PLACES 20000
#define MAX_CELLS ((size_t)64 << 20)
#define BOX_HEIGHT 3
#define LAYER_GAP 3
#define BREADTH 2 /* of a box of daglayout_place; any even number */

struct links {
    uint32_t *items;
    size_t count, capacity;
};

struct place {
    uint32_t rank, pos;
    double bar; /* position in the layer as 0..1 */
    int width;
    bool dummy;
    struct links near[2]; /* neighbours in the layer above [0] and below [1] */
    /* one alignment */
    uint32_t root, align, sink;
    double shift, at;
    bool placed;
    double x[4];
    double cx, cy; /* centre */
};

struct layout {
    const struct daglayout_edge *edges;
    size_t edge_count;
    size_t count;         /* boxes */
    struct place *places; /* boxes, then dummies */
    size_t place_count, place_capacity;
    struct links *layers;
    size_t layer_count;
    uint32_t **paths;       /* per edge: the places it runs through, ends included */
    struct links *in, *out; /* per box: edges in the order given */
    struct arena a;
    double gap;
    /* conflicts: pairs upper << 32 | lower, sorted */
    uint64_t *conflicts;
    size_t conflict_count, conflict_capacity;
};

static int too_large(struct err *e)
{
    return err_set(e, ERR_LIMIT, "the graph is too large to be drawn; use dag --dot or --mermaid");
}

static void push(struct links *l, uint32_t item)
{
    ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
    l->items[l->count++] = item;
}

static void drop(struct links *l, uint32_t item)
{
    size_t i = 0;
    while (i < l->count && l->items[i] != item) {
        i++;
    }
    if (i < l->count) {
        memmove(l->items + i, l->items + i + 1, (l->count - i - 1) * sizeof(*l->items));
        l->count--;
    }
}

/* --- rank ------------------------------------------------------------------------------------- */

/* Boxes in the order in which the edges join them: an edge appends the group of its lower end to
 * that of its upper end. */
static void join_order(struct layout *l, struct links *order)
{
    struct links *groups = xcalloc(l->count, sizeof(*groups));
    uint32_t *group = xcalloc(l->count, sizeof(*group));
    for (uint32_t i = 0; i < l->count; i++) {
        push(&groups[i], i);
        group[i] = i;
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t a = group[l->edges[i].from], b = group[l->edges[i].to];
        for (size_t k = 0; a != b && k < groups[b].count; k++) {
            push(&groups[a], groups[b].items[k]);
            group[groups[b].items[k]] = a;
        }
        groups[b].count = a == b ? groups[b].count : 0;
    }
    for (size_t i = 0; i < l->count; i++) {
        for (size_t k = 0; k < groups[i].count; k++) {
            push(order, groups[i].items[k]);
        }
        free(groups[i].items);
    }
    free(groups);
    free(group);
}

static void put_in_layer(struct layout *l, uint32_t box, uint32_t rank)
{
    l->places[box].rank = rank;
    if (rank >= l->layer_count) {
        l->layer_count = rank + 1;
    }
    push(&l->layers[rank], box);
}

static void rank_boxes(struct layout *l)
{
    struct links order = {0}, wave = {0}, next = {0};
    uint32_t *open = xcalloc(l->count, sizeof(*open));
    join_order(l, &order);
    for (size_t i = 0; i < order.count; i++) {
        open[order.items[i]] = (uint32_t)l->in[order.items[i]].count;
        if (open[order.items[i]] == 0) {
            push(&wave, order.items[i]);
        }
    }
    while (wave.count) {
        next.count = 0;
        for (size_t i = 0; i < wave.count; i++) {
            uint32_t box = wave.items[i], rank = 0;
            for (size_t k = 0; k < l->in[box].count; k++) {
                uint32_t above = l->places[l->edges[l->in[box].items[k]].from].rank + 1;
                rank = above > rank ? above : rank;
            }
            put_in_layer(l, box, rank);
            for (size_t k = 0; k < l->out[box].count; k++) {
                uint32_t to = l->edges[l->out[box].items[k]].to;
                if (--open[to] == 0) {
                    push(&next, to);
                }
            }
        }
        struct links swap = wave;
        wave = next;
        next = swap;
    }
    free(order.items);
    free(wave.items);
    free(next.items);
    free(open);
}

/* Nothing that uses `box` is above layer `rank`. */
static bool may_slide(const struct layout *l, uint32_t box, uint32_t rank)
{
    for (size_t k = 0; k < l->out[box].count; k++) {
        if (l->places[l->edges[l->out[box].items[k]].to].rank < rank) {
            return false;
        }
    }
    return true;
}

static void slide_down(struct layout *l)
{
    for (size_t r = l->layer_count; r-- > 1;) {
        for (size_t i = 0; i < l->layers[r].count; i++) {
            uint32_t box = l->layers[r].items[i];
            for (size_t k = 0; k < l->in[box].count; k++) {
                uint32_t from = l->edges[l->in[box].items[k]].from;
                if (may_slide(l, from, (uint32_t)r)) {
                    drop(&l->layers[l->places[from].rank], from);
                    put_in_layer(l, from, (uint32_t)r - 1);
                }
            }
        }
    }
}

/* --- dummies ---------------------------------------------------------------------------------- */

static int median_width(const struct layout *l)
{
    int *widths = xcalloc(l->count, sizeof(*widths));
    for (size_t i = 0; i < l->count; i++) {
        size_t k = i;
        for (; k > 0 && widths[k - 1] > l->places[i].width; k--) {
            widths[k] = widths[k - 1];
        }
        widths[k] = l->places[i].width;
    }
    int median = widths[l->count / 2];
    free(widths);
    return median;
}

static int add_dummies(struct layout *l, struct err *e)
{
    int width = median_width(l);
    l->paths = ARENA_ARRAY(&l->a, l->edge_count + 1, uint32_t *);
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t from = l->edges[i].from, to = l->edges[i].to;
        uint32_t top = l->places[from].rank, bottom = l->places[to].rank;
        uint32_t *path = ARENA_ARRAY(&l->a, bottom - top + 1u, uint32_t);
        l->paths[i] = path;
        path[0] = from;
        path[bottom - top] = to;
        for (uint32_t r = top + 1; r < bottom; r++) {
            if (l->place_count >= MAX_PLACES) {
                return too_large(e);
            }
            ARRAY_RESERVE(l->places, l->place_count, l->place_capacity, 1);
            l->places[l->place_count] = (struct place){.width = width, .dummy = true};
            path[r - top] = (uint32_t)l->place_count;
            put_in_layer(l, (uint32_t)l->place_count++, r);
        }
    }
    return 0;
}

/* Neighbours layer by layer. A box meets its edges in the order given. */
static void link_layers(struct layout *l)
{
    for (uint32_t box = 0; box < l->count; box++) {
        for (size_t k = 0; k < l->in[box].count; k++) {
            uint32_t edge = l->in[box].items[k];
            uint32_t steps = l->places[box].rank - l->places[l->edges[edge].from].rank;
            push(&l->places[box].near[0], l->paths[edge][steps - 1]);
        }
        for (size_t k = 0; k < l->out[box].count; k++) {
            push(&l->places[box].near[1], l->paths[l->out[box].items[k]][1]);
        }
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t steps = l->places[l->edges[i].to].rank - l->places[l->edges[i].from].rank;
        for (uint32_t k = 1; k < steps; k++) {
            push(&l->places[l->paths[i][k]].near[0], l->paths[i][k - 1]);
            push(&l->places[l->paths[i][k]].near[1], l->paths[i][k + 1]);
        }
    }
}

static void number_layer(struct layout *l, const struct links *layer)
{
    double step = layer->count > 1 ? 1.0 / (double)(layer->count - 1) : 1.0;
    for (size_t i = 0; i < layer->count; i++) {
        l->places[layer->items[i]].pos = (uint32_t)i;
        l->places[layer->items[i]].bar = (double)i * step;
    }
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_positions(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Crossings between a layer and its neighbour: inversions of the neighbours' positions, by a binary
 * indexed tree. */
static size_t crossings(const struct layout *l, const struct links *layer, int side, size_t width)
{
    size_t *tree = xcalloc(width + 2, sizeof(*tree)), total = 0, seen = 0;
    struct links pos = {0};
    for (size_t i = 0; i < layer->count; i++) {
        const struct links *near = &l->places[layer->items[i]].near[side];
        pos.count = 0;
        for (size_t k = 0; k < near->count; k++) {
            push(&pos, l->places[near->items[k]].pos);
        }
        if (pos.count) {
            qsort(pos.items, pos.count, sizeof(uint32_t), compare_positions);
        }
        for (size_t k = 0; k < pos.count; k++) {
            size_t below = 0;
            for (size_t t = pos.items[k] + 1; t > 0; t -= t & (~t + 1)) {
                below += tree[t];
            }
            total += seen - below;
            seen++;
            for (size_t t = pos.items[k] + 1; t <= width; t += t & (~t + 1)) {
                tree[t]++;
            }
        }
    }
    free(pos.items);
    free(tree);
    return total;
}

/* Stable, by barycentre. */
static void sort_layer(struct layout *l, struct links *layer)
{
    for (size_t i = 1; i < layer->count; i++) {
        uint32_t item = layer->items[i];
        size_t k = i;
        for (; k > 0 && l->places[layer->items[k - 1]].bar > l->places[item].bar; k--) {
            layer->items[k] = layer->items[k - 1];
        }
        layer->items[k] = item;
    }
}

/* Exchanges neighbours where that saves crossings; returns how many are left between neighbours. */
static size_t swap_neighbours(struct layout *l, struct links *layer, int side)
{
    size_t left = 0;
    for (size_t i = 0; i + 1 < layer->count; i++) {
        const struct links *a = &l->places[layer->items[i]].near[side],
                           *b = &l->places[layer->items[i + 1]].near[side];
        size_t now = 0, swapped = 0;
        for (size_t n = 0; n < b->count; n++) {
            for (size_t m = 0; m < a->count; m++) {
                bool over = l->places[a->items[m]].bar > l->places[b->items[n]].bar;
                now += over;
                swapped += !over;
            }
        }
        if (swapped < now) {
            uint32_t t = layer->items[i];
            layer->items[i] = layer->items[i + 1];
            layer->items[i + 1] = t;
            left += swapped;
        } else {
            left += now;
        }
    }
    return left;
}

static size_t order_layer(struct layout *l, size_t r, int side)
{
    bool edge = side == 0 ? r == 0 : r + 1 == l->layer_count;
    struct links *layer = &l->layers[r];
    size_t width = edge ? 0 : l->layers[side == 0 ? r - 1 : r + 1].count;
    size_t n = edge ? 0 : crossings(l, layer, side, width);
    if (n == 0) {
        return 0;
    }
    for (size_t i = 0; i < layer->count; i++) {
        struct place *p = &l->places[layer->items[i]];
        double sum = 0;
        for (size_t k = 0; k < p->near[side].count; k++) {
            sum += l->places[p->near[side].items[k]].bar;
        }
        p->bar = p->near[side].count ? sum / (double)p->near[side].count : p->bar;
    }
    sort_layer(l, layer);
    n = swap_neighbours(l, layer, side);
    number_layer(l, layer);
    return n;
}

static size_t sweep_down(struct layout *l)
{
    size_t n = 0;
    for (size_t r = 0; r < l->layer_count; r++) {
        n += order_layer(l, r, 0);
    }
    return n;
}

static void order_layers(struct layout *l)
{
    if (sweep_down(l) > 0) {
        for (size_t r = l->layer_count; r-- > 0;) {
            order_layer(l, r, 1);
        }
    }
    sweep_down(l);
}

/* --- place ------------------------------------------------------------------------------------ */

static int compare_pairs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool above_is_dummy(const struct layout *l, const struct place *p)
{
    return p->near[0].count && l->places[p->near[0].items[0]].dummy;
}

/* Edges of boxes that cross the line between two dummies give way to it (type 1 of Brandes and
 * Köpf). */
static void find_conflicts(struct layout *l)
{
    for (size_t r = 1; r < l->layer_count; r++) {
        const struct links *layer = &l->layers[r];
        uint32_t low = 0, widest = (uint32_t)l->layers[r - 1].count - 1;
        size_t from = 0;
        for (size_t i = 0; i < layer->count; i++) {
            const struct place *p = &l->places[layer->items[i]];
            bool inner = p->dummy && above_is_dummy(l, p);
            if (!p->dummy || !(i + 1 == layer->count || inner)) {
                continue;
            }
            uint32_t high = inner ? l->places[p->near[0].items[0]].pos : widest;
            for (; from <= i; from++) {
                const struct links *near = &l->places[layer->items[from]].near[0];
                for (size_t k = 0; k < near->count; k++) {
                    uint32_t pos = l->places[near->items[k]].pos;
                    if (pos < low || pos > high) {
                        ARRAY_RESERVE(l->conflicts, l->conflict_count, l->conflict_capacity, 1);
                        l->conflicts[l->conflict_count++] =
                            (uint64_t)near->items[k] << 32 | layer->items[from];
                    }
                }
            }
            low = high;
        }
    }
    if (l->conflict_count) {
        qsort(l->conflicts, l->conflict_count, sizeof(uint64_t), compare_pairs);
    }
}

static bool in_conflict(const struct layout *l, uint32_t upper, uint32_t lower)
{
    uint64_t pair = (uint64_t)upper << 32 | lower;
    return l->conflict_count &&
           bsearch(&pair, l->conflicts, l->conflict_count, sizeof(pair), compare_pairs) != NULL;
}

/* The middle neighbours' positions: one, or two of an even number, in the order of the pull. */
static size_t medians(const struct layout *l, const struct links *near, bool leftward,
                      uint32_t out[2])
{
    size_t n = near->count;
    if (n == 0) {
        return 0;
    }
    uint32_t *pos = xcalloc(n, sizeof(*pos));
    for (size_t k = 0; k < n; k++) {
        pos[k] = l->places[near->items[k]].pos;
    }
    qsort(pos, n, sizeof(*pos), compare_positions);
    size_t low = (n - 1) / 2, high = n / 2;
    out[0] = pos[leftward ? low : high];
    out[1] = pos[leftward ? high : low];
    free(pos);
    return low == high ? 1 : 2;
}

static void align_layer(struct layout *l, const struct links *layer, const struct links *beside,
                        int side, bool leftward)
{
    long last = -1;
    for (size_t i = 0; i < layer->count; i++) {
        uint32_t v = layer->items[leftward ? i : layer->count - 1 - i], middle[2];
        size_t n = medians(l, &l->places[v].near[side], leftward, middle);
        for (size_t k = 0; k < n; k++) {
            uint32_t u = beside->items[middle[k]];
            /* positions counted from the side of the pull */
            long pos = leftward ? (long)middle[k] : (long)(beside->count - 1 - middle[k]);
            bool free_v = l->places[v].align == v;
            bool blocked = side == 0 ? in_conflict(l, u, v) : in_conflict(l, v, u);
            if (free_v && !blocked && pos > last) {
                l->places[u].align = v;
                l->places[v].root = l->places[u].root;
                l->places[v].align = l->places[v].root;
                last = pos;
            }
        }
    }
}

/* Puts the block of root v beside its placed neighbours. */
static void place_block(struct layout *l, uint32_t v, bool leftward)
{
    struct place *p = l->places;
    if (p[v].placed) {
        return;
    }
    p[v].placed = true;
    p[v].at = 0;
    uint32_t w = v;
    do {
        const struct links *layer = &l->layers[p[w].rank];
        bool has = leftward ? p[w].pos > 0 : p[w].pos + 1 < layer->count;
        if (has) {
            uint32_t beside = layer->items[leftward ? p[w].pos - 1 : p[w].pos + 1];
            uint32_t u = p[beside].root;
            double delta = l->gap + (p[beside].width + p[w].width) / 2.0;
            place_block(l, u, leftward);
            if (p[v].sink == v) {
                p[v].sink = p[u].sink;
            }
            if (p[v].sink != p[u].sink) {
                uint32_t s = p[u].sink;
                p[s].shift = fmin(p[s].shift, p[v].at - (p[u].at + delta));
            } else {
                p[v].at = fmax(p[v].at, p[u].at + delta);
            }
        }
        w = p[w].align;
    } while (w != v);
}

/* Alignment number k: 0 from the upper left, 1 upper right, 2 lower left, 3 lower right. */
static void place_one_way(struct layout *l, int k)
{
    bool leftward = k % 2 == 0;
    int side = k < 2 ? 0 : 1;
    size_t n = l->layer_count;
    for (uint32_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i];
        p->root = p->align = p->sink = i;
        p->shift = INFINITY;
        p->placed = false;
        p->at = 0;
    }
    for (size_t i = 1; i < n; i++) {
        size_t r = side == 0 ? i : n - 1 - i;
        align_layer(l, &l->layers[r], &l->layers[side == 0 ? r - 1 : r + 1], side, leftward);
    }
    for (size_t i = 0; i < n; i++) {
        const struct links *layer = &l->layers[side == 0 ? i : n - 1 - i];
        for (size_t m = 0; m < layer->count; m++) {
            uint32_t v = layer->items[leftward ? m : layer->count - 1 - m];
            if (l->places[v].root == v) {
                place_block(l, v, leftward);
            }
        }
    }
    for (size_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i], *root = &l->places[p->root];
        double shift = l->places[root->sink].shift;
        double x = root->at + (isinf(shift) ? 0 : shift);
        p->x[k] = leftward ? x : -x;
    }
}

static void set_centres(struct layout *l)
{
    for (int k = 0; k < 4; k++) {
        place_one_way(l, k);
    }
    for (size_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i];
        double x[4];
        for (int k = 0; k < 4; k++) {
            int at = k;
            for (; at > 0 && x[at - 1] > p->x[k]; at--) {
                x[at] = x[at - 1];
            }
            x[at] = p->x[k];
        }
        p->cx = (x[1] + x[2]) / 2.0;
        p->cy = p->rank * (double)(BOX_HEIGHT + LAYER_GAP) + BOX_HEIGHT / 2.0;
    }
}

/* --- draw ------------------------------------------------------------------------------------- */

struct point {
    double x, y;
};

/* Where the line from the centre of `p` to `to` leaves the box (half sizes rounded down); sides in
 * the order top, right, bottom, left. */
static struct point clip(const struct place *p, struct point to)
{
    double hw = p->width / 2, hh = BOX_HEIGHT / 2; /* whole numbers on purpose */
    double dx = to.x - p->cx, dy = to.y - p->cy;
    const struct {
        bool vertical;
        double at;
    } sides[] = {{false, -hh}, {true, hw}, {false, hh}, {true, -hw}};
    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        double along = sides[i].vertical ? dx : dy, other = sides[i].vertical ? dy : dx;
        double t = along != 0 ? sides[i].at / along : -1;
        double cross = t * other, limit = sides[i].vertical ? hh : hw;
        if (along != 0 && t >= 0 && t <= 1 && cross >= -limit && cross <= limit) {
            return (struct point){p->cx + t * dx, p->cy + t * dy};
        }
    }
    return (struct point){p->cx, p->cy};
}

struct span {
    double minx, miny, maxx, maxy;
};

static void cover(struct span *s, double x, double y)
{
    s->minx = fmin(s->minx, x);
    s->maxx = fmax(s->maxx, x);
    s->miny = fmin(s->miny, y);
    s->maxy = fmax(s->maxy, y);
}

/* Points of an edge, ends clipped; returns how many. */
static size_t edge_points(const struct layout *l, size_t edge, struct point *pts)
{
    uint32_t from = l->edges[edge].from, to = l->edges[edge].to;
    size_t n = l->places[to].rank - l->places[from].rank + 1;
    for (size_t i = 0; i < n; i++) {
        const struct place *p = &l->places[l->paths[edge][i]];
        pts[i] = (struct point){p->cx, p->cy};
    }
    struct point first = clip(&l->places[from], pts[1]), last = clip(&l->places[to], pts[n - 2]);
    pts[0] = first;
    pts[n - 1] = last;
    return n;
}

static struct span measure(const struct layout *l, struct point *pts)
{
    struct span s = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < l->count; i++) {
        const struct place *p = &l->places[i];
        cover(&s, p->cx - p->width / 2.0, p->cy);
        cover(&s, p->cx + p->width / 2.0, p->cy + BOX_HEIGHT);
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        size_t n = edge_points(l, i, pts);
        for (size_t k = 0; k < n; k++) {
            cover(&s, pts[k].x, pts[k].y);
        }
    }
    return s;
}

static int draw(const struct layout *l, const char *const *labels, struct strbuf *out,
                struct err *e)
{
    struct point *pts = xcalloc(l->layer_count + 2, sizeof(*pts));
    struct span s = measure(l, pts);
    struct dagcanvas c = {.columns = (long)ceil(ceil(s.maxx) - floor(s.minx)) + 1,
                          .lines = lrint(s.maxy - s.miny)};
    size_t cells = (size_t)c.columns * (size_t)c.lines;
    if (cells > MAX_CELLS) {
        free(pts);
        return too_large(e);
    }
    dagcanvas_init(&c);
    for (size_t i = 0; i < l->edge_count; i++) {
        size_t n = edge_points(l, i, pts);
        for (size_t k = 1; k < n; k++) {
            dagcanvas_line(&c, lrint(pts[k - 1].x - s.minx), lrint(pts[k - 1].y - s.miny),
                           lrint(pts[k].x - s.minx), lrint(pts[k].y - s.miny));
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        const struct place *p = &l->places[i];
        dagcanvas_box(&c, lrint(p->cx - p->width / 2.0 - s.minx), lrint(p->cy - s.miny), p->width,
                      labels[i]);
    }
    dagcanvas_write(&c, out);
    dagcanvas_release(&c);
    free(pts);
    return 0;
}

/* Turns the edges that close a cycle (groups that were collapsed can have them), depth first. */
static struct daglayout_edge *without_cycles(const struct layout *l)
{
    struct daglayout_edge *edges = xcalloc(l->edge_count + 1, sizeof(*edges));
    struct links *out = xcalloc(l->count, sizeof(*out));
    uint8_t *colour = xcalloc(l->count, 1);
    uint32_t *stack = xcalloc(l->count + 1, sizeof(*stack));
    size_t *at = xcalloc(l->count + 1, sizeof(*at));
    for (uint32_t i = 0; i < l->edge_count; i++) {
        edges[i] = l->edges[i];
        push(&out[edges[i].from], i);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        size_t depth = colour[i] ? 0 : 1;
        stack[0] = i;
        at[0] = 0;
        colour[i] = depth ? 1 : colour[i];
        while (depth) {
            uint32_t node = stack[depth - 1];
            if (at[depth - 1] == out[node].count) {
                colour[node] = 2;
                depth--;
                continue;
            }
            uint32_t edge = out[node].items[at[depth - 1]++], to = l->edges[edge].to;
            if (colour[to] == 1) {
                edges[edge] = (struct daglayout_edge){to, node};
            } else if (colour[to] == 0) {
                colour[to] = 1;
                stack[depth] = to;
                at[depth++] = 0;
            }
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        free(out[i].items);
    }
    free(out);
    free(colour);
    free(stack);
    free(at);
    return edges;
}

static void start(struct layout *l, const int *widths)
{
    l->places = xcalloc(l->count, sizeof(*l->places));
    l->place_count = l->place_capacity = l->count;
    l->layers = xcalloc(l->count + 1, sizeof(*l->layers));
    l->in = xcalloc(l->count, sizeof(*l->in));
    l->out = xcalloc(l->count, sizeof(*l->out));
    l->gap = INFINITY;
    for (size_t i = 0; i < l->count; i++) {
        l->places[i].width = widths[i];
        l->gap = fmin(l->gap, l->places[i].width);
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        push(&l->in[l->edges[i].to], (uint32_t)i);
        push(&l->out[l->edges[i].from], (uint32_t)i);
    }
}

static void finish(struct layout *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->in[i].items);
        free(l->out[i].items);
        free(l->layers[i].items);
    }
    for (size_t i = 0; i < l->place_count; i++) {
        free(l->places[i].near[0].items);
        free(l->places[i].near[1].items);
    }
    free(l->in);
    free(l->out);
    free(l->layers);
    free(l->places);
    free(l->conflicts);
    arena_release(&l->a);
}

/* Layers, order and centres of everything; `l` is released by finish in any case. */
static int arrange(struct layout *l, const int *widths, struct err *e)
{
    arena_init(&l->a);
    start(l, widths);
    rank_boxes(l);
    slide_down(l);
    if (add_dummies(l, e) < 0) {
        return -1;
    }
    link_layers(l);
    for (size_t i = 0; i < l->layer_count; i++) {
        number_layer(l, &l->layers[i]);
    }
    order_layers(l);
    find_conflicts(l);
    set_centres(l);
    return 0;
}

int daglayout_draw(const char *const *labels, size_t count, const struct daglayout_edge *edges,
                   size_t edge_count, struct strbuf *out, struct err *e)
{
    struct layout l = {.edges = edges, .edge_count = edge_count, .count = count};
    if (count == 0) {
        return 0;
    }
    if (count > MAX_PLACES) {
        return too_large(e);
    }
    struct daglayout_edge *acyclic = without_cycles(&l);
    l.edges = acyclic;
    int *widths = xcalloc(count, sizeof(*widths));
    for (size_t i = 0; i < count; i++) {
        widths[i] = (int)str_utf8_length(str_from(labels[i])) + 4;
    }
    int r = arrange(&l, widths, e);
    if (r == 0) {
        r = draw(&l, labels, out, e);
    }
    finish(&l);
    free(widths);
    free(acyclic);
    return r;
}

/* --- geometry --------------------------------------------------------------------------------- */

static struct daglayout_spot spot_of(const struct layout *l, uint32_t place, double least)
{
    /* a box and the gap beside it, which is as wide, are 1 */
    return (struct daglayout_spot){(l->places[place].cx - least) / (2 * BREADTH),
                                   l->places[place].rank};
}

static void copy_shape(const struct layout *l, struct arena *a, struct daglayout_shape *out)
{
    double least = INFINITY;
    for (size_t i = 0; i < l->place_count; i++) {
        least = fmin(least, l->places[i].cx);
    }
    *out = (struct daglayout_shape){
        .boxes = ARENA_ARRAY(a, l->count, struct daglayout_spot),
        .routes = ARENA_ARRAY(a, l->edge_count + 1, struct daglayout_route),
        .layer_count = l->layer_count,
    };
    for (uint32_t i = 0; i < l->count; i++) {
        out->boxes[i] = spot_of(l, i, least);
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        struct daglayout_route *route = &out->routes[i];
        route->count =
            l->places[l->edges[i].to].rank - l->places[l->edges[i].from].rank + (size_t)1;
        route->spots = ARENA_ARRAY(a, route->count, struct daglayout_spot);
        for (size_t k = 0; k < route->count; k++) {
            route->spots[k] = spot_of(l, l->paths[i][k], least);
        }
    }
}

int daglayout_place(size_t count, const struct daglayout_edge *edges, size_t edge_count,
                    struct arena *a, struct daglayout_shape *out, struct err *e)
{
    struct layout l = {.edges = edges, .edge_count = edge_count, .count = count};
    *out = (struct daglayout_shape){0};
    if (count == 0) {
        return 0;
    }
    if (count > MAX_PLACES) {
        return too_large(e);
    }
    struct daglayout_edge *acyclic = without_cycles(&l);
    l.edges = acyclic;
    int *widths = xcalloc(count, sizeof(*widths));
    for (size_t i = 0; i < count; i++) {
        widths[i] = BREADTH;
    }
    int r = arrange(&l, widths, e);
    if (r == 0) {
        copy_shape(&l, a, out);
    }
    finish(&l);
    free(widths);
    free(acyclic);
    return r;
}
