#ifndef NEPHRON_RIG_H
#define NEPHRON_RIG_H

#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm;
struct err;
struct optim;
struct par;
struct exchange;

/*
 * A network under test: model, optimiser and the exchange between ranks as training uses them, fed
 * with synthetic images. Each rank has `batch` of them. It may be planned again and again: together
 * with the other ranks (one global batch of batch x ranks), or each rank by itself.
 */

struct rig_options {
    const char *model;
    size_t batch, size; /* images of a rank; pixels of a side */
    bool train, frozen; /* else inference; frozen: only the head learns */
    bool any_order;     /* as many shards as ranks: sums in an order that depends on them */
    size_t divisor;     /* of all widths, for small trials; 1 */
    size_t classes;
};

/* Seconds of one step, and of all threads' CPU time in it. */
struct rig_step {
    double total, forward, backward, wait, product, update, cpu;
    double sum_bytes, gather_bytes; /* handed to the transport by this rank */
};

struct rig {
    struct rig_options opt;
    struct comm *comm;  /* all ranks; borrowed */
    struct comm *alone; /* one rank; own */
    struct comm *now;   /* of the last plan */
    struct model *model;
    struct optim *optim;
    struct exchange *exchange;
    float *images;
    int32_t *labels;
    size_t rows, global;
    uint64_t step;
};

/* Makes the network on comm's ranks; nothing is planned yet. On failure *r is released. */
int rig_open(struct rig *r, const struct rig_options *opt, struct comm *comm, struct par *par,
             struct err *e);
void rig_close(struct rig *r);
/* Collective when together. */
int rig_plan(struct rig *r, bool together, struct err *e);
/* One step of training or inference. Collective after a plan together. */
int rig_run(struct rig *r, struct rig_step *out, struct err *e);
/* 2 x multiply-adds of a step of this rank, counted for direct convolution. */
double rig_flop(const struct rig *r);
/* Middle of n values; sorts them. */
double rig_median(double *v, size_t n);

#endif
