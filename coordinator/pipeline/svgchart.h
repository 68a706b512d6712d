#ifndef NEPHRON_SVGCHART_H
#define NEPHRON_SVGCHART_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * Charts as SVG: lines, points, bars and matrices with axes, legend and, under the pointer, the
 * values (<title>). What is added are elements for the inside of an <svg> of the width
 * SVGCHART_WIDTH and the height that the chart's function answers, in px; their looks, light and
 * dark, come from svgchart_style. Numbers that are not finite are not drawn.
 */

enum { SVGCHART_WIDTH = 560, SVGCHART_HEIGHT = 380, SVGCHART_LEGEND_STEP = 22 };

/* Okabe and Ito's colours, told apart by colour-blind readers. */
#define SVGCHART_COLOURS 8
const char *svgchart_colour(size_t i);

struct svgchart_series {
    const char *name;
    const double *x, *y;
    size_t count;
    size_t colour, dash; /* dash 0: a whole line, a round point */
};

struct svgchart {
    const char *title, *x_label, *y_label; /* NULL: none */
    const struct svgchart_series *series;
    size_t count;
    bool points;  /* scattered, not joined */
    bool whole_x; /* x counts something: no ticks between */
};

/* Horizontal bars: for each label one bar a series. */
struct svgchart_bars {
    const char *title, *x_label, *y_label;
    const char *const *labels;
    size_t label_count;
    const char *const *names; /* of the series */
    size_t count;
    const double *values; /* [label * count + series]; NaN: no bar */
};

/* A heat map of counts. */
struct svgchart_matrix {
    const char *title, *x_label, *y_label;
    const char *const *columns, *const *rows;
    size_t column_count, row_count;
    const double *counts; /* [row * column_count + column] */
    bool by_row;          /* shares of the row instead of counts */
};

/* CSS for a <style>: once a document. */
void svgchart_style(struct strbuf *out);

/* These answer the height used. */
double svgchart_add_xy(struct strbuf *out, const struct svgchart *c);
double svgchart_add_bars(struct strbuf *out, const struct svgchart_bars *c);
double svgchart_add_matrix(struct strbuf *out, const struct svgchart_matrix *c);
/* One line a series from `top` on; the y below it. `points` as in the chart. */
double svgchart_add_legend(struct strbuf *out, const struct svgchart_series *series, size_t count,
                           bool points, double top);

#endif
