/* See plotpage.h. */
#include "plotpage.h"

#include "err.h"
#include "path.h"
#include "plots.h"
#include "plotspec.h"
#include "str.h"
#include "svgchart.h"
#include "svgpage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char page_frame[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Plots</title>\n"
    "</head>\n<body>\n{plot_divs}\n</body>\n</html>\n";

static const char page_style[] =
    ":root{color-scheme:light dark}"
    "body{margin:0;background:#f4f5f7;color:#22262b;font:15px Helvetica,Arial,sans-serif}"
    ".plots{display:flex;flex-wrap:wrap;gap:16px;padding:16px;align-items:flex-start}"
    ".plot{background:#fff;border:1px solid #e3e6ea;border-radius:10px;padding:10px;"
    "max-width:100%;box-sizing:border-box}"
    ".plot svg{display:block;max-width:100%;height:auto}"
    ".plot h2{font-size:16px;margin:6px 10px 12px}.plot p{margin:6px 10px;color:#5c646e}"
    "figure{display:inline-block;margin:6px 10px;vertical-align:top}"
    "figure img{max-width:520px;display:block;background:#fff}"
    "figcaption{font-size:13px;padding:0 0 6px}"
    "@media(prefers-color-scheme:dark){body{background:#121519;color:#e6e8eb}"
    ".plot{background:#1b1f24;border-color:#343a42}.plot p{color:#a5adb8}}";

/* ---- values ---- */

/* Text of a field, as drawn for a category; NULL: none. */
static const char *text_at(struct arena *a, const struct value *row, const char *field)
{
    const struct value *v = value_get(row, field);
    if (!v || v->type == VALUE_NULL) {
        return NULL;
    }
    if (v->type == VALUE_STR) {
        return v->s.p;
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, v);
    const char *copy = arena_strdup(a, text.p);
    strbuf_release(&text);
    return copy;
}

static double number_at(const struct value *row, const char *field)
{
    const struct value *v = value_get(row, field);
    if (!v) {
        return NAN;
    }
    switch (v->type) {
    case VALUE_INT:
        return (double)v->i;
    case VALUE_FLOAT:
        return v->f;
    case VALUE_BOOL:
        return v->b;
    case VALUE_STR:
    case VALUE_BIGINT: {
        char *end;
        double d = strtod(v->s.p, &end);
        return end != v->s.p && str_trim(str_from(end)).n == 0 ? d : NAN;
    }
    default:
        return NAN;
    }
}

static const char *prop(const struct plot *p, const char *name)
{
    return value_as_str(value_get(p->props, name)).p;
}

static size_t index_of(const struct value *list, const char *text)
{
    size_t i = 0;
    while (i < list->list.count && strcmp(value_as_str(list->list.items[i]).p, text) != 0) {
        i++;
    }
    return i;
}

/* The distinct texts of a field, in order of appearance. */
static struct value *distinct(struct arena *a, const struct value *rows, const char *field)
{
    struct value *list = value_list(a), *seen = value_map(a);
    for (size_t i = 0; i < rows->list.count; i++) {
        const char *text = text_at(a, rows->list.items[i], field);
        if (text && !value_get(seen, text)) {
            value_set(a, seen, text, value_int(a, (int64_t)list->list.count));
            value_push(a, list, value_cstr(a, text));
        }
    }
    return list;
}

/* The place of each text in a list. */
static struct value *places(struct arena *a, const struct value *list)
{
    struct value *map = value_map(a);
    for (size_t i = 0; i < list->list.count; i++) {
        value_set(a, map, value_as_str(list->list.items[i]).p, value_int(a, (int64_t)i));
    }
    return map;
}

static const char **strings(struct arena *a, const struct value *list)
{
    const char **out = ARENA_ARRAY(a, list->list.count + 1, const char *);
    for (size_t i = 0; i < list->list.count; i++) {
        out[i] = value_as_str(list->list.items[i]).p;
    }
    return out;
}

