#ifndef NEPHRON_COMMIT_PRIVATE_H
#define NEPHRON_COMMIT_PRIVATE_H

#include "commit.h"

/* For commit_source.c and add.c: contents (read with no_hash) into the cache, and links back. */
int commit_store_contents(struct store *s, struct arena *a, struct content **items, size_t count,
                          bool with_links, struct err *e);
/* What is at `path` into the cache (unless COMMIT_NO_CACHE), as the item of a .dvc file. */
int commit_data(struct store *s, struct arena *a, const char *path, unsigned flags,
                struct content *now, struct err *e);
/* A change inside of a tracked folder: the folder's hash with `path` (below `root`) as it is now,
 * the rest as recorded in `old`. */
int commit_granular(struct store *s, struct arena *a, const char *root, const char *path,
                    const struct hash *old, unsigned flags, struct hash *hash, struct err *e);

#endif
