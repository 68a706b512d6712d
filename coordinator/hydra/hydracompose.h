#ifndef NEPHRON_HYDRACOMPOSE_H
#define NEPHRON_HYDRACOMPOSE_H

#include "hydrarepo.h"

struct err;

/*
 * One configuration out of a folder of settings, as Hydra 1.3 composes it for DVC: hydraplan.h says which files, hydratree.h how they
 * merge, override.h what overrides look like; then ${…} is resolved (hydrainterp.h) and Hydra's own settings go.
 * Does no I/O but hydrarepo.h's, and reads environment variables by name.
 */

/* `name`: of the primary file; `overrides`: list of texts. *out in `a`, a map. ERR_USAGE, ERR_MISSING, ERR_FORMAT with Hydra's text;
 * ERR_LIMIT. */
int hydracompose(struct arena *a, const struct hydrasource *main, const char *name,
                 const struct value *overrides, struct value **out, struct err *e);

#endif
