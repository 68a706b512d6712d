/* Curves over epochs or steps: see chart.h. */
#include "chart.h"

#include "alloc.h"
#include "canvas.h"
#include "err.h"
#include "image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SERIES = 8, MARKERS_UP_TO = 40 };

static const struct rgb ink_dark = {0x22, 0x26, 0x2b}, ink_soft = {0x5c, 0x64, 0x6e},
                        grid_line = {0xe3, 0xe6, 0xea}, white = {255, 255, 255};

/* Okabe and Ito's colours, told apart by colour-blind readers; every second one gets open markers.
 */
static const struct rgb series_colour[MAX_SERIES] = {
    {0x00, 0x72, 0xb2}, {0xd5, 0x5e, 0x00}, {0x00, 0x9e, 0x73}, {0xcc, 0x79, 0xa7},
    {0xe6, 0x9f, 0x00}, {0x56, 0xb4, 0xe9}, {0x22, 0x22, 0x22}, {0x8a, 0x8f, 0x98}};

struct axis {
    double low, high; /* data */
    double step;      /* between ticks */
    double from, to;  /* px of low and high */
};

/* 1, 2 or 5 times a power of ten, so that about `count` ticks fit. */
static double nice_step(double span, double count)
{
    double raw = span / count, power = pow(10, floor(log10(raw))), part = raw / power;

    return power * (part <= 1.001 ? 1 : part <= 2.001 ? 2 : part <= 5.001 ? 5 : 10);
}

static void axis_fit(struct axis *a, double low, double high, double ticks)
{
    if (!(low < high)) {
        double pad = fabs(low) > 0 ? fabs(low) * 0.1 : 1;

        low -= pad;
        high += pad;
    }
    a->step = nice_step(high - low, ticks);
    a->low = low;
    a->high = high;
}

/* Opens the ends to whole ticks. */
static void axis_round(struct axis *a)
{
    a->low = floor(a->low / a->step + 1e-9) * a->step;
    a->high = ceil(a->high / a->step - 1e-9) * a->step;
}

static double axis_px(const struct axis *a, double v)
{
    return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

static void data_range(const struct chart_lines *c, bool of_y, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t s = 0; s < c->series_count; s++) {
        for (size_t i = 0; i < c->series[s].count; i++) {
            double v = of_y ? c->series[s].y[i] : c->series[s].x[i];

            if (isfinite(v) && isfinite(c->series[s].x[i])) {
                *low = fmin(*low, v);
                *high = fmax(*high, v);
            }
        }
    }
    if (!isfinite(*low)) {
        *low = 0;
        *high = 1;
    }
}

static void tick_text(char out[32], double v, double step)
{
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);

    if (fabs(v) >= 1e6 || (step < 1e-5)) {
        snprintf(out, 32, "%.2g", v);
    } else {
        snprintf(out, 32, "%.*f", decimals, fabs(v) < step * 1e-6 ? 0.0 : v);
    }
}

static void draw_ticks(struct image *im, const struct axis *x, const struct axis *y)
{
    struct text_style below = {.cap_px = 10, .colour = ink_soft, .anchor = CANVAS_CENTRE};
    struct text_style left = {.cap_px = 10, .colour = ink_soft, .anchor = CANVAS_RIGHT};
    char text[32];

    for (double v = ceil(y->low / y->step - 1e-9) * y->step; v <= y->high + y->step * 1e-6;
         v += y->step) {
        double at = axis_px(y, v);

        canvas_rect(im, x->from, at, x->to - x->from, 1, grid_line);
        tick_text(text, v, y->step);
        canvas_text(im, x->from - 10, at + 5, &left, text);
    }
    for (double v = ceil(x->low / x->step - 1e-9) * x->step; v <= x->high + x->step * 1e-6;
         v += x->step) {
        double at = axis_px(x, v);

        canvas_rect(im, at, y->from, 1, 5, ink_soft);
        tick_text(text, v, x->step);
        canvas_text(im, at, y->from + 20, &below, text);
    }
    canvas_rect(im, x->from, y->from, x->to - x->from, 1, ink_soft);
}

static void draw_marker(struct image *im, double x, double y, size_t which)
{
    canvas_disc(im, x, y, 3.6, series_colour[which]);
    if (which % 2 == 1) {
        canvas_disc(im, x, y, 1.9, white);
    }
}

