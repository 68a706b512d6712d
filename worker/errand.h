#ifndef NEPHRON_ERRAND_H
#define NEPHRON_ERRAND_H

#include "str.h"

#include <stdbool.h>

struct err;
struct job;
struct job_result;
struct post;

/*
 * A job on a rank that does not share the coordinator's file system: the files it needs come first
 * (ferry.h), it runs in this rank's own repository, what it made goes back, and only then is it
 * over. One at a time.
 *
 *   begin ─> BRINGING ─(POOL_BYTES)─> READY ─ the seat runs errand_job ─ made ─> RETURNING ─(POOL_KEPT)─> over
 */

enum errand_state { ERRAND_NONE, ERRAND_BRINGING, ERRAND_READY, ERRAND_RUNNING, ERRAND_RETURNING };

struct errand;

/* Nothing is opened before the first job. post is kept until close. Returns new. */
struct errand *errand_new(struct post *post);
void errand_free(struct errand *x);
enum errand_state errand_state(const struct errand *x);
/* Takes up a job with job.carry. An error ends it: errand_drop. */
int errand_begin(struct errand *x, const struct job *j, struct err *e);
/* READY: what the seat is to run, in this rank's folders; the state is then RUNNING. */
const struct job *errand_job(struct errand *x);
/* RUNNING: the command succeeded; its outs are offered to rank 0, the result is kept meanwhile. */
int errand_made(struct errand *x, const struct job_result *r, struct err *e);
/* POOL_NEED, POOL_BYTES or POOL_KEPT. After the last, *result (else NULL) is what to send, borrowed
 * until errand_drop. -1: the job has failed for the reason in *e, but for POOL_NEED: the connection
 * is broken. */
int errand_letter(struct errand *x, int tag, struct str bytes, const struct strbuf **result,
                  struct err *e);
/* Gives up what is under way, forgets the job. */
void errand_drop(struct errand *x);

#endif
