#ifndef NEPHRON_EXPTASK_H
#define NEPHRON_EXPTASK_H

#include "arena.h"
#include "repro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct repo;
struct value;

/*
 * One experiment to run: what was typed, and for one in the queue what became of it. Kept as JSON in
 * .dvc/tmp/exps/nephron/tasks/<stash commit>.json: a map of the members below by their names, `schema` 1, states by their
 * first texts, `repro` a map of targets, flags that are set, and on_error. All strings are in one arena.
 */

#define EXPTASK_STATES(X)                                                                          \
    X(QUEUED, "queued", "Queued")                                                                  \
    X(RUNNING, "running", "Running")                                                               \
    X(FAILED, "failed", "Failed")                                                                  \
    X(SUCCESS, "success", "Success")

enum exptask_state {
#define X(name, text, shown) EXPTASK_##name,
    EXPTASK_STATES(X)
#undef X
};

struct exptask {
    const char *
        rev; /* the stash commit: files of the workspace with the parameters changed; NULL: the workspace itself */
    const char *name, *baseline, *head;
    const char *message; /* of the commit; NULL: DVC's */
    const char *root;    /* absolute: the repository that the experiment belongs to */
    const char *prefix;  /* the folder in which it was typed, from the root */
    struct repro_options repro;
    const char *const *copies; /* -C: repo paths to bring along */
    size_t copy_count;
    /* What became of it. */
    enum exptask_state state;
    const char *worker; /* RUNNING: name of the lock that its worker holds */
    int64_t created_ms;
    const char *commit; /* SUCCESS: the experiment */
    const char *error;  /* FAILED */
};

const char *exptask_state_name(enum exptask_state s);  /* "queued" */
const char *exptask_state_shown(enum exptask_state s); /* "Queued" */

struct value *exptask_value(struct arena *a, const struct exptask *t);
/* ERR_FORMAT naming `where`. */
int exptask_from_value(struct arena *a, const struct value *v, const char *where, struct exptask *t,
                       struct err *e);
int exptask_load(struct arena *a, const char *path, struct exptask *t, struct err *e);
int exptask_save(const char *path, const struct exptask *t, struct err *e);

#endif
