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

/* The metric part of a document: a scalar, a map, or an empty map. */
struct value *metrics_extract(struct arena *a, const struct value *doc);

/* Repo paths of the metric files of a pipeline in DVC's order: metric outputs of the stages, then
 * the top-level `metrics` of the dvc.yaml files, each once. A list of strings. */
struct value *metrics_targets(struct arena *a, const struct pipeline *p);

#endif
