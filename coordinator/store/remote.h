#ifndef NEPHRON_REMOTE_H
#define NEPHRON_REMOTE_H

#include "arena.h"
#include "cas.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct err;
struct store;
struct value;
struct checkout_target;

/*
 * Moving objects between the cache and a remote of the same layout (files/md5/<2>/<30>, runs/…).
 * Objects go before the .dir that names them, so that a present .dir implies its members; each
 * arrives under a temp name and is verified before it gets its own.
 */

/* A kind of remote. All functions may be called from several threads. `path` is relative:
 * "files/md5/ab/cdef…". */
struct remote_ops {
    const char *scheme;
    /* 1 there, 0 absent, -1 error. */
    int (*has)(void *ctx, const char *path, struct err *e);
    /* Stores a local file; whole or not at all. */
    int (*put)(void *ctx, const char *path, const char *local, struct err *e);
    /* Fetches into a local file (created or overwritten). ERR_MISSING when absent. */
    int (*get)(void *ctx, const char *path, const char *local, struct err *e);
    /* Calls fn for every file below `prefix`. NULL when the kind cannot list (http). */
    int (*list)(void *ctx, const char *prefix, int (*fn)(void *fn_ctx, const char *path),
                void *fn_ctx, struct err *e);
    /* Deletes a file; absent is fine. NULL when the kind cannot. */
    int (*remove)(void *ctx, const char *path, struct err *e);
    /* Many look-ups at once, sizes included, and many deletions. NULL: one by one will do. */
    int (*has_many)(void *ctx, const char *const *paths, size_t count, bool *there, uint64_t *sizes,
                    struct err *e);
    int (*remove_many)(void *ctx, const char *const *paths, size_t count, struct err *e);
    /* So many bytes are about to move (a progress bar begins), or 0: that was all. NULL: nobody
     * wants to know. */
    void (*expect)(void *ctx, const char *label, uint64_t bytes);
    /* So many requests at a time. NULL: the callers' threads are the limit. */
    int (*set_jobs)(void *ctx, int jobs, struct err *e);
    /* The folder that the remote is, when it is one of this host: objects are then copied by the thousand. May be
     * NULL. */
    const char *(*folder)(void *ctx);
    void (*close)(void *ctx);
};

#define REMOTE_MAX_JOBS 256

struct remote {
    const char *name, *url;
    const struct remote_ops *ops;
    void *ctx;
    int jobs;   /* 0: the store's threads */
    bool quiet; /* no progress bar */
};

/*
 * By name, or core.remote when NULL. ERR_CONFIG with DVC's texts: "config file error: no remote
 * specified in …", "remote 'nosuch' doesn't exist". A kind that is not built in: ERR_REMOTE naming
 * it. Strings in `a`.
 */
int remote_open(struct remote *r, struct store *s, struct arena *a, const char *name,
                struct err *e);
/* There is no core.remote: ERR_CONFIG with DVC's text and what to do. Always -1. */
int remote_none(const struct repo *r, struct err *e);
void remote_close(struct remote *r);
/* -j: instead of what the settings say; 1 to REMOTE_MAX_JOBS. */
int remote_set_jobs(struct remote *r, long jobs, struct err *e);
/* The URL behind "remote://NAME/PATH", and the settings that go with it: those of `name` (may be
 * NULL), then of the remotes it refers to. *url is replaced. */
int remote_resolve(struct arena *a, const struct config *c, const char *name, const char **url,
                   const struct value **options, struct err *e);
/* A remote that is a folder, without configuration. */
void remote_open_dir(struct remote *r, struct arena *a, const char *dir);

/* "files/md5/ab/cdef…" of an object, as remote_ops want it. */
void remote_object_path(char out[64], struct cas_id id);

/* DVC's warning, before a line for each of them. */
#define REMOTE_MISSING_FILES                                                                       \
    "Some of the cache files do not exist neither locally nor on remote. Missing cache files:"

/* The objects that stages use: each once, folders with their members. */
struct remote_object {
    struct cas_id id;
    const char *shown;  /* "data/1.csv": for status -c */
    const char *remote; /* the out's own remote, or NULL */
    size_t parent;      /* index of the .dir that names it; SIZE_MAX: none */
    bool whole;         /* a .dir whose members are all in the set */
};
struct remote_set {
    struct remote_object *objects; /* a .dir stands before its members */
    size_t count, capacity;
    size_t fetched; /* .dir objects that came from the remote while collecting; counted by
                       remote_fetch */
    size_t failed;  /* .dir objects that are there but could not be fetched, likewise */
    struct remote_index *index; /* private to remote.c */
};
struct remote_collect_options {
    bool push;                 /* leaves out outs with push: false */
    const char *only_remote;   /* -r NAME: leaves out outs of other remotes */
    struct remote *fetch_dirs; /* a .dir that the cache lacks is fetched from here */
    bool note_gaps; /* warns of outs without a recorded hash, and of a .dir that is nowhere */
};
/* The index of `set` is heap memory: remote_set_release. */
int remote_collect(struct store *s, struct arena *a, const struct checkout_target *targets,
                   size_t count, const struct remote_collect_options *opt, struct remote_set *set,
                   struct err *e);

/* *at: its index. */
bool remote_set_find(const struct remote_set *set, struct cas_id id, size_t *at);
void remote_set_release(struct remote_set *set);

struct remote_result {
    size_t moved;         /* objects, .dir included */
    size_t failed;        /* each was noted: "failed to transfer 'md5' - reason" */
    const char **missing; /* md5 of objects that are in neither place */
    size_t missing_count;
};
/* Errors only when nothing could be tried; failed objects are counted. */
int remote_push(struct store *s, struct arena *a, struct remote *r, const struct remote_set *set,
                struct remote_result *res, struct err *e);
int remote_fetch(struct store *s, struct arena *a, struct remote *r, const struct remote_set *set,
                 struct remote_result *res, struct err *e);
/* Tries to bring a folder's list from the default remote; that it is not there is noted. */
void remote_fetch_list(struct store *s, struct arena *a, struct cas_id id);
/* Both run caches: files not there yet are copied; *moved counts them. */
int remote_push_runs(struct store *s, struct remote *r, size_t *moved, struct err *e);
int remote_fetch_runs(struct store *s, struct remote *r, size_t *moved, struct err *e);

/* status -c: where each object is. */
enum remote_place { REMOTE_OK, REMOTE_NEW, REMOTE_DELETED, REMOTE_MISSING };
int remote_compare(struct store *s, struct remote *r, const struct remote_set *set,
                   enum remote_place *places, struct err *e);
const char *remote_place_name(enum remote_place p); /* "new", "deleted", "missing" */

#endif
