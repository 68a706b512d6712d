/* Definitions of plots and how they meet; see plots.h. plotpoints.c makes the rows. */
#include "plots.h"

#include "path.h"
#include "pipeline.h"
#include "plotfile.h"
#include "plots_private.h"
#include "repo.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* Copies the pairs of `from` over those of `to`. */
static void update(struct arena *a, struct value *to, const struct value *from)
{
    for (size_t i = 0; from && from->type == VALUE_MAP && i < from->map.count; i++) {
        value_set_key(a, to, from->map.pairs[i].key, from->map.pairs[i].val);
    }
}

static struct value *child_map(struct arena *a, struct value *map, const char *key)
{
    struct value *child = value_get(map, key);
    if (!child) {
        value_set(a, map, key, child = value_map(a));
    }
    return child;
}

const char *plots_text(struct arena *a, const struct value *v)
{
    if (v->type == VALUE_STR) {
        return v->s.p;
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, v);
    const char *copy = arena_strdup(a, text.p);
    strbuf_release(&text);
    return copy;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp((*(struct value *const *)x)->s, (*(struct value *const *)y)->s);
}

void plots_sort(struct value *list)
{
    if (list->list.count > 1) {
        qsort(list->list.items, list->list.count, sizeof(struct value *), by_text);
    }
}

/* ---- what was asked for ---- */

/* Python's re.match: the pattern is at the start; what is no pattern is compared as text. */
static bool starts_with_pattern(struct arena *a, const char *pattern, const char *text)
{
    regex_t re;
    if (regcomp(&re, arena_printf(a, "^(%s)", pattern), REG_EXTENDED | REG_NOSUB) != 0) {
        return strncmp(pattern, text, strlen(pattern)) == 0;
    }
    bool match = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return match;
}

static bool wanted(struct arena *a, const struct plots_request *req, const char *file,
                   const char *id)
{
    const char *full = file[0] ? arena_printf(a, "%s::%s", file, id) : id;
    for (size_t i = 0; i < req->target_count; i++) {
        if (starts_with_pattern(a, req->targets[i], id) ||
            starts_with_pattern(a, req->targets[i], full)) {
            return true;
        }
    }
    return req->target_count == 0;
}

/* ---- definitions ---- */

/* How closely `dir` holds `path`: the length of what they share, whole components. */
static size_t shared(const char *path, const char *dir)
{
    return path_inside(dir, path) ? strlen(dir) : 0;
}

static bool has_closer(struct arena *a, const struct value *plots, const char *dir,
                       const char *path, const char *own)
{
    for (size_t i = 0; i < plots->list.count; i++) {
        const struct value *item = plots->list.items[i];
        bool map = item->type == VALUE_MAP && item->map.count > 0;
        const char *id = plots_text(a, map ? item->map.pairs[0].key : item);
        if (shared(path, path_join(a, dir, id)) > shared(path, own)) {
            return true;
        }
    }
    return false;
}

/* Adds a path with its properties to `ids`, or each file in the folder that it is. `plots`: other
 * definitions that may know a part of the folder better; NULL: none. */
static void add_path(struct arena *a, const struct plots_request *req, struct value *ids,
                     const char *path, const struct value *props, const struct value *plots,
                     const char *dir)
{
    struct value *members = req->list(req->ctx, path);
    for (size_t i = 0; i < (members ? members->list.count : 1); i++) {
        const char *file = members ? value_as_str(members->list.items[i]).p : path;
        if (plots && has_closer(a, plots, dir, file, path)) {
            continue;
        }
        struct value *merged = child_map(a, ids, file);
        update(a, merged, props);
        update(a, merged, req->props);
    }
}

/* {"file": fields} with the files as shown. */
static struct value *adjust_axis(struct arena *a, const char *dir, const struct value *axis)
{
    struct value *map = value_map(a);
    for (size_t i = 0; i < axis->map.count; i++) {
        const struct value_pair *pair = &axis->map.pairs[i];
        value_set(a, map, path_join(a, dir, plots_text(a, pair->key)), pair->val);
    }
    return map;
}

static void define_top(struct arena *a, const struct repo *r, const struct pipeline_file *f,
                       const struct plots_request *req, struct value *defs)
{
    const char *file = repo_show(r, a, f->path), *dir = path_dirname(a, file);
    struct value *ids = child_map(a, defs, file);
    for (size_t i = 0; i < f->plots->list.count; i++) {
        const struct value *item = f->plots->list.items[i], *props = NULL;
        bool map = item->type == VALUE_MAP && item->map.count > 0;
        const char *id = plots_text(a, map ? item->map.pairs[0].key : item);
        props = map ? item->map.pairs[0].val : NULL;
        if (!wanted(a, req, file, id)) {
            continue;
        }
        const struct value *y = value_get(props, "y"), *x = value_get(props, "x");
        if (!y || y->type != VALUE_MAP) {
            add_path(a, req, ids, path_join(a, dir, id), props, f->plots, dir);
            continue;
        }
        struct value *own = child_map(a, ids, id);
        update(a, own, props);
        value_set(a, own, "y", adjust_axis(a, dir, y));
        if (x && x->type == VALUE_MAP) {
            value_set(a, own, "x", adjust_axis(a, dir, x));
        }
        update(a, own, req->props);
    }
}

