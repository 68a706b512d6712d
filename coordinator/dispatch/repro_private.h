#ifndef NEPHRON_REPRO_PRIVATE_H
#define NEPHRON_REPRO_PRIVATE_H

#include "clock.h"
#include "commit.h"
#include "err.h"
#include "event.h"
#include "plan.h"
#include "repolock.h"
#include "repro.h"
#include "runner.h"
#include "stale.h"
#include "reporter.h"
#include "timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Shared by repro*.c only. One `struct run` a repro; one `struct item` a stage of the plan; one
 * `struct task` a stage that is stale, from the decision to the record.
 *
 *   repro.c           set-up, main loop, signals, the end
 *   repro_stage.c     judging, failure, success
 *   repro_job.c       stale stages as jobs of the runner
 *   repro_pool.c      work on files (hash, restore, store) on threads beside the loop
 *   repro_lockfile.c  journal, lock files, recovery
 */

struct run;

enum task_kind {
    TASK_PREPARE, /* hash deps, look into the run cache, clear outs */
    TASK_COMMIT,  /* store what the command made */
    TASK_VERIFY,  /* frozen stages and .dvc files: hash and store as they are */
};

struct task {
    size_t node;
    const struct stage *stage;
    enum task_kind kind;
    struct arena arena;
    struct lock_entry *old; /* a copy: lock files may be read anew meanwhile */
    struct commit commit;
    const struct lock_entry
        *before; /* deps and params as the command found them; NULL: not asked for */
    bool force;  /* no look into the run cache */
    bool restored;
    bool source_changed; /* TASK_VERIFY of a .dvc file */
    bool rwlocked;
    struct str carry; /* with repro_context.carry; in `arena` */
    struct job_result result;
    int64_t start_ms;
    int slot, slots, member, attempt;
    /* Filled by the pool. */
    int rc;
    struct err err;
    struct task *next;
};

struct item {
    const struct stage *stage;
    bool force;
    bool ran; /* counts for --force-downstream */
    const char *reason;
    size_t moment; /* its entry of the timeline, when `timed` */
    bool timed;
    struct task *task;
};

/* ---- repro_pool.c ---- */

struct pool;

/* 0 threads: pool_submit does the work at once. */
struct pool *pool_new(struct run *run, int threads);
void pool_free(struct pool *p); /* waits for what is under way */
/* Whom to wake when a task is done. */
void pool_attach(struct pool *p, struct runner *r);
void pool_submit(struct pool *p, struct task *t);
/* A task that is done, or NULL. wait_ms > 0: waits so long for one. */
struct task *pool_take(struct pool *p, int wait_ms);
size_t pool_busy(struct pool *p);

/* ---- repro_lockfile.c ---- */

struct lockfiles;

struct lockfiles *lockfiles_new(struct run *run);
/* Writes what is left; frees. */
int lockfiles_close(struct lockfiles *lf, struct err *e);
/* Records a finished stage: journal now, lock file soon. */
int lockfiles_record(struct lockfiles *lf, const struct stage *st, const struct lock_entry *entry,
                     struct err *e);
/* Writes the lock files when a second has passed since the last time (or `now`). */
int lockfiles_tick(struct lockfiles *lf, bool now, struct err *e);
bool lockfiles_dirty(const struct lockfiles *lf);
/* The repository was in other hands: reads again what they changed. */
int lockfiles_resume(struct lockfiles *lf, struct err *e);
/* A copy of the stage's entry, or NULL with rc 0 when there is none. */
int lockfiles_entry(struct run *run, const struct stage *st, struct arena *a,
                    struct lock_entry **entry, struct err *e);
/* Removes temp files that a killed run left in the workspace, the cache and .dvc/tmp. */
void repro_sweep(const struct repro_context *c);
const char *lockfiles_journal_path(const struct repo *r, struct arena *a);

/* ---- the run ---- */

struct run {
    struct repro_context *c;
    const struct repro_options *opt;
    struct arena arena;
    const struct clock *clock;
    struct graph_plan gp;
    size_t *node_of; /* by stage index; SIZE_MAX: not considered */
    struct item *items;
    size_t count;
    struct plan *plan;
    struct runner *runner; /* NULL until something runs */
    struct runner_hooks hooks;
    struct repolock repo_lock, repro_lock;
    struct rwlock *rwlock;
    struct pool *pool;
    struct lockfiles *lockfiles;
    struct durations *durations;
    struct timeline timeline;
    double began;         /* monotonic seconds */
    double left, left_at; /* the newest forecast and when it was made; left_at 0: none yet */
    double told_at;       /* the newest progress line */
    uint64_t job_base;
    size_t jobs_running;
    struct stale_report *ahead; /* of all items, looked at in one pass; NULL: not (repro_stage.c) */
    bool looked_ahead;
    bool acted; /* a stage has begun to change files: `ahead` is out of date */
    bool logs_made;
    bool paused;     /* the repository is in other hands */
    int stops_seen;  /* 1: a signal was passed on; 2: KILL was */
    int passed_on;   /* the newest of those */
    int64_t kill_us; /* when patience with interrupted stages ends; 0: not interrupted */
    size_t *failed;
    size_t failed_count, ran_count, skipped_count, done_count;
    bool failing; /* `error` holds the first failure */
    struct err error;
};

/* ---- repro_stage.c ---- */

int stage_judge_ready(struct run *run, struct err *e);
struct task *stage_task_new(struct run *run, size_t node, enum task_kind kind);
void stage_task_free(struct run *run, struct task *t);
/* The stage failed with `why`; what that means is the person's choice. Frees the task (which may be
 * NULL). */
void stage_fail(struct run *run, size_t node, struct task *t, const struct err *why);
/* The stage is finished with outcome `o`; what needs it may go on. Frees the task (which may be
 * NULL). */
void stage_done(struct run *run, size_t node, struct task *t, enum outcome o);
/* What was stored becomes known: .gitignore, journal, lock. */
int stage_record(struct run *run, struct task *t, struct err *e);
void stage_open_pool(struct run *run);
/* Tells how far the run is, once something runs; `due`: only when a second has passed. */
void run_progress(struct run *run, bool due);
/* Seconds since the run began. */
double run_seconds(const struct run *run);
/* The stage's entry of the timeline; it was looked at. */
struct timeline_entry *stage_moment(struct run *run, size_t node);
/* One state change, for the run store. */
void stage_emit(struct run *run, const struct item *it, const char *state, const struct task *t);

/* ---- repro_job.c ---- */

int stage_start_queued(struct run *run, struct err *e);
int stage_pool_done(struct run *run, struct task *t, struct err *e);
/* Frees what is left of a stage that was cut off by an error of the run itself. */
void stage_abandon(struct run *run, size_t node);
int stage_job_done(struct run *run, const struct job_result *r, struct err *e);
void run_note(struct run *run, bool warning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "stage: 'e'": how DVC names a stage in messages. */
const char *stage_words(struct arena *a, const struct stage *st);
/* How many slots a stage takes: its ranks, or its slots. */
int stage_slots_wanted(const struct run *run, const struct stage *st);
/* --pull: fetches a stage's objects from the default remote and checks them out. */
int repro_pull(struct run *run, const struct stage *st, struct err *e);
/* The stage the job of this id runs; NULL when none. */
struct task *run_task_of(struct run *run, uint64_t job_id);

#endif
