#ifndef NEPHRON_METRICS_H
#define NEPHRON_METRICS_H

#include "value.h"

struct err;
struct pipeline;

/*
 * Metric files: what `metrics show` and `metrics diff` print. Only numbers, strings and bools
 * count; lists, nulls and what is empty after that are dropped, as DVC does. Differences:
 * params_diff over metrics_extract'ed documents.
 */

/* Text of a metric file (json, yaml, toml, py by extension of `shown`) as its document. */
struct value *metrics_parse(struct arena *a, struct str text, const char *shown, struct err *e);
/* The metric part of a document: a scalar, a map, or an empty map. */
struct value *metrics_extract(struct arena *a, const struct value *doc);

/* Repo paths of the metric files of a pipeline in DVC's order: metric outputs of the stages, then
 * the top-level `metrics` of the dvc.yaml files, each once. A list of strings. */
struct value *metrics_targets(struct arena *a, const struct pipeline *p);

/*
 * {"": {"data": {"m.json": {"data": {…}}}}}: revision -> files, as `metrics show --json`.
 * Use: metrics_result_add(a, result, "", "m.json", doc).
 */
void metrics_result_add(struct arena *a, struct value *result, const char *rev, const char *path,
                        struct value *doc);
/* A file that could not be read: {"error": {"type": …, "msg": …}}. */
void metrics_result_error(struct arena *a, struct value *result, const char *rev, const char *path,
                          const char *type, const char *msg);

#endif
