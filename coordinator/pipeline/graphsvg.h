#ifndef NEPHRON_GRAPHSVG_H
#define NEPHRON_GRAPHSVG_H

#include "daglayout.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * A graph of stages as an SVG: left to right from what is needed to what needs it, one colour and
 * sign a state, the story of a stage as its tooltip, a legend with counts. Connected parts stand one
 * below the other; boxes without arrows fill rows at the end. The layout is daglayout.h's.
 */

#define GRAPH_STATES(X)                                                                            \
    X(FRESH, "fresh", "up to date", "✓")                                                           \
    X(STALE, "stale", "stale", "●")                                                                \
    X(AFTER, "after", "after a stale one", "◌")                                                    \
    X(FAILED, "failed", "failed", "✕")                                                             \
    X(NEVER, "never", "never ran", "○")                                                            \
    X(FROZEN, "frozen", "frozen", "‖")

enum graph_state {
#define X(name, word, text, sign) GRAPH_##name,
    GRAPH_STATES(X)
#undef X
        GRAPH_STATE_COUNT
};

struct graphsvg_box {
    const char *label;
    const char *story; /* lines of the tooltip */
    enum graph_state state;
    bool data; /* tracked data, no stage: a round box */
};

/* "up to date", … */
const char *graphsvg_state_text(enum graph_state s);
/* JavaScript for the HTML form: a box under the mouse shows its arrows. */
extern const char graphsvg_script[];

/* Edges run from what is needed to what needs it. ERR_LIMIT for graphs too large to lay out. */
int graphsvg_render(const char *title, const struct graphsvg_box *boxes, size_t count,
                    const struct daglayout_edge *edges, size_t edge_count, struct strbuf *out,
                    struct err *e);

#endif
