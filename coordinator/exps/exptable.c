/* See exptable.h. */
#include "exptable.h"

#include "alloc.h"
#include "err.h"
#include "expgrid.h"
#include "table.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct maker {
    struct arena *a;
    const struct exptable_options *opt;
    const char *fill;
    struct value *metrics, *params; /* file -> set of names */
    struct value *deps;             /* set of paths */
    struct value *counts;           /* name -> in how many files, headings included */
    struct expgrid *grid;
};

static const char *const headings[] = {"Experiment", "rev",   "typ",     "Created",
                                       "parent",     "State", "Executor"};

/* ---- names ---- */

static void count_name(struct maker *m, const char *name)
{
    const struct value *n = value_get(m->counts, name);
    value_set(m->a, m->counts, name, value_int(m->a, n != NULL ? n->i + 1 : 1));
}

/* Names of one state's files. */
static void collect_files(struct maker *m, const struct value *files, struct value *names)
{
    for (size_t i = 0; files != NULL && i < files->map.count; i++) {
        const struct value *data = value_get(files->map.pairs[i].val, "data");
        struct value *known = value_get_str(names, files->map.pairs[i].key->s);
        struct value *flat = value_map(m->a);
        if (data != NULL && data->type != VALUE_MAP) {
            continue; /* a file that is one value has no names */
        }
        if (known == NULL) {
            known = value_map(m->a);
            value_set_key(m->a, names, files->map.pairs[i].key, known);
        }
        if (data != NULL) {
            table_flatten(m->a, data, flat);
        }
        for (size_t k = 0; k < flat->map.count; k++) {
            value_set_key(m->a, known, flat->map.pairs[k].key, value_null(m->a));
        }
    }
}

static void collect_state(struct maker *m, const struct value *state)
{
    const struct value *data = value_get(state, "data"), *deps = value_get(data, "deps");
    collect_files(m, value_get(data, "metrics"), m->metrics);
    collect_files(m, value_get(data, "params"), m->params);
    for (size_t i = 0; deps != NULL && i < deps->map.count; i++) {
        value_set_key(m->a, m->deps, deps->map.pairs[i].key, value_null(m->a));
    }
}

static const struct value *items_of(const struct value *v, const char *key)
{
    const struct value *list = value_get(v, key);
    return list != NULL && list->type == VALUE_LIST ? list : NULL;
}

static void collect_names(struct maker *m, const struct value *states)
{
    for (size_t i = 0; i < states->list.count; i++) {
        const struct value *ranges = items_of(states->list.items[i], "experiments");
        collect_state(m, states->list.items[i]);
        for (size_t k = 0; ranges != NULL && k < ranges->list.count; k++) {
            const struct value *revs = value_get(ranges->list.items[k], "revs");
            for (size_t j = 0; j < revs->list.count; j++) {
                collect_state(m, revs->list.items[j]);
            }
        }
    }
}

static void count_names(struct maker *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(headings); i++) {
        count_name(m, headings[i]);
    }
    for (size_t side = 0; side < 2; side++) {
        const struct value *files = side == 0 ? m->metrics : m->params;
        for (size_t i = 0; i < files->map.count; i++) {
            const struct value *names = files->map.pairs[i].val;
            /* of a file that has both metrics and parameters the latter count, as with DVC */
            if (side == 0 && value_get_str(m->params, files->map.pairs[i].key->s) != NULL) {
                continue;
            }
            for (size_t k = 0; k < names->map.count; k++) {
                count_name(m, value_as_str(names->map.pairs[k].key).p);
            }
        }
    }
}

static const char *header(struct maker *m, const char *file, const char *name)
{
    const struct value *n = value_get(m->counts, name);
    return n != NULL && n->i == 1 ? name : arena_printf(m->a, "%s:%s", file, name);
}

static void add_columns(struct maker *m, const struct value *files, enum expgrid_kind kind)
{
    for (size_t i = 0; i < files->map.count; i++) {
        const struct value *names = files->map.pairs[i].val;
        for (size_t k = 0; k < names->map.count; k++) {
            expgrid_column(m->grid,
                           header(m, value_as_str(files->map.pairs[i].key).p,
                                  value_as_str(names->map.pairs[k].key).p),
                           kind);
        }
    }
}

