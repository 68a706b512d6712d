#ifndef NEPHRON_RANKS_H
#define NEPHRON_RANKS_H

#include <stddef.h>
#include <stdint.h>

struct model_config;

/*
 * Ranks without MPI, for tests: each is a model in a thread of its own; sums of batch norm meet at
 * a barrier; gradients are added pairwise and factors gathered after backward, as a trainer would.
 */

struct ranks_result {
    double loss[8]; /* of each step, over all ranks */
    size_t correct; /* of the last step */
    float *values;  /* the parameter arena after the last step, and its size */
    size_t count;
    float *running; /* running statistics */
    size_t running_count;
    size_t factored; /* layers that were gathered rather than reduced, in a step */
};

struct ranks_job {
    const struct model_config *config; /* `par` is ignored */
    int world, threads;                /* threads: of each rank */
    size_t batch, plan_batch;          /* global; 0: batch */
    int steps;
    const float *x; /* (steps, batch, ...) */
    const int32_t *labels;
};

/* Trains with SGD, momentum, clipping. Result: returns new, ranks_release. */
void ranks_train(const struct ranks_job *job, struct ranks_result *out);
void ranks_release(struct ranks_result *r);

#endif
