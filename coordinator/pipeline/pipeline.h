#ifndef NEPHRON_PIPELINE_H
#define NEPHRON_PIPELINE_H

#include "arena.h"
#include "str.h"
#include "value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct repo;

/*
 * dvc.yaml and .dvc files as structs: what a pipeline is, resolved (templating, foreach, matrix,
 * vars, wdir), in DVC's order, before anything is said about what is stale. Everything lives in the
 * pipeline's arena. Paths: see repo.h ("repo path": root-relative and normal inside the repository,
 * absolute outside).
 */

/* What is known about the content of a file or folder; the fields of dvc.lock and .dvc entries. */
struct hash {
    const char *md5; /* 32 hex digits, folders with ".dir" appended; NULL: unknown */
    int64_t size;    /* bytes; -1: unknown */
    int64_t nfiles;  /* folders only; -1: none */
    bool isexec;     /* single files with u+x */
    bool legacy;     /* no `hash: md5` in the file: DVC 2 cache layout and dos2unix hash */
    /* Instead of the md5, of a single thing that a URL names: what its server calls this content.
     * NULL: none. */
    const char *etag;
    bool is_checksum; /* the field is called `checksum` (http), not `etag` */
};

struct value;

struct dep {
    const char *def;  /* as written, after templating: relative to wdir, or absolute, or a URL */
    const char *path; /* repo path; the URL itself for a URL */
    bool is_url;
    struct hash hash;              /* .dvc files only (import-url): else unknown */
    const struct value *fs_config; /* likewise: settings for the source; NULL: none */
    const struct value *repo; /* .dvc files of `import`: the repository it is from; NULL: none */
    unsigned line;
};

/* One params file a stage looks at. */
struct param_dep {
    const char *def;   /* "params.yaml" as written, relative to wdir */
    const char *path;  /* repo path */
    const char **keys; /* dotted keys in the order written; count 0: the whole file */
    size_t key_count;
};

#define OUT_KINDS(X) X(PLAIN, "outs") X(METRIC, "metrics") X(PLOT, "plots")
enum out_kind {
#define X(name, text) OUT_##name,
    OUT_KINDS(X)
#undef X
};

struct out {
    const char *def, *path;
    bool is_url; /* then both are the URL, and `cache: false` is all that can be */
    enum out_kind kind;
    bool cache, persist, push; /* defaults: true, false, true */
    const char *remote;        /* NULL: the default */
    const char *desc, *type;
    const struct value
        *flags; /* the map as written, for plots' x, y, template, … ; NULL when a bare path */
    struct hash hash; /* .dvc files only: else unknown */
    unsigned line;
};

/* meta.nephron (design: stages and ranks). Zero means "not given". */
struct stage_meta {
    enum { RANKS_NONE, RANKS_COUNT, RANKS_PERCENT, RANKS_ALL } ranks_kind;
    int ranks;    /* count or percent */
    int slots;    /* how many slots a non-gang stage occupies; 0: 1 */
    int limit;    /* at most so many members of the group at once; 0: no limit */
    int priority; /* higher first; default 0 */
    int retries;
    double timeout_s;      /* 0: none */
    const char **env_keys; /* a value list is dealt out over the running members of the group */
    const struct value **env_values;
    size_t env_count;
};

struct stage {
    const char *name;  /* "train", "train@x"; NULL for a .dvc file */
    const char *group; /* "train" of "train@x"; NULL when not generated */
    const char *file;  /* repo path of its dvc.yaml or .dvc file */
    const char *addr;  /* what people type and read, from the current folder: "train",
                          "sub/dvc.yaml:train", "x.dvc" */
    const char *wdir;  /* repo path */
    const char **cmds; /* the lines or list items; count 0 for .dvc files */
    size_t cmd_count;
    bool cmd_is_list; /* dvc.yaml has a list: so has dvc.lock */
    const char *
        cmd_text; /* the whole string as written (several lines stay one string); NULL for a list */
    struct dep *deps;
    size_t dep_count;
    struct param_dep *params;
    size_t param_count;
    struct out *outs; /* outs, metrics, plots in this order */
    size_t out_count;
    bool frozen, always_changed;
    bool is_import; /* .dvc file with deps (import-url, import) */
    const char *desc;
    const struct value *meta; /* NULL: none */
    struct stage_meta nephron;
    unsigned line; /* in `file` */
    /* Above: public. Below: filled by graph.c. */
    size_t index; /* position in pipeline.stages */
};

/* Top-level sections of one dvc.yaml. */
struct pipeline_file {
    const char *path;               /* repo path */
    const struct value *doc;        /* the parsed file */
    const char **metrics, **params; /* repo paths */
    size_t metric_count, param_count;
    const struct value *plots; /* list or map as written; NULL: none */
    const struct value *artifacts;
};

struct pipeline {
    struct arena arena;
    struct stage
        *stages; /* files in DVC's order, stages in file order, .dvc files in their place */
    size_t stage_count;
    struct pipeline_file *files;
    size_t file_count;
    const char **warnings; /* what DVC logs as WARNING while it loads */
    size_t warning_count;
    const struct err
        *broken; /* pipeline_load_most: what is wrong with the first file left out; else NULL */
    /* Above: public. Below: private to pipeline.c. */
    size_t stage_capacity, file_capacity, warning_capacity;
    struct value *by_name;   /* "file:name" -> index */
    struct value *documents; /* repo path -> params or vars file that was read */
};

/* Empty; needed before pipeline_parse, pipeline_load does it by itself. */
void pipeline_init(struct pipeline *p);

/*
 * Folders are visited top down, files of a folder first (dvc.yaml, then .dvc files by name);
 * ignored folders and folders that are outputs are not entered.
 *
 * Reads every dvc.yaml and .dvc file of the repository, in a view (repo.h) those of its revision.
 * Errors carry DVC's text (ERR_FORMAT; see
 * specs: validation, templating, duplicate outputs are found by graph.h). Unknown keys below
 * meta.nephron are refused by name.
 */
int pipeline_load(struct pipeline *p, const struct repo *r, struct err *e);
/* The same, but files that cannot be read are left out, each with a warning. */
int pipeline_load_most(struct pipeline *p, const struct repo *r, struct err *e);
void pipeline_release(struct pipeline *p);

/* One file from a buffer, without I/O for it (templating still reads params and vars files below
 * `r`): for tests, fuzzing and revisions read from git. Appends to *p. */
int pipeline_parse(struct pipeline *p, const struct repo *r, const char *path, struct str text,
                   struct err *e);

/* By file and name; NULL when absent. */
struct stage *pipeline_find(const struct pipeline *p, const char *file, const char *name);

#endif
