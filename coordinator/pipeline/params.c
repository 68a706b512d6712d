/*
 * Parameter files and their differences. Source: DVC 3.67, dvc/dependency/param.py,
 * dvc/utils/diff.py, dpath 2.2.
 */
#include "params.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "graph.h"
#include "json.h"
#include "path.h"
#include "pipeline.h"
#include "pyparams.h"
#include "repo.h"
#include "toml.h"
#include "yaml.h"

#include <fnmatch.h>
#include <strings.h>

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_KEY_PARTS 64

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_false(const struct value *v)
{
    return v->type == VALUE_NULL || (v->type == VALUE_BOOL && !v->b) ||
           (v->type == VALUE_INT && v->i == 0) || (v->type == VALUE_FLOAT && v->f == 0) ||
           (v->type == VALUE_STR && v->s.n == 0) || (v->type == VALUE_LIST && v->list.count == 0);
}

static int refuse_file(const struct err *cause, const char *shown, const char *kind, struct err *e)
{
    return err_set(e, cause->code, "unable to read: '%s', %s file structure is corrupted: %s",
                   shown, kind, cause->text);
}

struct value *params_parse(struct arena *a, struct str text, const char *shown, struct err *e)
{
    const char *ext = path_extension(shown);
    struct err cause = ERR_INIT;
    struct value *doc;
    const char *kind;
    if (str_utf8_valid(text) < text.n) {
        err_set(e, ERR_FORMAT, "unable to read: '%s', is not valid utf-8", shown);
        return NULL;
    }
    if (strcasecmp(ext, ".json") == 0) {
        kind = "JSON";
        doc = json_parse(a, text, shown, &cause);
    } else if (strcasecmp(ext, ".toml") == 0) {
        kind = "TOML";
        doc = toml_parse(a, text, shown, &cause);
    } else if (strcasecmp(ext, ".py") == 0) {
        kind = "Python";
        doc = pyparams_parse(a, text, shown, &cause);
    } else {
        struct yaml_options opt = {.name = shown};
        kind = "YAML";
        doc = yaml_parse(a, text, &opt, &cause);
    }
    if (!doc) {
        refuse_file(&cause, shown, kind, e);
        return NULL;
    }
    return is_false(doc) ? value_map(a) : doc;
}

struct value *params_load(struct arena *a, const char *path, const char *shown, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    struct value *doc = NULL;
    if (fs_read(path, MAX_BYTES, &text, e) == 0) {
        doc = params_parse(a, strbuf_str(&text), shown, e);
    }
    strbuf_release(&text);
    return doc;
}

/* --- keys ------------------------------------------------------------------------------------- */

static size_t split_key(const char *key, struct str parts[MAX_KEY_PARTS])
{
    struct str rest = str_from(key + strspn(key, "."));
    size_t n = 0;
    while (n < MAX_KEY_PARTS && str_split(&rest, '.', &parts[n])) {
        n++;
    }
    return n;
}

static const struct value *step_exact(const struct value *v, struct str part)
{
    if (v->type == VALUE_MAP) {
        return value_get_str(v, part);
    }
    size_t index = 0;
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] < '0' || part.p[i] > '9' || index > 100000000) {
            return NULL;
        }
        index = index * 10 + (size_t)(part.p[i] - '0');
    }
    bool there = v->type == VALUE_LIST && part.n && index < v->list.count;
    return there ? v->list.items[index] : NULL;
}

struct search {
    const char *parts[MAX_KEY_PARTS]; /* NUL-terminated patterns */
    size_t count;
    const struct value *found;
    size_t hits, steps;
};

static bool key_matches(const char *pattern, const struct value *key)
{
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, key);
    bool yes = fnmatch(pattern, text.p, FNM_NOESCAPE) == 0;
    strbuf_release(&text);
    return yes;
}

/* Bounded: a pattern over a huge document stops after a million steps. */
static void search(struct search *s, const struct value *v, size_t depth)
{
    if (++s->steps > 1000000 || s->hits > 1) {
        return;
    }
    if (depth == s->count) {
        s->found = v;
        s->hits++;
        return;
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        if (fnmatch(s->parts[depth], index, FNM_NOESCAPE) == 0) {
            search(s, v->list.items[i], depth + 1);
        }
    }
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        if (key_matches(s->parts[depth], v->map.pairs[i].key)) {
            search(s, v->map.pairs[i].val, depth + 1);
        }
    }
}

