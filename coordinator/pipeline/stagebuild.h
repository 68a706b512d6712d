#ifndef NEPHRON_STAGEBUILD_H
#define NEPHRON_STAGEBUILD_H

#include "pipeline.h"

/*
 * From a resolved map (one stage of dvc.yaml, or a whole .dvc file) to `struct stage`: paths made
 * repo paths, params grouped by file, output flags read, meta.nephron checked. Refuses what DVC
 * refuses while it loads.
 */

struct stagebuild {
    struct arena *arena;
    const struct repo *repo;
    const char *file;  /* repo path of the dvc.yaml or .dvc file */
    const char *shown; /* the same relative to the current folder */
};

/* `name`, `group` as in struct stage. `line` is the definition's. */
int stagebuild_stage(const struct stagebuild *b, const char *name, const char *group,
                     const struct value *body, unsigned line, struct stage *s, struct err *e);
int stagebuild_dvc_file(const struct stagebuild *b, const struct value *doc, struct stage *s,
                        struct err *e);

/* `path` as written below folder `wdir` (a repo path) as a repo path. */
const char *stagebuild_path(const struct repo *r, struct arena *a, const char *wdir,
                            const char *path);
bool stagebuild_is_url(const char *path);

#endif
