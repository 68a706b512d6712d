/* See graphsvg.h. Each connected part is laid out by daglayout, whose layers become columns as wide
 * as their longest label. */
#include "graphsvg.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "svgpage.h"

#include <math.h>
#include <string.h>

#define MARGIN 24.0
#define TOP 78.0 /* title and legend */
#define BOX_H 30.0
#define ROW 42.0      /* from box to box across */
#define COLUMN_GAP 56 /* room for arrows between layers */
#define LABEL_MAX 34  /* characters */
#define CHAR_W 7.6
#define LOOSE_WIDTH 1200.0 /* rows of boxes without arrows are filled up to here */
#define PART_GAP 18.0

const char graphsvg_script[] =
    "const edges=[...document.querySelectorAll('path.edge')];\n"
    "for(const g of document.querySelectorAll('g.box')){\n"
    "  const mark=on=>{for(const p of edges)"
    "if(p.dataset.f===g.dataset.n||p.dataset.t===g.dataset.n)p.classList.toggle('on',on)};\n"
    "  g.addEventListener('mouseenter',()=>mark(true));\n"
    "  g.addEventListener('mouseleave',()=>mark(false));\n"
    "}\n";

static const struct svgpage_rule rules[] = {
    {".edge", "stroke:#aab2bf;stroke-width:1.4;fill:none",
     "stroke:#5a6270;stroke-width:1.4;fill:none"},
    {".edge.on", "stroke:#1d2129;stroke-width:2.4", "stroke:#ffffff;stroke-width:2.4"},
    {".tip", "fill:#8d96a5", "fill:#7a8392"},
    {".box rect", "stroke-width:1.4", NULL},
    {".box:hover rect", "stroke-width:2.6", NULL},
    {".fresh rect", "fill:#e6f5ea;stroke:#2f8f5b", "fill:#16332a;stroke:#4fbf85"},
    {".fresh .sign", "fill:#2f8f5b", "fill:#4fbf85"},
    {".stale rect", "fill:#fff0c2;stroke:#c28500", "fill:#40330d;stroke:#e8b73a"},
    {".stale .sign", "fill:#c28500", "fill:#e8b73a"},
    {".after rect", "fill:#fffaf0;stroke:#c28500;stroke-dasharray:4 3",
     "fill:#242117;stroke:#bf9640;stroke-dasharray:4 3"},
    {".after .sign", "fill:#c28500", "fill:#bf9640"},
    {".failed rect", "fill:#fde3e0;stroke:#c8372d", "fill:#451d1a;stroke:#f0776c"},
    {".failed .sign", "fill:#c8372d", "fill:#f0776c"},
    {".never rect", "fill:#f3f4f6;stroke:#8b93a1", "fill:#262a31;stroke:#8b93a1"},
    {".never .sign", "fill:#6b7280", "fill:#a5adba"},
    {".frozen rect", "fill:#e3eefb;stroke:#3b78c4", "fill:#16293f;stroke:#6aa6ee"},
    {".frozen .sign", "fill:#3b78c4", "fill:#6aa6ee"},
    {".sign", "font-size:12px", NULL},
};

static const struct {
    const char *word, *text, *sign;
} states[] = {
#define X(name, word, text, sign) {word, text, sign},
    GRAPH_STATES(X)
#undef X
};

const char *graphsvg_state_text(enum graph_state s)
{
    return states[s].text;
}

struct spot {
    double x, y, width; /* upper left corner */
};

struct picture {
    const struct graphsvg_box *boxes;
    size_t count;
    const struct daglayout_edge *edges;
    size_t edge_count;
    struct spot *spots;
    struct strbuf arrows;
    double right, bottom;
    struct arena a;
};

static double box_width(const struct graphsvg_box *b)
{
    size_t n = str_utf8_length(str_from(b->label));
    return 40 + CHAR_W * (double)(n < LABEL_MAX ? n : LABEL_MAX);
}

/* --- connected parts -------------------------------------------------------------------------- */

/* part[i]: number of the part of box i, in the order of their first boxes; returns how many. */
static uint32_t find_parts(struct picture *p, uint32_t *part)
{
    uint32_t *parent = ARENA_ARRAY(&p->a, p->count, uint32_t), n = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        parent[i] = i;
    }
    for (size_t i = 0; i < p->edge_count; i++) {
        uint32_t ends[2] = {p->edges[i].from, p->edges[i].to};
        for (int k = 0; k < 2; k++) {
            while (parent[ends[k]] != ends[k]) {
                ends[k] = parent[ends[k]] = parent[parent[ends[k]]];
            }
        }
        uint32_t low = ends[0] < ends[1] ? ends[0] : ends[1];
        parent[ends[0]] = parent[ends[1]] = low;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        part[i] = parent[i] == i ? n++ : part[parent[i]];
    }
    return n;
}

