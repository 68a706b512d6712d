/* See svgchart.h. */
#include "svgchart.h"

#include "str.h"
#include "svgpage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 66, RIGHT = 18, TOP = 48, BOTTOM = 52 };
#define DOTS_MAX 40 /* points of a line that are marked one by one */

const char *svgchart_colour(size_t i)
{
    static const char *const colours[SVGCHART_COLOURS] = {
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d5a", "#8a8f98"};
    return colours[i % SVGCHART_COLOURS];
}

static const char *dash_of(size_t i)
{
    static const char *const dashes[] = {"", "8 5", "2 4", "10 4 2 4"};
    return dashes[i % (sizeof(dashes) / sizeof(dashes[0]))];
}

void svgchart_style(struct strbuf *out)
{
    strbuf_adds(
        out, "text{font-family:Helvetica,Arial,sans-serif;fill:#22262b}"
             ".t{font-size:12px;fill:#5c646e}.h{font-size:16px;font-weight:bold}"
             ".l{font-size:13px}.g{stroke:#e3e6ea}.a{stroke:#5c646e}.b{fill:#fff}"
             ".w{fill:#fff}.k{fill:#22262b}"
             "@media(prefers-color-scheme:dark){text{fill:#e6e8eb}.t{fill:#a5adb8}"
             ".g{stroke:#343a42}.a{stroke:#8a929d}.b{fill:#1b1f24}.w{fill:#fff}.k{fill:#e6e8eb}}");
}

/* ---- text ---- */

static void add_text(struct strbuf *out, double x, double y, const char *attributes,
                     const char *text)
{
    strbuf_addf(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    svgpage_text(out, str_from(text));
    strbuf_adds(out, "</text>\n");
}

/* The same, at most `max` characters of it. */
static void add_short(struct strbuf *out, double x, double y, const char *attributes,
                      const char *text, size_t max)
{
    strbuf_addf(out, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    svgpage_short(out, text, max);
    strbuf_adds(out, "</text>\n");
}

/* Title and labels; the labels stand at the middle of what they name. */
static void add_frame(struct strbuf *out, const char *title, const char *x_label,
                      const char *y_label, double x_middle, double y_middle, double height)
{
    if (title) {
        add_short(out, LEFT, 28, "class=\"h\"", title, 54);
    }
    if (x_label) {
        add_text(out, x_middle, height - 12, "class=\"t\" text-anchor=\"middle\"", x_label);
    }
    if (y_label) {
        char turned[96];
        snprintf(turned, sizeof(turned),
                 "class=\"t\" text-anchor=\"middle\" transform=\"rotate(-90 14 %.1f)\"", y_middle);
        add_text(out, 14, y_middle, turned, y_label);
    }
}

/* ---- axes ---- */

struct axis {
    double low, high, step; /* data; between ticks */
    double from, to;        /* px */
};

static double px(const struct axis *a, double v)
{
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* Ticks at 1, 2 or 5 times a power of ten, about `ticks` of them. */
static struct axis fit(double low, double high, double ticks, double from, double to)
{
    struct axis a = {.from = from, .to = to};
    if (!(low <= high)) { /* nothing to show */
        low = 0;
        high = 1;
    }
    if (!(high - low > fabs(high) * 1e-12)) { /* one value, as far as a double can tell */
        double pad = fabs(low) > 0 ? fabs(low) * 0.1 : 1;
        low -= pad;
        high += pad;
    }
    double raw = high / ticks - low / ticks, power = pow(10, floor(log10(raw))), part = raw / power;
    a.step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    a.low = floor(low / a.step + 1e-9) * a.step;
    a.high = ceil(high / a.step - 1e-9) * a.step;
    return a;
}

static size_t tick_count(const struct axis *a)
{
    return (size_t)fmin(floor((a->high - a->low) / a->step + 1.5), 50);
}

static void tick_text(const struct axis *a, double v, char text[32])
{
    snprintf(text, 32, "%.6g", fabs(v) < a->step * 1e-6 ? 0 : v);
}

static void add_ticks(struct strbuf *out, const struct axis *x, const struct axis *y)
{
    char text[32];
    for (size_t i = 0; i < tick_count(y); i++) {
        double v = y->low + (double)i * y->step, at = px(y, v);
        strbuf_addf(out, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>\n", x->from, at, x->to);
        tick_text(y, v, text);
        add_text(out, x->from - 8, at + 4, "class=\"t\" text-anchor=\"end\"", text);
    }
    for (size_t i = 0; i < tick_count(x); i++) {
        double v = x->low + (double)i * x->step, at = px(x, v);
        strbuf_addf(out, "<path class=\"a\" d=\"M%.1f %.1fv5\"/>\n", at, y->from);
        tick_text(x, v, text);
        add_text(out, at, y->from + 19, "class=\"t\" text-anchor=\"middle\"", text);
    }
    strbuf_addf(out, "<path class=\"a\" d=\"M%.1f %.1fH%.1f\"/>\n", x->from, y->from, x->to);
}

/* ---- lines and points ---- */

static bool drawn(const struct svgchart_series *s, size_t i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]);
}

static void plan_axes(const struct svgchart *c, struct axis *x, struct axis *y)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < c->series[i].count; k++) {
            const double v[2] = {c->series[i].x[k], c->series[i].y[k]};
            for (int d = 0; d < 2 && drawn(&c->series[i], k); d++) {
                low[d] = fmin(low[d], v[d]);
                high[d] = fmax(high[d], v[d]);
            }
        }
    }
    *x = fit(low[0], high[0], 6, LEFT, SVGCHART_WIDTH - RIGHT);
    x->step = c->whole_x && x->step < 1 ? 1 : x->step;
    *y = fit(low[1], high[1], 5, SVGCHART_HEIGHT - BOTTOM, TOP);
}

