/* See exprecord.h. */
#include "exprecord.h"

#include "alloc.h"
#include "err.h"
#include "graph.h"
#include "lock.h"
#include "path.h"
#include "pipeline.h"
#include "store.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

/* ---- the reporter ---- */

static struct exprecord *record_of(struct reporter *s)
{
    return (struct exprecord *)(void *)s; /* its first member */
}

static void on_note(struct reporter *s, bool warning, const char *text)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->note != NULL) {
        in->ops->note(in, warning, text);
    }
}

static void on_consider(struct reporter *s, const struct stage *st)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->consider != NULL) {
        in->ops->consider(in, st);
    }
}

static void on_begin(struct reporter *s, const struct stage *st, const char *reason, bool dry)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->begin != NULL) {
        in->ops->begin(in, st, reason, dry);
    }
}

static void on_command(struct reporter *s, const struct stage *st, const char *cmd)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->command != NULL) {
        in->ops->command(in, st, cmd);
    }
}

static void on_output(struct reporter *s, const struct stage *st, struct str text)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->output != NULL) {
        in->ops->output(in, st, text);
    }
}

static void on_end(struct reporter *s, const struct stage *st, enum outcome o, double seconds,
                   const char *error)
{
    struct exprecord *x = record_of(s);
    if (st->name != NULL && (o == OUTCOME_RAN || o == OUTCOME_RESTORED)) {
        ARRAY_RESERVE(x->ran, x->count, x->capacity, 1);
        x->ran[x->count++] = st;
    }
    if (x->inner->ops->end != NULL) {
        x->inner->ops->end(x->inner, st, o, seconds, error);
    }
}

static void on_progress(struct reporter *s, const struct reporter_progress *p)
{
    struct reporter *in = record_of(s)->inner;
    if (in->ops->progress != NULL) {
        in->ops->progress(in, p);
    }
}

static void on_close(struct reporter *s)
{
    struct exprecord *x = record_of(s);
    if (x->inner != NULL) {
        x->inner->ops->close(x->inner);
        x->inner = NULL;
    }
}

static const struct reporter_ops ops = {
    .note = on_note,
    .consider = on_consider,
    .begin = on_begin,
    .command = on_command,
    .output = on_output,
    .end = on_end,
    .progress = on_progress,
    .close = on_close,
};

void exprecord_init(struct exprecord *x)
{
    *x = (struct exprecord){.base.ops = &ops};
}

void exprecord_release(struct exprecord *x)
{
    free(x->ran);
    exprecord_init(x);
}

struct reporter *exprecord_reporter(struct exprecord *x, struct reporter *inner)
{
    x->inner = inner;
    return &x->base;
}

int exprecord_stages(const struct exprecord *x, struct store *s, struct arena *a,
                     const struct value **stages, struct err *e)
{
    struct value *map = value_map(a);
    store_forget_locks(s);
    for (size_t i = 0; i < x->count; i++) {
        const struct lock *l = store_lock(s, x->ran[i]->file, e);
        if (l == NULL) {
            return -1;
        }
        const struct lock_entry *en = lock_find(l, x->ran[i]->name);
        if (en != NULL) {
            value_set(a, map, en->name, lock_entry_value(a, en));
        }
    }
    *stages = map;
    return 0;
}

/* ---- files ---- */

static void add_path(struct arena *a, struct value *set, const char *path)
{
    if (path[0] != '/' && strncmp(path, "../", 3) != 0) {
        value_set(a, set, path, value_bool(a, true));
    }
}

/* The path is, or lies in, what some stage or .dvc file makes: DVC's to keep, not git's. */
static bool is_tracked(const struct graph *g, struct arena *a, const char *path)
{
    struct graph_out *outs;
    size_t n = graph_overlapping(g, path, a, &outs);
    for (size_t i = 0; i < n; i++) {
        const struct out *o = graph_out_of(g, outs[i]);
        if (o->cache && path_inside(o->path, path)) {
            return true;
        }
    }
    return false;
}

