/*
 * The two trees are walked side by side; each difference becomes a patch {from, to, text} of the source. The result is
 * parsed again: if it is not what was wanted, the whole document is emitted instead. So the patches need not know every form
 * that YAML has.
 */
#include "yamledit.h"

#include "alloc.h"
#include "emit.h"
#include "yamltext.h"
#include "value.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

struct patch {
    size_t from, to, order;
    const char *text;
};

struct edit {
    struct arena *a;
    struct str text;
    struct patch *patches;
    size_t count, capacity;
};

/* ---- comparing ---- */

static bool same_maps(const struct value *x, const struct value *y)
{
    if (x->map.count != y->map.count) {
        return false;
    }
    for (size_t i = 0; i < x->map.count; i++) {
        struct strbuf key;
        strbuf_init(&key);
        value_text(&key, x->map.pairs[i].key);
        const struct value *other = value_get(y, key.p);
        strbuf_release(&key);
        if (other == NULL || !yamledit_same(x->map.pairs[i].val, other)) {
            return false;
        }
    }
    return true;
}

bool yamledit_same(const struct value *x, const struct value *y)
{
    if (x->type != y->type) {
        return false;
    }
    if (x->type == VALUE_MAP) {
        return same_maps(x, y);
    }
    if (x->type == VALUE_LIST) {
        bool same = x->list.count == y->list.count;
        for (size_t i = 0; same && i < x->list.count; i++) {
            same = yamledit_same(x->list.items[i], y->list.items[i]);
        }
        return same;
    }
    bool nan = x->type == VALUE_FLOAT && x->f != x->f && y->f != y->f;
    return nan || value_eq(x, y);
}

/* ---- patches ---- */

static void add_patch(struct edit *x, size_t from, size_t to, const char *text)
{
    ARRAY_RESERVE(x->patches, x->count, x->capacity, 1);
    x->patches[x->count] = (struct patch){from, to, x->count, text};
    x->count++;
}