/* A point, and what it says under the pointer. Every dash of lines has its own shape. */
static void add_point(struct strbuf *out, const struct svgchart_series *s, size_t i,
                      const struct axis *x, const struct axis *y, double radius)
{
    const char *colour = svgchart_colour(s->colour);
    double cx = px(x, s->x[i]), cy = px(y, s->y[i]), r = radius;
    if (s->dash % 2 == 0) {
        strbuf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"", cx, cy, r,
                    colour);
    } else {
        strbuf_addf(out, "<path d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\" fill=\"%s\"", cx,
                    cy - r * 1.3, r * 1.3, r * 1.3, -r * 1.3, r * 1.3, -r * 1.3, -r * 1.3, colour);
    }
    const char *element = s->dash % 2 == 0 ? "circle" : "path";
    strbuf_adds(out, " fill-opacity=\"0.85\"><title>");
    svgpage_text(out, str_from(s->name));
    strbuf_addf(out, "\n%.6g, %.6g</title></%s>\n", s->x[i], s->y[i], element);
}

static void add_line(struct strbuf *out, const struct svgchart_series *s, const struct axis *x,
                     const struct axis *y)
{
    bool first = true;
    for (size_t i = 0; i < s->count; i++) {
        if (!drawn(s, i)) {
            continue;
        }
        if (first) {
            strbuf_addf(out,
                        "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
                        "stroke-linejoin=\"round\" stroke-dasharray=\"%s\" points=\"",
                        svgchart_colour(s->colour), dash_of(s->dash));
        }
        strbuf_addf(out, "%s%.1f,%.1f", first ? "" : " ", px(x, s->x[i]), px(y, s->y[i]));
        first = false;
    }
    if (!first) {
        strbuf_adds(out, "\"><title>");
        svgpage_text(out, str_from(s->name));
        strbuf_adds(out, "</title></polyline>\n");
    }
}

