#ifndef NEPHRON_HYDRATREE_H
#define NEPHRON_HYDRATREE_H

#include "hydrainterp.h"
#include "override.h"

/*
 * Trees of settings and what is done to them, by the rules of OmegaConf 2.3: maps merge, lists and scalars replace, "???" over a value
 * leaves it; a value that is an interpolation of a map is that map before something is merged into it. A tree is "closed" when keys can
 * change but none can be added.
 */

/* Is this a tree? Interpolations must be well formed, keys no nulls. ERR_FORMAT. */
int hydratree_check(struct arena *a, const struct value *v, struct err *e);
/* Merges a copy of the map `src` into dest->node, a map. ERR_MISSING: it is closed and lacks a key; ERR_FORMAT: a map meets a list. */
int hydratree_merge(struct hydrainterp *in, const struct hydraplace *dest, const struct value *src,
                    bool closed);
/* A map with `v` at the key ("a.b"); `v` itself for "". */
struct value *hydratree_embed(struct arena *a, const char *package, struct value *v);
/* One override of a value on in->root, which is closed. ERR_USAGE with Hydra's text. */
int hydratree_set(struct hydrainterp *in, const struct override *o);

#endif
