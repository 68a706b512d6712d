#ifndef NEPHRON_GRAPH_H
#define NEPHRON_GRAPH_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct out;
struct pipeline;
struct repo;
struct stage;
struct strbuf;

/*
 * Stages as nodes; an edge from a stage to each stage whose output one of its deps (or params
 * files) equals, contains or lies in. Node i is pipeline->stages[i]. Built once, near linear in
 * deps + outs: outputs stand in a trie of path components.
 *
 * Example: prep (out: data/clean), train (dep: data, out: m), eval (dep: m/w)
 *   nodes[train].up = {prep}    dep contains the output
 *   nodes[eval].up  = {train}   dep lies in the output
 *   order of a run: prep, train, eval (depth first, post order, as DVC)
 */

struct graph_node {
    const uint32_t *up;   /* stages this one needs, each once, in DVC's order */
    const uint32_t *down; /* stages that need this one */
    uint32_t up_count, down_count;
};

/* Where an output is. */
struct graph_out {
    uint32_t stage; /* index of the stage */
    uint32_t out;   /* index in its outs */
};

struct graph_trie;

struct graph {
    const struct pipeline *pipeline; /* borrowed */
    struct graph_node *nodes;
    size_t count;
    struct arena arena;
    /* Above: public. Below: private to graph.c. */
    struct graph_trie *outs;
};

/*
 * Builds and checks as DVC: duplicate and overlapping outputs, a pipeline file inside of an output,
 * cycles; ERR_FORMAT with DVC's texts. Sets stage.index.
 */
int graph_build(struct graph *g, struct pipeline *p, const struct repo *r, struct err *e);
/*
 * The same without the checks, for commands that only tell (status, stage list), which DVC does not
 * refuse in a repository with such a mistake. Of outputs with one path the first stands in the
 * graph; there may be cycles, so no plan is made of it.
 */
void graph_build_unchecked(struct graph *g, struct pipeline *p, const struct repo *r);
void graph_release(struct graph *g);

/* The output at exactly this repo path. */
bool graph_find_out(const struct graph *g, const char *path, struct graph_out *out);
/* Outputs that equal, contain (first, shortest first) or lie in `path`. Returns the number; *outs
 * is in `a`. */
size_t graph_overlapping(const struct graph *g, const char *path, struct arena *a,
                         struct graph_out **outs);
const struct out *graph_out_of(const struct graph *g, struct graph_out o);

/* How an output or dep is named in messages: relative to the current folder; as written when
 * absolute or a URL.
 * (`path`: repo path, `def`: as written.) Arena memory. */
const char *graph_show(const struct repo *r, struct arena *a, const char *def, const char *path);

/* A target as typed, in parts: FILE, FILE:NAME, :NAME, NAME, NAME@KEY; the key may hold anything. */
struct graph_address {
    const char *file; /* as typed; "dvc.yaml" for a name alone when `name` is set; NULL: none */
    const char *name; /* NULL: none */
};
/* "x.dvc" or a path that ends in dvc.yaml. */
bool graph_is_pipeline_name(const char *path);
int graph_parse_address(struct arena *a, const char *text, struct graph_address *t, struct err *e);

/*
 * Targets of repro, commit, checkout, …: NAME, NAME@inst, group, file, file:NAME, x.dvc. Each adds
 * its stages to the list, duplicates once. No target: with PROJECT, the stages of ./dvc.yaml;
 * without, all.
 */
struct graph_target_options {
    bool recursive; /* -R: folders select the stages below */
    bool glob;      /* names are patterns */
    bool outputs;   /* a path of an output (or inside of one) selects its stage: status, checkout,
                       push, … */
    bool default_file; /* no target means ./dvc.yaml, which must exist (repro, stage list); else
                          everything */
    bool with_deps;    /* -d: add what they need */
};

struct graph_target {
    uint32_t stage;
    const char *filter; /* repo path when an output (or part of one) was named; else NULL */
};

struct graph_selection {
    struct graph_target *items; /* arena memory */
    size_t count;
};

/*
 * ERR_MISSING with DVC's text ("Stage 'nosuch' not found inside 'dvc.yaml' file", "'/abs/dvc.yaml'
 * does not exist", with `outputs`: "'nosuch' does not exist as an output or a stage name in
 * 'dvc.yaml': Stage 'nosuch' not …").
 */
int graph_select(const struct graph *g, const struct repo *r, const char *const *targets,
                 size_t target_count, const struct graph_target_options *opt, struct arena *a,
                 struct graph_selection *sel, struct err *e);

/* The order of one run. */
struct graph_plan_options {
    bool single;     /* -s: only these, as given */
    bool pipeline;   /* -p: whole pipelines of the targets */
    bool all;        /* -P: everything */
    bool downstream; /* --downstream: these and what follows, in order */
};
struct graph_plan {
    uint32_t *order; /* stages in the order DVC runs them */
    size_t count;
    uint32_t *nblock; /* per stage of the graph: unfinished predecessors inside of the plan;
                         UINT32_MAX: not in it */
};
/* Frozen stages stand without their upstream, as in DVC. */
void graph_make_plan(const struct graph *g, const struct graph_selection *sel,
                     const struct graph_plan_options *opt, struct arena *a,
                     struct graph_plan *plan);

/* Everything stage `from` needs (up) or that needs it (down), itself included: set[i] for each
 * stage, which the caller cleared. `active`: frozen stages need nothing. */
void graph_reach(const struct graph *g, uint32_t from, bool down, bool active, bool *set);

/* Weakly connected components: component[i] numbers them in order of their first stage. Returns how
 * many. */
size_t graph_components(const struct graph *g, uint32_t *component);

#endif
