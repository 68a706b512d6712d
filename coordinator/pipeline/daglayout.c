/*
 * Layered drawing of a graph. The steps:
 *   rank     longest path from the sources; then sources slide down to just above what uses them
 *   dummies  an edge over several layers gets a place in each layer between
 *   order    sweeps down, up, down; a layer with crossings is sorted by barycentre, then neighbours
 *            are swapped (these three: daglayout_rank.c)
 *   place    four alignments (from the left and right, from above and below); the mean of the two
 *            middle ones (daglayout_centre.c)
 *   draw     arrows as straight lines of '*' clipped at the boxes, then the boxes over them
 * Widths: boxes are their text + 4; layers are 3 lines with 3 lines between; boxes keep the width of
 * the narrowest box apart.
 */
#include "daglayout_private.h"

#include "alloc.h"
#include "arena.h"
#include "dagcanvas.h"
#include "err.h"

#include <math.h>

#define MAX_CELLS ((size_t)64 << 20)
#define BREADTH 2 /* of a box of daglayout_place; any even number */

int daglayout_too_large(struct err *e)
{
    return err_set(e, ERR_LIMIT, "the graph is too large to be drawn; use dag --dot or --mermaid");
}

/* --- draw ------------------------------------------------------------------------------------- */

struct point {
    double x, y;
};

/* Where the line from the centre of `p` to `to` leaves the box (half sizes rounded down); sides in
 * the order top, right, bottom, left. */
static struct point clip(const struct place *p, struct point to)
{
    double hw = p->width / 2, hh = DAGLAYOUT_BOX_HEIGHT / 2; /* whole numbers on purpose */
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
        cover(&s, p->cx + p->width / 2.0, p->cy + DAGLAYOUT_BOX_HEIGHT);
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
        return daglayout_too_large(e);
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
        daglayout_push(&out[edges[i].from], i);
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
        daglayout_push(&l->in[l->edges[i].to], (uint32_t)i);
        daglayout_push(&l->out[l->edges[i].from], (uint32_t)i);
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
    if (daglayout_rank(l, e) < 0) {
        return -1;
    }
    daglayout_centre(l);
    return 0;
}

int daglayout_draw(const char *const *labels, size_t count, const struct daglayout_edge *edges,
                   size_t edge_count, struct strbuf *out, struct err *e)
{
    struct layout l = {.edges = edges, .edge_count = edge_count, .count = count};
    if (count == 0) {
        return 0;
    }
    if (count > DAGLAYOUT_MAX_PLACES) {
        return daglayout_too_large(e);
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
    if (count > DAGLAYOUT_MAX_PLACES) {
        return daglayout_too_large(e);
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
