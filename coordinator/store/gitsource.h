#ifndef NEPHRON_GITSOURCE_H
#define NEPHRON_GITSOURCE_H

#include "arena.h"
#include "pipeline.h"
#include "repo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct store;
struct strbuf;
struct value;

/*
 * Other repositories, with DVC or without: `list`, `get`, `import`, `artifacts get`. A folder of
 * this machine is read where it is: the work tree as it stands, or a revision; anything that git
 * can clone is cloned to a temp folder for the call. Nothing is ever written into the other
 * repository.
 */

struct gitsource {
    struct arena *arena;
    const char *url;
    const char *rev; /* NULL: the work tree */
    char commit[65]; /* of rev; "" for a work tree */
    struct repo repo;
    const char *clone;  /* temp folder that gitsource_close removes, or NULL */
    const char *remote; /* --remote: instead of its own default; set by the caller */
    bool has_dvc;
};

/* rev NULL: the work tree of a folder, HEAD of a clone. ERR_REMOTE "SCM error: Failed to clone repo
 * …", ERR_MISSING "unknown Git revision 'x'". Strings in `a`. */
int gitsource_open(struct arena *a, const char *url, const char *rev, struct gitsource *g,
                   struct err *e);
void gitsource_close(struct gitsource *g);

struct gitsource_entry {
    const char *path; /* from its root */
    bool is_out, is_dir, isexec, legacy;
    int64_t size;       /* -1: unknown */
    bool unread;        /* a folder whose list could not be read: its files are not here */
    const char *md5;    /* NULL: git's */
    const char *remote; /* the out's own remote, or NULL */
};
struct gitsource_list {
    struct gitsource_entry
        *items; /* all files and out folders, by path (dataindex_compare); arena memory */
    size_t count, capacity;
};
/* Copies the entry's path. */
struct gitsource_entry *gitsource_list_add(struct arena *a, struct gitsource_list *list,
                                           const struct gitsource_entry *entry);
int gitsource_files(struct gitsource *g, struct gitsource_list *list, struct err *e);

struct gitsource_show {
    const char *path;    /* NULL: the root */
    const char *heading; /* of a tree; NULL: the path */
    bool recursive, tree, dvc_only, size, hash;
    long level; /* 0: no limit */
};
/* The answer of `list --json`; ERR_MISSING when the path is not there. */
int gitsource_json(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct value **answer, struct err *e);
int gitsource_text(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct strbuf *out, struct err *e);

/* `du`: a line for the size of each entry of a folder, and of the whole; `total`: the whole alone. ERR_MISSING. */
int gitsource_du(struct gitsource *g, const struct gitsource_list *list, const char *path,
                 bool total, struct strbuf *out, struct err *e);

/* A file or folder to `to` (absolute), which is replaced by rename. *md5 (may be NULL): of an out.
 * ERR_MISSING. */
int gitsource_copy(struct gitsource *g, const struct gitsource_list *list, const char *path,
                   const char *to, struct err *e);
/* Where an out's object is in the remote (`get --show-url`). */
int gitsource_url(struct gitsource *g, const struct gitsource_list *list, const char *path,
                  const char **url, struct err *e);
/* The path of an artifact (dvc.yaml: artifacts), and the revision of its newest version tag
 * NAME@v1.2.3, of `version`, or of a stage's last tag NAME#STAGE#N. */
int gitsource_artifact_rev(struct gitsource *g, const char *name, const char *version,
                           const char *stage, const char **rev, struct err *e);
int gitsource_artifact_path(struct gitsource *g, const char *name, const char **path,
                            struct err *e);

/* ---- imports ---- */

struct gitsource_import {
    const char *url, *path, *rev, *out; /* as typed; rev, out may be NULL */
    bool no_exec, no_download, force;
    const char *remote;
};
int gitsource_import_run(struct store *s, struct arena *a, const struct pipeline *p,
                         const struct gitsource_import *opt, const char **file, struct err *e);
/* The .dvc file was made by `import` (its dependency has a `repo`). */
bool gitsource_is_import(struct store *s, struct arena *a, const struct stage *st);
int gitsource_update(struct store *s, struct arena *a, const struct stage *st, const char *rev,
                     bool no_download, struct err *e);

#endif