static const struct value *get_pattern(const struct value *doc, const struct str *parts, size_t n)
{
    struct arena a;
    arena_init(&a);
    struct search s = {.count = n};
    for (size_t i = 0; i < n; i++) {
        s.parts[i] = arena_strndup(&a, parts[i].p, parts[i].n);
    }
    search(&s, doc, 0);
    arena_release(&a);
    return s.hits == 1 ? s.found : NULL;
}

const struct value *params_get(const struct value *doc, const char *key)
{
    struct str parts[MAX_KEY_PARTS];
    size_t n = split_key(key, parts);
    if (strpbrk(key, "*?[")) {
        return get_pattern(doc, parts, n);
    }
    const struct value *v = doc;
    for (size_t i = 0; v && i < n; i++) {
        v = step_exact(v, parts[i]);
    }
    return v;
}

/* --- of a stage ------------------------------------------------------------------------------- */

void params_cache_init(struct params_cache *c)
{
    arena_init(&c->arena);
    c->docs = value_map(&c->arena);
}

void params_cache_release(struct params_cache *c)
{
    arena_release(&c->arena);
    c->docs = NULL;
}

static const struct value *cached(struct params_cache *c, const struct repo *r,
                                  const struct param_dep *dep, struct err *e)
{
    struct value *doc = value_get(c->docs, dep->path);
    if (doc) {
        return doc;
    }
    const char *shown = graph_show(r, &c->arena, dep->def, dep->path);
    const char *abs = repo_abs(r, &c->arena, dep->path);
    struct err cause = ERR_INIT;
    doc = params_load(&c->arena, abs, shown, &cause);
    if (!doc && cause.code == ERR_MISSING) {
        err_set(e, ERR_MISSING, "dependency '%s' does not exist", shown);
    } else if (!doc && fs_is_dir(abs)) {
        err_set(e, ERR_FORMAT, "'%s' is a directory, expected a parameters file", shown);
    } else if (!doc) {
        err_set(e, cause.code, "Unable to read parameters from '%s': %s", shown, cause.text);
    } else {
        value_set(&c->arena, c->docs, dep->path, doc);
    }
    return doc;
}

int params_read(struct params_cache *c, const struct repo *r, const struct param_dep *dep,
                struct value **values, struct value **missing, struct err *e)
{
    const struct value *doc = cached(c, r, dep, e);
    if (!doc) {
        return -1;
    }
    if (missing) {
        *missing = value_list(&c->arena);
    }
    if (dep->key_count == 0) {
        if (doc->type != VALUE_MAP) {
            return err_set(e, ERR_FORMAT, "'%s': expected a map of parameters, got %s", dep->def,
                           value_type_name(doc->type));
        }
        *values = (struct value *)doc;
        return 0;
    }
    *values = value_map(&c->arena);
    for (size_t i = 0; i < dep->key_count; i++) {
        const struct value *v = params_get(doc, dep->keys[i]);
        if (v) {
            value_set(&c->arena, *values, dep->keys[i], (struct value *)v);
        } else if (missing) {
            value_push(&c->arena, *missing, value_cstr(&c->arena, dep->keys[i]));
        }
    }
    return 0;
}

int params_missing_error(const struct repo *r, const struct param_dep *dep,
                         const struct value *missing, struct err *e)
{
    struct arena a;
    struct strbuf names;
    arena_init(&a);
    strbuf_init_max(&names, 1500);
    for (size_t i = 0; i < missing->list.count; i++) {
        strbuf_adds(&names, i ? ", " : "");
        strbuf_addstr(&names, missing->list.items[i]->s);
    }
    err_set(e, ERR_FORMAT, "Parameters '%s' are missing from '%s'.", names.p,
            graph_show(r, &a, dep->def, dep->path));
    strbuf_release(&names);
    arena_release(&a);
    return -1;
}

/* --- differences ------------------------------------------------------------------------------ */

static struct value *repr_value(struct arena *a, const struct value *v)
{
    struct strbuf b;
    strbuf_init(&b);
    value_repr(&b, v);
    struct value *text = value_str(a, strbuf_str(&b));
    strbuf_release(&b);
    return text;
}

