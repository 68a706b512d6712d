/*
 * dvcfile: writing and editing .dvc files. Editing works on lines: a file in block style (all that
 * DVC writes and nearly all that people write) keeps every byte but the fields that changed;
 * anything else is parsed and written anew.
 */
#include "dvcfile.h"

#include "alloc.h"
#include "digest.h"
#include "emit.h"
#include "err.h"
#include "json.h"
#include "value.h"
#include "yaml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_MD5, FIELD_SIZE, FIELD_NFILES, FIELD_ISEXEC, FIELD_HASH, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {"md5", "size", "nfiles", "isexec", "hash"};

/* The value of a field, NULL when the hash has none. */
static struct value *field_value(struct arena *a, const struct hash *h, int field)
{
    switch (field) {
    case FIELD_MD5:
        return h->md5 ? value_cstr(a, h->md5) : NULL;
    case FIELD_SIZE:
        return h->size >= 0 ? value_int(a, h->size) : NULL;
    case FIELD_NFILES:
        return h->nfiles >= 0 ? value_int(a, h->nfiles) : NULL;
    case FIELD_ISEXEC:
        return h->isexec ? value_bool(a, true) : NULL;
    default:
        return h->legacy ? NULL : value_cstr(a, "md5");
    }
}

static void put_fields(struct arena *a, struct value *map, const struct hash *hash)
{
    for (int f = 0; f < FIELD_COUNT; f++) {
        struct value *v = field_value(a, hash, f);
        if (v) {
            value_set(a, map, field_names[f], v);
        } else {
            value_remove(map, field_names[f]);
        }
    }
}

void dvcfile_new(struct strbuf *out, const char *path, const struct hash *hash)
{
    struct arena a;
    arena_init(&a);
    struct value *item = value_map(&a), *outs = value_list(&a), *doc = value_map(&a);
    put_fields(&a, item, hash);
    value_set(&a, item, "path", value_cstr(&a, path));
    value_push(&a, outs, item);
    value_set(&a, doc, "outs", outs);
    emit_yaml(out, doc, NULL);
    arena_release(&a);
}

static struct value *repo_value(struct arena *a, const struct dvcfile_import *x)
{
    struct value *repo = value_map(a);
    value_set(a, repo, "url", value_cstr(a, x->repo_url));
    if (x->rev) {
        value_set(a, repo, "rev", value_cstr(a, x->rev));
    }
    if (x->rev_lock) {
        value_set(a, repo, "rev_lock", value_cstr(a, x->rev_lock));
    }
    return repo;
}

static struct value *import_dep(struct arena *a, const struct dvcfile_import *x)
{
    struct value *dep = value_map(a);
    if (x->repo_url) {
        value_set(a, dep, "path", value_cstr(a, x->dep_path));
        value_set(a, dep, "repo", repo_value(a, x));
        return dep;
    }
    if (x->etag) {
        value_set(a, dep, "checksum", value_cstr(a, x->etag));
    }
    put_fields(a, dep, x->dep);
    value_set(a, dep, "path", value_cstr(a, x->dep_path));
    return dep;
}

void dvcfile_new_import(struct strbuf *out, const struct dvcfile_import *x)
{
    struct arena a;
    char md5[33];
    arena_init(&a);
    struct value *doc = value_map(&a), *deps = value_list(&a), *outs = value_list(&a);
    struct value *item = value_map(&a);
    put_fields(&a, item, x->out);
    value_set(&a, item, "path", value_cstr(&a, x->out_path));
    value_push(&a, deps, import_dep(&a, x));
    value_push(&a, outs, item);
    if (!x->no_exec) {
        value_set(&a, doc, "md5", value_cstr(&a, "")); /* its place is the first */
    }
    if (x->frozen) {
        value_set(&a, doc, "frozen", value_bool(&a, true));
    }
    value_set(&a, doc, "deps", deps);
    value_set(&a, doc, "outs", outs);
    if (!x->no_exec) {
        dvcfile_stage_md5(doc, md5);
        value_set(&a, doc, "md5", value_cstr(&a, md5));
    }
    emit_yaml(out, doc, NULL);
    arena_release(&a);
}

/* ---- lines ---- */

struct lines {
    struct str *items;
    size_t count, capacity;
};

static void split_lines(struct str text, struct lines *l)
{
    for (size_t at = 0; at < text.n;) {
        const char *nl = memchr(text.p + at, '\n', text.n - at);
        size_t n = nl ? (size_t)(nl - text.p) + 1 - at : text.n - at;
        ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
        l->items[l->count++] = (struct str){text.p + at, n};
        at += n;
    }
}

static size_t indent_of(struct str line)
{
    size_t i = 0;
    while (i < line.n && line.p[i] == ' ') {
        i++;
    }
    return i;
}

