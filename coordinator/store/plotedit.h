#ifndef NEPHRON_PLOTEDIT_H
#define NEPHRON_PLOTEDIT_H

#include "arena.h"

#include <stddef.h>

struct err;
struct graph;
struct stage;
struct store;
struct value;

/* `plots modify`: how an output is drawn, written to its dvc.yaml. */

struct plotedit {
    const char *target;        /* as typed: the path of an output */
    const struct value *props; /* template, x, y, x_label, y_label, title, header: those to set */
    const char *const *unset;  /* names of properties to take off; NULL: not asked for */
    size_t unset_count;
};

/*
 * Makes the output a plot unless it is one. As DVC, the whole stage is put into DVC's order: deps
 * and outs sorted by path; comments stay (yamledit.h). *owner: the stage that was written.
 * Errors carry DVC's text: an output that is unknown or no plot, properties that are not set, a
 * stage with ${…} or from a foreach. Outputs of .dvc files are refused: DVC writes there what it
 * cannot read.
 */
int plotedit_modify(struct store *s, struct arena *a, const struct graph *g,
                    const struct plotedit *x, const struct stage **owner, struct err *e);

#endif