static struct value *out_props(struct arena *a, const struct out *o)
{
    static const char *const names[] = {"template", "x",     "y",     "x_label",
                                        "y_label",  "title", "header"};
    struct value *props = value_map(a);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct value *v = value_get(o->flags, names[i]);
        if (v) {
            value_set(a, props, names[i], v);
        }
    }
    return props;
}

static void define_outs(struct arena *a, const struct repo *r, const struct pipeline *p,
                        const struct plots_request *req, struct value *defs)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const struct out *o = &p->stages[i].outs[k];
            const char *shown = repo_show(r, a, o->path);
            if (o->kind == OUT_PLOT && wanted(a, req, repo_show(r, a, p->stages[i].file), shown)) {
                add_path(a, req, child_map(a, defs, ""), shown, out_props(a, o), NULL, NULL);
            }
        }
    }
}

struct value *plots_define(struct arena *a, const struct repo *r, const struct pipeline *p,
                           const struct plots_request *req)
{
    struct value *defs = value_map(a);
    for (size_t i = 0; i < p->file_count; i++) {
        if (p->files[i].plots) {
            define_top(a, r, &p->files[i], req, defs);
        }
    }
    define_outs(a, r, p, req, defs);
    for (size_t i = 0; i < req->target_count; i++) {
        if (defs->map.count == 0 || req->exists(req->ctx, req->targets[i])) {
            add_path(a, req, child_map(a, defs, ""), path_normal(a, req->targets[i]), NULL, NULL,
                     NULL);
        }
    }
    return value_copy(a, defs); /* the pipeline may be released before the plots are drawn */
}

/* ---- sources ---- */

static void add_sources(struct arena *a, const char *id, const struct value *props,
                        struct value *files)
{
    const struct value *axes[] = {value_get(props, "y"), value_get(props, "x")};
    bool by_file = axes[0] && axes[0]->type == VALUE_MAP;
    if (!by_file) {
        value_set(a, files, id, value_null(a));
    }
    for (size_t k = 0; k < 2; k++) {
        size_t n = axes[k] && axes[k]->type == VALUE_MAP ? axes[k]->map.count : 0;
        for (size_t i = 0; i < (k == 1 && n > 1 ? 1 : n); i++) {
            value_set(a, files, plots_text(a, axes[k]->map.pairs[i].key), value_null(a));
        }
    }
}

struct value *plots_sources(struct arena *a, const struct value *defs)
{
    struct value *files = value_map(a);
    for (size_t i = 0; i < defs->map.count; i++) {
        const struct value *ids = defs->map.pairs[i].val;
        for (size_t k = 0; k < ids->map.count; k++) {
            add_sources(a, plots_text(a, ids->map.pairs[k].key), ids->map.pairs[k].val, files);
        }
    }
    return files;
}

/* ---- matching revisions ---- */

/* A definition of a revision, under the name it is shown by. */
struct member {
    const struct plot_revision *rev;
    const char *id;
    const struct value *props;
};
struct group {
    const char *name;
    struct member *members;
    size_t count;
};

static void add_member(struct arena *a, struct group *groups, size_t *count, size_t max_members,
                       const char *name, struct member m)
{
    size_t i = 0;
    while (i < *count && strcmp(groups[i].name, name) != 0) {
        i++;
    }
    if (i == *count) {
        groups[(*count)++] =
            (struct group){.name = name, .members = ARENA_ARRAY(a, max_members, struct member)};
    }
    groups[i].members[groups[i].count++] = m;
}

/* How many dvc.yaml files of the revision use this id: from two on its file is part of the name. */
static size_t files_with(const struct value *defs, const char *id)
{
    size_t n = 0;
    for (size_t i = 0; i < defs->map.count; i++) {
        n += value_get(defs->map.pairs[i].val, id) != NULL;
    }
    return n;
}

static size_t count_ids(const struct plot_revision *revs, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < revs[i].defs->map.count; k++) {
            n += revs[i].defs->map.pairs[k].val->map.count;
        }
    }
    return n;
}

/* The ids of a revision, each once. */
static struct value *distinct_ids(struct arena *a, const struct value *defs)
{
    struct value *ids = value_map(a);
    for (size_t i = 0; i < defs->map.count; i++) {
        const struct value *own = defs->map.pairs[i].val;
        for (size_t k = 0; k < own->map.count; k++) {
            value_set_key(a, ids, own->map.pairs[k].key, value_null(a));
        }
    }
    return ids;
}