static void draw_series(struct image *im, const struct chart_series *s, size_t which,
                        const struct axis *x, const struct axis *y)
{
    struct point *run = xmalloc((s->count + 1) * sizeof(*run));
    size_t n = 0;

    for (size_t i = 0; i <= s->count; i++) {
        bool is_gap = i == s->count || !isfinite(s->x[i]) || !isfinite(s->y[i]);

        if (is_gap) {
            canvas_stroke(im, run, n, 2.2, series_colour[which]);
            for (size_t k = 0; k < n && s->count <= MARKERS_UP_TO; k++) {
                draw_marker(im, run[k].x, run[k].y, which);
            }
            n = 0;
        } else {
            double v = fmin(fmax(s->y[i], y->low), y->high);
            run[n++] = (struct point){axis_px(x, s->x[i]), axis_px(y, v)};
        }
    }
    free(run);
}

/* One row above the plot, right-aligned. */
static void draw_legend(struct image *im, const struct chart_lines *c, double right, double y)
{
    struct text_style style = {.cap_px = 11, .colour = ink_dark, .max_width = 180};

    for (size_t i = c->series_count; i-- > 0;) {
        double width = fmin(canvas_text_width(&style, c->series[i].name), style.max_width);
        double from = right - width - 34;
        const struct point line[2] = {{from, y - 5}, {from + 24, y - 5}};

        canvas_stroke(im, line, 2, 2.2, series_colour[i]);
        draw_marker(im, from + 12, y - 5, i);
        canvas_text(im, from + 34, y, &style, c->series[i].name);
        right = from - 22;
    }
}

static void draw_titles(struct image *im, const struct chart_lines *c, const struct axis *x,
                        const struct axis *y)
{
    struct text_style title = {
        .cap_px = 15, .colour = ink_dark, .bold = 1, .max_width = im->width - 48};
    struct text_style label = {.cap_px = 11, .colour = ink_soft, .anchor = CANVAS_CENTRE};

    if (c->title != NULL) {
        canvas_text(im, 24, 36, &title, c->title);
    }
    if (c->x_label != NULL) {
        canvas_text(im, (x->from + x->to) / 2, im->height - 16, &label, c->x_label);
    }
    label.upwards = 1;
    if (c->y_label != NULL) {
        canvas_text(im, 28, (y->from + y->to) / 2, &label, c->y_label);
    }
}

static void plan_axes(const struct chart_lines *c, const struct image *im, struct axis *x,
                      struct axis *y)
{
    double low, high;

    data_range(c, false, &low, &high);
    axis_fit(x, low, high, im->width / 90.0);
    if (x->step < 1 && low == floor(low) && high == floor(high)) {
        x->step = 1; /* epochs: no half ones */
    }
    data_range(c, true, &low, &high);
    if (c->y_low != 0 || c->y_high != 0) {
        axis_fit(y, c->y_low, c->y_high, im->height / 70.0);
    } else {
        axis_fit(y, low, high, im->height / 70.0);
        axis_round(y);
    }
    x->from = 78;
    x->to = im->width - 26;
    y->from = im->height - 62;
    y->to = 82;
}

int chart_lines(const struct chart_lines *c, struct image *out, struct err *e)
{
    int width = c->width ? c->width : 720, height = c->height ? c->height : 480;
    struct axis x, y;

    if (c->series_count < 1 || c->series_count > MAX_SERIES) {
        return err_set(e, ERR_LIMIT, "a chart of %zu curves, expected 1 to %d", c->series_count,
                       MAX_SERIES);
    }
    if (width < 200 || height < 200 || width > 8192 || height > 8192) {
        return err_set(e, ERR_LIMIT, "a chart of %d x %d pixels, expected 200 to 8192 a side",
                       width, height);
    }
    canvas_init(out, width, height, white);
    plan_axes(c, out, &x, &y);
    draw_ticks(out, &x, &y);
    for (size_t i = 0; i < c->series_count; i++) {
        draw_series(out, &c->series[i], i, &x, &y);
    }
    draw_legend(out, c, x.to, 62);
    draw_titles(out, c, &x, &y);
    return 0;
}
