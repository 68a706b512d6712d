#ifndef NEPHRON_SEAT_H
#define NEPHRON_SEAT_H

#include "arena.h"
#include "job.h"
#include "str.h"

#include <stdbool.h>

struct err;
struct pool;
struct post;
struct runner_hooks;

/*
 * The slot that a rank is: one job at a time, by one of two runners of its own. A job that suits a
 * gang (gang.h) runs inside this rank and the ones after it; any other is a child process
 * (runner_local), and when it asked for ranks it finds them in NEPHRON_HOSTFILE and NEPHRON_RANKS.
 * Results carry the rank.
 */

struct seat;

struct seat_options {
    const struct pool *pool;          /* kept until close */
    struct post *post;                /* kept until close */
    const struct runner_hooks *hooks; /* kept until close */
    bool no_commands;
    int lock_fd; /* as runner_local_options.guard_keep_fd */
};

/* Returns new (seat_close). */
struct seat *seat_open(const struct seat_options *opt);
/* Ends what runs (KILL), waits for it, frees. NULL is fine. */
void seat_close(struct seat *s);
/* As in runner_ops. seat_wait does the work of a gang: what seat_computes says is then no pause. */
int seat_start(struct seat *s, const struct job *j, struct err *e);
int seat_wait(struct seat *s, int timeout_ms, struct arena *a, struct job_result *out,
              struct err *e);
void seat_kill(struct seat *s, uint64_t id, int sig);
void seat_wake(struct seat *s); /* async-signal-safe */
bool seat_busy(const struct seat *s);
bool seat_computes(const struct seat *s);
/* A letter of the gang that this rank is in: POOL_JOIN, POOL_OUTPUT, POOL_LEFT. */
int seat_letter(struct seat *s, int from, int tag, struct str bytes, struct err *e);

#endif
