#ifndef NEPHRON_SEAT_H
#define NEPHRON_SEAT_H

#include "arena.h"
#include "job.h"

#include <stdbool.h>

struct err;
struct pool;
struct runner_hooks;

/*
 * The slot that a rank is: one job at a time through a runner_local of its own, gangs made ready as pool.h says (hostfile,
 * mpirun). Results carry the rank, and the commands as the stage says them.
 */

struct seat;

struct seat_options {
    const struct pool *pool;          /* kept until close */
    const struct runner_hooks *hooks; /* kept until close */
    bool no_commands;
    int lock_fd;                      /* as runner_local_options.guard_keep_fd */
};

/* Returns new (seat_close). */
struct seat *seat_open(const struct seat_options *opt);
/* Ends what runs (KILL), waits for it, frees. NULL is fine. */
void seat_close(struct seat *s);
/* As in runner_ops. */
int seat_start(struct seat *s, const struct job *j, struct err *e);
int seat_wait(struct seat *s, int timeout_ms, struct arena *a, struct job_result *out, struct err *e);
void seat_kill(struct seat *s, uint64_t id, int sig);
void seat_wake(struct seat *s); /* async-signal-safe */
bool seat_busy(const struct seat *s);

#endif
