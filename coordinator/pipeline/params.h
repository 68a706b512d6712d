#ifndef NEPHRON_PARAMS_H
#define NEPHRON_PARAMS_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct graph;
struct param_dep;
struct pipeline;
struct repo;
struct stage;

/*
 * Parameter files: reading (YAML, JSON, TOML, Python by the file's extension), the values a stage
 * depends on, and the difference of two sets of files (`params diff`, also used for metrics).
 */

/* By extension: .json, .toml, .py, everything else YAML. Empty files give an empty map. `shown` is
 * the file's name in messages: ERR_FORMAT "unable to read: 'params.yaml', YAML file structure is
 * corrupted". */
struct value *params_parse(struct arena *a, struct str text, const char *shown, struct err *e);
/* `path` absolute; ERR_MISSING when absent. */
struct value *params_load(struct arena *a, const char *path, const char *shown, struct err *e);

/* A dotted key as DVC looks it up (dpath): "a.b", "layers.0.size"; * and ? match as in fnmatch when
 * exactly one value fits. NULL when there is none. */
const struct value *params_get(const struct value *doc, const char *key);

/* Files that were read, by path: one read per file however many stages look at it. Not thread-safe.
 */
struct params_cache {
    struct arena arena;
    struct value *docs; /* map: repo path -> document */
};
void params_cache_init(struct params_cache *c);
void params_cache_release(struct params_cache *c);

/*
 * The values a param_dep names, as dvc.lock holds them: map of dotted key -> value, in the order
 * written (the whole file: its top-level keys in file order). Missing keys are left out of *values
 * and appended to *missing (a list of strings; may be NULL). The file itself missing: ERR_MISSING
 * "dependency 'params.yaml' does not exist". Values live in the cache's arena.
 */
int params_read(struct params_cache *c, const struct repo *r, const struct param_dep *dep,
                struct value **values, struct value **missing, struct err *e);
/* DVC's "Parameters 'a, b' are missing from 'params.yaml'." for a list that params_read filled.
 * ERR_FORMAT. */
int params_missing_error(const struct repo *r, const struct param_dep *dep,
                         const struct value *missing, struct err *e);

/* Nested maps as one map of dotted keys; empty maps vanish; lists become their Python repr (DVC's
 * format_dict). */
struct value *params_flatten(struct arena *a, const struct value *doc);

/*
 * Differences of two sets of files: map path -> document on both sides. Result: path -> dotted key
 * ->
 * {"old": v, "new": v[, "diff": n]}, only what changed unless `all`; keys sorted, paths in the
 * order of `old`, then `new`. A document that is a scalar has the key "".
 */
struct value *params_diff(struct arena *a, const struct value *old_files,
                          const struct value *new_files, bool all);

/* Which files and keys `params diff` looks at: map repo path -> list of keys (empty list: the whole
 * file). Order as DVC: stages, top-level params of dvc.yaml files, params.yaml at the root
 * (`has_default`: it exists on that side). */
struct value *params_targets(struct arena *a, const struct pipeline *p, bool deps_only,
                             bool has_default);
/* The part of `doc` that a list of keys selects (dpath.search merged); all of it for an empty list.
 */
struct value *params_project(struct arena *a, const struct value *doc, const struct value *keys);

#endif