double svgchart_add_xy(struct strbuf *out, const struct svgchart *c)
{
    struct axis x, y;
    plan_axes(c, &x, &y);
    add_frame(out, c->title, c->x_label, c->y_label, (x.from + x.to) / 2, (y.from + y.to) / 2,
              SVGCHART_HEIGHT);
    add_ticks(out, &x, &y);
    for (size_t i = 0; i < c->count; i++) {
        const struct svgchart_series *s = &c->series[i];
        if (!c->points) {
            add_line(out, s, &x, &y);
        }
        for (size_t k = 0; k < s->count && (c->points || s->count <= DOTS_MAX); k++) {
            if (drawn(s, k)) {
                add_point(out, s, k, &x, &y, c->points ? 4 : 3);
            }
        }
    }
    return SVGCHART_HEIGHT;
}

double svgchart_add_legend(struct strbuf *out, const struct svgchart_series *series, size_t count,
                           bool points, double top)
{
    for (size_t i = 0; i < count; i++) {
        const struct svgchart_series *s = &series[i];
        const struct axis here = {.low = 0, .high = 1, .from = LEFT + 14, .to = LEFT + 15};
        double y = top + (double)(i + 1) * SVGCHART_LEGEND_STEP - 8;
        const struct axis level = {.low = 0, .high = 1, .from = y - 4, .to = y - 3};
        if (points) {
            const struct svgchart_series dot = {.name = s->name,
                                                .x = (const double[]){0},
                                                .y = (const double[]){0},
                                                .colour = s->colour,
                                                .dash = s->dash};
            add_point(out, &dot, 0, &here, &level, 5);
        } else {
            strbuf_addf(out,
                        "<path d=\"M%d %.1fh28\" stroke=\"%s\" stroke-width=\"3\" "
                        "stroke-dasharray=\"%s\"/>\n",
                        LEFT, y - 4, svgchart_colour(s->colour), dash_of(s->dash));
        }
        add_text(out, LEFT + 38, y, "class=\"l\"", s->name);
    }
    return top + (double)count * SVGCHART_LEGEND_STEP + 14;
}

/* ---- bars ---- */

enum { BAR_STEP = 18, BAR_GAP = 10, BAR_LEFT = 150, BAR_LABEL = 20 };

double svgchart_add_bars(struct strbuf *out, const struct svgchart_bars *c)
{
    double group = (double)c->count * BAR_STEP, low = 0, high = 0, y = TOP;
    double height = TOP + (group + BAR_GAP) * (double)c->label_count + BOTTOM;
    for (size_t i = 0; i < c->label_count * c->count; i++) {
        low = isfinite(c->values[i]) ? fmin(low, c->values[i]) : low;
        high = isfinite(c->values[i]) ? fmax(high, c->values[i]) : high;
    }
    struct axis x = fit(low, high, 5, BAR_LEFT, SVGCHART_WIDTH - RIGHT - 20);
    char text[32];
    for (size_t i = 0; i < tick_count(&x); i++) {
        double v = x.low + (double)i * x.step, at = px(&x, v);
        strbuf_addf(out, "<path class=\"g\" d=\"M%.1f %dV%.1f\"/>\n", at, TOP, height - BOTTOM);
        tick_text(&x, v, text);
        add_text(out, at, height - BOTTOM + 19, "class=\"t\" text-anchor=\"middle\"", text);
    }
    for (size_t k = 0; k < c->label_count; k++, y += group + BAR_GAP) {
        add_short(out, BAR_LEFT - 8, y + group / 2 + 9, "class=\"t\" text-anchor=\"end\"",
                  c->labels[k], BAR_LABEL);
        for (size_t i = 0; i < c->count; i++) {
            double v = c->values[k * c->count + i];
            if (!isfinite(v)) {
                continue;
            }
            double from = px(&x, fmin(v, 0)), to = px(&x, fmax(v, 0));
            strbuf_addf(out,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" "
                        "fill=\"%s\"><title>",
                        from, y + 5 + (double)i * BAR_STEP, to - from, BAR_STEP - 3,
                        svgchart_colour(i));
            svgpage_text(out, str_from(c->names[i]));
            strbuf_adds(out, "\n");
            svgpage_text(out, str_from(c->labels[k]));
            strbuf_addf(out, ": %.6g</title></rect>\n", v);
        }
    }
    add_frame(out, c->title, c->x_label, c->y_label, (x.from + x.to) / 2,
              (TOP + height - BOTTOM) / 2, height);
    return height;
}