static void flatten_into(struct arena *a, struct value *flat, struct strbuf *prefix,
                         const struct value *map)
{
    size_t base = prefix->n;
    for (size_t i = 0; i < map->map.count; i++) {
        const struct value *v = map->map.pairs[i].val;
        if (base) {
            strbuf_addch(prefix, '.');
        }
        value_text(prefix, map->map.pairs[i].key);
        if (v->type == VALUE_MAP) {
            flatten_into(a, flat, prefix, v);
        } else {
            value_set(a, flat, prefix->p,
                      v->type == VALUE_LIST ? repr_value(a, v) : (struct value *)v);
        }
        strbuf_truncate(prefix, base);
    }
}

struct value *params_flatten(struct arena *a, const struct value *doc)
{
    struct value *flat = value_map(a);
    struct strbuf prefix;
    strbuf_init(&prefix);
    if (doc && doc->type == VALUE_MAP) {
        flatten_into(a, flat, &prefix, doc);
    }
    strbuf_release(&prefix);
    return flat;
}

static bool is_number(const struct value *v)
{
    return v->type == VALUE_INT || v->type == VALUE_FLOAT || v->type == VALUE_BOOL ||
           v->type == VALUE_BIGINT;
}

static double number_of(const struct value *v)
{
    switch (v->type) {
    case VALUE_INT:
        return (double)v->i;
    case VALUE_BOOL:
        return v->b;
    case VALUE_BIGINT:
        return strtod(v->s.p, NULL);
    default:
        return v->f;
    }
}

static struct value *subtract(struct arena *a, const struct value *new, const struct value *old)
{
    bool ints = (new->type == VALUE_INT || new->type == VALUE_BOOL) &&
                (old->type == VALUE_INT || old->type == VALUE_BOOL);
    int64_t x = new->type == VALUE_BOOL ? new->b : new->i,
            y = old->type == VALUE_BOOL ? old->b : old->i, d;
    if (ints && !__builtin_sub_overflow(x, y, &d)) {
        return value_int(a, d);
    }
    return value_float(a, number_of(new) - number_of(old));
}

/* {"old", "new"[, "diff"]}; NULL when they are equal and `all` is not asked for. */
static struct value *diff_values(struct arena *a, const struct value *old, const struct value *new,
                                 bool all)
{
    struct value *none = value_null(a);
    old = old ? old : none;
    new = new ? new : none;
    if (!all && value_eq(old, new)) {
        return NULL;
    }
    struct value *d = value_map(a);
    value_set(a, d, "old", (struct value *)old);
    value_set(a, d, "new", (struct value *)new);
    if (is_number(old) && is_number(new)) {
        value_set(a, d, "diff", subtract(a, new, old));
    }
    return d;
}

static int compare_keys(const void *x, const void *y)
{
    struct str a = (*(const struct value *const *)x)->s, b = (*(const struct value *const *)y)->s;
    return str_cmp(a, b);
}

static struct value *diff_maps(struct arena *a, const struct value *old, const struct value *new,
                               bool all)
{
    struct value *x = params_flatten(a, old), *y = params_flatten(a, new), *result = value_map(a);
    struct value *names = value_copy(a, x);
    for (size_t i = 0; i < y->map.count; i++) {
        value_set_key(a, names, y->map.pairs[i].key, y->map.pairs[i].val);
    }
    size_t n = names->map.count;
    struct value **keys = ARENA_ARRAY(a, n + 1, struct value *);
    for (size_t i = 0; i < n; i++) {
        keys[i] = names->map.pairs[i].key;
    }
    if (n) {
        qsort(keys, n, sizeof(*keys), compare_keys);
    }
    for (size_t i = 0; i < n; i++) {
        struct value *d =
            diff_values(a, value_get_str(x, keys[i]->s), value_get_str(y, keys[i]->s), all);
        if (d) {
            value_append(a, result, keys[i], d);
        }
    }
    return result;
}

static void diff_file(struct arena *a, struct value *result, struct value *path,
                      const struct value *old, const struct value *new, bool all)
{
    struct value *d;
    if ((!old || old->type == VALUE_MAP) || (!new || new->type == VALUE_MAP)) {
        /* A document that is no map stands for nothing beside a map. */
        d = diff_maps(a, old, new, all);
    } else {
        d = value_map(a);
        struct value *v = diff_values(a, old->type == VALUE_LIST ? repr_value(a, old) : old,
                                      new->type == VALUE_LIST ? repr_value(a, new) : new, all);
        if (v) {
            value_set(a, d, "", v);
        }
    }
    if (d->map.count) {
        value_append(a, result, path, d);
    }
}

