/* plotedit: see plotedit.h. Source: DVC 3.67, dvc/repo/plots/__init__.py, dvc/stage/serialize.py. */
#include "plotedit.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "stagefile.h"
#include "store.h"
#include "value.h"
#include "yaml.h"
#include "yamledit.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)16 << 20)

struct modifying {
    struct store *s;
    struct arena *a;
    const struct stage *st;
    const struct out *out;
    struct value *plot; /* what the output says of its plot afterwards; no pairs: that it is one */
};

static bool is_truthy(const struct value *v)
{
    switch (v ? v->type : VALUE_NULL) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return v->b;
    case VALUE_INT:
        return v->i != 0;
    case VALUE_STR:
        return v->s.n > 0;
    case VALUE_LIST:
        return v->list.count > 0;
    case VALUE_MAP:
        return v->map.count > 0;
    default:
        return true;
    }
}

static void set_truthy(struct arena *a, struct value *map, const char *key, struct value *v)
{
    if (is_truthy(v)) {
        value_set(a, map, key, v);
    }
}

/* ---- the properties ---- */

/* What all outputs may say; the rest of a plot's flags is how it is drawn. */
static bool is_common_flag(struct str key)
{
    static const char *const names[] = {"desc",  "type",    "labels", "meta",
                                        "cache", "persist", "remote", "push"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_is(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* Of an output in dvc.yaml; NULL when it is no plot. */
static struct value *plot_of(struct arena *a, const struct out *o)
{
    struct value *plot = value_map(a);
    for (size_t i = 0; o->flags && o->flags->type == VALUE_MAP && i < o->flags->map.count; i++) {
        const struct value_pair *pair = &o->flags->map.pairs[i];
        if (!is_common_flag(value_as_str(pair->key))) {
            value_set_key(a, plot, pair->key, pair->val);
        }
    }
    return o->kind == OUT_PLOT ? plot : NULL;
}

static int unset_props(struct modifying *m, const struct plotedit *x, struct err *e)
{
    struct strbuf missing;
    strbuf_init(&missing);
    for (size_t i = 0; i < x->unset_count; i++) {
        if (!value_get(m->plot, x->unset[i])) {
            strbuf_addf(&missing, "%s'%s'", missing.n ? ", " : "", x->unset[i]);
        }
    }
    for (size_t i = 0; missing.n == 0 && i < x->unset_count; i++) {
        value_remove(m->plot, x->unset[i]);
    }
    int rc = missing.n == 0
                 ? 0
                 : err_set(e, ERR_MISSING, "display properties [%s] not found in plot '%s'",
                           missing.p, store_show(m->s, m->a, m->out->path));
    strbuf_release(&missing);
    return rc;
}

/* m->plot becomes what it is to be; before: what it was, NULL for no plot. */
static int change_props(struct modifying *m, const struct plotedit *x, struct err *e)
{
    if (!m->plot && x->unset) {
        return err_set(e, ERR_USAGE,
                       "'%s' is not a known plot. Use `dvc plots modify` to turn it into one.",
                       store_show(m->s, m->a, m->out->path));
    }
    m->plot = m->plot ? m->plot : value_map(m->a);
    if (unset_props(m, x, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < x->props->map.count; i++) {
        value_set_key(m->a, m->plot, x->props->map.pairs[i].key, x->props->map.pairs[i].val);
    }
    return 0;
}

/* ---- a stage of dvc.yaml ---- */

static int compare_outs(const void *x, const void *y)
{
    return strcmp((*(const struct out *const *)x)->def, (*(const struct out *const *)y)->def);
}

static struct value *out_value(const struct modifying *m, const struct out *o)
{
    struct arena *a = m->a;
    struct value *flags = value_map(a), *entry = value_map(a);
    static const char *const annotations[] = {"desc", "type", "labels", "meta"};
    for (size_t i = 0; i < ARRAY_SIZE(annotations); i++) {
        set_truthy(a, flags, annotations[i], value_get(o->flags, annotations[i]));
    }
    if (!o->cache) {
        value_set(a, flags, "cache", value_bool(a, false));
    }
    if (o->persist) {
        value_set(a, flags, "persist", value_bool(a, true));
    }
    const struct value *plot = o == m->out ? m->plot : plot_of(a, o);
    for (size_t i = 0; plot && i < plot->map.count; i++) {
        value_set_key(a, flags, plot->map.pairs[i].key, plot->map.pairs[i].val);
    }
    if (o->remote) {
        value_set(a, flags, "remote", value_cstr(a, o->remote));
    }
    if (!o->push) {
        value_set(a, flags, "push", value_bool(a, false));
    }
    if (flags->map.count == 0) {
        return value_cstr(a, o->def);
    }
    value_set(a, entry, o->def, flags);
    return entry;
}

static void set_outs(const struct modifying *m, struct value *body)
{
    struct arena *a = m->a;
    struct value *lists[3]; /* by enum out_kind */
    const struct out **outs = ARENA_ARRAY(a, m->st->out_count + 1, const struct out *);
    for (size_t i = 0; i < m->st->out_count; i++) {
        outs[i] = &m->st->outs[i];
    }
    qsort(outs, m->st->out_count, sizeof(const struct out *), compare_outs);
    for (int k = OUT_PLAIN; k <= OUT_PLOT; k++) {
        lists[k] = value_list(a);
    }
    for (size_t i = 0; i < m->st->out_count; i++) {
        int kind = outs[i] == m->out ? OUT_PLOT : outs[i]->kind;
        value_push(a, lists[kind], out_value(m, outs[i]));
    }
    set_truthy(a, body, "outs", lists[OUT_PLAIN]);
    set_truthy(a, body, "metrics", lists[OUT_METRIC]);
    set_truthy(a, body, "plots", lists[OUT_PLOT]);
}

static int compare_texts(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static struct value *deps_value(struct arena *a, const struct stage *st)
{
    struct value *list = value_list(a);
    const char **defs = ARENA_ARRAY(a, st->dep_count + 1, const char *);
    for (size_t i = 0; i < st->dep_count; i++) {
        defs[i] = st->deps[i].def;
    }
    qsort(defs, st->dep_count, sizeof(const char *), compare_texts);
    for (size_t i = 0; i < st->dep_count; i++) {
        value_push(a, list, value_cstr(a, defs[i]));
    }
    return list;
}

static struct value *params_value(struct arena *a, const struct stage *st)
{
    struct value *files = value_map(a);
    for (size_t i = 0; i < st->param_count; i++) {
        struct value *keys = value_list(a);
        for (size_t k = 0; k < st->params[i].key_count; k++) {
            value_push(a, keys, value_cstr(a, st->params[i].keys[k]));
        }
        value_set(a, files, st->params[i].def, keys);
    }
    return stagefile_params(a, files);
}

/* The stage as DVC writes it; `raw`: as it stands. */
static struct value *stage_value(const struct modifying *m, const struct value *raw)
{
    struct arena *a = m->a;
    const struct repo *r = m->s->repo;
    struct value *body = value_map(a);
    set_truthy(a, body, "desc", value_get(raw, "desc"));
    value_set(a, body, "cmd", value_get(raw, "cmd"));
    const char *wdir =
        path_relative(a, repo_abs(r, a, path_dirname(a, m->st->file)), repo_abs(r, a, m->st->wdir));
    if (strcmp(wdir, ".") != 0) {
        value_set(a, body, "wdir", value_cstr(a, wdir));
    }
    set_truthy(a, body, "deps", deps_value(a, m->st));
    set_truthy(a, body, "params", params_value(a, m->st));
    set_outs(m, body);
    set_truthy(a, body, "frozen", value_get(raw, "frozen"));
    set_truthy(a, body, "always_changed", value_get(raw, "always_changed"));
    set_truthy(a, body, "meta", value_get(raw, "meta"));
    return body;
}

static bool has_template(const struct value *v)
{
    if (v->type == VALUE_STR) {
        return strstr(v->s.p, "${") != NULL;
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        if (has_template(v->list.items[i])) {
            return true;
        }
    }
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        if (has_template(v->map.pairs[i].key) || has_template(v->map.pairs[i].val)) {
            return true;
        }
    }
    return false;
}

static int change_stage(struct modifying *m, const struct plotedit *x, struct value *doc,
                        struct err *e)
{
    struct value *stages = value_get(doc, "stages");
    const struct value *raw = m->st->group ? NULL : value_get(stages, m->st->name);
    m->plot = plot_of(m->a, m->out);
    if (change_props(m, x, e) < 0) {
        return -1;
    }
    if (!raw || value_get(raw, "vars") || has_template(raw)) {
        return err_set(e, ERR_USAGE, "cannot dump a parametrized stage: '%s'", m->st->addr);
    }
    value_set(m->a, stages, m->st->name, stage_value(m, raw));
    return 0;
}

/* ---- the file ---- */

static int write_file(struct modifying *m, const struct plotedit *x, struct str text,
                      struct strbuf *out, struct err *e)
{
    struct value *doc = yaml_parse(m->a, text, NULL, e);
    return !doc || change_stage(m, x, doc, e) < 0 || yamledit_apply(text, doc, out, e) < 0
               ? -1
               : fs_write_if_changed(repo_abs(m->s->repo, m->a, m->st->file), out->p, out->n, NULL,
                                     e);
}

int plotedit_modify(struct store *s, struct arena *a, const struct graph *g,
                    const struct plotedit *x, const struct stage **owner, struct err *e)
{
    const char *path = repo_path(s->repo, a, x->target);
    struct modifying m = {.s = s, .a = a};
    struct graph_out at;
    if (!graph_find_out(g, path, &at)) {
        return err_set(e, ERR_MISSING, "Unable to find DVC file with output '%s'",
                       store_show(s, a, path));
    }
    m.out = graph_out_of(g, at);
    m.st = *owner = &g->pipeline->stages[at.stage];
    if (!m.st->name) {
        return err_set(
            e, ERR_USAGE,
            "'%s' is tracked by '%s', which has no room for how a plot is drawn; name it in "
            "the section `plots` of a dvc.yaml",
            store_show(s, a, path), m.st->addr);
    }
    struct strbuf text, out;
    strbuf_init(&text);
    strbuf_init(&out);
    int rc = fs_read(repo_abs(s->repo, a, m.st->file), MAX_FILE, &text, e);
    if (rc == 0) {
        rc = write_file(&m, x, strbuf_str(&text), &out, e);
    }
    strbuf_release(&text);
    strbuf_release(&out);
    return rc;
}