/* ---- matrices ---- */

enum { CELL_MAX = 80, MATRIX_LEFT = 130, MATRIX_TOP = 56, MATRIX_LABEL = 16 };

static void add_cell(struct strbuf *out, const struct svgchart_matrix *c, size_t row, size_t column,
                     double cell, double share)
{
    double v = c->counts[row * c->column_count + column];
    double x = MATRIX_LEFT + (double)column * cell, y = MATRIX_TOP + (double)row * cell;
    char text[32];
    strbuf_addf(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#0072b2\" "
                "fill-opacity=\"%.3f\"><title>",
                x, y, cell - 2, cell - 2, 0.06 + 0.94 * share);
    svgpage_text(out, str_from(c->x_label ? c->x_label : "x"));
    strbuf_adds(out, ": ");
    svgpage_text(out, str_from(c->columns[column]));
    strbuf_adds(out, "\n");
    svgpage_text(out, str_from(c->y_label ? c->y_label : "y"));
    strbuf_adds(out, ": ");
    svgpage_text(out, str_from(c->rows[row]));
    strbuf_addf(out, "\n%.6g</title></rect>\n", v);
    snprintf(text, sizeof(text), c->by_row ? "%.2f" : "%.0f", c->by_row ? share : v);
    if (cell >= 28) {
        char attributes[96];
        snprintf(attributes, sizeof(attributes),
                 "class=\"%s\" font-size=\"%d\" pointer-events=\"none\" text-anchor=\"middle\"",
                 share > 0.45 ? "w" : "k", cell >= 44 ? 13 : 10);
        add_text(out, x + cell / 2 - 1, y + cell / 2 + 3, attributes, text);
    }
}

double svgchart_add_matrix(struct strbuf *out, const struct svgchart_matrix *c)
{
    double space = SVGCHART_WIDTH - MATRIX_LEFT - RIGHT, most = 0;
    double cell = fmin(space / fmax(1, (double)c->column_count), CELL_MAX);
    double bottom = MATRIX_TOP + cell * (double)c->row_count, height = bottom + 90;
    for (size_t i = 0; i < c->row_count * c->column_count; i++) {
        most = fmax(most, c->counts[i]);
    }
    for (size_t r = 0; r < c->row_count; r++) {
        double sum = 0, y = MATRIX_TOP + ((double)r + 0.5) * cell + 4;
        for (size_t k = 0; k < c->column_count; k++) {
            sum += c->counts[r * c->column_count + k];
        }
        double whole = c->by_row ? sum : most;
        for (size_t k = 0; k < c->column_count; k++) {
            double v = c->counts[r * c->column_count + k];
            add_cell(out, c, r, k, cell, whole > 0 ? v / whole : 0);
        }
        add_short(out, MATRIX_LEFT - 8, y, "class=\"t\" text-anchor=\"end\"", c->rows[r],
                  MATRIX_LABEL);
    }
    for (size_t k = 0; k < c->column_count; k++) {
        double x = MATRIX_LEFT + ((double)k + 0.5) * cell + 4;
        char turned[96];
        snprintf(turned, sizeof(turned),
                 "class=\"t\" text-anchor=\"end\" transform=\"rotate(-35 %.1f %.1f)\"", x,
                 bottom + 14);
        add_short(out, x, bottom + 14, turned, c->columns[k], MATRIX_LABEL);
    }
    add_frame(out, c->title, c->x_label, c->y_label,
              MATRIX_LEFT + cell * (double)c->column_count / 2, (MATRIX_TOP + bottom) / 2, height);
    return height;
}
