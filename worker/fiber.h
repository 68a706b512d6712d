#ifndef NEPHRON_FIBER_H
#define NEPHRON_FIBER_H

#include <stdbool.h>

struct err;

/*
 * A second line of execution on the same thread: a function with a stack of its own that runs until
 * it yields, and goes on from there when it is resumed. So a long computation and a loop that must
 * look at its letters take turns without a second thread, which MPI would have to lock against.
 *
 *   caller:  f = fiber_new(work, ctx);  while (fiber_resume(f)) { other things }  fiber_free(f);
 *   work:    … fiber_yield(f); …
 *
 * Only the thread that made a fiber resumes it, and never from inside one. By ucontext(3);
 * AddressSanitizer is told of each change of stacks.
 */

struct fiber;

typedef void fiber_fn(void *ctx);

/* The stack is 8 MiB, as a main thread's, with a guard page below. Returns new; NULL: no memory. */
struct fiber *fiber_new(fiber_fn *fn, void *ctx, struct err *e);
/* Runs it until it yields (true) or its function returns (false, also ever after). */
bool fiber_resume(struct fiber *f);
/* From inside: back to the caller of fiber_resume. */
void fiber_yield(struct fiber *f);
/* One that has ended, or was never resumed. NULL is fine. */
void fiber_free(struct fiber *f);

#endif
