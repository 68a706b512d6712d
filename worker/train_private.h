#ifndef NEPHRON_TRAIN_PRIVATE_H
#define NEPHRON_TRAIN_PRIVATE_H

#include "arena.h"
#include "comm.h"
#include "err.h"
#include "imageset.h"
#include "model.h"
#include "modelfile.h"
#include "optim.h"
#include "run.h"
#include "score.h"
#include "settings.h"
#include "train.h"

#include <stdint.h>

/* Shared by train*.c only. */

/* A row of steps.csv; plain doubles, so that a checkpoint holds them as one array. */
struct step_row {
    double epoch, step, loss, accuracy, rate; /* both from 0 */
};
/* A row of history.csv. */
struct epoch_row {
    double epoch, step; /* epoch from 1, step: updates so far */
    double train_loss, train_accuracy, valid_loss, valid_accuracy, rate;
};

/* A checkpoint to go on from, as rank 0 tells it to the others. */
struct train_found {
    int64_t found; /* 0: none */
    uint64_t step, updates, epoch, position, steps, epochs, shards;
    char run[33];
};

struct trainer {
    const struct train_options *opt;
    const struct settings *s;
    struct comm *comm;
    struct train_result *out;

    struct arena arena;
    struct modelfile_info info; /* of the file training starts from */
    struct imageset set;
    struct model *model;
    struct optim *optim;
    struct featurecache *features; /* NULL: none */
    struct loader *loader;
    struct score score;
    struct run run;

    struct exchange *exchange;
    float *norm_saved; /* running statistics before the step */
    size_t norm_count;

    char digest[65], model_digest[65]; /* of what a checkpoint must agree with */
    struct train_found found;
    struct checkpoint *checkpoint; /* rank 0, until it is taken up */
    uint64_t step;                 /* updates tried so far: names dropout masks */
    size_t epoch, first_batch;     /* where to go on */
    size_t bad_in_a_row;
    int64_t saved_us; /* monotonic time of the last checkpoint */
    double samples_done, busy_s;
    struct pace *pace;

    struct step_row *steps;
    size_t step_count, step_capacity;
    struct epoch_row *epochs;
    size_t epoch_count, epoch_capacity;
};

/* train_step.c */
struct batch;
struct step_result {
    double loss, accuracy;
    bool skipped; /* not finite */
};
int train_step_init(struct trainer *t, struct err *e);
void train_step_release(struct trainer *t);
int train_step(struct trainer *t, const struct batch *b, double rate, struct step_result *out,
               struct err *e);

/* train_pace.c: speed, progress, the vote before each step */
enum train_vote { TRAIN_GO_ON, TRAIN_STOPPED, TRAIN_FAILED };
int train_pace_begin(struct trainer *t, struct err *e);
void train_pace_end(struct trainer *t);
/* What passes until the next vote counts as the step's time. */
void train_pace_restart(struct trainer *t);
/* Has a batch been read on all ranks (got of loader_next), and has nobody been told to stop (*sig)?
 * Exchanges step times on the way and names a straggler. Collective. */
enum train_vote train_vote(struct trainer *t, int got, bool first_of_epoch, int *sig,
                           struct err *e);
void train_pace_step(struct trainer *t, const struct step_row *row);
void train_pace_epoch(struct trainer *t, const struct epoch_row *row);

/* train_state.c: checkpoints */
/* Sets t->found, from the images and settings alone: how many shards there are is known before the
 * model is made. Collective. */
int train_state_find(struct trainer *t, struct err *e);
/* Takes up what was found, or clears the folder. run: id to go on with, or as it was. Collective. */
int train_state_resume(struct trainer *t, char run[33], struct err *e);
/* Rank 0 writes; a failure is a warning, since the training is still good. */
void train_state_save(struct trainer *t, size_t epoch, size_t position);

/* train_report.c: files and events */
void train_report_begin(struct trainer *t, const char *run_id);
void train_report_step(struct trainer *t, const struct step_row *row, double img_per_s);
void train_report_epoch(struct trainer *t, const struct epoch_row *row);
int train_report_files(struct trainer *t, struct err *e);
/* step,position,label,path of every sample of the training, in the order in which steps take them:
 * for repeating a training elsewhere. Rank 0. */
int train_report_order(struct trainer *t, struct err *e);

#endif
