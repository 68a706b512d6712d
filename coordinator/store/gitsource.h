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
 * Other repositories, with DVC or without: `list`, `get`, `import`, `artifacts get`, `du`. A folder of
 * this machine is read where it is: the work tree as it stands, or a revision; anything that git
 * can clone is cloned to a temp folder for the call. Nothing is ever written into the other
 * repository.
 *
 * One repository of git may hold several of DVC. The path decides which is meant, the deepest that holds it:
 *     registry/.git   registry/scans/.dvc   path scans/raw/1.png  ->  below "scans", path "raw/1.png"
 */

/* What is laid over the settings of the other repository. Zero: nothing. */
struct gitsource_settings {
    const char *file;             /* --config FILE, in DVC's format */
    const struct value *sections; /* the same as a map */
    const char *remote;           /* --remote NAME: its default remote */
    const struct value
        *remote_options; /* --remote-config: options of that remote, a map of texts */
};
/* Adds the words "NAME=VALUE" of --remote-config; ERR_USAGE. */
int gitsource_set_options(struct arena *a, struct gitsource_settings *to, const char *const *words,
                          size_t count, struct err *e);

struct gitsource_place {
    const char *url;
    const char *rev; /* NULL: the work tree of a folder, HEAD of a clone */
    bool committed;  /* without a revision: HEAD of a folder too */
    bool
        from_git; /* paths start at the root of git's repository, as DVC takes them where a person names a
                         revision; else at the folder `url`, or the DVC repository that it is in */
    const char *path; /* as typed; NULL: none */
    struct gitsource_settings settings;
};

struct gitsource {
    struct arena *arena;
    const char *url;
    const char *rev; /* NULL: the work tree */
    char commit[65]; /* of rev; "" for a work tree */
    struct repo repo;
    const char *below; /* where `repo` is below the root that was opened; "." */
    const char *path;  /* the place's path from the root of `repo`; NULL: none */
    const char *clone; /* temp folder that gitsource_close removes, or NULL */
    bool has_dvc;
};

/* ERR_REMOTE "SCM error: Failed to clone repo …", ERR_MISSING "unknown Git revision 'x'" or of the file of settings,
 * ERR_CONFIG. Strings in `a`. */
int gitsource_open(struct arena *a, const struct gitsource_place *place, struct gitsource *g,
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
    const char *path;    /* of gitsource.path; NULL: the root */
    const char *heading; /* of a tree; NULL: the path */
    bool recursive, tree, dvc_only, size, hash;
    long level; /* 0: no limit */
};
/* The answer of `list --json`; ERR_MISSING when the path is not there. */
int gitsource_json(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct value **answer, struct err *e);
int gitsource_text(struct gitsource *g, const struct gitsource_list *list,
                   const struct gitsource_show *show, struct strbuf *out, struct err *e);

/* `du`: a line for the size of each entry of the folder g->path, and of the whole; `total`: the whole alone.
 * `typed`: the path as it is shown; NULL: none. ERR_MISSING. */
int gitsource_du(struct gitsource *g, const struct gitsource_list *list, const char *typed,
                 bool total, struct strbuf *out, struct err *e);

/* Lists of folders that only the remote has, for g->path when it is such a folder or in one, with `below` for all
 * such folders below it. */
int gitsource_expand(struct gitsource *g, struct gitsource_list *list, bool below, struct err *e);
/* The file or folder g->path to `to` (absolute), which is replaced by rename. ERR_MISSING. */
int gitsource_copy(struct gitsource *g, struct gitsource_list *list, const char *to, struct err *e);
/* Where the object of the out g->path is in the remote (`get --show-url`). */
int gitsource_url(struct gitsource *g, const struct gitsource_list *list, const char **url,
                  struct err *e);
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
    struct gitsource_settings settings; /* are written into the .dvc file */
};
int gitsource_import_run(struct store *s, struct arena *a, const struct pipeline *p,
                         const struct gitsource_import *opt, const char **file, struct err *e);
/* The .dvc file was made by `import` (its dependency has a `repo`). */
bool gitsource_is_import(const struct stage *st);
int gitsource_update(struct store *s, struct arena *a, const struct stage *st, const char *rev,
                     bool no_download, struct err *e);

/* What the .dvc file of an import says; lives in `a`, whatever becomes of the stage. */
struct gitsource_record {
    struct gitsource_place place; /* rev: the branch or tag that is followed, or NULL */
    const char *shown;            /* "data (../registry)" */
    const char *rev_lock;         /* NULL: never brought */
    struct hash hash;             /* of the data here */
};
void gitsource_record(struct arena *a, const struct stage *st, struct gitsource_record *r);
/* Has what is followed moved since? Of a URL the refs alone are asked for, where they say it. */
int gitsource_outdated(struct arena *a, const struct gitsource_record *r, bool *outdated,
                       struct err *e);
/* The recorded data into the cache, where it is not yet; *files: how many came. ERR_REMOTE when the source has other
 * data in that revision. */
int gitsource_fetch(struct store *s, struct arena *a, const struct gitsource_record *r,
                    size_t *files, struct err *e);

#endif
