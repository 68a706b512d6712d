#ifndef NEPHRON_EXPRECORD_H
#define NEPHRON_EXPRECORD_H

#include "arena.h"
#include "reporter.h"
#include "repro.h"

struct err;
struct pipeline;
struct store;
struct value;

/* What a repro did, for the experiment's commit: which stages ran, and which files say so. */
struct exprecord {
    struct reporter base;
    struct reporter *inner;
    const struct stage **ran; /* borrowed from the pipeline */
    size_t count, capacity;
};

void exprecord_init(struct exprecord *x);
void exprecord_release(struct exprecord *x);
/* A reporter that tells `inner` (taken) all, and remembers. Closing it leaves the record. */
struct reporter *exprecord_reporter(struct exprecord *x, struct reporter *inner);
/* name -> lock entry of the stages of dvc.yaml files that ran or were restored; in `a`. */
int exprecord_stages(const struct exprecord *x, struct store *s, struct arena *a,
                     const struct value **stages, struct err *e);
/* Repo paths that belong into the commit although git may not know them yet: of the stages that `o` names, dvc.yaml, dvc.lock, params
 * files, dependencies and outputs that are nobody's cached outputs; and top-level metrics, params and plots. */
int exprecord_paths(const struct repro_context *c, const struct repro_options *o, struct arena *a,
                    const char *const **paths, size_t *count, struct err *e);
/* The top-level ones alone: a map whose keys they are. */
struct value *exprecord_top_level(const struct pipeline *p, struct arena *a);

#endif