/* All definitions of an id in a revision. */
static void group_id(struct arena *a, const struct plot_revision *rev, const char *id,
                     struct group *groups, size_t *count, size_t max_members)
{
    bool several = files_with(rev->defs, id) > 1;
    for (size_t i = 0; i < rev->defs->map.count; i++) {
        const char *file = plots_text(a, rev->defs->map.pairs[i].key);
        const struct value *props = value_get(rev->defs->map.pairs[i].val, id);
        if (props) {
            add_member(a, groups, count, max_members,
                       several && file[0] ? arena_printf(a, "%s::%s", file, id) : id,
                       (struct member){rev, id, props});
        }
    }
}

/* In the order in which ids come first, revision by revision. */
static size_t make_groups(struct arena *a, const struct plot_revision *revs, size_t count,
                          struct group **out)
{
    size_t groups = 0, room = count_ids(revs, count);
    *out = ARENA_ARRAY(a, room + 1, struct group);
    for (size_t r = 0; r < count; r++) {
        const struct value *ids = distinct_ids(a, revs[r].defs);
        for (size_t i = 0; i < ids->map.count; i++) {
            group_id(a, &revs[r], plots_text(a, ids->map.pairs[i].key), *out, &groups, count);
        }
    }
    return groups;
}

static void add_error(struct arena *a, struct value *errors, const char *name, const char *rev,
                      const char *source, const struct value *error)
{
    struct value *v = value_map(a);
    value_set(a, v, "name", value_cstr(a, name));
    value_set(a, v, "rev", value_cstr(a, rev));
    if (source) {
        value_set(a, v, "source", value_cstr(a, source));
    }
    update(a, v, error);
    value_push(a, errors, v);
}

/* The documents that a definition reads, and errors about those it lacks. */
static struct value *read_sources(struct arena *a, const struct group *g, const struct member *m,
                                  struct value *errors)
{
    struct value *files = value_map(a), *data = value_map(a);
    add_sources(a, m->id, m->props, files);
    for (size_t i = 0; i < files->map.count; i++) {
        const char *path = plots_text(a, files->map.pairs[i].key);
        const struct value *entry = value_get(m->rev->files, path);
        if (value_get(entry, "data")) {
            value_set(a, data, path, value_get(entry, "data"));
        } else if (value_get(entry, "error")) {
            add_error(a, errors, g->name, m->rev->name, path, value_get(entry, "error"));
        }
    }
    return data;
}

static struct value *image_points(struct arena *a, const char *rev, const struct value *data)
{
    struct value *points = value_list(a);
    for (size_t i = 0; i < data->map.count; i++) {
        struct value *point = value_map(a);
        value_set(a, point, "rev", value_cstr(a, rev));
        value_set_key(a, point, value_cstr(a, "filename"), data->map.pairs[i].key);
        value_set(a, point, "data", data->map.pairs[i].val);
        value_push(a, points, point);
    }
    return points;
}

static void match_group(struct arena *a, const struct group *g, struct plot *plot,
                        struct value *errors)
{
    struct value *props = value_map(a), *late = value_list(a);
    for (size_t i = g->count; i-- > 0;) {
        update(a, props, g->members[i].props);
    }
    *plot = (struct plot){.name = g->name, .points = value_list(a), .revs = value_list(a)};
    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        struct value *data = read_sources(a, g, m, errors), *error = NULL;
        plot->image = plotfile_is_image(m->id);
        struct plotpoints made = {.props = value_map(a)};
        if (plot->image) {
            plot->name = m->id;
            made.points = image_points(a, m->rev->name, data);
        } else if ((error = plotpoints_make(a, m->id, m->rev->name, props, data, &made)) != NULL) {
            add_error(a, late, g->name, m->rev->name, NULL, error);
            continue;
        }
        for (size_t k = 0; k < made.points->list.count; k++) {
            value_push(a, plot->points, made.points->list.items[k]);
        }
        if (made.points->list.count > 0) {
            value_push(a, plot->revs, value_cstr(a, m->rev->name));
            plot->series = plot->props ? plot->series : made.series;
            plot->props = plot->props ? plot->props : made.props;
        }
    }
    plot->props = plot->props ? plot->props : value_map(a);
    if (!value_get(plot->props, "title")) {
        value_set(a, plot->props, "title", value_cstr(a, plot->name));
    }
    for (size_t i = 0; i < late->list.count; i++) {
        value_push(a, errors, late->list.items[i]);
    }
}

void plots_match(struct arena *a, const struct plot_revision *revs, size_t count,
                 struct plot_list *out)
{
    struct group *groups;
    size_t n = make_groups(a, revs, count, &groups);
    *out = (struct plot_list){.items = ARENA_ARRAY(a, n + 1, struct plot), .count = n};
    out->errors = value_list(a);
    for (size_t i = 0; i < n; i++) {
        match_group(a, &groups[i], &out->items[i], out->errors);
    }
}
