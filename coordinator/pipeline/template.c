/*
 * ${…} expansion and the context it reads. Source: DVC 3.67, dvc/parsing (behaviour, by experiment
 * and reading). What is where: scanning      next_match: the regular expression (?<!\\)\${(.*?)} by
 * hand; a match never spans lines checking      template_check: DVC checks an expression's grammar
 * before anything is expanded context       template_merge, template_load_vars: immutable maps,
 * merged by copying the changed path expansion     template_resolve Not here: foreach and matrix
 * (expand.c), reading files (params.c, by a callback).
 */
#include "template.h"

#include "err.h"
#include "num.h"
#include "path.h"

#define MAX_TEXT ((size_t)1 << 20)    /* one expanded string */
#define MAX_TOTAL ((size_t)256 << 20) /* all expanded text of one context: foreach can multiply */

struct template_layer {
    const struct value *doc;
    const char *source;
    struct template_layer *next;
};

struct template_import {
    const char *path;
    const struct value *keys; /* list of the keys taken; NULL: the whole file */
    struct template_import *next;
};

void template_init(struct template_ctx *t, struct arena *a)
{
    *t = (struct template_ctx){.arena = a};
    t->root = value_map(a);
}

static int fail(struct template_ctx *t, enum template_fault fault)
{
    t->fault = fault;
    return -1;
}

/* --- scanning --------------------------------------------------------------------------------- */

struct match {
    size_t start, end; /* of the whole ${…} */
    struct str inner;
};

/* The first ${…} at or after `from`. */
static bool next_match(struct str s, size_t from, struct match *m)
{
    for (size_t i = from; i + 1 < s.n; i++) {
        if (s.p[i] != '$' || s.p[i + 1] != '{' || (i > 0 && s.p[i - 1] == '\\')) {
            continue;
        }
        for (size_t j = i + 2; j < s.n && s.p[j] != '\n'; j++) {
            if (s.p[j] == '}') {
                *m = (struct match){i, j + 1, str_sub(s, i + 2, j - i - 2)};
                return true;
            }
        }
    }
    return false;
}

