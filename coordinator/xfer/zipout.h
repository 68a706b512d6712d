#ifndef NEPHRON_ZIPOUT_H
#define NEPHRON_ZIPOUT_H

#include <stddef.h>

struct err;

/*
 * A zip file written entry by entry, the same bytes for the same input: entries are stored (they
 * are JPEGs already), times are those of the zip epoch, owner 0. It appears under its name at
 * commit.
 */

struct zipout;

struct zipout *zipout_open(const char *path,
                           struct err *e); /* returns new: commit or abort frees it */
int zipout_add(struct zipout *z, const char *name, const void *data, size_t n, struct err *e);
int zipout_commit(struct zipout *z, struct err *e); /* frees, also on failure */
void zipout_abort(struct zipout *z);                /* NULL is fine */

#endif
