#ifndef NEPHRON_SFTPLIST_H
#define NEPHRON_SFTPLIST_H

#include "arena.h"
#include "sshlink.h"

#include <stdint.h>

/*
 * All files below a folder in byte order of their paths, in pages. A page's token is the path to go
 * on with, so nothing is remembered between pages. Names that are none below the folder, or that
 * terminals would obey, are refused; links to folders are not entered.
 */

typedef void sftplist_fn(void *ctx, const char *path, uint64_t size); /* path relative to base */

struct sftplist {
    const char *base, *prefix; /* lists base/prefix; "" both possible */
    const char *token;         /* "": from the beginning */
    sftplist_fn *fn;
    void *ctx;
};
/* *next in the arena; "": that was all. A folder that is not there is empty. */
int sftplist_page(struct sshlink *l, struct arena *a, const struct sftplist *list,
                  const char **next, struct err *e);

/* "dir/name" of a far path; "" as either leaves the other. */
const char *sftplist_join(struct arena *a, const char *dir, const char *name);

#endif
