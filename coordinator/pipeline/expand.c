/*
 * foreach, matrix and plain stages of one dvc.yaml. Source: DVC 3.67, dvc/parsing/__init__.py
 * (behaviour). Each definition becomes a list of members (a name and what ${item} and ${key} are),
 * then each member's body is expanded with the context of the file plus item and key; a member with
 * `vars` of its own gets a copy of the context, which shares everything but the top-level map.
 */
#include "expand.h"

#include "alloc.h"
#include "err.h"
#include "path.h"
#include "template.h"

struct member {
    const char *key; /* after the '@'; NULL: a plain stage */
    const struct value *item;
    const struct value *key_value; /* ${key}; NULL: not set */
};

struct definition {
    const char *name;
    const struct value *body;  /* the template: `do`, or the stage without `matrix` */
    const struct value *given; /* below stages.NAME */
    struct member *members;
    size_t count;
};

int expand_error(const struct template_ctx *t, const char *what, const char *shown, struct err *e)
{
    bool newline =
        t->fault == TEMPLATE_SYNTAX || t->fault == TEMPLATE_MERGE || t->fault == TEMPLATE_LOADED;
    if (!e || t->fault == TEMPLATE_FILE) {
        return -1;
    }
    struct err cause = *e;
    return err_set(e, cause.code == ERR_MISSING ? ERR_FORMAT : cause.code,
                   "failed to parse %s in '%s':%s%s", what, shown, newline ? "\n" : " ",
                   cause.text);
}

/* The same for a field of a stage. */
static int expand_error_at(const struct expand *x, const struct template_ctx *t, const char *name,
                           const char *field, struct err *e)
{
    char what[512];
    snprintf(what, sizeof(what), "'stages.%s.%s'", name, field);
    return expand_error(t, what, x->shown, e);
}

static const char *scalar_name(struct arena *a, const struct value *v, bool from_context)
{
    struct strbuf b;
    strbuf_init(&b);
    if (from_context) {
        value_text(&b, v); /* DVC wraps such values: a bool shows as Python's True */
    } else {
        template_text(&b, v);
    }
    const char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

static bool is_scalar(const struct value *v)
{
    return v->type != VALUE_LIST && v->type != VALUE_MAP;
}

static struct value *text_value(struct arena *a, const char *s)
{
    return value_cstr(a, s);
}

/* Same names: the later value wins in the earlier place, as in a Python dict. `names` maps name ->
 * position. */
static void add_member(struct arena *a, struct definition *d, struct value *names,
                       const struct member *m)
{
    struct value *have = value_get(names, m->key);
    if (have) {
        d->members[have->i] = *m;
        return;
    }
    value_append(a, names, text_value(a, m->key), value_int(a, (int64_t)d->count));
    d->members[d->count++] = *m;
}

static void warn_shadowed(const struct expand *x, const char *name, bool item, bool key,
                          bool key_first)
{
    item = item && value_get(x->context->root, "item");
    key = key && value_get(x->context->root, "key");
    if (item || key) {
        const char *both = key_first ? "key and item" : "item and key";
        x->warn(x->ctx, arena_printf(x->context->arena,
                                     "%s %s already specified, will be overwritten for stages "
                                     "generated from '%s'",
                                     item && key ? both
                                     : item      ? "item"
                                                 : "key",
                                     item && key ? "are" : "is", name));
    }
}

static const char *python_type(const struct value *v)
{
    return v->type == VALUE_NULL ? "NoneType" : value_type_name(v->type);
}

/* --- foreach ---------------------------------------------------------------------------------- */

static void foreach_list(const struct expand *x, struct definition *d, const struct value *list,
                         const struct value *given)
{
    struct arena *a = x->context->arena;
    bool composite = false;
    for (size_t i = 0; i < list->list.count; i++) {
        composite = composite || !is_scalar(list->list.items[i]);
    }
    struct value *names = value_map(a);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *v = list->list.items[i];
        const struct value *src = given->type == VALUE_LIST ? given->list.items[i] : given;
        bool from_context = given->type != VALUE_LIST || (src != v && v->type != VALUE_STR);
        const char *key = composite ? arena_printf(a, "%zu", i) : scalar_name(a, v, from_context);
        add_member(a, d, names, &(struct member){key, v, NULL});
    }
}

