#ifndef NEPHRON_PLOTS_H
#define NEPHRON_PLOTS_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct pipeline;
struct repo;

/*
 * Plots as DVC defines them: what dvc.yaml says (plots of stages, top-level plots) or was typed, of
 * one or several revisions, becomes rows of data with names for the axes.
 *
 *     revision "HEAD": definitions {"dvc.yaml": {"loss.csv": {"x": "step", "y": "loss"}}}
 *                      sources     {"loss.csv": {"data": [{"step": "0", "loss": "0.7"}]}}
 *     plot "loss.csv": points [{"step": "0", "loss": "0.7", "rev": "HEAD", …}], props {"x": "step", …}
 *
 * All of it lives in the arena given. Source: DVC 3.67, dvc/repo/plots, dvc/render.
 */

struct plot_revision {
    const char *name;    /* as typed, or "workspace" */
    struct value *defs;  /* dvc.yaml as shown ("": none) -> id -> properties */
    struct value *files; /* file as shown -> {"data": …} or {"error": {"type", "msg"}} */
};

struct plot {
    const char *name;
    bool image;
    struct value *points; /* rows; images: {"rev", "filename", "data"} */
    struct value *props;  /* template, title, x, y, x_label, y_label */
    struct value *series; /* [{"filename", "field"}]: what is drawn of each revision */
    struct value *revs;   /* names of revisions that have points */
};

struct plot_list {
    struct plot *items;
    size_t count;
    struct value *errors; /* as `plots show --json` has them */
};

/* The members of a folder in some revision, as shown, sorted; NULL: `path` is no folder there. */
typedef struct value *plots_list_fn(void *ctx, const char *shown);

struct plots_request {
    const char *const *targets; /* as typed: files, ids, or patterns of them; none: all plots */
    size_t target_count;
    const struct value *props; /* from the command line: wins over what is defined */
    plots_list_fn *list;
    bool (*exists)(void *ctx, const char *shown);
    void *ctx;
};

/* The definitions of a pipeline that were asked for (plot_revision.defs). */
struct value *plots_define(struct arena *a, const struct repo *r, const struct pipeline *p,
                           const struct plots_request *req);
/* The files that definitions read, as shown: map of path -> null. */
struct value *plots_sources(struct arena *a, const struct value *defs);
/* Puts revisions together, the first one's properties first. */
void plots_match(struct arena *a, const struct plot_revision *revs, size_t count,
                 struct plot_list *out);

/* A list of strings by their bytes. */
void plots_sort(struct value *list);

#endif
