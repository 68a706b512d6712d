#ifndef NEPHRON_TOREMOTE_H
#define NEPHRON_TOREMOTE_H

#include "arena.h"
#include "pipeline.h"

struct err;
struct store;

/* A file or folder of this machine (absolute path) straight into a remote (NULL: core.remote), past
 * workspace and cache. *hash: what a .dvc file records. Files go before the list that names them.
 */
int toremote_put(struct store *s, struct arena *a, const char *path, const char *remote,
                 struct hash *hash, struct err *e);

#endif