static int compare_keys(const void *x, const void *y)
{
    return str_cmp(((const struct value_pair *)x)->key->s, ((const struct value_pair *)y)->key->s);
}

static void make_columns(struct maker *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(headings); i++) {
        expgrid_column(m->grid, headings[i], EXPGRID_HEADING);
    }
    add_columns(m, m->metrics, EXPGRID_METRIC);
    add_columns(m, m->params, EXPGRID_PARAM);
    struct value_pair *pairs = ARENA_ARRAY(m->a, m->deps->map.count + 1, struct value_pair);
    if (m->deps->map.count > 0) {
        memcpy(pairs, m->deps->map.pairs, m->deps->map.count * sizeof(*pairs));
        qsort(pairs, m->deps->map.count, sizeof(*pairs), compare_keys);
    }
    for (size_t i = 0; i < m->deps->map.count; i++) {
        expgrid_column(m->grid, value_as_str(pairs[i].key).p, EXPGRID_DEP);
    }
}

/* ---- cells ---- */

/* Floats inside of lists and maps become texts when they are rounded, as with DVC. */
static struct value *rounded(struct maker *m, const struct value *v)
{
    struct value *copy;
    switch (v->type) {
    case VALUE_FLOAT:
        return value_cstr(m->a, arena_printf(m->a, "%.*g", m->opt->precision, v->f));
    case VALUE_LIST:
        copy = value_list(m->a);
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(m->a, copy, rounded(m, v->list.items[i]));
        }
        return copy;
    case VALUE_MAP:
        copy = value_map(m->a);
        for (size_t i = 0; i < v->map.count; i++) {
            value_append(m->a, copy, v->map.pairs[i].key, rounded(m, v->map.pairs[i].val));
        }
        return copy;
    default:
        return (struct value *)v;
    }
}

static const char *cell_text(struct maker *m, const struct value *v)
{
    struct strbuf b;
    strbuf_init(&b);
    v = m->opt->precision > 0 ? rounded(m, v) : v;
    if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
        value_repr(&b, v);
    } else {
        value_text(&b, v);
    }
    const char *text = arena_str(m->a, strbuf_str(&b)).p;
    strbuf_release(&b);
    return text;
}

static void set_files(struct maker *m, const struct value *files, const struct value *names)
{
    for (size_t i = 0; files != NULL && i < files->map.count; i++) {
        const struct value *entry = files->map.pairs[i].val, *data = value_get(entry, "data");
        const struct value *wanted = value_get_str(names, files->map.pairs[i].key->s);
        const char *absent = value_get(entry, "error") != NULL ? "!" : m->fill;
        struct value *flat = value_map(m->a);
        if (data != NULL && data->type == VALUE_MAP) {
            table_flatten(m->a, data, flat);
        }
        for (size_t k = 0; wanted != NULL && k < wanted->map.count; k++) {
            const char *name = value_as_str(wanted->map.pairs[k].key).p;
            const struct value *v = value_get(flat, name);
            bool none = v == NULL || v->type == VALUE_NULL;
            expgrid_set(m->grid, header(m, value_as_str(files->map.pairs[i].key).p, name),
                        none ? absent : cell_text(m, v));
        }
    }
}

/* "2026-01-02T03:04:05" as it is, or "03:04 AM" of today, or "Jan 02, 2026". */
static const char *created(struct maker *m, const struct value *timestamp)
{
    struct tm t = {0}, today = {0};
    time_t now = (time_t)(m->opt->now_ms / 1000);
    char text[32];
    struct str s = value_as_str(timestamp);
    if (s.n == 0 || m->opt->form == EXPTABLE_CSV) {
        return s.n == 0 ? m->fill : s.p;
    }
    if (strptime(s.p, "%Y-%m-%dT%H:%M:%S", &t) == NULL || localtime_r(&now, &today) == NULL) {
        return s.p;
    }
    bool same = t.tm_year == today.tm_year && t.tm_yday == today.tm_yday;
    strftime(text, sizeof text, same ? "%I:%M %p" : "%b %d, %Y", &t);
    return arena_strdup(m->a, text);
}

