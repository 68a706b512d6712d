#ifndef NEPHRON_REMOTE_HELPER_H
#define NEPHRON_REMOTE_HELPER_H

#include "arena.h"
#include "remote.h"
#include "value.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Remotes behind a network: a `struct remote` whose work is done by the sibling program
 * `nephron-xfer remote`, so that this one loads no TLS. The two speak frames (base/frame.h) over one
 * socket, which is the program's stdin and stdout. Many requests are under way at a time, their
 * replies come in any order; the ids join them. The program ends when the socket does.
 *
 *   request          fields                        reply 'R'
 *   'O' open         url, jobs, option=value …     letters of what it can: "LD" (list, delete)
 *   'H' has          path                          "1" size etag, or "0"
 *   'P' put          path, local file              nothing
 *   'G' get          path, local file              nothing
 *   'L' list         prefix, token ("" at first)   next token ("": the end), then path size etag …
 *   'D' delete       path …                        nothing
 *   'M' md5          path                          32 hex digits
 *   'J' jobs         so many at a time             nothing
 *
 * or the reply 'E': err_code as a number, text. Unasked: 'B', bytes that went over the wire since
 * the last one. Paths are relative to the URL; the path "" is the URL itself.
 */

/* Is there a kind for "s3", "http", …? */
bool remote_helper_knows(struct str scheme);
/* Starts the program. `options` (a map of texts, may be NULL) are those of the remote in the
 * settings. Strings in `a`. ERR_REMOTE, ERR_CONFIG as the kind words it. */
int remote_helper_open(struct remote *r, struct arena *a, const char *url,
                       const struct value *options, struct err *e);

struct remote_helper_file {
    const char *path;
    uint64_t size;
    const char *etag; /* without quotes; "" when there is none */
};
/* 1 there (*f filled, text in `a`), 0 absent, -1 error. `r` is one of remote_helper_open. */
int remote_helper_stat(struct remote *r, struct arena *a, const char *path,
                       struct remote_helper_file *f, struct err *e);
/* The MD5 of a file that the far end has, by reading it there. ERR_REMOTE where it has better
 * (ETags). */
int remote_helper_md5(struct remote *r, const char *path, char md5[33], struct err *e);
/* Every file below a prefix; return non-zero from fn to stop. */
typedef int remote_helper_each_fn(void *ctx, const struct remote_helper_file *f);
int remote_helper_each(struct remote *r, const char *prefix, remote_helper_each_fn *fn, void *ctx,
                       struct err *e);

#endif
