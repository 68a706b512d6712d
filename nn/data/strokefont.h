#ifndef NEPHRON_STROKEFONT_H
#define NEPHRON_STROKEFONT_H

#include <stddef.h>

/*
 * A stroke font of our own for charts: each ASCII glyph is a few lines and quadratic curves on a
 * grid of units, so it can be drawn at any size with round, anti-aliased pens. Capitals are 14
 * units high (y = 0 top, 14 baseline), small letters start at y = 4, descenders end at y = 18.
 */

#define STROKEFONT_CAP 14.0
#define STROKEFONT_GAP 4.2 /* between glyphs */

/* Called for each pen movement: a line from (x0, y0) to (x1, y1) in units; a dot when equal. */
typedef void strokefont_fn(void *ctx, double x0, double y0, double x1, double y1);

/* Runs fn over the lines of one glyph (curves cut in pieces) and returns its width in units.
 * Characters outside 32..126 are drawn as '?'. fn may be NULL: the width only. */
double strokefont_glyph(int ch, strokefont_fn *fn, void *ctx);

/* Width of a text in units, without the gap behind the last glyph. */
double strokefont_width(const char *text);

#endif