struct value *params_diff(struct arena *a, const struct value *old_files,
                          const struct value *new_files, bool all)
{
    struct value *result = value_map(a);
    for (size_t i = 0; i < old_files->map.count; i++) {
        const struct value_pair *p = &old_files->map.pairs[i];
        diff_file(a, result, p->key, p->val, value_get_str(new_files, p->key->s), all);
    }
    for (size_t i = 0; i < new_files->map.count; i++) {
        const struct value_pair *p = &new_files->map.pairs[i];
        if (!value_get_str(old_files, p->key->s)) {
            diff_file(a, result, p->key, NULL, p->val, all);
        }
    }
    return result;
}

/* --- what is looked at ------------------------------------------------------------------------ */

/* Adds keys to a file's list; no keys: the whole file, which then stays an empty list. */
static void add_target(struct arena *a, struct value *files, struct value *whole, const char *path,
                       const char *const *keys, size_t n)
{
    struct value *list = value_get(files, path);
    if (!list) {
        value_set(a, files, path, list = value_list(a));
    }
    if (n == 0) {
        value_set(a, whole, path, value_null(a));
    }
    for (size_t i = 0; i < n; i++) {
        value_push(a, list, value_cstr(a, keys[i]));
    }
}

struct value *params_targets(struct arena *a, const struct pipeline *p, bool deps_only,
                             bool has_default)
{
    struct value *files = value_map(a), *whole = value_map(a);
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *s = &p->stages[i];
        for (size_t k = 0; k < s->param_count; k++) {
            add_target(a, files, whole, s->params[k].path, s->params[k].keys,
                       s->params[k].key_count);
        }
    }
    for (size_t i = 0; !deps_only && i < p->file_count; i++) {
        for (size_t k = 0; k < p->files[i].param_count; k++) {
            add_target(a, files, whole, p->files[i].params[k], NULL, 0);
        }
    }
    if (!deps_only && has_default) {
        add_target(a, files, whole, "params.yaml", NULL, 0);
    }
    for (size_t i = 0; i < whole->map.count; i++) {
        value_set_key(a, files, whole->map.pairs[i].key, value_list(a));
    }
    return files;
}

/* Is there a value at the exact place parts[0..n)? */
static bool reaches(const struct value *v, char *const *parts, size_t n)
{
    for (size_t i = 0; v && i < n; i++) {
        v = step_exact(v, str_from(parts[i]));
    }
    return v != NULL;
}

static void project_key(struct arena *a, struct value *into, const struct value *doc,
                        char *const *parts, size_t n);

/* What parts[0..n) name below one pair of a map. Lists are taken whole. */
static void project_pair(struct arena *a, struct value *into, const struct value_pair *p,
                         char *const *parts, size_t n)
{
    if (n == 0 || (p->val->type != VALUE_MAP && reaches(p->val, parts, n))) {
        value_set_key(a, into, p->key, p->val);
        return;
    }
    if (p->val->type != VALUE_MAP) {
        return;
    }
    struct value *there = p->key->type == VALUE_STR ? value_get_str(into, p->key->s) : NULL;
    if (there == p->val) {
        return; /* all of it is there already */
    }
    struct value *next = there ? there : value_map(a);
    project_key(a, next, p->val, parts, n);
    if (!there && next->map.count) {
        value_set_key(a, into, p->key, next);
    }
}

/* Puts doc's values at parts[0..n), each a pattern, into `into`, making the maps on the way. */
static void project_key(struct arena *a, struct value *into, const struct value *doc,
                        char *const *parts, size_t n)
{
    for (size_t i = 0; i < doc->map.count; i++) {
        const struct value_pair *p = &doc->map.pairs[i];
        if (key_matches(parts[0], p->key)) {
            project_pair(a, into, p, parts + 1, n - 1);
        }
    }
}

struct value *params_project(struct arena *a, const struct value *doc, const struct value *keys)
{
    if (keys->list.count == 0 || doc->type != VALUE_MAP) {
        return (struct value *)doc;
    }
    struct value *result = value_map(a);
    for (size_t i = 0; i < keys->list.count; i++) {
        struct str parts[MAX_KEY_PARTS];
        char *patterns[MAX_KEY_PARTS];
        size_t n = split_key(value_as_str(keys->list.items[i]).p, parts);
        for (size_t k = 0; k < n; k++) {
            patterns[k] = arena_strndup(a, parts[k].p, parts[k].n);
        }
        if (n > 0) {
            project_key(a, result, doc, patterns, n);
        }
    }
    return result;
}
