#ifndef NEPHRON_DAGLAYOUT_H
#define NEPHRON_DAGLAYOUT_H

#include "str.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/*
 * One connected graph as boxes and arrows in text, top to bottom:
 *
 *   +---+     +---+
 *   | a |     | b |
 *   +---+     +---+
 *        **  **
 *          **
 *        +---+
 *        | c |
 *        +---+
 *
 * Layers by longest path, crossings reduced by barycentres (Sugiyama, Tagawa, Toda 1981; counting
 * after Barth and Mutzel 2002), x by four alignments (Brandes and Köpf 2001). Sizes and pulls are
 * chosen so that simple graphs come out as DVC draws them.
 */

struct daglayout_edge {
    uint32_t from, to; /* from is above */
};

/* labels: `count` texts. Lines are as wide as the picture (blanks at their ends stay, as in DVC),
 * joined by newlines without one at the end. ERR_LIMIT for pictures beyond 20,000 places or 64 Mi
 * characters. */
int daglayout_draw(const char *const *labels, size_t count, const struct daglayout_edge *edges,
                   size_t edge_count, struct strbuf *out, struct err *e);

/*
 * The same layout as numbers, for pictures: boxes of one size, layers counted along the arrows,
 * `across` in boxes (1: neighbours with a gap), from 0.
 */
struct daglayout_spot {
    double across;
    uint32_t layer;
};
struct daglayout_route {
    struct daglayout_spot *spots; /* one a layer, from the box above to the box below */
    size_t count;
};
struct daglayout_shape {
    struct daglayout_spot *boxes;
    struct daglayout_route *routes; /* by edge; an edge that closed a cycle runs backwards */
    size_t layer_count;
};

/* *out is in `a`. ERR_LIMIT beyond 20,000 places. */
int daglayout_place(size_t count, const struct daglayout_edge *edges, size_t edge_count,
                    struct arena *a, struct daglayout_shape *out, struct err *e);

#endif
