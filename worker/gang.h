#ifndef NEPHRON_GANG_H
#define NEPHRON_GANG_H

#include "str.h"

#include <stdbool.h>

struct err;
struct job;
struct pool;
struct post;
struct runner;
struct runner_hooks;

/*
 * A built-in command (`nephron train`, `evaluate`, `prepare`) run by several ranks inside
 * themselves, each on a communicator of the gang's own: one of the ways a seat runs a job, behind
 * the runner table.
 *
 * The ranks are job.slot, the lead, and those after it. The lead is told by the coordinator and
 * tells the others; when all are done the result is the lead's. Letters on the pool's communicator:
 *
 *   POOL_JOIN    lead -> member   job_pack           take part in this
 *   POOL_KILL    lead -> member   id, signal         as from the coordinator
 *   POOL_OUTPUT  member -> lead   id (u64), text     what it wrote
 *   POOL_LEFT    member -> lead   id (u64)           it is done; its last letter about this job
 *
 * Who takes part in what: MPI_Comm_create_group is collective over the gang alone, so the other
 * ranks, and other gangs, go on with their own work. In the gang's communicator the lead is the
 * *last* rank, the others before it in order: what only rank 0 of a command does (checkpoints, the
 * model file, pictures) then never holds up rank 0 of the pool, which coordinates.
 *
 * The command runs on a fiber (fiber.h). It yields at the idle moments of its communicator (comm.h:
 * between layers, between batches, while it waits for another rank) once GANG_SLICE_US have passed,
 * and the rank looks after its letters; on rank 0 of the pool that is the coordinator. Output is
 * taken into memory (guise.h) and given to the same three receivers as a child's (joboutput.h).
 *
 * A signal to the job sets the command's stop flag: training checkpoints and leaves at its next
 * step, evaluation at its next batch, prepare at its end. KILL does no more: nothing inside a
 * process can be cut off without it. A command that crashes takes the MPI job down.
 */

#define GANG_SLICE_US 2000

struct gang_options {
    const struct pool *pool;          /* kept until close */
    struct post *post;                /* kept until close: letters to the gang's other ranks */
    const struct runner_hooks *hooks; /* kept until close */
    bool no_commands;
};

/* Does this job run inside its ranks? These share a file system, it has at least two of them, and each of its command lines is
 * `nephron train|evaluate|prepare` with plain words: no quotes, no shell characters. */
bool gang_suits(const struct job *j);

/* A runner of one slot: start makes this rank the lead. wait gives the command the word for as long
 * as it may block; it returns 0 also when this rank was a member and is done. Returns new
 * (ops->close, which blocks until the command has ended). */
struct runner *gang_new(const struct gang_options *opt);
/* This rank becomes a member. */
int gang_join(struct runner *r, const struct job *j, struct err *e);
/* POOL_OUTPUT or POOL_LEFT from a member of the gang that this rank leads. */
int gang_letter(struct runner *r, int from, int tag, struct str bytes, struct err *e);
/* Something of a gang is under way here. */
bool gang_busy(const struct runner *r);
/* The command has not ended on this rank: a wait is not a pause but work. */
bool gang_computes(const struct runner *r);

#endif
