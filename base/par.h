#ifndef NEPHRON_PAR_H
#define NEPHRON_PAR_H

#include <stddef.h>

/*
 * The one owner of compute threads: a pool that runs a loop. Workers spin a moment and then sleep
 * between loops, so a pool costs nothing while it waits. Loops must not nest and are started by
 * one thread at a time. What a loop computes must not depend on which thread runs which item.
 */

struct par;

typedef void par_fn(void *ctx, size_t item, int thread); /* thread in 0..par_threads-1 */

/* threads counts the caller; 0: the cores this process may use. 1 starts no thread. */
struct par *par_new(int threads);
void par_free(struct par *p);
int par_threads(const struct par *p); /* NULL: 1 */
/* Runs fn for items 0..count-1, handed out one by one in order; returns when all are done.
 * A NULL pool runs them here. */
void par_for(struct par *p, size_t count, par_fn *fn, void *ctx);
/* Item for the k-th turn of a loop whose neighbours get into each other's way (files of one folder: the kernel makes
 * them one at a time): turns that follow each other are count / threads items apart. Every item has one turn. */
size_t par_spread(const struct par *p, size_t k, size_t count);
/*
 * Between items of any loop, the thread that started it calls poll(ctx), at most once in
 * `every_us`: how a transport that only moves inside its own calls goes on while a layer computes.
 * It must be short, and start no loop. NULL: none (at first). No effect on a NULL pool.
 */
typedef void par_poll_fn(void *ctx);
void par_set_poll(struct par *p, par_poll_fn *poll, void *ctx, int every_us);
int par_cores(void); /* size of this process's CPU affinity mask, bounded by the cgroup's quota */

#endif
