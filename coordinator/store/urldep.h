#ifndef NEPHRON_URLDEP_H
#define NEPHRON_URLDEP_H

#include "arena.h"
#include "content.h"

#include <stddef.h>

struct dep;
struct err;
struct store;
struct urlpool;
struct value;

/*
 * What the URLs of dependencies and outputs hold now, as DVC records it in dvc.lock:
 *
 *   http, https       checksum (ETag as the server writes it, or what stands for it), size
 *   s3, gs, azure     a file: etag, size; a folder: md5 ("….dir", over the ETags), size, nfiles
 *   ssh               md5 of the content, size; a folder: as in the cache
 *   remote://NAME/…   as what the remote's URL is; a folder of this machine: as a path
 *
 * Nothing is kept from one look to the next but the connections: sources of one host share a helper
 * program (remote_helper.h), sixteen are asked at a time.
 */

/* Of a dependency, or of an output (`cache: false`). */
struct urldep {
    const char *url;
    const struct value *fs_config; /* settings of its own; NULL: none */
    struct content now;            /* kind, hash, is_empty; `path` is the URL */
};

/* A dependency on a URL that can be looked at. Not the sources of imports from repositories and
 * databases, which `update` looks at, and not datasets ("ds://"), which are not known here. */
bool urldep_is_one(const struct dep *d);
/* Strings in `a`. A web server that cannot be reached, or refuses, has nothing there (as with DVC),
 * but a warning says why; any other trouble is an error. */
int urldep_read(struct store *s, struct arena *a, struct urldep *items, size_t count,
                struct err *e);
/* For store.c. NULL is fine. */
void urldep_pool_free(struct urlpool *p);

#endif