static void add_stage(const struct graph *g, struct arena *a, struct value *set,
                      const struct stage *st)
{
    add_path(a, set, st->file);
    if (st->name != NULL) {
        size_t stem = strlen(st->file) - strlen(path_extension(st->file));
        add_path(a, set, arena_printf(a, "%.*s.lock", (int)stem, st->file));
    }
    for (size_t i = 0; i < st->dep_count; i++) {
        if (!st->deps[i].is_url && !is_tracked(g, a, st->deps[i].path)) {
            add_path(a, set, st->deps[i].path);
        }
    }
    for (size_t i = 0; i < st->param_count; i++) {
        add_path(a, set, st->params[i].path);
    }
    for (size_t i = 0; i < st->out_count; i++) {
        if (!st->outs[i].cache) {
            add_path(a, set, st->outs[i].path);
        }
    }
}

/* A file, as written in the plots of a dvc.yaml. */
static void add_plot_file(struct arena *a, struct value *set, const struct pipeline_file *f,
                          const struct value *key)
{
    if (key->type == VALUE_STR) {
        add_path(a, set, path_join(a, path_dirname(a, f->path), arena_str(a, key->s).p));
    }
}

/* One plot: its files are the keys of x and y, or else its id is the file. */
static void add_plot(struct arena *a, struct value *set, const struct pipeline_file *f,
                     const struct value *id, const struct value *props)
{
    static const char *const axes[] = {"y", "x"};
    const struct value *y = value_get(props, "y");
    if (y == NULL || y->type != VALUE_MAP) {
        add_plot_file(a, set, f, id);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(axes); i++) {
        const struct value *axis = value_get(props, axes[i]);
        for (size_t k = 0; axis != NULL && axis->type == VALUE_MAP && k < axis->map.count; k++) {
            add_plot_file(a, set, f, axis->map.pairs[k].key);
        }
    }
}

static void add_plots(struct arena *a, struct value *set, const struct pipeline_file *f)
{
    const struct value *plots = f->plots;
    for (size_t i = 0; plots != NULL && plots->type == VALUE_LIST && i < plots->list.count; i++) {
        const struct value *one = plots->list.items[i];
        for (size_t k = 0; one->type == VALUE_MAP && k < one->map.count; k++) {
            add_plot(a, set, f, one->map.pairs[k].key, one->map.pairs[k].val);
        }
        add_plot_file(a, set, f, one);
    }
    for (size_t k = 0; plots != NULL && plots->type == VALUE_MAP && k < plots->map.count; k++) {
        add_plot(a, set, f, plots->map.pairs[k].key, plots->map.pairs[k].val);
    }
}

struct value *exprecord_top_level(const struct pipeline *p, struct arena *a)
{
    struct value *set = value_map(a);
    for (size_t i = 0; i < p->file_count; i++) {
        const struct pipeline_file *f = &p->files[i];
        for (size_t k = 0; k < f->metric_count; k++) {
            add_path(a, set, f->metrics[k]);
        }
        for (size_t k = 0; k < f->param_count; k++) {
            add_path(a, set, f->params[k]);
        }
        add_plots(a, set, f);
    }
    return set;
}

int exprecord_paths(const struct repro_context *c, const struct repro_options *o, struct arena *a,
                    const char *const **paths, size_t *count, struct err *e)
{
    struct graph_plan plan;
    const struct pipeline *p = c->graph->pipeline;
    if (repro_select(c, o, a, &plan, e) < 0) {
        return -1;
    }
    struct value *set = exprecord_top_level(p, a);
    for (size_t i = 0; i < plan.count; i++) {
        add_stage(c->graph, a, set, &p->stages[plan.order[i]]);
    }
    const char **list = ARENA_ARRAY(a, set->map.count + 1, const char *);
    for (size_t i = 0; i < set->map.count; i++) {
        list[i] = set->map.pairs[i].key->s.p;
    }
    *paths = list;
    *count = set->map.count;
    return 0;
}
