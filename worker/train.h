#ifndef NEPHRON_TRAIN_H
#define NEPHRON_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct comm;
struct err;
struct event_sink;
struct par;
struct settings;

/*
 * Training over the ranks of a comm: reads settings.updated_model and the data, writes
 * settings.trained_model, <training_dir>/history.csv (a row an epoch) and steps.csv (a row a step).
 *
 * One step, rank r of W (S shards, see shard.h):
 *     rows of r ─ forward ─ loss ─ backward, last layer first
 *        convolution, norm:  range of the gradient done ─> its sum travels meanwhile (exchange.h)
 *        wide dense layer:   rows a, d of all ranks gathered, every rank forms d^T a itself
 *     wait for all ─ clip ─ update: the same bits on all ranks
 *
 * Checkpoints go to checkpoint_dir after each epoch and every checkpoint_minutes. A checkpoint with
 * the same settings, data and start weights is taken up unless `fresh`; the result is bitwise that
 * of a run never stopped, also with another number of ranks (1, 2, 4, 8). A finished training
 * removes its checkpoints.
 *
 * A loss or gradient that is not finite: the step is left out and counted; TRAIN_BAD_STEPS in a
 * row end the training.
 */

#define TRAIN_BAD_STEPS 5
#define TRAIN_EXIT_NOT_FINITE 3
#define TRAIN_EXIT_REQUEUE 85 /* after SIGUSR1 */

struct train_options {
    const struct settings *settings;
    struct comm *comm;
    struct par *par;
    const struct event_sink *sink; /* NULL: nobody listens */
    const char *checkpoint_dir;
    const char *features_dir; /* NULL: features of frozen layers are not kept (featurecache.h) */
    const char *order_file;   /* where to write the samples of each step; NULL: nowhere */
    bool fresh, quiet;
    const volatile sig_atomic_t *stop;          /* signal number once one came; NULL: never */
    void (*joined)(void *ctx, const char *run); /* the run's id is known; NULL: none */
    void *joined_ctx;
    int argc; /* for the run's record */
    char *const *argv;
};

struct train_result {
    int exit_code; /* with -1: 1, 2, TRAIN_EXIT_*, 128 + signal */
    size_t epochs, steps, skipped;
    double train_loss, train_accuracy, valid_loss, valid_accuracy; /* of the last epoch */
    double seconds, img_per_s;                                     /* of this process */
    bool resumed;
};

/* Collective: returns the same on all ranks, or with an error that only this rank has when the
 * transport failed. */
int train_run(const struct train_options *opt, struct train_result *out, struct err *e);

#endif
