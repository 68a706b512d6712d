#ifndef NEPHRON_EXPLAIN_H
#define NEPHRON_EXPLAIN_H

#include "repro.h"
#include "stale.h"
#include "str.h"
#include "value.h"

/*
 * Why stages would run: the selection, order and decisions of repro_run, with nothing run. A stage
 * that is fresh by itself is looked at again by repro when a stage it needs is stale, so those are
 * told too.
 */

struct explanation {
    const struct stage *stage;
    struct stale_report *report;
    enum stale_reason reason;
    const char *
        *upstream; /* addresses of the stages it needs that are stale, or wait for a stale one */
    size_t upstream_count;
};

/* The stages of `opt` in the order of a run; all lives in `a`. Stages that a killed run finished
 * count as done; nothing is written. */
int explain_stages(const struct repro_context *c, const struct repro_options *opt, struct arena *a,
                   struct explanation **all, size_t *count, struct err *e);
bool explain_any_stale(const struct explanation *all, size_t count);

void explain_text(struct store *s, const struct explanation *all, size_t count, struct strbuf *out);
/* {"schema": 1, "stages": [stale_explain_json's object + "upstream": […]]} */
struct value *explain_json(struct store *s, struct arena *a, const struct explanation *all,
                           size_t count);

#endif
