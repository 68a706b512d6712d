#ifndef NEPHRON_RUNCACHE_H
#define NEPHRON_RUNCACHE_H

#include "arena.h"
#include "lock.h"

#include <stdbool.h>

struct err;
struct stage;
struct store;

/*
 * The run cache: finished stages by the content of their inputs, as DVC keeps it.
 * File <cache>/runs/<K[:2]>/<K>/<V>: the stage's lock entry at top level, YAML. K: sha256 over the
 * entry as canonical JSON without `size` and `nfiles` at any depth, `outs` replaced by the list of
 * paths; V: the same with whole outs.
 */

/* Stages that DVC keeps there: a command, deps and outs, inside the repository, not persistent, not
 * always changed. */
bool runcache_allowed(const struct store *s, const struct stage *st);
/* Also refuses plain uncached outs: nothing is saved for them. */
bool runcache_savable(const struct store *s, const struct stage *st);

void runcache_key(const struct lock_entry *en, char key[65]);
void runcache_value(const struct lock_entry *en, char value[65]);
/* Writes the entry unless it is there. The caller has put all outs (also uncached ones) into the
 * cache. */
int runcache_save(struct store *s, const struct lock_entry *en, struct err *e);
/*
 * The newest entry for the deps and params of `en` (its outs give paths only). NULL without an
 * error when there is none; a corrupt file is removed with a note. Entry in `a`.
 */
struct lock_entry *runcache_find(struct store *s, struct arena *a, const struct lock_entry *en,
                                 struct err *e);
/* All objects that the entry's outs need are in the cache. */
bool runcache_complete(struct store *s, const struct lock_entry *en);

#endif
