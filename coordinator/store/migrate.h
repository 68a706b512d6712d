#ifndef NEPHRON_MIGRATE_H
#define NEPHRON_MIGRATE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pipeline;
struct store;

/*
 * From the formats of DVC 2 to those of DVC 3: `cache migrate`.
 *
 * Objects: each one of the old layout (DIR/<2>/<30>, named by a hash that takes CR LF for LF) is hashed
 * as it is and stands in files/md5 too, as a hard link where the file system can, so that nothing is
 * stored twice; old .dvc files and locks go on finding theirs. *count: how many the new layout lacked
 * (dry: how many old ones there are).
 */
int migrate_objects(struct store *s, struct arena *a, bool dry, size_t *count, struct err *e);

/* .dvc files and locks with old hashes: what is in the workspace is stored anew and recorded so;
 * what is missing there keeps its old record. *names: "a.dvc", "dvc.yaml (dvc.lock)", as shown, sorted. */
int migrate_files(struct store *s, struct arena *a, const struct pipeline *p, bool dry,
                  const char ***names, size_t *count, struct err *e);

#endif
