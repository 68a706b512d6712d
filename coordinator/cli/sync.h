#ifndef NEPHRON_SYNC_H
#define NEPHRON_SYNC_H

#include "checkout.h"
#include "graph.h"
#include "opt.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct session;

/* What push, fetch, pull, checkout and status share: targets, and which remote each output belongs
 * to. */

/* Typed targets (none: everything) as checkout targets, in the session's arena. ERR_MISSING as
 * graph_select. */
int sync_targets(struct session *s, const struct opt_list *typed,
                 const struct graph_target_options *how, struct checkout_target **targets,
                 size_t *count, struct err *e);

/* The outputs that go to one remote: the one named at the output, else core.remote. */
struct sync_scope {
    const char *remote; /* NULL: there is no default */
    struct checkout_target *targets;
    size_t count;
};

struct sync_choice {
    const char *remote;  /* -r: everything goes there; outputs with another remote stay out */
    bool push;           /* leaves out outputs with push: false */
    bool metrics, plots; /* --type: only these; both false: all */
    long max_size;       /* bytes, exclusive; 0: no limit */
};

/* Arena memory; at most one scope a remote, in order of first use. */
int sync_scopes(struct session *s, const struct checkout_target *targets, size_t count,
                const struct sync_choice *choice, struct sync_scope **scopes, size_t *scope_count,
                struct err *e);

/* "ERROR: PREFIX - text" (prefix NULL: the text alone) on stderr; 1, or 75 when the repository is
 * busy. Settings too: DVC answers 1 for a remote that is not configured. */
int sync_fail(const struct err *e, const char *prefix);

/* The lines of a checkout: letter, path from column 8 on (DVC's console expands its tabs). */
void sync_print_changes(const struct checkout_result *r);

#endif