static void set_data(struct maker *m, const struct value *data)
{
    if (data == NULL || data->type != VALUE_MAP) {
        return;
    }
    const struct value *deps = value_get(data, "deps");
    expgrid_set(m->grid, "Created", created(m, value_get(data, "timestamp")));
    set_files(m, value_get(data, "metrics"), m->metrics);
    set_files(m, value_get(data, "params"), m->params);
    for (size_t i = 0; deps != NULL && i < deps->map.count; i++) {
        struct str hash = value_as_str(value_get(deps->map.pairs[i].val, "hash"));
        expgrid_set(m->grid, value_as_str(deps->map.pairs[i].key).p, hash.n > 0 ? hash.p : m->fill);
    }
}

static const char *capitalized(struct maker *m, struct str s)
{
    char *text = arena_strndup(m->a, s.p, s.n);
    if (text[0] >= 'a' && text[0] <= 'z') {
        text[0] = (char)(text[0] - 'a' + 'A');
    }
    return text;
}

/* Full ids are cut to seven digits, names are not. */
static const char *short_rev(struct maker *m, struct str rev)
{
    bool id = (rev.n == 40 || rev.n == 64) && strspn(rev.p, "0123456789abcdef") == rev.n;
    return arena_str(m->a, id ? str_sub(rev, 0, 7) : rev).p;
}

static void add_baseline(struct maker *m, const struct value *state)
{
    struct str name = value_as_str(value_get(state, "name"));
    expgrid_row(m->grid, m->fill);
    expgrid_set(m->grid, "Experiment", "");
    expgrid_set(m->grid, "rev",
                name.n > 0 ? name.p : short_rev(m, value_as_str(value_get(state, "rev"))));
    expgrid_set(m->grid, "typ", "baseline");
    expgrid_set(m->grid, "parent", "");
    set_data(m, value_get(state, "data"));
}

static void add_experiment(struct maker *m, const struct value *range, bool last)
{
    const struct value *state = value_get(range, "revs")->list.items[0];
    const struct value *executor = value_get(range, "executor");
    struct str name = value_as_str(value_get(executor, "name"));
    expgrid_row(m->grid, m->fill);
    expgrid_set(m->grid, "Experiment", value_as_str(value_get(state, "name")).p);
    expgrid_set(m->grid, "rev", short_rev(m, value_as_str(value_get(state, "rev"))));
    expgrid_set(m->grid, "typ", last ? "branch_base" : "branch_commit");
    expgrid_set(m->grid, "parent", "");
    if (executor != NULL && executor->type == VALUE_MAP) {
        expgrid_set(m->grid, "State", capitalized(m, value_as_str(value_get(executor, "state"))));
        if (name.n > 0) {
            expgrid_set(m->grid, "Executor", capitalized(m, name));
        }
    }
    set_data(m, value_get(state, "data"));
}

/* ---- order ---- */

struct sorted {
    const struct value *range, *key;
    size_t place;
    bool descending;
};

struct sort_column {
    const char *kind, *file, *name; /* "metrics" or "params" */
};

/* One more that fits; false when it is there already. */
static bool add_match(struct sort_column *all, size_t *count, size_t max, struct sort_column x)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(all[i].kind, x.kind) == 0 && strcmp(all[i].file, x.file) == 0 &&
            strcmp(all[i].name, x.name) == 0) {
            return false;
        }
    }
    if (*count < max) {
        all[(*count)++] = x;
    }
    return true;
}

#define MATCH_MAX 16

/* `file` NULL: any. */
static void match(struct maker *m, const char *file, const char *name, struct sort_column *all,
                  size_t *count)
{
    for (size_t side = 0; side < 2; side++) {
        const struct value *files = side == 0 ? m->metrics : m->params;
        for (size_t i = 0; i < files->map.count; i++) {
            const char *f = value_as_str(files->map.pairs[i].key).p;
            if ((file == NULL || strcmp(file, f) == 0) &&
                value_get(files->map.pairs[i].val, name) != NULL) {
                add_match(all, count, MATCH_MAX,
                          (struct sort_column){side == 0 ? "metrics" : "params", f, name});
            }
        }
    }
}