static bool is_blank(struct str line)
{
    size_t i = indent_of(line);
    return i == line.n || line.p[i] == '\n' || line.p[i] == '\r' || line.p[i] == '#';
}

static bool has_key(struct str line, size_t column, const char *key)
{
    size_t n = strlen(key);
    return line.n > column + n && !strncmp(line.p + column, key, n) && line.p[column + n] == ':' &&
           (line.n == column + n + 1 || strchr(" \n\r", line.p[column + n + 1]));
}

/* Where an item of a list stands: its lines [from, to) and the column of its keys. */
struct span {
    size_t from, to, column;
};

/* The line of the index-th "- " at the list's indent; l->count when there is none. */
static size_t find_dash(const struct lines *l, size_t i, size_t dash, size_t index)
{
    for (; i < l->count; i++) {
        struct str line = l->items[i];
        if (is_blank(line) || indent_of(line) > dash) {
            continue;
        }
        bool starts = indent_of(line) == dash && line.n >= dash + 3 && line.p[dash] == '-' &&
                      line.p[dash + 1] == ' ';
        if (!starts) {
            return l->count;
        }
        if (index-- == 0) {
            return i;
        }
    }
    return l->count;
}

static bool find_item(const struct lines *l, const char *key, size_t index, struct span *s)
{
    size_t i = 0;
    while (i < l->count && !has_key(l->items[i], 0, key)) {
        i++;
    }
    if (i == l->count || str_trim(l->items[i]).n != strlen(key) + 1) {
        return false;
    }
    for (i++; i < l->count && is_blank(l->items[i]); i++) {
    }
    size_t dash = i < l->count ? indent_of(l->items[i]) : 0;
    s->from = find_dash(l, i, dash, index);
    if (s->from == l->count) {
        return false;
    }
    s->column = dash + 2;
    s->to = s->from + 1;
    while (s->to < l->count && (is_blank(l->items[s->to]) || indent_of(l->items[s->to]) > dash)) {
        s->to++;
    }
    /* blank lines and comments at the end belong to what follows */
    while (s->to > s->from + 1 && is_blank(l->items[s->to - 1])) {
        s->to--;
    }
    return !strchr(" {[&*!|>", l->items[s->from].p[s->column]);
}

/* The end of the scalar that starts at `from` in a line: before a comment, blanks and the newline.
 */
static size_t scalar_end(struct str line, size_t from)
{
    size_t end = from;
    char quote = from < line.n && (line.p[from] == '\'' || line.p[from] == '"') ? line.p[from] : 0;
    for (size_t i = from; i < line.n && line.p[i] != '\n' && line.p[i] != '\r'; i++) {
        if (quote ? (i > from && line.p[i] == quote) : line.p[i] != ' ') {
            end = i + 1;
        }
        if (quote ? end > from : (line.p[i] == ' ' && i + 1 < line.n && line.p[i + 1] == '#')) {
            break;
        }
    }
    return end;
}

static void put_scalar(struct strbuf *out, const struct value *v, size_t column)
{
    emit_scalar(out, v, (unsigned)column, (unsigned)column + 80);
}

/* Rewrites one item. false: a field is not on a line of its own. */
static bool edit_item(const struct lines *l, const struct span *s, const struct hash *hash,
                      struct arena *a, struct strbuf *out)
{
    bool done[FIELD_COUNT] = {false};
    bool first = true; /* the next key kept goes on the dash's line */
    for (size_t i = s->from; i < s->to; i++) {
        struct str line = l->items[i];
        if (i > s->from && (is_blank(line) || indent_of(line) > s->column)) {
            strbuf_addstr(out, line);
            continue;
        }
        int f = 0;
        while (f < FIELD_COUNT && !has_key(line, s->column, field_names[f])) {
            f++;
        }
        struct value *v = f < FIELD_COUNT ? field_value(a, hash, f) : NULL;
        if (f < FIELD_COUNT && !v) {
            continue;
        }
        if (first) {
            strbuf_add(out, l->items[s->from].p, s->column);
        } else {
            strbuf_add(out, line.p, s->column);
        }
        first = false;
        if (f == FIELD_COUNT) {
            strbuf_add(out, line.p + s->column, line.n - s->column);
            continue;
        }
        size_t at = s->column + strlen(field_names[f]) + 1;
        if (at >= line.n || line.p[at] != ' ') {
            return false;
        }
        strbuf_add(out, line.p + s->column, at + 1 - s->column);
        put_scalar(out, v, at + 1);
        size_t end = scalar_end(line, at + 1);
        strbuf_add(out, line.p + end, line.n - end);
        done[f] = true;
    }
    if (out->n && out->p[out->n - 1] != '\n') {
        strbuf_addch(out, '\n');
    }
    for (int f = 0; f < FIELD_COUNT; f++) {
        struct value *v = done[f] ? NULL : field_value(a, hash, f);
        if (v) {
            strbuf_pad(out, ' ', s->column);
            strbuf_addf(out, "%s: ", field_names[f]);
            put_scalar(out, v, s->column + strlen(field_names[f]) + 2);
            strbuf_addch(out, '\n');
        }
    }
    return true;
}

