#ifndef NEPHRON_EXPQUEUE_H
#define NEPHRON_EXPQUEUE_H

#include "arena.h"
#include "exptask.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;

/*
 * The queue of experiments. An entry is a stash commit (expstash.h) and a task file (exptask.h) below .dvc/tmp/exps/nephron:
 *
 *   lock                 flock(2) around every change
 *   tasks/<rev>.json     what to run, and its state
 *   results/<rev>.json   what the process that ran it made: {"commit": …} or {"error": …}; removed when collected
 *   logs/<rev>.log       what it printed
 *   workers/<name>.lock  flock(2), held by a worker for as long as it lives
 *   stop                 workers end after what they are at
 *
 *   QUEUED -claim-> RUNNING -finish-> SUCCESS | FAILED
 *      '<---- the worker named in the task is dead, or put it back ----'
 *
 * The stash entry goes with the last step, when the experiment's ref is there: a worker that is killed at any moment leaves
 * the entry waiting, or done.
 */

struct expqueue {
    const struct repo *repo;
    struct arena *arena; /* for all that it answers */
};

struct expqueue_list {
    struct exptask *items; /* running, queued, failed, successful; each in the order of arrival */
    size_t count;
};

struct expqueue_worker {
    const char *name, *path;
    int fd;
};

/* Keeps the task (with its rev) until it has run. ERR_BUSY when the very same experiment waits already. */
int expqueue_put(struct expqueue *q, const struct exptask *t, struct err *e);
int expqueue_read(struct expqueue *q, struct expqueue_list *out, struct err *e);
/* By name, or by the first digits of the stash commit; NULL. `states`: bits 1 << enum exptask_state. */
const struct exptask *expqueue_find(const struct expqueue_list *l, const char *name,
                                    unsigned states);
#define EXPQUEUE_ANY 0xfu
/* Removes entries in any state but RUNNING. Refs of experiments stay. */
int expqueue_remove(struct expqueue *q, const struct exptask *const *tasks, size_t count,
                    struct err *e);

int expqueue_worker_open(struct expqueue *q, struct expqueue_worker *w, struct err *e);
void expqueue_worker_close(struct expqueue_worker *w);
/* Workers that live, and those of them that run something. */
int expqueue_workers(struct expqueue *q, size_t *count, size_t *active, struct err *e);

/* The next that waits is the worker's; false in *got: there is none. What dead workers left is collected, or waits again. */
int expqueue_claim(struct expqueue *q, const struct expqueue_worker *w, struct exptask *t,
                   bool *got, struct err *e);
/* The task waits again: its run was interrupted. */
int expqueue_put_back(struct expqueue *q, const struct exptask *t, struct err *e);
/* The end of a task by its result file: the ref is written, or the failure kept. Fills in state, commit, error of *t. `why`: for a process that left no
 * result. */
int expqueue_collect(struct expqueue *q, struct exptask *t, const char *why, struct err *e);
/* For the process that ran it. */
/* What kills left behind of tasks that are over: results, entries of the stash. */
int expqueue_sweep(struct expqueue *q, struct err *e);
int expqueue_leave_result(const char *path, const char *commit, const char *error, struct err *e);

const char *expqueue_task_path(struct expqueue *q, const char *rev);
const char *expqueue_result_path(struct expqueue *q, const char *rev);
const char *expqueue_log_path(struct expqueue *q, const char *rev);
/* Workers are to end (or may go on). */
int expqueue_set_stop(struct expqueue *q, bool stop, struct err *e);
bool expqueue_stopped(struct expqueue *q);

#endif
