#ifndef NEPHRON_URLSOURCE_H
#define NEPHRON_URLSOURCE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct err;
struct remote;
struct remote_helper_file;
struct value;

/*
 * What a URL on a command line names: a path of this machine (also file:// and remote:// of a
 * folder remote), something that nephron-xfer can download (http, https), or a file or folder in an
 * object store or on a server (s3, gs, azure, ssh; also http by remote://, whose settings then count). Other schemes
 * are refused by name.
 */

enum urlsource_kind { URLSOURCE_LOCAL, URLSOURCE_HTTP, URLSOURCE_STORE };

struct urlsource {
    enum urlsource_kind kind;
    const char *url;             /* as given */
    const char *path;            /* LOCAL: absolute */
    const char *name;            /* the last part of the path: the default name of a copy */
    const char *far;             /* not LOCAL: the URL behind remote:// */
    const struct value *options; /* STORE: settings of the remote; NULL: none */
    long jobs;                   /* STORE: transfers at a time; 0: the remote's own */
};

/* What a source that is not of this machine says of itself. Text in the arena. */
struct urlsource_facts {
    const char *etag; /* of a file; NULL: unknown */
    const char *md5;  /* of a folder: over the ETags of its files, with ".dir"; of ssh://: of the
                             content, as in the cache; else NULL */
    int64_t size, nfiles; /* -1: unknown, or no folder */
};
/* The name of the ETag's field: http has `checksum`. */
bool urlsource_has_checksums(const struct urlsource *src);

/* `c`: for remote://; may be NULL, and may go before *src does, which refers to `url` and the arena
 * alone. ERR_CONFIG "config file error: Unsupported URL type foo://",
 * ERR_REMOTE for known kinds that are out of reach. Whether it exists is not looked at. */
int urlsource_parse(struct arena *a, const struct config *c, const char *url, struct urlsource *src,
                    struct err *e);
/* Further settings of a STORE: words "name=value" (--fs-config). ERR_USAGE for another kind. */
int urlsource_set(struct arena *a, struct urlsource *src, const char *const *words, size_t count,
                  struct err *e);

/* The name that a copy gets: `out`, in it when it is a folder, else the source's own name in the
 * current folder. ERR_USAGE with DVC's text when it exists and not `force`. Relative as typed. */
const char *urlsource_target(struct arena *a, const struct urlsource *src, const char *out,
                             bool force, struct err *e);

/*
 * Copies it to `to` (absolute), whatever was there is replaced: by rename, so that a kill leaves
 * the old or the new. *facts (may be NULL): of what is not LOCAL. ERR_MISSING "The path 'x' does not
 * exist".
 */
int urlsource_copy(struct arena *a, const struct urlsource *src, const char *to,
                   struct urlsource_facts *facts, struct err *e);

/* Of a STORE only: what is there, without bringing it. Names that would leave the folder are an
 * error. */
struct urlsource_files {
    struct remote_helper_file *items; /* by name; one with the path "": the URL is a file */
    size_t count, capacity;           /* heap: urlsource_files_release */
};
int urlsource_files(struct arena *a, const struct urlsource *src, struct urlsource_files *files,
                    struct err *e);
void urlsource_files_release(struct urlsource_files *files);
int urlsource_look(struct arena *a, const struct urlsource *src, struct urlsource_facts *facts,
                   struct err *e);
/* The same in two steps, for many sources on one host: the URL to open, with *at, where the source
 * is below it; then the look. Needs `far`. Thread-safe, with an arena of its own. */
const char *urlsource_base(struct arena *a, const struct urlsource *src, const char **at);
int urlsource_look_at(struct arena *a, const struct urlsource *src, struct remote *r,
                      const char *at, struct urlsource_facts *facts, struct err *e);
/* Private to urlsource.c: the files to `to`, which must not exist. */
int urlsource_fetch(struct arena *a, const struct urlsource *src, const char *to,
                    struct urlsource_facts *facts, struct err *e);

#endif
