#ifndef NEPHRON_EXCHANGE_H
#define NEPHRON_EXCHANGE_H

#include <stddef.h>

struct comm;
struct err;
struct model;
struct model_batch;

/*
 * What travels between the ranks in a training step, and when. Ranks work on their own rows of one
 * global batch; after exchange_backward each of them has the gradient of all rows, the same bits on
 * every rank and for every number of ranks that cuts the tree of shard.h at its nodes.
 *
 *   forward    convolutions | dense layers: rows `a` of each start on their way
 *   backward   last layer ............................................. first trainable layer
 *   dense      rows `d` start ─────────────────────┐
 *   conv, norm           range done ─> bucket ─> sum starts ─┐
 *                                                  │         │   MPI moves between layers and,
 * twice v         v   a millisecond, between items of loops after it                       product
 * d^T a of all rows ... last sums
 *
 * Neighbouring ranges are put together until a bucket is worth a message, and cut where a message
 * would be too long to overlap with the additions: see exchange.c for the sizes.
 */
struct exchange;

/* comm and m are kept until exchange_free; m's synchronised batch norm is wired to comm, too.
 * Returns new (exchange_free); with one rank it does nothing but backward. */
struct exchange *exchange_new(struct comm *comm, struct model *m);
void exchange_free(struct exchange *x); /* NULL is fine */

/* Where the time of the last exchange_backward went, and what this rank sent in it. */
struct exchange_report {
    double backward_s;              /* all layers, with what travelled meanwhile */
    double wait_s;                  /* afterwards: nothing to do until others' values came */
    double product_s;               /* the products of gathered factors */
    double sum_bytes, gather_bytes; /* of ranges to be added; of this rank's rows */
};
const struct exchange_report *exchange_last(const struct exchange *x);

/* Starts the sum of n floats over the ranks in pieces of the size that training uses; comm_finish
 * waits for it. */
int exchange_sum_start(struct comm *comm, float *v, size_t n, struct err *e);

/* model_forward of a training batch; inputs of dense layers start to travel. exchange_backward or
 * exchange_drop must follow. */
void exchange_forward(struct exchange *x, const struct model_batch *b);
/* What failed inside of exchange_forward, which cannot return it. */
int exchange_check(const struct exchange *x, struct err *e);
/* model_backward with everything that travels; on return all gradients are complete. Collective. */
int exchange_backward(struct exchange *x, struct err *e);
/* Instead of exchange_backward, when this step is left out. Collective. */
int exchange_drop(struct exchange *x, struct err *e);

#endif
