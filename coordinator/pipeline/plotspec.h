#ifndef NEPHRON_PLOTSPEC_H
#define NEPHRON_PLOTSPEC_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct plot;

/*
 * Vega-Lite (v5) specifications. A template is a document with anchors in it, strings such as
 * "<DVC_METRIC_DATA>", that a plot fills: DVC's custom templates work unchanged.
 *
 * | anchor                             | filled with                                             |
 * |------------------------------------|---------------------------------------------------------|
 * | DATA TITLE X Y X_LABEL Y_LABEL     | rows, texts, names of fields                             |
 * | COLOR SHAPE STROKE_DASH            | encodings of the revision and of the data series         |
 * | ROW COLUMN GROUP_BY[_X|_Y]         | the data series, where there are several in one plot     |
 * | PIVOT_FIELD TOOLTIP ZOOM_AND_PAN   | expressions and parameters of the interactive view       |
 * | PLOT_WIDTH PLOT_HEIGHT             | 300 px                                                   |
 */

/* The names of the built-in templates in DVC's order; NULL behind the last one. */
const char *plotspec_name(size_t i);
/* A built-in template; NULL when there is none of that name. */
struct value *plotspec_template(struct arena *a, const char *name);

/* The plot's specification. With `anchors` (--split) what differs between plots is left out of it and
 * put there: a map of anchor to content. Takes out of the plot's points what says nothing (the
 * names of file and field of a single series). ERR_FORMAT: the template has no DATA anchor. */
struct value *plotspec_fill(struct arena *a, const struct value *content, struct plot *plot,
                            struct value **anchors, struct err *e);

/* The field that tells the series of a plot apart: "filename", "field", "filename::field"; NULL: there
 * is one only. */
const char *plotspec_series_field(const struct plot *plot);
/* Its values, sorted: a list of strings. */
struct value *plotspec_domain(struct arena *a, const struct plot *plot, const char *by);
/* Gives the points that field, and takes out those of file and field that say nothing. Done by
 * plotspec_fill; doing it twice is harmless. */
void plotspec_name_series(struct arena *a, struct plot *plot);

/* "#rrggbb" of the i-th revision. */
const char *plotspec_colour(size_t i);

#endif
