#ifndef NEPHRON_STORE_H
#define NEPHRON_STORE_H

#include "arena.h"
#include "par.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct cas;
struct err;
struct lock;
struct repo;
struct state;

/*
 * One handle for what a command needs to know and keep about data: the object cache, the memo of
 * hashes, the lock files read so far, the pool of hashing threads. Opened from a repository, passed
 * to stale, commit, checkout, add, remote and runcache.
 *
 * Threads: several threads may work on one store (different stages) at a time. Each brings its own
 * arena. Lock files are not shared: `store_lock` and what changes a struct lock belong to one
 * thread.
 */

enum store_note_kind {
    STORE_NOTE_INFO,  /* goes to stdout */
    STORE_NOTE_WARN,  /* "WARNING: …" on stderr */
    STORE_NOTE_ERROR, /* "ERROR: …" on stderr: one object of many failed */
};

/* Text for the person, without newline. May be called from any thread. */
typedef void store_note_fn(void *ctx, enum store_note_kind kind, const char *text);

struct store_options {
    int jobs;            /* hashing threads; 0: core.checksum_jobs, else the cores */
    store_note_fn *note; /* NULL: notes are dropped */
    void *note_ctx;
    bool no_state; /* neither read nor write the memo: tests, --no-state */
};

struct store {
    struct repo *repo; /* keeps (until store_close) */
    struct cas *cas;
    struct state *state;
    /* Above: public. Below: private to store.c. */
    struct store_private *priv;
};

/* Returns new (store_close); NULL on error (ERR_CONFIG for bad cache settings). `opt` may be NULL.
 */
struct store *store_open(struct repo *r, const struct store_options *opt, struct err *e);
/* Saves the memo (its loss is harmless: errors are logged) and frees. NULL is fine. */
void store_close(struct store *s);

/*
 * The lock file that belongs to a dvc.yaml ("dvc.yaml" -> "dvc.lock", repo paths), read on first
 * use and kept. Returns borrowed (until store_close). NULL on error. An absent file gives an empty
 * lock.
 */
struct lock *store_lock(struct store *s, const char *pipeline_file, struct err *e);
/* Reads the lock of each dvc.yaml, for commands that need none but to which a broken one is an error. */
int store_check_locks(struct store *s, const struct pipeline *p, struct err *e);
/* What the lock, or the .dvc file, says of an out of a stage: md5 NULL when nothing is recorded. Borrowed as
 * the lock. */
int store_recorded(struct store *s, const struct stage *st, size_t out, struct hash *hash,
                   struct err *e);
/* Forgets the locks read so far: the files changed behind our back. */
void store_forget_locks(struct store *s);

/* Works on this view of the repository (repo_view_open) from now on; returns the one before, to
 * which the caller returns the same way. Locks read so far are forgotten. */
struct repo *store_enter(struct store *s, struct repo *view);

/* printf to the note function. */
void store_note(struct store *s, enum store_note_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Runs a loop on the store's threads, each in a part of the items of its own (par_spread): these are mostly files. On
 * the caller alone while another thread uses them. */
void store_par_for(struct store *s, size_t count, par_fn *fn, void *ctx);

/* A repo path as people read it: from the current folder; absolute outside of the repository (DVC's
 * rule). */
const char *store_show(const struct store *s, struct arena *a, const char *path);

struct scmindex;
struct scmindex **store_scmindex(struct store *s); /* for scmindex.c */
struct links;
struct links *store_links(struct store *s);
struct urlpool;
struct urlpool **store_urlpool(struct store *s); /* for urldep.c */

/* The pool itself, for callees that take one; NULL while another thread uses it. Give it back in
 * any case. */
struct par *store_par_take(struct store *s);
void store_par_give(struct store *s, struct par *par);

/* `.dvcignore` says so; never true for paths outside the repository. Thread-safe. */
bool store_ignored(struct store *s, const char *path, bool is_dir);

#endif