/* ---- how the template draws ---- */

/* The first mark of a template, looked for layer by layer; NULL: none. */
static const char *mark_of(const struct value *content)
{
    const struct value *mark = value_get(content, "mark"), *type = value_get(mark, "type");
    const struct value *layer = value_get(content, "layer"), *spec = value_get(content, "spec");
    const char *found = NULL;
    if (mark) {
        return value_as_str(type ? type : mark).p;
    }
    for (size_t i = 0; !found && layer && layer->type == VALUE_LIST && i < layer->list.count; i++) {
        found = mark_of(layer->list.items[i]);
    }
    return found || !spec ? found : mark_of(spec);
}

static bool is_mark(const struct value *content, const char *name)
{
    const char *mark = mark_of(content);
    return mark && strcmp(mark, name) == 0;
}

/* What is drawn as one: a revision, and within it a series. */
struct parts {
    const char *by; /* NULL: one series */
    struct value *domain;
    size_t count; /* of revisions and series */
};

static struct parts parts_of(struct arena *a, const struct plot *p)
{
    struct parts x = {.by = plotspec_series_field(p)};
    x.domain = x.by ? plotspec_domain(a, p, x.by) : value_list(a);
    x.count = p->revs->list.count * (x.by ? x.domain->list.count : 1);
    return x;
}

static size_t part_at(const struct plot *p, const struct parts *x, const struct value *row)
{
    size_t each = x->by ? x->domain->list.count : 1;
    size_t rev = index_of(p->revs, value_as_str(value_get(row, "rev")).p);
    const char *name = x->by ? value_as_str(value_get(row, x->by)).p : NULL;
    return rev * each + (name ? index_of(x->domain, name) : 0);
}

static const char *part_name(struct arena *a, const struct plot *p, const struct parts *x, size_t i)
{
    size_t each = x->by ? x->domain->list.count : 1;
    const char *rev = value_as_str(p->revs->list.items[i / each]).p;
    return x->by ? arena_printf(a, "%s, %s", rev, value_as_str(x->domain->list.items[i % each]).p)
                 : rev;
}

/* ---- charts ---- */

/* Small, the same on every call: points of one place are told apart. */
static double jitter(size_t i, double salt)
{
    double v = sin((double)i * 12.9898 + salt) * 43758.5453;
    return (v - floor(v) - 0.5) * 0.3;
}

static double draw_xy(struct arena *a, const struct plot *p, const struct value *content,
                      struct strbuf *out)
{
    struct parts parts = parts_of(a, p);
    size_t n = p->points->list.count;
    struct svgchart_series *series = ARENA_ARRAY(a, parts.count + 1, struct svgchart_series);
    double *xs = ARENA_ARRAY(a, n + 1, double), *ys = ARENA_ARRAY(a, n + 1, double);
    bool spread = value_get(value_get(content, "encoding"), "xOffset") != NULL;
    size_t each = parts.by ? parts.domain->list.count : 1, at = 0;
    struct svgchart c = {.title = prop(p, "title"),
                         .x_label = prop(p, "x_label"),
                         .y_label = prop(p, "y_label"),
                         .series = series,
                         .count = parts.count,
                         .points = is_mark(content, "point") || is_mark(content, "circle"),
                         .whole_x = strcmp(prop(p, "x"), "step") == 0 ||
                                    strcmp(prop(p, "x"), "epoch") == 0};
    for (size_t i = 0; i < parts.count; i++) {
        series[i] = (struct svgchart_series){.name = part_name(a, p, &parts, i),
                                             .x = xs + at,
                                             .y = ys + at,
                                             .colour = i / each,
                                             .dash = i % each};
        for (size_t k = 0; k < n; k++) {
            const struct value *row = p->points->list.items[k];
            if (part_at(p, &parts, row) == i) {
                xs[at] = number_at(row, prop(p, "x")) + (spread ? jitter(k, 1) : 0);
                ys[at++] = number_at(row, prop(p, "y")) + (spread ? jitter(k, 2) : 0);
                series[i].count++;
            }
        }
    }
    double height = svgchart_add_xy(out, &c);
    return svgchart_add_legend(out, series, parts.count, c.points, height);
}

