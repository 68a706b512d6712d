#ifndef NEPHRON_EVALUATE_H
#define NEPHRON_EVALUATE_H

#include <signal.h>
#include <stdbool.h>

struct comm;
struct err;
struct event_sink;
struct par;
struct settings;
struct strbuf;

/*
 * The stage evaluation: settings.trained_model over the validation part of the data, sharded over
 * the ranks. Writes (rank 0)
 *   settings.scores                    {"loss", "accuracy", "precision", "recall", "f1", "auc"}
 *   <evaluation_dir>/confusion.png     counts of true and predicted class
 *   <evaluation_dir>/confusion.csv     actual,predicted: for DVC's confusion plot
 *   <evaluation_dir>/misclassified.png the most confident mistakes
 *   <evaluation_dir>/curves.png        loss and accuracy by epoch, from training's history.csv
 * Without a validation part (VALIDATION_SPLIT: 0) all samples are scored, and a warning says so.
 * Collective.
 */

struct evaluate_options {
    const struct settings *settings;
    struct comm *comm;
    struct par *par;
    const struct event_sink *sink;
    const char *model;                 /* NULL: settings.trained_model */
    const volatile sig_atomic_t *stop; /* signal number once one came; NULL: never */
    int argc;
    char *const *argv;
};

/* Appends the split's description and the per-class table to `out` (rank 0). ERR_INTERRUPTED, with
 * the signal in `detail`, when it was told to stop. */
int evaluate_run(const struct evaluate_options *opt, struct strbuf *out, struct err *e);

#endif
