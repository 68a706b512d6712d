#ifndef NEPHRON_DAGCANVAS_H
#define NEPHRON_DAGCANVAS_H

#include "str.h"

#include <stdint.h>

/* A grid of characters for the pictures of `dag`. Columns and lines are set by the caller, who has
 * checked their product. */
struct dagcanvas {
    uint32_t *cells; /* UTF-8 bytes of one character each, the first one lowest */
    long columns, lines;
};

void dagcanvas_init(struct dagcanvas *c); /* all blanks */
void dagcanvas_release(struct dagcanvas *c);
/* A straight line of '*', one character a column or a line, whichever is longer. */
void dagcanvas_line(struct dagcanvas *c, long x0, long y0, long x1, long y1);
/* A box three lines high with the label inside; x, y: its upper left corner. */
void dagcanvas_box(struct dagcanvas *c, long x, long y, long width, const char *label);
/* Lines joined by newlines, blanks at their ends included. */
void dagcanvas_write(const struct dagcanvas *c, struct strbuf *out);

#endif