struct bar {
    const char *label;
    double top;
};

static int by_length(const void *x, const void *y)
{
    double a = ((const struct bar *)x)->top, b = ((const struct bar *)y)->top;
    return (a < b) - (a > b);
}

static int by_label(const void *x, const void *y)
{
    return strcmp(((const struct bar *)x)->label, ((const struct bar *)y)->label);
}

/* The labels of bars, longest bar first when the template sorts by x, else by name. */
static struct value *bar_labels(struct arena *a, const struct plot *p, const struct value *content)
{
    struct value *labels = distinct(a, p->points, prop(p, "y")), *place = places(a, labels);
    size_t n = labels->list.count;
    struct bar *bars = ARENA_ARRAY(a, n + 1, struct bar);
    const struct value *sort = value_get(value_get(value_get(content, "encoding"), "y"), "sort");
    for (size_t i = 0; i < n; i++) {
        bars[i] = (struct bar){value_as_str(labels->list.items[i]).p, -INFINITY};
    }
    for (size_t i = 0; i < p->points->list.count; i++) {
        const struct value *row = p->points->list.items[i];
        const char *label = text_at(a, row, prop(p, "y"));
        if (label) {
            struct bar *b = &bars[value_get(place, label)->i];
            b->top = fmax(b->top, number_at(row, prop(p, "x")));
        }
    }
    qsort(bars, n, sizeof(*bars), str_is(value_as_str(sort), "-x") ? by_length : by_label);
    for (size_t i = 0; i < n; i++) {
        labels->list.items[i] = value_cstr(a, bars[i].label);
    }
    return labels;
}

static double draw_bars(struct arena *a, const struct plot *p, const struct value *content,
                        struct strbuf *out)
{
    struct parts parts = parts_of(a, p);
    struct value *labels = bar_labels(a, p, content), *place = places(a, labels);
    size_t n = labels->list.count * parts.count;
    double *values = ARENA_ARRAY(a, n + 1, double);
    const char **names = ARENA_ARRAY(a, parts.count + 1, const char *);
    struct svgchart_series *series = ARENA_ARRAY(a, parts.count + 1, struct svgchart_series);
    for (size_t i = 0; i < n; i++) {
        values[i] = NAN;
    }
    for (size_t i = 0; i < parts.count; i++) {
        names[i] = part_name(a, p, &parts, i);
        series[i] = (struct svgchart_series){.name = names[i], .colour = i};
    }
    for (size_t i = 0; i < p->points->list.count; i++) {
        const struct value *row = p->points->list.items[i];
        const char *label = text_at(a, row, prop(p, "y"));
        size_t part = part_at(p, &parts, row);
        if (label && part < parts.count) {
            double *v = &values[(size_t)value_get(place, label)->i * parts.count + part];
            double more = number_at(row, prop(p, "x"));
            *v = isfinite(*v) && isfinite(more) ? *v + more /* Vega stacks what has one name */
                 : isfinite(more)               ? more
                                                : *v;
        }
    }
    double height =
        svgchart_add_bars(out, &(struct svgchart_bars){.title = prop(p, "title"),
                                                       .x_label = prop(p, "x_label"),
                                                       .y_label = prop(p, "y_label"),
                                                       .labels = strings(a, labels),
                                                       .label_count = labels->list.count,
                                                       .names = names,
                                                       .count = parts.count,
                                                       .values = values});
    return svgchart_add_legend(out, series, parts.count, false, height);
}