/* The columns of a part: where each layer begins and how wide it is. */
static struct spot *columns(struct picture *p, const struct daglayout_shape *shape,
                            const uint32_t *members, size_t count)
{
    struct spot *c = ARENA_ARRAY(&p->a, shape->layer_count + 1, struct spot);
    for (size_t i = 0; i < count; i++) {
        struct spot *of = &c[shape->boxes[i].layer];
        of->width = fmax(of->width, box_width(&p->boxes[members[i]]));
    }
    double x = MARGIN;
    for (size_t i = 0; i < shape->layer_count; i++) {
        c[i].x = x;
        x += c[i].width + COLUMN_GAP;
    }
    p->right = fmax(p->right, x - COLUMN_GAP);
    return c;
}

/* From the right side of a box by its lanes to the left side of another. */
static void add_arrow(struct picture *p, const struct daglayout_route *route,
                      const struct spot *column, double top, uint32_t from, uint32_t to)
{
    double x = p->spots[from].x + p->spots[from].width;
    double y = top + route->spots[0].across * ROW + BOX_H / 2;
    strbuf_addf(&p->arrows,
                "<path class=\"edge\" data-f=\"%u\" data-t=\"%u\" marker-end=\"url(#tip)\" "
                "d=\"M%.1f %.1f",
                from, to, x, y);
    for (size_t k = 1; k < route->count; k++) {
        const struct spot *c = &column[route->spots[k].layer];
        bool last = k + 1 == route->count;
        double next = top + route->spots[k].across * ROW + BOX_H / 2;
        double at = last ? p->spots[to].x - 7 : c->x, half = fmax((at - x) / 2, 14);
        if (x < c->x - COLUMN_GAP) { /* a narrow box in a wide column */
            x = c->x - COLUMN_GAP;
            strbuf_addf(&p->arrows, "H%.1f", x);
            half = (at - x) / 2;
        }
        strbuf_addf(&p->arrows, "C%.1f %.1f %.1f %.1f %.1f %.1f", x + half, y, at - half, next, at,
                    next);
        x = at;
        y = next;
        if (!last) {
            x += c->width;
            strbuf_addf(&p->arrows, "H%.1f", x);
        }
    }
    strbuf_adds(&p->arrows, "\"/>\n");
}

/* Lays one part out below `p->bottom`. `number`: a box's place in its part. */
static int place_part(struct picture *p, const uint32_t *members, size_t count, uint32_t *number,
                      const size_t *edges, size_t edge_count, struct err *e)
{
    struct daglayout_edge *own = ARENA_ARRAY(&p->a, edge_count, struct daglayout_edge);
    struct daglayout_shape shape;
    for (size_t i = 0; i < count; i++) {
        number[members[i]] = (uint32_t)i;
    }
    for (size_t i = 0; i < edge_count; i++) {
        const struct daglayout_edge *edge = &p->edges[edges[i]];
        own[i] = (struct daglayout_edge){number[edge->from], number[edge->to]};
    }
    if (daglayout_place(count, own, edge_count, &p->a, &shape, e) < 0) {
        return -1;
    }
    const struct spot *column = columns(p, &shape, members, count);
    double top = p->bottom, bottom = top;
    for (size_t i = 0; i < count; i++) {
        const struct spot *c = &column[shape.boxes[i].layer];
        double y = top + shape.boxes[i].across * ROW;
        p->spots[members[i]] = (struct spot){c->x, y, box_width(&p->boxes[members[i]])};
        bottom = fmax(bottom, y + BOX_H);
    }
    for (size_t i = 0; i < edge_count; i++) {
        const struct daglayout_route *r = &shape.routes[i];
        for (size_t k = 0; k < r->count; k++) {
            bottom = fmax(bottom, top + r->spots[k].across * ROW + BOX_H);
        }
        add_arrow(p, r, column, top, p->edges[edges[i]].from, p->edges[edges[i]].to);
    }
    p->bottom = bottom + PART_GAP;
    return 0;
}

/* Boxes without arrows, in rows. */
static void place_loose(struct picture *p, const bool *loose)
{
    double limit = fmax(p->right, LOOSE_WIDTH), x = MARGIN;
    bool any = false;
    for (size_t i = 0; i < p->count; i++) {
        double w = box_width(&p->boxes[i]);
        if (!loose[i]) {
            continue;
        }
        if (any && x + w > limit) {
            x = MARGIN;
            p->bottom += ROW;
        }
        p->spots[i] = (struct spot){x, p->bottom, w};
        p->right = fmax(p->right, x + w);
        x += w + 14;
        any = true;
    }
    p->bottom += any ? ROW + PART_GAP : 0;
}

