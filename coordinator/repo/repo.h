#ifndef NEPHRON_REPO_H
#define NEPHRON_REPO_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>

struct config;
struct err;
struct gitignore;
struct ignore;

/*
 * A DVC repository: the folder that holds `.dvc`, where the command was typed, and the settings
 * that hold in it. Paths inside the program are relative to `root`, normal (path.h), "." for the
 * root itself; only what a person typed or will read is relative to the current folder. Paths
 * outside the repository stay absolute.
 */

/* The path's name and whether it is a folder. */
typedef void repo_entry_fn(void *ctx, const char *name, bool is_dir);

/*
 * Where the text files of a repository (dvc.yaml, dvc.lock, .dvc, .dvcignore, params) are read from
 * when not from the work tree: a git revision (gitfiles.h). Paths are repo paths.
 */
struct repo_files {
    /* Appends the file. ERR_MISSING when it is not there. */
    int (*read)(void *ctx, const char *path, struct strbuf *out, struct err *e);
    bool (*is_dir)(void *ctx, const char *path);
    /* Every entry of a folder, in any order; of one that is not there: none. */
    int (*list)(void *ctx, const char *dir, repo_entry_fn *fn, void *fn_ctx, struct err *e);
    void *ctx;
};

struct repo {
    struct arena arena;   /* owns every string below */
    const char *root;     /* absolute, links resolved as DVC does (realpath) */
    const char *dvc_dir;  /* absolute: root/.dvc */
    const char *tmp_dir;  /* absolute: root/.dvc/tmp */
    const char *prefix;   /* current folder relative to root: "." or "sub/deep" */
    const char *scm_root; /* absolute root of the git work tree that holds us, or NULL */
    bool no_scm;          /* core.no_scm, or no git */
    struct config *config;
    const struct repo_files *files; /* NULL: the work tree */
    struct ignore *ignore;          /* .dvcignore rules, read as folders are met */
    struct gitignore
        *gitignore; /* private to gitignore.c: .gitignore files met so far; NULL until needed */
};

/* Looks from `start` (NULL: the current folder) upwards for .dvc. ERR_MISSING with DVC's text when
 * there is none (callers exit 253); ERR_CONFIG for a bad config (251). */
int repo_open(struct repo *r, const char *start, struct err *e);
void repo_close(struct repo *r);

/* A typed path (relative to the current folder) as a repo path: root-relative when inside, else
 * absolute. Returned strings are in `a`. */
const char *repo_path(const struct repo *r, struct arena *a, const char *typed);
/* The repository as it was in a revision: `r` with other files. Borrows both (until
 * repo_view_close); what was typed and is shown stays relative to the current folder. */
void repo_view_open(struct repo *view, const struct repo *r, const struct repo_files *files);
void repo_view_close(struct repo *view);
/* Appends one of the text files. ERR_MISSING, ERR_LIMIT. */
int repo_read(const struct repo *r, const char *path, size_t max_bytes, struct strbuf *out,
              struct err *e);
/* The file system path of a repo path. */
const char *repo_abs(const struct repo *r, struct arena *a, const char *path);
/* How a repo path is shown to the person: relative to the current folder. */
const char *repo_show(const struct repo *r, struct arena *a, const char *path);
/* Absolute folder of the object cache (cache.dir, default root/.dvc/cache). */
const char *repo_cache_dir(const struct repo *r, struct arena *a);

#endif