static bool by_share(const struct value *content)
{
    const struct value *spec = value_get(content, "spec"), *t = value_get(spec, "transform");
    for (size_t i = 0; t && t->type == VALUE_LIST && i < t->list.count; i++) {
        const struct value *join = value_get(t->list.items[i], "joinaggregate");
        if (join && join->type == VALUE_LIST && join->list.count > 0) {
            return str_is(value_as_str(value_get(join->list.items[0], "op")), "sum");
        }
    }
    return false;
}

/* One matrix a part, one under the other. */
static double draw_matrices(struct arena *a, const struct plot *p, const struct value *content,
                            struct strbuf *out)
{
    struct parts parts = parts_of(a, p);
    struct value *columns = distinct(a, p->points, prop(p, "x"));
    struct value *rows = distinct(a, p->points, prop(p, "y"));
    size_t width = columns->list.count, n = width * rows->list.count;
    double top = 0;
    plots_sort(columns);
    plots_sort(rows);
    struct value *column_at = places(a, columns), *row_at = places(a, rows);
    for (size_t i = 0; i < parts.count; i++) {
        double *counts = ARENA_ARRAY(a, n + 1, double);
        for (size_t k = 0; k < p->points->list.count; k++) {
            const struct value *row = p->points->list.items[k];
            const char *x = text_at(a, row, prop(p, "x")), *y = text_at(a, row, prop(p, "y"));
            if (x && y && part_at(p, &parts, row) == i) {
                counts[(size_t)value_get(row_at, y)->i * width +
                       (size_t)value_get(column_at, x)->i]++;
            }
        }
        const char *title =
            arena_printf(a, "%s (%s)", prop(p, "title"), part_name(a, p, &parts, i));
        strbuf_addf(out, "<g transform=\"translate(0 %.1f)\">\n", top);
        top += svgchart_add_matrix(out, &(struct svgchart_matrix){.title = title,
                                                                  .x_label = prop(p, "x_label"),
                                                                  .y_label = prop(p, "y_label"),
                                                                  .columns = strings(a, columns),
                                                                  .rows = strings(a, rows),
                                                                  .column_count = width,
                                                                  .row_count = rows->list.count,
                                                                  .counts = counts,
                                                                  .by_row = by_share(content)});
        strbuf_adds(out, "</g>\n");
    }
    return top;
}

static void add_chart(struct arena *a, const struct plotpage_item *it, struct strbuf *out)
{
    struct strbuf inside;
    strbuf_init(&inside);
    double height = is_mark(it->content, "bar") ? draw_bars(a, it->plot, it->content, &inside)
                    : is_mark(it->content, "rect")
                        ? draw_matrices(a, it->plot, it->content, &inside)
                        : draw_xy(a, it->plot, it->content, &inside);
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" "
                "height=\"%.0f\" viewBox=\"0 0 %d %.0f\">\n",
                SVGCHART_WIDTH, height, SVGCHART_WIDTH, height);
    strbuf_addstr(out, strbuf_str(&inside));
    strbuf_adds(out, "</svg>\n");
    strbuf_release(&inside);
}

/* ---- images ---- */

static void add_base64(struct strbuf *out, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)s.p;
    strbuf_reserve(out, s.n / 3 * 4 + 4);
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        strbuf_addch(out, digits[v >> 18]);
        strbuf_addch(out, digits[v >> 12 & 63]);
        strbuf_addch(out, left > 1 ? digits[v >> 6 & 63] : '=');
        strbuf_addch(out, left > 2 ? digits[v & 63] : '=');
    }
}

static const char *image_type(const char *name)
{
    const char *ext = path_extension(name);
    return strcmp(ext, ".png") == 0   ? "png"
           : strcmp(ext, ".gif") == 0 ? "gif"
           : strcmp(ext, ".svg") == 0 ? "svg+xml"
                                      : "jpeg";
}

