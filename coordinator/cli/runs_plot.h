#ifndef NEPHRON_RUNS_PLOT_H
#define NEPHRON_RUNS_PLOT_H

#include <stddef.h>

struct err;
struct opt_list;
struct run_record;
struct runs_session;
struct value;

/*
 * `nephron runs compare --plot FILE`: curves of metrics, one panel a metric, one curve a run. FILE
 * ending in .svg is drawn here; .png by the sibling `nephron-mpi chart`, which has the canvas, from
 * the same panels as JSON on its stdin:
 *
 *   {"panels": [{"title": "val_loss", "x_label": "epoch",
 *                "series": [{"name": "LEARNING_RATE 0.1", "x": [1, 2], "y": [0.7, 0.4]}]}]}
 */

#define RUNS_PLOT_MAX 8 /* curves that can be told apart */

struct runs_plot {
    const struct run_record *runs;
    size_t count;
    const struct value *params;     /* name -> {run id: text} of those that differ: the legend */
    const struct opt_list *metrics; /* empty: losses and accuracies that the runs have */
    const char *file;
};

int runs_plot(struct runs_session *s, const struct runs_plot *plot, struct err *e);

#endif
