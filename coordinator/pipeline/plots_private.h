#ifndef NEPHRON_PLOTS_PRIVATE_H
#define NEPHRON_PLOTS_PRIVATE_H

#include "value.h"

/* Shared by plots.c and plotpoints.c only. */

/* A key or scalar as text; in `a` or the value's own. */
const char *plots_text(struct arena *a, const struct value *v);

struct plotpoints {
    struct value *points, *series; /* as in struct plot */
    struct value *props;           /* with x, y and the labels inferred; empty without points */
};

/* Rows of one revision: `props` the definition `id`, `data` the documents by file. NULL, or what is
 * wrong: {"type", "msg"} with DVC's words. */
struct value *plotpoints_make(struct arena *a, const char *id, const char *rev,
                              const struct value *props, const struct value *data,
                              struct plotpoints *out);

#endif