/* Boxes and edges grouped by part (counting sort), then part after part. */
static int place_all(struct picture *p, struct err *e)
{
    struct arena *a = &p->a;
    uint32_t *part = ARENA_ARRAY(a, p->count, uint32_t);
    uint32_t parts = find_parts(p, part);
    size_t *box_at = ARENA_ARRAY(a, parts + 2, size_t),
           *edge_at = ARENA_ARRAY(a, parts + 2, size_t);
    uint32_t *members = ARENA_ARRAY(a, p->count, uint32_t);
    uint32_t *number = ARENA_ARRAY(a, p->count, uint32_t);
    size_t *edges = ARENA_ARRAY(a, p->edge_count + 1, size_t);
    bool *loose = ARENA_ARRAY(a, p->count, bool);
    for (size_t i = 0; i < p->count; i++) {
        box_at[part[i] + 1]++;
    }
    for (size_t i = 0; i < p->edge_count; i++) {
        edge_at[part[p->edges[i].from] + 1]++;
    }
    for (uint32_t i = 0; i < parts; i++) {
        box_at[i + 1] += box_at[i];
        edge_at[i + 1] += edge_at[i];
    }
    /* Filled from the back: a start moves down to where it belongs. */
    for (uint32_t i = (uint32_t)p->count; i-- > 0;) {
        members[--box_at[part[i] + 1]] = i;
    }
    for (size_t i = p->edge_count; i-- > 0;) {
        edges[--edge_at[part[p->edges[i].from] + 1]] = i;
    }
    memmove(box_at, box_at + 1, parts * sizeof *box_at);
    memmove(edge_at, edge_at + 1, parts * sizeof *edge_at);
    box_at[parts] = p->count;
    edge_at[parts] = p->edge_count;
    for (uint32_t i = 0; i < parts; i++) {
        size_t count = box_at[i + 1] - box_at[i];
        if (count == 1) {
            loose[members[box_at[i]]] = true;
        } else if (place_part(p, members + box_at[i], count, number, edges + edge_at[i],
                              edge_at[i + 1] - edge_at[i], e) < 0) {
            return -1;
        }
    }
    place_loose(p, loose);
    return 0;
}

/* --- drawing ---------------------------------------------------------------------------------- */

static void add_box(struct strbuf *out, const struct graphsvg_box *b, const struct spot *at,
                    size_t number)
{
    strbuf_addf(out, "<g class=\"box %s\" data-n=\"%zu\"><title>", states[b->state].word, number);
    svgpage_text(out, str_from(b->story));
    strbuf_addf(out,
                "</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" rx=\"%d\"/>"
                "<text class=\"sign\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>"
                "<text class=\"t\" x=\"%.1f\" y=\"%.1f\">",
                at->x, at->y, at->width, BOX_H, b->data ? 15 : 6, at->x + 15, at->y + 19.5,
                states[b->state].sign, at->x + 27, at->y + 19.5);
    svgpage_short(out, b->label, LABEL_MAX);
    strbuf_adds(out, "</text></g>\n");
}

static void add_legend(struct strbuf *out, const struct picture *p)
{
    size_t counts[GRAPH_STATE_COUNT] = {0};
    double x = MARGIN;
    for (size_t i = 0; i < p->count; i++) {
        counts[p->boxes[i].state]++;
    }
    for (size_t s = 0; s < GRAPH_STATE_COUNT; s++) {
        if (counts[s] == 0) {
            continue;
        }
        strbuf_addf(out,
                    "<g class=\"key %s\"><rect x=\"%.1f\" y=\"44\" width=\"20\" height=\"16\" "
                    "rx=\"4\"/><text class=\"sign\" x=\"%.1f\" y=\"56.5\" "
                    "text-anchor=\"middle\">%s</text><text class=\"s\" x=\"%.1f\" "
                    "y=\"56.5\">%zu %s</text></g>\n",
                    states[s].word, x, x + 10, states[s].sign, x + 27, counts[s], states[s].text);
        x += 27 + 7.2 * (double)(strlen(states[s].text) + 5) + 14;
    }
}

static double legend_right(const struct picture *p)
{
    bool met[GRAPH_STATE_COUNT] = {false};
    double x = MARGIN;
    for (size_t i = 0; i < p->count; i++) {
        enum graph_state s = p->boxes[i].state;
        x += met[s] ? 0 : 41 + 7.2 * (double)(strlen(states[s].text) + 5);
        met[s] = true;
    }
    return x;
}

int graphsvg_render(const char *title, const struct graphsvg_box *boxes, size_t count,
                    const struct daglayout_edge *edges, size_t edge_count, struct strbuf *out,
                    struct err *e)
{
    struct picture p = {.boxes = boxes,
                        .count = count,
                        .edges = edges,
                        .edge_count = edge_count,
                        .right = MARGIN,
                        .bottom = TOP};
    arena_init(&p.a);
    strbuf_init(&p.arrows);
    p.spots = ARENA_ARRAY(&p.a, count + 1, struct spot);
    int rc = count == 0 ? 0 : place_all(&p, e);
    if (rc == 0) {
        double width = fmax(fmax(p.right, legend_right(&p)), 260) + MARGIN;
        svgpage_begin(out, width, p.bottom + 6, title, rules, ARRAY_SIZE(rules));
        strbuf_adds(out,
                    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"1\" refY=\"4\" "
                    "markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" "
                    "orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n");
        strbuf_addf(out, "<text class=\"h\" x=\"%.0f\" y=\"30\">", MARGIN);
        svgpage_text(out, str_from(title));
        strbuf_adds(out, "</text>\n");
        add_legend(out, &p);
        strbuf_addstr(out, strbuf_str(&p.arrows));
        for (size_t i = 0; i < count; i++) {
            add_box(out, &boxes[i], &p.spots[i], i);
        }
        strbuf_adds(out, "</svg>\n");
    }
    strbuf_release(&p.arrows);
    arena_release(&p.a);
    return rc;
}