static int edit_by_value(struct str text, const char *key, size_t index, const struct hash *hash,
                         struct strbuf *out, struct err *e)
{
    struct arena a;
    arena_init(&a);
    int rc = -1;
    struct value *doc = yaml_parse(&a, text, NULL, e);
    struct value *list = doc ? value_get(doc, key) : NULL;
    if (doc && (!list || list->type != VALUE_LIST || index >= list->list.count ||
                list->list.items[index]->type != VALUE_MAP)) {
        err_set(e, ERR_FORMAT, "no item %zu in '%s'", index, key);
    } else if (doc) {
        put_fields(&a, list->list.items[index], hash);
        strbuf_reset(out);
        emit_yaml(out, doc, NULL);
        rc = 0;
    }
    arena_release(&a);
    return rc;
}

int dvcfile_edit(struct str text, const char *key, size_t index, const struct hash *hash,
                 struct strbuf *out, struct err *e)
{
    struct lines l = {0};
    struct span s;
    struct arena a;
    arena_init(&a);
    split_lines(text, &l);
    size_t start = out->n;
    bool ok = find_item(&l, key, index, &s);
    for (size_t i = 0; ok && i < l.count; i++) {
        if (i == s.from) {
            ok = edit_item(&l, &s, hash, &a, out);
            i = s.to;
        }
        if (ok && i < l.count) {
            strbuf_addstr(out, l.items[i]);
        }
    }
    free(l.items);
    arena_release(&a);
    if (!ok) {
        strbuf_truncate(out, start);
        return edit_by_value(text, key, index, hash, out, e);
    }
    return 0;
}

int dvcfile_renew_md5(struct str text, struct strbuf *out, struct err *e)
{
    struct arena a;
    char md5[33];
    arena_init(&a);
    struct value *doc = yaml_parse(&a, text, NULL, e);
    bool done = false;
    if (!doc) {
        arena_release(&a);
        return -1;
    }
    dvcfile_stage_md5(doc, md5);
    struct lines l = {0};
    split_lines(text, &l);
    for (size_t i = 0; i < l.count; i++) {
        if (!done && has_key(l.items[i], 0, "md5")) {
            size_t end = scalar_end(l.items[i], 5);
            strbuf_addf(out, "md5: %s%.*s", md5, (int)(l.items[i].n - end), l.items[i].p + end);
            done = true;
        } else {
            strbuf_addstr(out, l.items[i]);
        }
    }
    if (!done) {
        strbuf_addf(out, "%smd5: %s\n", out->n && out->p[out->n - 1] != '\n' ? "\n" : "", md5);
    }
    free(l.items);
    arena_release(&a);
    return 0;
}

/* ---- md5 of an import ---- */

static bool is_excluded(struct str key)
{
    static const char *const names[] = {"desc",   "type",    "labels", "meta", "locked", "frozen",
                                        "metric", "persist", "isexec", "size", "nfiles"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_is(key, names[i])) {
            return true;
        }
    }
    return false;
}

static struct value *filtered(struct arena *a, const struct value *v, bool top)
{
    if (v->type == VALUE_LIST) {
        struct value *list = value_list(a);
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(a, list, filtered(a, v->list.items[i], false));
        }
        return list;
    }
    if (v->type != VALUE_MAP) {
        return (struct value *)v;
    }
    struct value *map = value_map(a);
    for (size_t i = 0; i < v->map.count; i++) {
        struct str key = value_as_str(v->map.pairs[i].key);
        bool own = top && (str_is(key, "md5") ||
                           (str_is(key, "wdir") && str_is(value_as_str(v->map.pairs[i].val), ".")));
        if (!own && !is_excluded(key)) {
            value_append(a, map, v->map.pairs[i].key, filtered(a, v->map.pairs[i].val, false));
        }
    }
    return map;
}

void dvcfile_stage_md5(const struct value *doc, char hex[33])
{
    struct arena a;
    struct strbuf text;
    char full[DIGEST_HEX_SIZE];
    arena_init(&a);
    strbuf_init(&text);
    json_write(&text, filtered(&a, doc, true), &(struct json_style){.sort_keys = true});
    digest_buffer(DIGEST_MD5, text.p, text.n, full);
    memcpy(hex, full, 33);
    strbuf_release(&text);
    arena_release(&a);
}