static void foreach_map(const struct expand *x, struct definition *d, const struct value *map,
                        const struct value *given)
{
    struct arena *a = x->context->arena;
    struct value *names = value_map(a);
    for (size_t i = 0; i < map->map.count; i++) {
        const struct value_pair *p = &map->map.pairs[i];
        if (given->type == VALUE_STR && p->key->type != VALUE_STR) {
            continue; /* not visible to templates */
        }
        const char *key = scalar_name(a, p->key, false);
        add_member(a, d, names, &(struct member){key, p->val, text_value(a, key)});
    }
}

/* The data of foreach or matrix, expanded; its expressions are checked first. */
static const struct value *resolve_data(const struct expand *x, const char *stage,
                                        const char *field, const struct value *given, struct err *e)
{
    const struct value *data = NULL;
    if (template_check(given, e) < 0) {
        x->context->fault = TEMPLATE_SYNTAX;
    } else {
        data = template_resolve(x->context, given, NULL, e);
    }
    if (!data) {
        expand_error_at(x, x->context, stage, field, e);
    }
    return data;
}

static int make_foreach(const struct expand *x, struct definition *d, const struct value *given,
                        size_t *total, struct err *e)
{
    const struct value *data = resolve_data(x, d->name, "foreach", given, e);
    if (!data) {
        return -1;
    }
    if (is_scalar(data)) {
        return err_set(e, ERR_FORMAT,
                       "failed to resolve 'stages.%s.foreach' in '%s': expected list/dictionary, "
                       "got %s",
                       d->name, x->shown, python_type(data));
    }
    bool is_map = data->type == VALUE_MAP;
    size_t n = is_map ? data->map.count : data->list.count;
    *total += n;
    if (*total > EXPAND_MAX_STAGES) {
        return err_set(e, ERR_LIMIT, "'%s' makes more than %d stages at 'stages.%s.foreach'",
                       x->shown, EXPAND_MAX_STAGES, d->name);
    }
    warn_shadowed(x, d->name, true, is_map, false);
    d->members = ARENA_ARRAY(x->context->arena, n + 1, struct member);
    if (is_map) {
        foreach_map(x, d, data, given);
    } else {
        foreach_list(x, d, data, given);
    }
    return 0;
}

/* --- matrix ----------------------------------------------------------------------------------- */

struct axis {
    const struct value *key;
    const struct value *list; /* the values */
    const char **names;
};

static int make_axis(const struct expand *x, const char *stage, const struct value_pair *p,
                     const struct value *given, struct axis *axis, struct err *e)
{
    struct arena *a = x->context->arena;
    const struct value *list = p->val;
    if (list->type == VALUE_MAP) {
        struct value *keys = value_list(a);
        for (size_t i = 0; i < list->map.count; i++) {
            value_push(a, keys, list->map.pairs[i].key);
        }
        list = keys;
    } else if (list->type != VALUE_LIST) {
        return err_set(e, ERR_FORMAT,
                       "failed to resolve 'stages.%s.matrix' in '%s': expected list for '%.*s', "
                       "got %s",
                       stage, x->shown, STR_ARG(value_as_str(p->key)), python_type(list));
    }
    axis->key = p->key;
    axis->list = list;
    axis->names = ARENA_ARRAY(a, list->list.count + 1, const char *);
    struct str key = value_as_str(p->key);
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *v = list->list.items[i];
        bool inline_item = given && given->type == VALUE_LIST && i < given->list.count &&
                           given->list.items[i] == v;
        axis->names[i] = is_scalar(v) ? scalar_name(a, v, !inline_item && v->type != VALUE_STR)
                                      : arena_printf(a, "%.*s%zu", STR_ARG(key), i);
    }
    return 0;
}