static int compare_patches(const void *p, const void *q)
{
    const struct patch *x = p, *y = q;
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

/* false: they overlap. */
static bool apply_patches(struct edit *x, struct strbuf *out)
{
    size_t at = 0;
    qsort(x->patches, x->count, sizeof *x->patches, compare_patches);
    for (size_t i = 0; i < x->count; i++) {
        const struct patch *p = &x->patches[i];
        if (p->from < at) {
            return false;
        }
        yamltext_add(out, x->text, at, p->from);
        if (p->from == x->text.n) {
            yamltext_end(out);
        }
        strbuf_adds(out, p->text);
        at = p->to;
    }
    yamltext_add(out, x->text, at, x->text.n);
    return true;
}

/* "key: value" lines at a column. */
static const char *entry_text(struct edit *x, struct value *key, const struct value *v,
                              unsigned indent)
{
    struct strbuf b;
    strbuf_init(&b);
    struct value *map = value_map(x->a);
    value_append(x->a, map, key, value_copy(x->a, v));
    emit_yaml(&b, map, &(struct emit_options){.indent = indent, .no_anchors = true});
    const char *text = arena_strndup(x->a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

/* ---- scalars ---- */

static size_t line_end(struct str text, size_t at)
{
    const char *nl = memchr(text.p + at, '\n', text.n - at);
    size_t end = nl != NULL ? (size_t)(nl - text.p) : text.n;
    return end > at && text.p[end - 1] == '\r' ? end - 1 : end;
}

/* Where the quoted text that begins at `at` ends on its line; 0: it does not. */
static size_t quoted_end(struct str text, size_t at, size_t end)
{
    char quote = text.p[at];
    for (size_t i = at + 1; i < end; i++) {
        if (quote == '"' && text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == quote && quote == '\'' && i + 1 < end && text.p[i + 1] == quote) {
            i++;
        } else if (text.p[i] == quote) {
            return i + 1;
        }
    }
    return 0;
}

/* The end of the scalar at `at`, when it is one of a single line; else 0. */
static size_t scalar_end(struct str text, size_t at, bool flow)
{
    size_t end = line_end(text, at);
    if (at >= end || strchr("|>&*!", text.p[at]) != NULL) {
        return 0;
    }
    if (text.p[at] == '"' || text.p[at] == '\'') {
        return quoted_end(text, at, end);
    }
    size_t i = at;
    for (; i < end; i++) {
        bool comment =
            text.p[i] == '#' && i > at && (text.p[i - 1] == ' ' || text.p[i - 1] == '\t');
        if (comment || (flow && strchr(",]}", text.p[i]) != NULL)) {
            break;
        }
    }
    while (i > at && (text.p[i - 1] == ' ' || text.p[i - 1] == '\t')) {
        i--;
    }
    return i;
}

/* What stands for [from, to), with the blanks up to a comment behind it: the comment keeps its column, as with DVC. */
static void put_scalar(struct edit *x, size_t from, size_t to, struct str now)
{
    size_t hash = to;
    while (hash < x->text.n && x->text.p[hash] == ' ') {
        hash++;
    }
    if (hash == to || hash == x->text.n || x->text.p[hash] != '#') {
        add_patch(x, from, to, arena_str(x->a, now).p);
        return;
    }
    size_t before = str_utf8_length(str_sub(x->text, from, hash - from));
    size_t width = str_utf8_length(now);
    add_patch(x, from, hash,
              arena_printf(x->a, "%.*s%*s", STR_ARG(now),
                           before > width ? (int)(before - width) : 1, ""));
}

/* Patches one scalar in its place. false: it has none of its own. */
static bool patch_scalar(struct edit *x, const struct value *old, const struct value *now,
                         bool flow)
{
    if (!value_is_scalar(old) || !value_is_scalar(now) || old->line == 0) {
        return false;
    }
    size_t from = yamltext_offset(x->text, old), to;
    if (from >= x->text.n || (to = scalar_end(x->text, from, flow)) == 0) {
        return false;
    }
    struct strbuf b;
    strbuf_init(&b);
    emit_scalar(&b, now, old->column, old->column);
    bool one_line = memchr(b.p, '\n', b.n) == NULL && b.n > 0 && now->type != VALUE_NULL;
    bool safe = !flow || now->type != VALUE_STR || b.p[0] == '"' || b.p[0] == '\'' ||
                strpbrk(b.p, ",[]{}") == NULL;
    if (one_line && safe) {
        put_scalar(x, from, to, strbuf_str(&b));
    } else if (now->type == VALUE_NULL) {
        put_scalar(x, from, to, STR("null"));
    }
    strbuf_release(&b);
    return (one_line && safe) || now->type == VALUE_NULL;
}

/* ---- maps ---- */

static bool edit_map(struct edit *x, const struct value *old, const struct value *now, size_t end);

/* A map in flow style: values in their places, no keys more or less. */
static bool edit_flow(struct edit *x, const struct value *old, const struct value *now)
{
    if (old->map.count != now->map.count) {
        return false;
    }
    for (size_t i = 0; i < old->map.count; i++) {
        const struct value_pair *p = &old->map.pairs[i];
        struct strbuf key;
        strbuf_init(&key);
        value_text(&key, p->key);
        const struct value *v = value_get(now, key.p);
        strbuf_release(&key);
        bool maps = v != NULL && p->val->type == VALUE_MAP && v->type == VALUE_MAP;
        bool ok =
            v != NULL && (yamledit_same(p->val, v) ||
                          (maps ? edit_flow(x, p->val, v) : patch_scalar(x, p->val, v, true)));
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Lines [start, end) of the i-th entry, whose map ends at `end`; and where the next begins. */
static size_t entry_start(struct edit *x, const struct value *map, size_t i)
{
    return yamltext_line(x->text, map->map.pairs[i].key->line);
}

static bool edit_entry(struct edit *x, const struct value *old, size_t i, const struct value *v,
                       size_t next)
{
    const struct value_pair *p = &old->map.pairs[i];
    size_t before = x->count;
    if (p->val->type == VALUE_MAP && v->type == VALUE_MAP) {
        bool flow = p->val->map.count == 0 || yamltext_is_flow(x->text, p->val);
        if (flow ? edit_flow(x, p->val, v) : edit_map(x, p->val, v, next)) {
            return true;
        }
        x->count = before;
    } else if (patch_scalar(x, p->val, v, false)) {
        return true;
    }
    size_t start = entry_start(x, old, i);
    size_t end = yamltext_before_trailer(x->text, start, next);
    add_patch(x, start, end, entry_text(x, p->key, v, p->key->column - 1));
    return true;
}

static void add_new_keys(struct edit *x, const struct value *old, const struct value *now,
                         size_t end)
{
    unsigned indent = old->map.count > 0 ? old->map.pairs[0].key->column - 1 : 0;
    for (size_t i = 0; i < now->map.count; i++) {
        const struct value_pair *p = &now->map.pairs[i];
        struct strbuf key;
        strbuf_init(&key);
        value_text(&key, p->key);
        if (value_get(old, key.p) == NULL) {
            add_patch(x, end, end, entry_text(x, p->key, p->val, indent));
        }
        strbuf_release(&key);
    }
}

/* `end`: where the lines of what follows the map begin. */
static bool edit_map(struct edit *x, const struct value *old, const struct value *now, size_t end)
{
    if (old->map.count == 0 || now->map.count == 0 || yamltext_is_flow(x->text, old)) {
        return false;
    }
    for (size_t i = 0; i < old->map.count; i++) {
        const struct value_pair *p = &old->map.pairs[i];
        size_t next = i + 1 < old->map.count ? entry_start(x, old, i + 1) : end;
        struct strbuf key;
        strbuf_init(&key);
        value_text(&key, p->key);
        const struct value *v = value_get(now, key.p);
        strbuf_release(&key);
        if (p->key->line == 0) {
            return false; /* merged in by "<<" */
        }
        if (v == NULL) {
            size_t start = entry_start(x, old, i);
            add_patch(x, start, yamltext_before_trailer(x->text, start, next), "");
        } else if (!yamledit_same(p->val, v) && !edit_entry(x, old, i, v, next)) {
            return false;
        }
    }
    add_new_keys(x, old, now, end);
    return true;
}

/* What was written reads as what was wanted. */
static bool is_right(struct arena *a, const struct strbuf *text, const struct value *now)
{
    const struct value *got = yaml_parse(a, strbuf_str(text), NULL, NULL);
    return got != NULL && got->type == VALUE_MAP && yamledit_same(got, now);
}

void yamledit(struct arena *a, struct str text, const struct value *old, const struct value *now,
              struct strbuf *out)
{
    struct edit x = {.a = a, .text = text};
    size_t before = out->n;
    struct strbuf try;
    strbuf_init(&try);
    if (edit_map(&x, old, now, text.n) && apply_patches(&x, &try) && is_right(a, &try, now)) {
        strbuf_addstr(out, strbuf_str(&try));
    } else {
        strbuf_truncate(out, before);
        emit_yaml(out, now, &(struct emit_options){.no_anchors = true});
    }
    strbuf_release(&try);
    free(x.patches);
}
