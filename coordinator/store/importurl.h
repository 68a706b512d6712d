#ifndef NEPHRON_IMPORTURL_H
#define NEPHRON_IMPORTURL_H

#include "arena.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/* `import-url` and `update`: data from elsewhere that remembers where it came from. */

struct importurl_options {
    const char *url, *out;        /* as typed; out NULL: the name of the source */
    bool no_exec;                 /* only the .dvc file */
    bool no_download;             /* the .dvc file with the source's hash */
    bool to_remote;               /* straight to a remote, not to the workspace or the cache */
    const char *remote;           /* for to_remote; NULL: core.remote */
    bool force;                   /* replaces what is there */
    const char *const *fs_config; /* "name=value": settings for a source in an object store */
    size_t fs_config_count;
};

/* `p`: the repository as it stands, to find outputs in the way. *file (repo path) is the .dvc file.
 * Notes "Importing 'URL' -> 'OUT'". Errors with DVC's texts. */
int importurl_run(struct store *s, struct arena *a, const struct pipeline *p,
                  const struct importurl_options *opt, const char **file, struct err *e);

struct importurl_update {
    bool no_download, to_remote;
    const char *remote, *rev; /* rev: of `import`ed data */
};
/* One stage; not an import: the warning that DVC gives. Notes what is done. */
int importurl_update(struct store *s, struct arena *a, const struct stage *st,
                     const struct importurl_update *opt, struct err *e);

/* The .dvc file of `path` may be made: nothing tracks it, or something around it, but that file
 * itself. */
int importurl_check_out(struct store *s, struct arena *a, const struct pipeline *p,
                        const char *path, struct err *e);

#endif