/* "a:b:c" is b:c in the file a, or c in a:b; else the name in any file. */
static int find_sort_column(struct maker *m, struct sort_column *found, struct err *e)
{
    struct sort_column all[MATCH_MAX];
    size_t count = 0;
    const char *by = m->opt->sort_by, *whole = by[0] == ':' ? by + 1 : by;
    for (const char *colon = strchr(by, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        match(m, arena_strndup(m->a, by, (size_t)(colon - by)), colon + 1, all, &count);
    }
    if (count == 0) {
        match(m, NULL, whole, all, &count);
    }
    if (count == 1) {
        *found = all[0];
        return 0;
    }
    if (count == 0) {
        return err_set(e, ERR_USAGE, "Unknown sort column '%s'", whole);
    }
    err_set(e, ERR_USAGE, "Ambiguous sort column '%s' matched '", whole);
    for (size_t i = 0; i < count; i++) {
        err_append(e, "%s%s:%s", i > 0 ? ", " : "", all[i].file, all[i].name);
    }
    return err_append(e, "'");
}

static double number(const struct value *v)
{
    switch (v->type) {
    case VALUE_INT:
        return (double)v->i;
    case VALUE_FLOAT:
        return v->f;
    case VALUE_BOOL:
        return v->b;
    default:
        return 0;
    }
}

/* Numbers before texts before what is not there; `descending` turns all of it around. */
static int compare_sorted(const void *x, const void *y)
{
    const struct sorted *a = x, *b = y;
    int ra = a->key == NULL ? 2 : a->key->type >= VALUE_STR,
        rb = b->key == NULL ? 2 : b->key->type >= VALUE_STR;
    int d = ra - rb;
    if (d == 0 && ra == 0) {
        double na = number(a->key), nb = number(b->key);
        d = (na > nb) - (na < nb);
    } else if (d == 0 && ra == 1) {
        d = str_cmp(value_as_str(a->key), value_as_str(b->key));
    }
    d = a->descending ? -d : d;
    return d != 0 ? d : (a->place > b->place) - (a->place < b->place);
}

static const struct value *sort_key(struct maker *m, const struct sort_column *c,
                                    const struct value *range)
{
    const struct value *state = value_get(range, "revs")->list.items[0];
    const struct value *file = value_get(value_get(value_get(state, "data"), c->kind), c->file);
    const struct value *data = value_get(file, "data");
    struct value *flat = value_map(m->a);
    if (data == NULL || data->type != VALUE_MAP) {
        return NULL;
    }
    table_flatten(m->a, data, flat);
    const struct value *v = value_get(flat, c->name);
    return v != NULL && v->type == VALUE_NULL ? NULL : v;
}

static int add_experiments(struct maker *m, const struct value *ranges, struct err *e)
{
    size_t count = ranges->list.count;
    struct sorted *order = ARENA_ARRAY(m->a, count + 1, struct sorted);
    struct sort_column c = {0};
    if (m->opt->sort_by != NULL && find_sort_column(m, &c, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct value *range = ranges->list.items[i];
        order[i] = (struct sorted){.range = range, .place = i, .descending = m->opt->descending};
        order[i].key = m->opt->sort_by != NULL ? sort_key(m, &c, range) : NULL;
    }
    if (m->opt->sort_by != NULL) {
        qsort(order, count, sizeof(*order), compare_sorted);
    }
    for (size_t i = 0; i < count; i++) {
        add_experiment(m, order[i].range, i + 1 == count);
    }
    return 0;
}

int exptable_render(const struct value *states, const struct exptable_options *opt,
                    struct strbuf *out, struct err *e)
{
    struct arena a;
    struct expgrid grid;
    arena_init(&a);
    expgrid_init(&grid, &a);
    struct maker m = {
        .a = &a, .opt = opt, .fill = opt->form == EXPTABLE_CSV ? "" : "-", .grid = &grid};
    m.metrics = value_map(&a);
    m.params = value_map(&a);
    m.deps = value_map(&a);
    m.counts = value_map(&a);
    collect_names(&m, states);
    count_names(&m);
    make_columns(&m);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < states->list.count; i++) {
        const struct value *ranges = items_of(states->list.items[i], "experiments");
        add_baseline(&m, states->list.items[i]);
        rc = ranges != NULL ? add_experiments(&m, ranges, e) : 0;
    }
    rc = rc == 0 ? expgrid_render(&grid, opt, m.fill, out, e) : rc;
    expgrid_release(&grid);
    arena_release(&a);
    return rc;
}
