#ifndef NEPHRON_PLOTPAGE_H
#define NEPHRON_PLOTPAGE_H

#include "value.h"

#include <stddef.h>

struct err;
struct plot;
struct strbuf;

/*
 * Plots as one HTML page that needs nothing else: charts are SVG (svgchart.h), images are inside
 * as data: URIs, there is no script. What a template asks for is drawn by its kind of mark:
 *
 * | mark of the template          | drawn as                                                     |
 * |-------------------------------|--------------------------------------------------------------|
 * | line, any other               | curves, colour by revision, dashes by series                 |
 * | point, circle                 | scattered points                                             |
 * | bar                           | horizontal bars by the y field, sorted when the template is  |
 * | rect                          | matrix of how often (x, y) occurs, one a revision and series |
 */

struct plotpage_item {
    struct plot *plot;
    const struct value *content; /* its template, not filled; NULL for images */
};

/* `frame`: a page with "{plot_divs}", and if it likes "{scripts}" and "{refresh_tag}", which become
 * nothing; NULL: our own. ERR_FORMAT: the frame has no place for plots. Images come last, in the
 * order of their numbers. */
int plotpage_write(struct arena *a, const struct plotpage_item *items, size_t count,
                   const char *frame, struct strbuf *out, struct err *e);

#endif
