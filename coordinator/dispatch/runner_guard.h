#ifndef NEPHRON_RUNNER_GUARD_H
#define NEPHRON_RUNNER_GUARD_H

#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * A small process that outlives its parent: when the parent dies by whatever cause, the guard ends
 * the stages that were running (TERM, up to 5 s, KILL), so that nothing writes to the workspace any
 * more when the next run begins. It learns of the death by the end of file on a pipe, and of what
 * runs by a table in shared memory (so starting a stage costs no message). It also looks for
 * processes with NEPHRON_JOB=<id> of a running job in their environment: those that left the
 * process group.
 */

struct guard;

/* keep_fd > 2: kept open by the guard until it is done; a lock on it lasts as long. Returns new,
 * NULL on error. */
struct guard *guard_start(size_t capacity, int keep_fd, struct err *e);
/* Entry `i` of the table: a job about to start (group 0), or started. job 0: nothing runs here. */
void guard_set(struct guard *g, size_t i, uint64_t job, pid_t group);
/* The parent goes on living or ends by itself: the guard leaves without touching anything. NULL is
 * fine. */
void guard_stop(struct guard *g);

#endif
