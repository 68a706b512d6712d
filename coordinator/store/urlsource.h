#ifndef NEPHRON_URLSOURCE_H
#define NEPHRON_URLSOURCE_H

#include "arena.h"

#include <stdbool.h>

struct config;
struct err;

/*
 * What a URL on a command line names: a path of this machine (also file:// and remote:// of a
 * folder remote), or something that nephron-xfer can download (http, https). Other schemes are
 * refused by name.
 */

enum urlsource_kind { URLSOURCE_LOCAL, URLSOURCE_HTTP };

struct urlsource {
    enum urlsource_kind kind;
    const char *url;  /* as given */
    const char *path; /* LOCAL: absolute */
    const char *name; /* the last part of the path: the default name of a copy */
};

/* `c`: for remote://; may be NULL. ERR_CONFIG "config file error: Unsupported URL type foo://",
 * ERR_REMOTE for known kinds that are out of reach. Whether it exists is not looked at. */
int urlsource_parse(struct arena *a, const struct config *c, const char *url, struct urlsource *src,
                    struct err *e);

/* The name that a copy gets: `out`, in it when it is a folder, else the source's own name in the
 * current folder. ERR_USAGE with DVC's text when it exists and not `force`. Relative as typed. */
const char *urlsource_target(struct arena *a, const struct urlsource *src, const char *out,
                             bool force, struct err *e);

/*
 * Copies it to `to` (absolute), whatever was there is replaced: by rename, so that a kill leaves
 * the old or the new. *etag (may be NULL): of an http source, NULL when the server has none.
 * ERR_MISSING "The path 'x' does not exist".
 */
int urlsource_copy(struct arena *a, const struct urlsource *src, const char *to, const char **etag,
                   struct err *e);

#endif
