#ifndef NEPHRON_GANTT_H
#define NEPHRON_GANTT_H

#include "str.h"

struct err;
struct repo;
struct timeline;

/*
 * A repro as an SVG, time to the right: one row a slot (what each slot did when), below it one row a
 * stage (waiting for a slot, running, storing), the critical path in a colour of its own, failures in
 * red, and above it total, share of the slots in use and the critical path by name.
 */

/* Marks the critical path in *t. */
void gantt_render(struct timeline *t, const char *title, struct strbuf *out);
/* The last repro of `r` into `path` (svgpage.h). ERR_MISSING when there was none. */
int gantt_save(const struct repo *r, const char *path, struct err *e);

#endif