/* The Cartesian product, last axis fastest. */
static void multiply(const struct expand *x, struct definition *d, const struct axis *axes,
                     size_t axis_count)
{
    struct arena *a = x->context->arena;
    struct value *names = value_map(a);
    size_t *at = ARENA_ARRAY(a, axis_count + 1, size_t);
    struct strbuf key;
    strbuf_init(&key);
    for (bool more = true; more;) {
        strbuf_reset(&key);
        struct value *item = value_map(a);
        for (size_t i = 0; i < axis_count; i++) {
            strbuf_addf(&key, "%s%s", i ? "-" : "", axes[i].names[at[i]]);
            value_append(a, item, (struct value *)axes[i].key, axes[i].list->list.items[at[i]]);
        }
        const char *text = arena_strndup(a, key.p, key.n);
        add_member(a, d, names, &(struct member){text, item, text_value(a, text)});
        more = false;
        for (size_t i = axis_count; i-- > 0 && !more;) {
            more = ++at[i] < axes[i].list->list.count;
            at[i] = more ? at[i] : 0;
        }
    }
    strbuf_release(&key);
}

static int make_matrix(const struct expand *x, struct definition *d, const struct value *given,
                       size_t *total, struct err *e)
{
    struct arena *a = x->context->arena;
    const struct value *data = resolve_data(x, d->name, "matrix", given, e);
    if (!data) {
        return -1;
    }
    warn_shadowed(x, d->name, true, true, true);
    size_t n = data->map.count, product = 1;
    struct axis *axes = ARENA_ARRAY(a, n + 1, struct axis);
    for (size_t i = 0; i < n; i++) {
        const struct value *src = i < given->map.count ? given->map.pairs[i].val : NULL;
        if (make_axis(x, d->name, &data->map.pairs[i], src, &axes[i], e) < 0) {
            return -1;
        }
        size_t count = axes[i].list->list.count;
        if (count > EXPAND_MAX_STAGES || !size_mul(product, count, &product) ||
            product > EXPAND_MAX_STAGES) {
            product = EXPAND_MAX_STAGES + 1;
        }
        if (count == 0) {
            return 0;
        }
    }
    *total += product;
    if (*total > EXPAND_MAX_STAGES) {
        return err_set(e, ERR_LIMIT, "'%s' makes more than %d stages at 'stages.%s.matrix'",
                       x->shown, EXPAND_MAX_STAGES, d->name);
    }
    d->members = ARENA_ARRAY(a, product + 1, struct member);
    multiply(x, d, axes, n);
    return 0;
}

/* --- stages ----------------------------------------------------------------------------------- */

static struct value *without(struct arena *a, const struct value *map, const char *key)
{
    struct value *copy = value_map(a);
    copy->line = map->line;
    copy->column = map->column;
    for (size_t i = 0; i < map->map.count; i++) {
        if (!str_is(value_as_str(map->map.pairs[i].key), key)) {
            value_append(a, copy, map->map.pairs[i].key, map->map.pairs[i].val);
        }
    }
    return copy;
}

static int make_definition(const struct expand *x, const struct value_pair *p, struct definition *d,
                           size_t *total, struct err *e)
{
    struct arena *a = x->context->arena;
    d->name = scalar_name(a, p->key, false);
    d->given = p->val;
    d->body = p->val;
    const struct value *matrix = value_get(p->val, "matrix");
    const struct value *foreach = value_get(p->val, "foreach");
    if (matrix) {
        d->body = without(a, p->val, "matrix");
        return make_matrix(x, d, matrix, total, e);
    }
    if (foreach) {
        d->body = value_get(p->val, "do");
        return make_foreach(x, d, foreach, total, e);
    }
    d->members = ARENA_NEW(a, struct member);
    d->count = 1;
    *total += 1;
    return 0;
}

static int check_syntax(const struct expand *x, const struct definition *d, struct err *e)
{
    for (size_t i = 0; i < d->body->map.count; i++) {
        const struct value_pair *p = &d->body->map.pairs[i];
        if (template_check(p->val, e) < 0) {
            x->context->fault = TEMPLATE_SYNTAX;
            return expand_error_at(x, x->context, d->name, value_as_str(p->key).p, e);
        }
    }
    return 0;
}

