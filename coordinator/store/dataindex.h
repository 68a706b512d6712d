#ifndef NEPHRON_DATAINDEX_H
#define NEPHRON_DATAINDEX_H

#include "arena.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/*
 * The data of a repository at one moment as a flat list: cached outs and the files inside of them.
 * Recorded, by dvc.lock and .dvc files of the workspace or of a revision, or found in the
 * workspace. Two of them make a diff (datadiff.h).
 *
 * Order: by path, a folder before what it holds ("d", "d/1", "d-2").
 */

struct dataindex_entry {
    const char *path; /* repo path */
    const char *md5;  /* with ".dir" for folders; NULL: nothing is recorded */
    int64_t size;     /* bytes; -1: unknown */
    bool is_out;      /* else a file inside of one */
    bool is_dir;      /* outs only: folders inside of folders have no entry */
    bool legacy, isexec;
    bool unread; /* a folder whose list the cache lacks: what it holds is not known */
};

struct dataindex {
    struct dataindex_entry *items; /* arena memory */
    size_t count;
    /* Above: public. Below: private to dataindex.c. */
    size_t capacity;
    struct arena *arena;
};

/* A part of the data: `path` is an out, or something inside of one. */
struct dataindex_root {
    const char *path;
    bool is_out, legacy;
};
struct dataindex_roots {
    struct dataindex_root *items; /* each once, none inside of another; sorted */
    size_t count, capacity;
};

/* Adds the cached outs of a stage that `filter` names (repo path in or around them; NULL: all). */
int dataindex_add_roots(struct store *s, struct arena *a, const struct stage *st,
                        const char *filter, struct dataindex_roots *roots, struct err *e);
/* Sorts, drops what is there twice or lies inside of another. */
void dataindex_finish_roots(struct dataindex_roots *roots);

/* What is recorded for all stages of `p`, in the view that the store works on. Everything in `a`.
 */
int dataindex_recorded(struct store *s, struct arena *a, const struct pipeline *p,
                       struct dataindex *x, struct err *e);
/* What is there now at the roots. */
int dataindex_workspace(struct store *s, struct arena *a, const struct dataindex_roots *roots,
                        struct dataindex *x, struct err *e);

/* NULL when absent. */
const struct dataindex_entry *dataindex_find(const struct dataindex *x, const char *path);
/* The order of the list: <0, 0, >0. */
int dataindex_compare(const char *a, const char *b);
/* The object is in the cache; a look by name alone. */
bool dataindex_cached(struct store *s, const struct dataindex_entry *en);

#endif
