#ifndef NEPHRON_DAG_H
#define NEPHRON_DAG_H

#include "str.h"

#include <stdbool.h>

struct err;
struct graph;
struct graph_selection;
struct repo;

/*
 * `dag`: the graph as dot, mermaid (bytes equal to DVC's) or boxes and arrows in text.
 * Arrows go from what is needed to what needs it, downwards.
 */

enum dag_form { DAG_TEXT, DAG_DOT, DAG_MERMAID, DAG_MARKDOWN };

struct dag_options {
    enum dag_form form;
    bool outs;     /* nodes are outputs */
    bool full;     /* with a target: its whole pipeline, not only what it needs */
    bool collapse; /* instances of foreach and matrix as one node; not with `outs` (ERR_USAGE) */
};

/* `sel`: the targets, or NULL for everything. Appends what DVC prints, with its newlines. */
int dag_render(const struct graph *g, const struct repo *r, const struct graph_selection *sel,
               const struct dag_options *opt, struct strbuf *out, struct err *e);

#endif