/* A stage's own vars, read relative to its wdir. */
static int load_stage_vars(const struct expand *x, struct template_ctx *t, const char *name,
                           const struct value *body, const struct value *vars, struct err *e)
{
    struct template_vars v = *x->vars;
    const struct value *wdir = value_get(body, "wdir");
    char what[512];
    if (wdir) {
        wdir = template_resolve(x->context, wdir, NULL, e);
        if (!wdir) {
            return expand_error_at(x, x->context, name, "wdir", e);
        }
        const char *text = scalar_name(t->arena, wdir, false);
        v.wdir = path_join(t->arena, v.wdir, text);
        v.wdir_shown = path_join(t->arena, v.wdir_shown, text);
    }
    if (template_has_expr(vars)) {
        return err_set(e, ERR_FORMAT,
                       "failed to parse 'stages.%s.vars' in '%s': interpolating is not allowed",
                       name, x->shown);
    }
    v.vars = vars;
    v.stage = name;
    v.default_file = NULL;
    if (template_load_vars(t, &v, e) == 0) {
        return 0;
    }
    snprintf(what, sizeof(what), t->fault == TEMPLATE_LOADED ? "'stages.%s.vars'" : "stage '%s'",
             name);
    return expand_error(t, what, x->shown, e);
}

static int resolve_body(const struct expand *x, struct template_ctx *t, const char *name,
                        const struct value *body, struct value **out, struct err *e)
{
    struct value *resolved = value_map(t->arena);
    resolved->line = body->line;
    resolved->column = body->column;
    for (size_t i = 0; i < body->map.count; i++) {
        const struct value_pair *p = &body->map.pairs[i];
        struct str field = value_as_str(p->key);
        if (str_is(field, "vars")) {
            continue;
        }
        const struct value *v = template_resolve(t, p->val, field.p, e);
        if (!v) {
            return expand_error_at(x, t, name, field.p, e);
        }
        value_append(t->arena, resolved, p->key, (struct value *)v);
    }
    *out = resolved;
    return 0;
}

/* NAME or NAME@KEY must be found again by its last '@': DVC looks stages up that way. */
static int check_name(const struct expand *x, const char *name, const struct member *m,
                      struct err *e)
{
    const char *text = m->key ? m->key : name;
    if (!strchr(text, '@')) {
        return 0;
    }
    return err_set(e, ERR_FORMAT, "Stage '%s%s%s' not found inside '%s' file", name,
                   m->key ? "@" : "", m->key ? m->key : "", x->shown);
}

static int make_stage(const struct expand *x, const struct definition *d, const struct member *m,
                      struct err *e)
{
    struct template_ctx *t = x->context, own;
    struct arena *a = t->arena;
    const char *name = m->key ? arena_printf(a, "%s@%s", d->name, m->key) : d->name;
    if (check_name(x, d->name, m, e) < 0) {
        return -1;
    }
    t->item = m->item;
    t->key = m->key_value;
    const struct value *vars = value_get(d->body, "vars");
    if (vars && vars->list.count) {
        own = *t;
        t = &own;
        if (load_stage_vars(x, t, name, d->body, vars, e) < 0) {
            return -1;
        }
    }
    struct value *body = NULL;
    int r = resolve_body(x, t, name, d->body, &body, e);
    x->context->expanded_bytes = t->expanded_bytes;
    x->context->item = x->context->key = NULL;
    if (r < 0) {
        return -1;
    }
    struct expand_stage s = {name, m->key ? d->name : NULL, body, d->given->line};
    return x->stage(x->ctx, &s, e);
}

int expand_stages(const struct expand *x, const struct value *stages, struct err *e)
{
    if (!stages || stages->map.count == 0) {
        return 0;
    }
    size_t n = stages->map.count, total = 0;
    struct definition *defs = ARENA_ARRAY(x->context->arena, n, struct definition);
    for (size_t i = 0; i < n; i++) {
        if (make_definition(x, &stages->map.pairs[i], &defs[i], &total, e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (defs[i].count && check_syntax(x, &defs[i], e) < 0) {
            return -1;
        }
        for (size_t k = 0; k < defs[i].count; k++) {
            if (make_stage(x, &defs[i], &defs[i].members[k], e) < 0) {
                x->context->item = x->context->key = NULL;
                return -1;
            }
        }
    }
    return 0;
}

const struct value *expand_top(const struct expand *x, const char *section, const char *name,
                               const struct value *v, struct err *e)
{
    const struct value *resolved = NULL;
    if (template_check(v, e) < 0) {
        x->context->fault = TEMPLATE_SYNTAX;
    } else {
        resolved = template_resolve(x->context, v, NULL, e);
    }
    if (!resolved) {
        char what[512];
        snprintf(what, sizeof(what), "'%s.%s'", section, name);
        expand_error(x->context, what, x->shown, e);
    }
    return resolved;
}
