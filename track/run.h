#ifndef NEPHRON_RUN_H
#define NEPHRON_RUN_H

#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value;

/*
 * The life of a run, told as events. Nothing here blocks on Redis, nothing can fail; a run with a
 * NULL sink is told to nobody. All functions may be called by any thread.
 */

#define RUN_STATUSES(X)                                                                            \
    X(QUEUED, "queued")                                                                            \
    X(RUNNING, "running")                                                                          \
    X(FINISHED, "finished")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(KILLED, "killed")

enum run_status {
#define X(name, text) RUN_##name,
    RUN_STATUSES(X)
#undef X
};
const char *run_status_name(enum run_status s);

struct run {
    char id[33]; /* 32 hex digits */
    const struct event_sink *sink;
};

struct run_options {
    const char *id;         /* NULL: a new one; a resumed training gives the old one */
    const char *kind;       /* "repro", "stage", "train", "evaluate", "prepare", "ingest" */
    const char *name;       /* NULL: the kind */
    const char *experiment; /* NULL: left out */
    const char *parent;     /* run id; NULL: $NEPHRON_PARENT_RUN when that is a run id */
    const char *stage;      /* stage name; NULL: $NEPHRON_STAGE, $DVC_STAGE or left out */
    int argc;               /* the command line; secrets in URLs are taken out */
    char *const *argv;
    const char *project; /* where git and dvc.lock are looked at; NULL: the current folder */
    int world_size;      /* 0: 1 */
    const char *hosts;   /* "a,b"; NULL: this host */
    bool light;          /* no git, no environment: for runs of kind "stage" */
};

/*
 * Begins: emits run_start (status running) with kind, name, experiment, parent, stage, cmd, user,
 * host, world_size, hosts, version, git_commit, git_branch, git_dirty, and tags: cpu_model,
 * cpu_count, kernel, libc, hiredis, dvc_lock_md5, git_diff (path of .nephron/runs/<id>/git.diff,
 * 0600, when dirty), environment (JSON; secrets redacted). Runs `git` (about 10 ms) unless light.
 */
void run_begin(struct run *r, const struct event_sink *sink, const struct run_options *opt);
/* A further process joins (ranks above 0): emits nothing, later calls use this id. */
void run_join(struct run *r, const struct event_sink *sink, const char *id);

void run_metric(const struct run *r, const char *name, int64_t step, double v);
void run_param(const struct run *r, const char *key, const char *value);
/* Params of a document: nested maps become dotted keys, other values Python's str(). NULL is fine.
 */
void run_params(const struct run *r, const struct value *map);
void run_tag(const struct run *r, const char *key, const char *value);
void run_log_line(const struct run *r, int rank, const char *line);

struct run_stage {
    const char *stage, *status, *reason, *host; /* NULL: as told before */
    int rank;                                   /* < 0: left out */
    int64_t start_ms;                           /* 0: left out */
    int64_t end_ms;                             /* 0: left out */
    bool ended;                                 /* exit_code is meant */
    int exit_code;
};
void run_stage(const struct run *r, const struct run_stage *s);

struct run_rank {
    int rank;
    const char *host, *state, *stage; /* NULL: as told before */
    int64_t pid;                      /* 0: as told before */
    double img_per_s;                 /* < 0: left out */
    double step_ms;                   /* this rank's own time of a step; 0: left out */
    uint64_t rss_bytes;               /* 0: left out */
};
void run_rank(const struct run *r, const struct run_rank *s);

/* Ends: status finished, failed or killed; `error` may be NULL. */
void run_finish(const struct run *r, enum run_status status, int exit_code, const char *error);

#endif