static void add_images(const struct plot *p, struct strbuf *out)
{
    strbuf_adds(out, "<h2>");
    svgpage_text(out, str_from(p->name));
    strbuf_adds(out, "</h2>\n");
    for (size_t i = 0; i < p->points->list.count; i++) {
        const struct value *point = p->points->list.items[i];
        strbuf_adds(out, "<figure><figcaption>");
        svgpage_text(out, value_as_str(value_get(point, "rev")));
        strbuf_addf(out, "</figcaption><img alt=\"\" src=\"data:image/%s;base64,",
                    image_type(value_as_str(value_get(point, "filename")).p));
        add_base64(out, value_as_str(value_get(point, "data")));
        strbuf_adds(out, "\"></figure>\n");
    }
}

/* ---- the page ---- */

static void add_item(struct arena *a, const struct plotpage_item *it, struct strbuf *out)
{
    strbuf_adds(out, "<section class=\"plot\">\n");
    if (it->plot->points->list.count == 0) {
        strbuf_adds(out, "<h2>");
        svgpage_text(out, str_from(it->plot->name));
        strbuf_adds(out, "</h2><p>no data</p>\n");
    } else if (it->plot->image) {
        add_images(it->plot, out);
    } else {
        add_chart(a, it, out);
    }
    strbuf_adds(out, "</section>\n");
}

/* Images behind charts; those of one folder by the number that is their name ("10.png"). */
static int by_kind(const void *x, const void *y)
{
    const struct plot *a = (*(const struct plotpage_item *const *)x)->plot;
    const struct plot *b = (*(const struct plotpage_item *const *)y)->plot;
    const char *an = path_basename(a->name), *bn = path_basename(b->name);
    size_t dir = (size_t)(an - a->name);
    if (a->image != b->image || !a->image) {
        /* qsort is not stable: the place in the list decides */
        return a->image != b->image ? (a->image ? 1 : -1) : (a > b) - (a < b);
    }
    bool together = dir == (size_t)(bn - b->name) && strncmp(a->name, b->name, dir) == 0;
    long av = strtol(an, NULL, 10), bv = strtol(bn, NULL, 10);
    return together && av != bv ? (av > bv) - (av < bv) : strcmp(a->name, b->name);
}

static void add_replaced(struct strbuf *out, const char *frame, const char *plots)
{
    static const char *const nothing[] = {"{scripts}", "{refresh_tag}"};
    while (*frame) {
        if (strncmp(frame, "{plot_divs}", 11) == 0) {
            strbuf_adds(out, plots);
            frame += 11;
            continue;
        }
        bool skipped = false;
        for (size_t i = 0; i < 2 && !skipped; i++) {
            skipped = strncmp(frame, nothing[i], strlen(nothing[i])) == 0;
            frame += skipped ? strlen(nothing[i]) : 0;
        }
        if (!skipped) {
            strbuf_addch(out, *frame++);
        }
    }
}

int plotpage_write(struct arena *a, const struct plotpage_item *items, size_t count,
                   const char *frame, struct strbuf *out, struct err *e)
{
    if (frame && !strstr(frame, "{plot_divs}")) {
        return err_set(e, ERR_FORMAT, "HTML template has to contain '{plot_divs}'.");
    }
    struct strbuf body;
    const struct plotpage_item **order = ARENA_ARRAY(a, count + 1, const struct plotpage_item *);
    for (size_t i = 0; i < count; i++) {
        order[i] = &items[i];
    }
    qsort(order, count, sizeof(*order), by_kind);
    strbuf_init(&body);
    strbuf_addf(&body, "<style>%s", page_style);
    svgchart_style(&body);
    strbuf_adds(&body, "</style>\n<main class=\"plots\">\n");
    for (size_t i = 0; i < count; i++) {
        add_item(a, order[i], &body);
    }
    strbuf_adds(&body, "</main>");
    add_replaced(out, frame ? frame : page_frame, body.p);
    strbuf_release(&body);
    return 0;
}
