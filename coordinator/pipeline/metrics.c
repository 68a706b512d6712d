/*
 * Metric files. Source: DVC 3.67, dvc/repo/metrics/show.py.
 */
#include "metrics.h"

#include "pipeline.h"

static bool counts(const struct value *v)
{
    return v->type == VALUE_BOOL || v->type == VALUE_INT || v->type == VALUE_BIGINT ||
           v->type == VALUE_FLOAT || v->type == VALUE_STR;
}

/* NULL for what is dropped. */
static struct value *extract(struct arena *a, const struct value *v)
{
    if (v->type != VALUE_MAP) {
        return counts(v) ? (struct value *)v : NULL;
    }
    struct value *kept = value_map(a);
    for (size_t i = 0; i < v->map.count; i++) {
        struct value *item = extract(a, v->map.pairs[i].val);
        if (item) {
            value_append(a, kept, v->map.pairs[i].key, item);
        }
    }
    return kept->map.count ? kept : NULL;
}

struct value *metrics_extract(struct arena *a, const struct value *doc)
{
    struct value *kept = extract(a, doc);
    bool zero = kept && ((kept->type == VALUE_INT && kept->i == 0) ||
                         (kept->type == VALUE_BOOL && !kept->b) ||
                         (kept->type == VALUE_FLOAT && kept->f == 0) ||
                         (kept->type == VALUE_STR && kept->s.n == 0));
    return kept && !zero ? kept : value_map(a);
}

static void add_path(struct arena *a, struct value *list, struct value *seen, const char *path)
{
    if (!value_get(seen, path)) {
        value_set(a, seen, path, value_null(a));
        value_push(a, list, value_cstr(a, path));
    }
}

struct value *metrics_targets(struct arena *a, const struct pipeline *p)
{
    struct value *list = value_list(a), *seen = value_map(a);
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const struct out *o = &p->stages[i].outs[k];
            if (o->kind == OUT_METRIC) {
                add_path(a, list, seen, o->path);
            }
        }
    }
    for (size_t i = 0; i < p->file_count; i++) {
        for (size_t k = 0; k < p->files[i].metric_count; k++) {
            add_path(a, list, seen, p->files[i].metrics[k]);
        }
    }
    return list;
}
