#ifndef NEPHRON_EXPAND_H
#define NEPHRON_EXPAND_H

#include "value.h"

struct err;
struct template_ctx;
struct template_vars;

/*
 * The `stages` section of one dvc.yaml, with foreach and matrix multiplied out and every ${…}
 * replaced.
 *
 *   train: {foreach: [a, b], do: …}      train@a, train@b          scalars name themselves: true,
 * 0.1, None list of lists or maps         train@0, train@1 map                           train@key,
 * with ${key} and ${item} train: {matrix: {m: [x, y], n: [{…}]}, …}   train@x-n0, train@y-n0: the
 * first key changes slowest
 *
 * Order and errors as DVC: all names are made first, then the stages one after the other.
 * Limit: 100,000 stages, counted before they are made.
 */

struct expand_stage {
    const char *name;
    const char *group;        /* NULL: not generated */
    const struct value *body; /* the resolved map, without vars, foreach and matrix */
    unsigned line;            /* of the definition */
};

/* Called for each stage in order; -1 stops with *e set. */
typedef int expand_fn(void *ctx, const struct expand_stage *s, struct err *e);
typedef void expand_warn_fn(void *ctx, const char *text);

struct expand {
    struct template_ctx *context;     /* of the file: params.yaml and top-level vars */
    const struct template_vars *vars; /* how the file read its vars: folder and reader */
    const char *shown;                /* the file in messages: "dvc.yaml", "sub/dvc.yaml" */
    expand_fn *stage;
    expand_warn_fn *warn;
    void *ctx;
};

#define EXPAND_MAX_STAGES 100000

/* `stages`: the map below `stages`, already validated; NULL: none. */
int expand_stages(const struct expand *x, const struct value *stages, struct err *e);

/* One entry of a top-level section ("metrics", "0"), expanded; NULL with *e set. */
const struct value *expand_top(const struct expand *x, const char *section, const char *name,
                               const struct value *v, struct err *e);

/* Words the failure of a template call: "failed to parse 'vars' in 'dvc.yaml': …". Always -1. */
int expand_error(const struct template_ctx *t, const char *what, const char *shown, struct err *e);

#endif
