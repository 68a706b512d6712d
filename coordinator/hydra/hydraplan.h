#ifndef NEPHRON_HYDRAPLAN_H
#define NEPHRON_HYDRAPLAN_H

#include "hydrachoice.h"
#include "hydrarepo.h"

/*
 * In which order files are merged: the defaults lists, walked from the primary file and from Hydra's own, as one list. A file stands
 * where `_self_` is in its list; without one, behind it. The lists are walked from their ends, so that `override` is known before the
 * element it changes.
 */

#define HYDRAPLAN_MAX_DEPTH 64
#define HYDRAPLAN_MAX_ELEMENTS 5000

struct hydrastep {
    const char *path;
    const char *package; /* "" for the top */
    bool primary;
};

struct hydraplan {
    struct hydrastep *steps;
    size_t count, capacity;
};

/* `primary`: the file's name. ERR_MISSING: a file is not there; ERR_USAGE, ERR_FORMAT with Hydra's text; ERR_LIMIT. */
int hydraplan_make(struct hydraplan *p, struct hydrarepo *r, struct hydrachoices *c,
                   const char *primary, struct err *e);
void hydraplan_release(struct hydraplan *p);

#endif
