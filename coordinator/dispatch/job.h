#ifndef NEPHRON_JOB_H
#define NEPHRON_JOB_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * One execution of one stage: what a runner is told and what it answers. Plain data without
 * pointers into the plan, so that it can be sent to another rank as bytes (job_pack / job_unpack,
 * result_pack / result_unpack).
 */

struct job {
    uint64_t id; /* the dispatcher's number; NEPHRON_JOB in the stage's environment names it */
    const char *stage;       /* as shown: "train", "sub/dvc.yaml:s" */
    const char *const *cmds; /* run one after the other, each by its own shell, until one fails */
    size_t cmd_count;
    const char *cwd;        /* absolute */
    const char *const *env; /* "K=V" to add to the runner's own environment, which loses the
                               launcher's variables */
    size_t env_count;
    const char *log_path; /* absolute; NULL: no log file */
    int slot, slots;      /* first slot and how many (contiguous); slot < 0: the runner chooses */
    int ranks;            /* > 0: a gang stage on so many slots; 0: an ordinary one */
    int threads; /* share of the host's cores: OMP_NUM_THREADS and OPENBLAS_NUM_THREADS unless set;
                    0: as they are */
    double timeout_s; /* 0: none. After it the runner ends the job (TERM, 5 s, KILL) */
    int attempt;      /* 0 the first time */
    struct str carry; /* files for a rank with a file system of its own (carry.h); empty: shared */
};

struct job_result {
    uint64_t id;
    int status; /* 0 done; > 0 exit code; < 0 minus the signal's number, as Python says it */
    const char *failed_cmd; /* the line that failed; NULL when none did */
    const char *error; /* the command could not be started, the rank is gone, …; NULL: none */
    bool timed_out;
    bool killed;      /* because runner_kill asked for it */
    const char *host; /* where it ran */
    int rank;
    int64_t start_ms, end_ms; /* wall clock, for records */
    double seconds;           /* monotonic */
    const char *output;  /* captured, both streams in order of arrival; "" when passed through */
    size_t output_bytes; /* of `output`; a longer output keeps its head and tail (see
                            RUNNER_OUTPUT_MAX) */
};

void job_pack(const struct job *j, struct strbuf *out);
/* Strings are in `a`. ERR_FORMAT for anything malformed or truncated. */
int job_unpack(struct str bytes, struct arena *a, struct job *j, struct err *e);
void result_pack(const struct job_result *r, struct strbuf *out);
int result_unpack(struct str bytes, struct arena *a, struct job_result *r, struct err *e);

/* "failed to run: exit 3, exited with 3": DVC's words for a failed job (also for time-outs and lost
 * ranks). */
void result_text(const struct job_result *r, struct strbuf *out);

#endif