bool template_has_expr(const struct value *src)
{
    struct match m;
    switch (src ? src->type : VALUE_NULL) {
    case VALUE_STR:
        return next_match(src->s, 0, &m);
    case VALUE_LIST:
        for (size_t i = 0; i < src->list.count; i++) {
            if (template_has_expr(src->list.items[i])) {
                return true;
            }
        }
        return false;
    case VALUE_MAP:
        for (size_t i = 0; i < src->map.count; i++) {
            if (template_has_expr(src->map.pairs[i].key) ||
                template_has_expr(src->map.pairs[i].val)) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

/* --- checking --------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return c != '.' && c != '[' && c != ']';
}

static size_t skip_word(struct str s, size_t i)
{
    while (i < s.n && is_word(s.p[i])) {
        i++;
    }
    return i;
}

/* Grammar: word ('.' word | '[' word ']')*. The picture is pyparsing's, which DVC prints. */
static int check_expression(struct str inner, struct err *e)
{
    size_t at = skip_word(inner, 0);
    const char *expected = "end of text";
    if (at == 0) {
        expected = "!W:(.[])";
    }
    while (at > 0 && at < inner.n) {
        size_t end = skip_word(inner, at + 1);
        if (inner.p[at] == '.' && end > at + 1) {
            at = end;
        } else if (inner.p[at] == '[' && end > at + 1 && end < inner.n && inner.p[end] == ']') {
            at = end + 1;
            while (at < inner.n && (inner.p[at] == ' ' || inner.p[at] == '\t')) {
                at++;
            }
        } else {
            break;
        }
    }
    if (at == inner.n && at > 0) {
        return 0;
    }
    char found = at < inner.n ? inner.p[at] : '}';
    size_t shown = inner.n > 400 ? 400 : inner.n;
    int pad = (int)(at > 400 ? 402 : at + 2);
    return err_set(e, ERR_FORMAT,
                   "${%.*s}\n%*s^\nParseException: Expected %s, found '%c'  (at char %zu), "
                   "(line:1, col:%zu)",
                   (int)shown, inner.p, pad, "", expected, found, at + 2, at + 3);
}

static int check_text(struct str s, struct err *e)
{
    struct match m;
    for (size_t at = 0; next_match(s, at, &m); at = m.end) {
        if (check_expression(m.inner, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int template_check(const struct value *src, struct err *e)
{
    if (!src) {
        return 0;
    }
    if (src->type == VALUE_STR) {
        return check_text(src->s, e);
    }
    for (size_t i = 0; src->type == VALUE_LIST && i < src->list.count; i++) {
        if (template_check(src->list.items[i], e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; src->type == VALUE_MAP && i < src->map.count; i++) {
        if (template_check(src->map.pairs[i].key, e) < 0 ||
            template_check(src->map.pairs[i].val, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* --- context ---------------------------------------------------------------------------------- */

/* Maps show only string keys to templates; the value itself when it has no others. */
static const struct value *visible(struct arena *a, const struct value *v)
{
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            const struct value *item = visible(a, v->list.items[i]);
            if (item != v->list.items[i]) {
                struct value *copy = value_list(a);
                for (size_t k = 0; k < v->list.count; k++) {
                    value_push(a, copy, (struct value *)visible(a, v->list.items[k]));
                }
                return copy;
            }
        }
    }
    if (v->type != VALUE_MAP) {
        return v;
    }
    bool clean = true;
    for (size_t i = 0; clean && i < v->map.count; i++) {
        const struct value_pair *p = &v->map.pairs[i];
        clean = p->key->type == VALUE_STR && visible(a, p->val) == p->val;
    }
    if (clean) {
        return v;
    }
    struct value *copy = value_map(a);
    copy->line = v->line;
    copy->column = v->column;
    for (size_t i = 0; i < v->map.count; i++) {
        const struct value_pair *p = &v->map.pairs[i];
        if (p->key->type == VALUE_STR) {
            value_append(a, copy, p->key, (struct value *)visible(a, p->val));
        }
    }
    return copy;
}

/* The source of the value at keys[0..depth): the oldest layer that has it. */
static const char *source_of(const struct template_ctx *t, const struct str *keys, size_t depth)
{
    const char *source = "<local>";
    for (const struct template_layer *l = t->layers; l; l = l->next) {
        const struct value *v = l->doc;
        for (size_t i = 0; v && i < depth; i++) {
            v = value_get_str(v, keys[i]);
        }
        if (v) {
            source = l->source;
        }
    }
    return source;
}

#define MAX_DEPTH 66

struct merge {
    struct template_ctx *t;
    const char *source;
    struct str keys[MAX_DEPTH];
    struct err *e;
};

/* A map with the pairs of both; NULL on a clash. `into` stays as it is. */
static const struct value *merge_maps(struct merge *m, const struct value *into,
                                      const struct value *update, size_t depth)
{
    struct arena *a = m->t->arena;
    if (depth + 1 >= MAX_DEPTH) {
        err_set(m->e, ERR_LIMIT, "variables are nested more than %d deep", MAX_DEPTH - 2);
        return NULL;
    }
    struct value *merged = value_map(a);
    for (size_t i = 0; i < into->map.count; i++) {
        value_append(a, merged, into->map.pairs[i].key, into->map.pairs[i].val);
    }
    for (size_t i = 0; i < update->map.count; i++) {
        const struct value_pair *p = &update->map.pairs[i];
        struct value *have = value_get_str(merged, p->key->s);
        const struct value *val = p->val;
        m->keys[depth] = p->key->s;
        if (have && have->type == VALUE_MAP && val->type == VALUE_MAP) {
            val = merge_maps(m, have, val, depth + 1);
            if (!val) {
                return NULL;
            }
            value_set_key(a, merged, p->key, (struct value *)val);
        } else if (have) {
            struct strbuf path;
            strbuf_init(&path);
            for (size_t k = 0; k <= depth; k++) {
                strbuf_addf(&path, "%s%.*s", k ? "." : "", STR_ARG(m->keys[k]));
            }
            err_set(m->e, ERR_FORMAT, "cannot redefine '%s' from '%s' as it already exists in '%s'",
                    path.p, m->source, source_of(m->t, m->keys, depth + 1));
            strbuf_release(&path);
            return NULL;
        } else {
            value_append(a, merged, p->key, p->val);
        }
    }
    return merged;
}

int template_merge(struct template_ctx *t, const struct value *doc, const char *source,
                   struct err *e)
{
    bool item = t->item && value_get(doc, "item"), key = t->key && value_get(doc, "key");
    if (item || key) {
        err_set(e, ERR_FORMAT, "attempted to modify reserved key%s %s", item && key ? "s" : "",
                item && key ? "item and key"
                : item      ? "item"
                            : "key");
        return fail(t, TEMPLATE_RESERVED);
    }
    doc = visible(t->arena, doc);
    struct merge m = {.t = t, .source = source, .e = e};
    const struct value *merged = merge_maps(&m, t->root, doc, 0);
    if (!merged) {
        return fail(t, TEMPLATE_MERGE);
    }
    t->root = merged;
    struct template_layer *layer = ARENA_NEW(t->arena, struct template_layer);
    *layer = (struct template_layer){doc, source, t->layers};
    t->layers = layer;
    return 0;
}

static struct template_import *find_import(const struct template_ctx *t, const char *path)
{
    struct template_import *i = t->imports;
    while (i && strcmp(i->path, path) != 0) {
        i = i->next;
    }
    return i;
}

static bool list_has(const struct value *list, struct str s)
{
    for (size_t i = 0; list && i < list->list.count; i++) {
        if (str_eq(list->list.items[i]->s, s)) {
            return true;
        }
    }
    return false;
}

/* 1: nothing to do; 0: load it; -1: refused. */
static int check_loaded(struct template_ctx *t, const struct template_import *have, struct str item,
                        const struct value *keys, struct err *e)
{
    if (!keys && !have->keys) {
        return 1;
    }
    bool overlap = !keys;
    for (size_t i = 0; have->keys && keys && i < keys->list.count; i++) {
        overlap = overlap || list_has(have->keys, keys->list.items[i]->s);
    }
    if (keys && !have->keys) {
        err_set(e, ERR_FORMAT, "cannot partially load '%.*s' as it's already loaded.",
                STR_ARG(item));
        return fail(t, TEMPLATE_LOADED);
    }
    if (overlap) {
        err_set(e, ERR_FORMAT, "cannot load '%.*s' as it's partially loaded already",
                STR_ARG(item));
        return fail(t, TEMPLATE_LOADED);
    }
    return 0;
}

/* Remembers the file. An entry of the parent context is shadowed, never changed. */
static void note_import(struct template_ctx *t, const struct template_import *have,
                        const char *path, const struct value *keys)
{
    struct template_import *i = ARENA_NEW(t->arena, struct template_import);
    struct value *all = NULL;
    if (keys) {
        all = value_list(t->arena);
        for (size_t k = 0; have && have->keys && k < have->keys->list.count; k++) {
            value_push(t->arena, all, have->keys->list.items[k]);
        }
        for (size_t k = 0; k < keys->list.count; k++) {
            value_push(t->arena, all, keys->list.items[k]);
        }
    }
    *i = (struct template_import){path, all, t->imports};
    t->imports = i;
}

/* "k1,k2" as a list; NULL when empty. */
static struct value *split_keys(struct arena *a, struct str text)
{
    struct value *keys = NULL;
    struct str part;
    while (text.p && str_split(&text, ',', &part)) {
        if (part.n) {
            keys = keys ? keys : value_list(a);
            value_push(a, keys, value_str(a, part));
        }
    }
    return keys;
}

static const struct value *pick_keys(struct template_ctx *t, const struct value *doc,
                                     const struct value *keys, const char *shown, struct err *e)
{
    struct value *picked = value_map(t->arena);
    for (size_t i = 0; i < keys->list.count; i++) {
        struct value *v = value_get_str(doc, keys->list.items[i]->s);
        if (!v) {
            err_set(e, ERR_FORMAT, "could not find '%.*s' in '%s'", STR_ARG(keys->list.items[i]->s),
                    shown);
            fail(t, TEMPLATE_LOAD);
            return NULL;
        }
        value_set_key(t->arena, picked, keys->list.items[i], v);
    }
    return picked;
}

static int load_file(struct template_ctx *t, const struct template_vars *v, struct str item,
                     struct err *e)
{
    struct str name = item, keys_text = {NULL, 0};
    const char *colon = memchr(item.p, ':', item.n);
    if (colon) {
        name.n = (size_t)(colon - item.p);
        keys_text = str_sub(item, name.n + 1, item.n - name.n - 1);
    }
    const struct value *keys = split_keys(t->arena, keys_text);
    const char *typed = arena_strndup(t->arena, name.p, name.n);
    const char *path = path_join(t->arena, v->wdir, typed);
    const char *shown = path_join(t->arena, v->wdir_shown, typed);
    const struct template_import *have = find_import(t, path);
    if (have) {
        int r = check_loaded(t, have, item, keys, e);
        if (r != 0) {
            return r < 0 ? -1 : 0;
        }
    }
    struct err read_err = ERR_INIT;
    const struct value *doc = v->read(v->read_ctx, path, shown, &read_err);
    if (!doc) {
        bool missing = read_err.code == ERR_MISSING || read_err.code == ERR_USAGE;
        err_set(e, read_err.code, "%s", read_err.text);
        return fail(t, missing ? TEMPLATE_LOAD : TEMPLATE_FILE);
    }
    if (doc->type != VALUE_MAP) {
        err_set(e, ERR_FORMAT, "expected a dictionary, got '%s' in file '%s'",
                value_type_name(doc->type), shown);
        return fail(t, TEMPLATE_LOAD);
    }
    if (keys && !(doc = pick_keys(t, doc, keys, shown, e))) {
        return -1;
    }
    if (template_merge(t, doc, shown, e) < 0) {
        return t->fault == TEMPLATE_RESERVED ? err_append(e, " in '%.*s'", STR_ARG(item)) : -1;
    }
    note_import(t, have, path, keys);
    return 0;
}

int template_load_vars(struct template_ctx *t, const struct template_vars *v, struct err *e)
{
    t->fault = TEMPLATE_OK;
    if (v->default_file) {
        struct err ignored = ERR_INIT;
        int r = load_file(t, v, str_from(v->default_file), &ignored);
        if (r < 0 && ignored.code != ERR_MISSING) {
            return err_set(e, ignored.code, "%s", ignored.text);
        }
    }
    for (size_t i = 0; v->vars && v->vars->type == VALUE_LIST && i < v->vars->list.count; i++) {
        const struct value *item = v->vars->list.items[i];
        if (item->type == VALUE_STR) {
            if (load_file(t, v, item->s, e) < 0) {
                return -1;
            }
        } else if (item->type == VALUE_MAP) {
            const char *source = arena_printf(t->arena, "%s%svars[%zu]", v->stage ? v->stage : "",
                                              v->stage ? "." : "", i);
            if (template_merge(t, item, source, e) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* --- look-up ---------------------------------------------------------------------------------- */

/* int() of Python for an index: blanks, sign, digits. */
static const struct value *list_at(const struct value *list, struct str index)
{
    int64_t i;
    if (!num_parse_int(index, &i)) {
        return NULL;
    }
    int64_t n = (int64_t)list->list.count;
    i += i < 0 ? n : 0;
    return i >= 0 && i < n ? list->list.items[i] : NULL;
}

static const struct value *first_name(const struct template_ctx *t, struct str name)
{
    if (t->item && str_is(name, "item")) {
        return visible(t->arena, t->item);
    }
    if (t->key && str_is(name, "key")) {
        return t->key;
    }
    return value_get_str(t->root, name);
}

/* DVC shows a[0] as a.0, except in foreach and matrix members, whose syntax it does not check
 * again. */
static void unknown_name(struct template_ctx *t, struct str expr, struct err *e)
{
    struct strbuf name;
    strbuf_init_max(&name, 500);
    for (size_t i = 0; i < expr.n; i++) {
        char c = expr.p[i];
        if (t->item || c != ']') {
            strbuf_addch(&name, !t->item && c == '[' ? '.' : c);
        }
    }
    err_set(e, ERR_FORMAT, "Could not find '%s'", name.p);
    strbuf_release(&name);
    fail(t, TEMPLATE_KEY);
}

const struct value *template_select(struct template_ctx *t, struct str expr, struct err *e)
{
    const struct value *v = NULL;
    bool first = true;
    size_t i = 0;
    while (i <= expr.n) {
        /* One name: up to '.' or '[', with every ']' dropped as DVC's normalize_key does. */
        size_t end = i;
        while (end < expr.n && expr.p[end] != '.' && expr.p[end] != '[') {
            end++;
        }
        struct str name = str_trim(str_sub(expr, i, end - i));
        if (name.n && name.p[name.n - 1] == ']') {
            name.n--;
            name = str_trim(name);
        }
        v = first                   ? first_name(t, name)
            : v->type == VALUE_MAP  ? value_get_str(v, name)
            : v->type == VALUE_LIST ? list_at(v, name)
                                    : NULL;
        if (!v) {
            unknown_name(t, expr, e);
            return NULL;
        }
        first = false;
        i = end + 1;
    }
    return v;
}

/* --- text ------------------------------------------------------------------------------------- */

void template_text(struct strbuf *out, const struct value *v)
{
    if (v->type == VALUE_BOOL) {
        strbuf_adds(out, v->b ? "true" : "false");
    } else if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
        value_repr(out, v);
    } else {
        value_text(out, v);
    }
}

static int add_list_option(struct strbuf *out, struct str name, const struct value *list,
                           const struct template_style *style, struct err *e)
{
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *item = list->list.items[i];
        if (item->type == VALUE_LIST || item->type == VALUE_MAP) {
            return err_set(e, ERR_FORMAT, "Cannot interpolate nested iterable in '%.*s'",
                           STR_ARG(name));
        }
        if (i == 0 || style->list_append) {
            strbuf_addf(out, "--%.*s ", STR_ARG(name));
        }
        if (item->type == VALUE_STR) {
            strbuf_add_shell_word(out, item->s);
        } else {
            value_text(out, item);
        }
        strbuf_addch(out, ' ');
    }
    return 0;
}

/* A map as command line options; `prefix` is the dotted name so far. */
static int add_options(struct strbuf *out, struct str prefix, const struct value *map,
                       const struct template_style *style, struct err *e)
{
    struct strbuf name;
    strbuf_init_max(&name, MAX_TEXT);
    int r = 0;
    for (size_t i = 0; r == 0 && i < map->map.count; i++) {
        const struct value *v = map->map.pairs[i].val;
        strbuf_reset(&name);
        if (prefix.n) {
            strbuf_addstr(&name, prefix);
            strbuf_addch(&name, '.');
        }
        value_text(&name, map->map.pairs[i].key);
        struct str s = strbuf_str(&name);
        if (v->type == VALUE_MAP) {
            r = add_options(out, s, v, style, e);
        } else if (v->type == VALUE_LIST) {
            r = add_list_option(out, s, v, style, e);
        } else if (v->type == VALUE_BOOL) {
            if (v->b) {
                strbuf_addf(out, "--%s ", name.p);
            } else if (style->bool_optional) {
                strbuf_addf(out, "--no-%s ", name.p);
            }
        } else {
            strbuf_addf(out, "--%s ", name.p);
            if (v->type == VALUE_STR) {
                strbuf_add_shell_word(out, v->s);
            } else {
                value_text(out, v);
            }
            strbuf_addch(out, ' ');
        }
        if (out->truncated) {
            break; /* resolve_text says so */
        }
    }
    strbuf_release(&name);
    return r;
}

/* --- expansion -------------------------------------------------------------------------------- */

static int check_type(struct template_ctx *t, const struct value *v, const char *field, bool whole,
                      struct err *e)
{
    if ((v->type != VALUE_LIST && v->type != VALUE_MAP) || !field) {
        return 0;
    }
    if (v->type == VALUE_MAP && !whole && strcmp(field, "cmd") == 0) {
        return 0;
    }
    err_set(e, ERR_FORMAT, "Cannot interpolate data of type '%s'", value_type_name(v->type));
    return fail(t, TEMPLATE_SYNTAX);
}

static int add_value(struct template_ctx *t, struct strbuf *out, const struct value *v,
                     struct err *e)
{
    if (v->type != VALUE_MAP) {
        template_text(out, v);
        return 0;
    }
    size_t before = out->n;
    if (add_options(out, (struct str){"", 0}, v, &t->style, e) < 0) {
        return fail(t, TEMPLATE_SYNTAX);
    }
    while (out->n > before && out->p[out->n - 1] == ' ') {
        strbuf_truncate(out, out->n - 1);
    }
    return 0;
}

/* Every \${ becomes ${: also those that came in with a value, as in DVC. */
static void add_unescaped(struct strbuf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 2 < s.n && s.p[i + 1] == '$' && s.p[i + 2] == '{') {
            continue;
        }
        strbuf_addch(out, s.p[i]);
    }
}

static const struct value *finish_text(struct template_ctx *t, const struct value *src,
                                       const struct strbuf *out, struct err *e)
{
    t->expanded_bytes += out->n;
    if (out->truncated || t->expanded_bytes > MAX_TOTAL) {
        err_set(e, ERR_LIMIT,
                "an expanded string is longer than %zu bytes, or all are longer than %zu", MAX_TEXT,
                MAX_TOTAL);
        fail(t, TEMPLATE_SYNTAX);
        return NULL;
    }
    struct strbuf plain;
    strbuf_init(&plain);
    add_unescaped(&plain, strbuf_str(out));
    struct value *v = value_str(t->arena, strbuf_str(&plain));
    strbuf_release(&plain);
    v->line = src->line;
    v->column = src->column;
    return v;
}

static const struct value *resolve_text(struct template_ctx *t, const struct value *src,
                                        const char *field, struct err *e)
{
    struct match m;
    if (!next_match(src->s, 0, &m)) {
        if (!memmem(src->s.p, src->s.n, "\\${", 3)) {
            return src;
        }
        m = (struct match){src->s.n, src->s.n, {NULL, 0}};
    }
    if (m.inner.p && m.start == 0 && m.end == src->s.n) {
        const struct value *v = template_select(t, m.inner, e);
        return v && check_type(t, v, field, true, e) == 0 ? v : NULL;
    }
    struct strbuf out;
    strbuf_init_max(&out, MAX_TEXT);
    const struct value *result = NULL;
    size_t at = 0;
    for (bool more = m.inner.p != NULL; more; more = next_match(src->s, at, &m)) {
        const struct value *v = template_select(t, m.inner, e);
        if (!v || check_type(t, v, field, false, e) < 0) {
            goto out;
        }
        strbuf_addstr(&out, str_sub(src->s, at, m.start - at));
        if (add_value(t, &out, v, e) < 0) {
            goto out;
        }
        at = m.end;
    }
    strbuf_addstr(&out, str_sub(src->s, at, src->s.n - at));
    result = finish_text(t, src, &out, e);
out:
    strbuf_release(&out);
    return result;
}

static const struct value *resolve_list(struct template_ctx *t, const struct value *src,
                                        const char *field, struct err *e)
{
    struct value *copy = NULL;
    for (size_t i = 0; i < src->list.count; i++) {
        const struct value *v = template_resolve(t, src->list.items[i], field, e);
        if (!v) {
            return NULL;
        }
        if (!copy && v != src->list.items[i]) {
            copy = value_list(t->arena);
            copy->line = src->line;
            copy->column = src->column;
            for (size_t k = 0; k < i; k++) {
                value_push(t->arena, copy, src->list.items[k]);
            }
        }
        if (copy) {
            value_push(t->arena, copy, (struct value *)v);
        }
    }
    return copy ? copy : src;
}

/* A key that expands to a number or the like stays that scalar; a list or map cannot be a key. */
static const struct value *resolve_key(struct template_ctx *t, const struct value *key,
                                       const char *field, struct err *e)
{
    const struct value *k = template_resolve(t, key, field, e);
    if (k && !value_is_scalar(k)) {
        err_set(e, ERR_FORMAT, "Cannot interpolate data of type '%s'", value_type_name(k->type));
        fail(t, TEMPLATE_SYNTAX);
        return NULL;
    }
    return k;
}

static const struct value *resolve_map(struct template_ctx *t, const struct value *src,
                                       const char *field, struct err *e)
{
    struct value *copy = NULL;
    for (size_t i = 0; i < src->map.count; i++) {
        const struct value_pair *p = &src->map.pairs[i];
        const struct value *k = resolve_key(t, p->key, field, e);
        const struct value *v = k ? template_resolve(t, p->val, field, e) : NULL;
        if (!v) {
            return NULL;
        }
        if (!copy && (k != p->key || v != p->val)) {
            copy = value_map(t->arena);
            copy->line = src->line;
            copy->column = src->column;
            for (size_t n = 0; n < i; n++) {
                value_append(t->arena, copy, src->map.pairs[n].key, src->map.pairs[n].val);
            }
        }
        if (copy) {
            value_set_key(t->arena, copy, (struct value *)k, (struct value *)v);
        }
    }
    return copy ? copy : src;
}

const struct value *template_resolve(struct template_ctx *t, const struct value *src,
                                     const char *field, struct err *e)
{
    switch (src->type) {
    case VALUE_STR:
        return resolve_text(t, src, field, e);
    case VALUE_LIST:
        return resolve_list(t, src, field, e);
    case VALUE_MAP:
        return resolve_map(t, src, field, e);
    default:
        return src;
    }
}
