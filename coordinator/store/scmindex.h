#ifndef NEPHRON_SCMINDEX_H
#define NEPHRON_SCMINDEX_H

#include <stdbool.h>

struct store;

/*
 * Which paths git tracks, asked once: one `git ls-files` a process, and only when an output is
 * about to be added to a .gitignore for the first time. A thousand new outputs cost one process,
 * not a thousand.
 */

/* The path, or something below it, is in git's index. false without git. */
bool scmindex_tracked(struct store *s, const char *path);

struct scmindex;
void scmindex_free(struct scmindex *x); /* called by store_close */

#endif
