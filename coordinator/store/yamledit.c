/*
 * yamledit: see yamledit.h. The old document and the wanted one are walked side by side; what
 * differs becomes a list of replacements of byte ranges, in the order of the text. The result is
 * parsed again: when it does not say what is wanted, the file is written anew.
 */
#include "yamledit.h"

#include "alloc.h"
#include "emit.h"
#include "err.h"
#include "value.h"
#include "yaml.h"
#include "yamltext.h"

#include <stdlib.h>
#include <string.h>

struct edit {
    size_t from, to;
    struct str put;
};

struct editing {
    struct arena a;
    struct str text;
    struct edit *items;
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

/* ---- edits ---- */

static bool edit_map(struct editing *x, const struct value *old, const struct value *want,
                     size_t end);
static bool edit_list(struct editing *x, const struct value *old, const struct value *want,
                      size_t end);

static void replace(struct editing *x, size_t from, size_t to, const struct strbuf *put)
{
    ARRAY_RESERVE(x->items, x->count, x->capacity, 1);
    x->items[x->count++] =
        (struct edit){from, to, put ? arena_str(&x->a, strbuf_str(put)) : STR("")};
}

/* Lines put in at `at`, where the line before may lack its end. */
static void insert(struct editing *x, size_t at, struct strbuf *lines)
{
    struct strbuf put;
    strbuf_init(&put);
    strbuf_adds(&put, at > 0 && x->text.p[at - 1] != '\n' ? "\n" : "");
    strbuf_addstr(&put, strbuf_str(lines));
    replace(x, at, at, &put);
    strbuf_release(&put);
}

/* ---- scalars ---- */

/* The end of the scalar that starts at `from`: before a comment, blanks and the line's end. */
static size_t plain_end(struct str text, size_t from)
{
    size_t end = from;
    for (size_t i = from; i < text.n && !strchr("\r\n", text.p[i]); i++) {
        bool blank = text.p[i] == ' ' || text.p[i] == '\t';
        if (blank && i + 1 < text.n && text.p[i + 1] == '#') {
            break;
        }
        end = blank ? end : i + 1;
    }
    return end;
}

static size_t quoted_end(struct str text, size_t from)
{
    char quote = text.p[from];
    size_t i = from + 1;
    while (i < text.n && text.p[i] != quote) {
        i += quote == '"' && text.p[i] == '\\' ? 2 : 1;
        /* '' is a quote inside of '…' */
        i +=
            quote == '\'' && i + 1 < text.n && text.p[i] == quote && text.p[i + 1] == quote ? 2 : 0;
    }
    return i < text.n ? i + 1 : text.n;
}

/* `put` over [from, to), and the blanks up to a comment behind it: the comment keeps its column. */
static void replace_scalar(struct editing *x, size_t from, size_t to, struct strbuf *put)
{
    size_t hash = to;
    while (hash < x->text.n && x->text.p[hash] == ' ') {
        hash++;
    }
    if (hash > to && hash < x->text.n && x->text.p[hash] == '#') {
        size_t before = str_utf8_length(str_sub(x->text, from, hash - from));
        size_t width = str_utf8_length(strbuf_str(put));
        strbuf_pad(put, ' ', before > width ? before - width : 1);
        to = hash;
    }
    replace(x, from, to, put);
}

/* Writes the scalar over the old one, when that stands on one line with nothing special about it.
 */
static bool edit_scalar(struct editing *x, const struct value *old, const struct value *want,
                        size_t region_end)
{
    size_t at = yamltext_offset(x->text, old);
    if (old->type == VALUE_NULL || want->type == VALUE_NULL || at >= region_end ||
        strchr("|>&*![{?", x->text.p[at]) || yamltext_line(x->text, old->line + 1) < region_end) {
        return false;
    }
    struct strbuf put;
    strbuf_init(&put);
    emit_scalar(&put, want, old->column, old->column + 80);
    bool quoted = x->text.p[at] == '\'' || x->text.p[at] == '"';
    replace_scalar(x, at, quoted ? quoted_end(x->text, at) : plain_end(x->text, at), &put);
    strbuf_release(&put);
    return true;
}

static const char *key_text(struct editing *x, const struct value *key)
{
    struct strbuf b;
    strbuf_init(&b);
    value_text(&b, key);
    const char *text = arena_str(&x->a, strbuf_str(&b)).p;
    strbuf_release(&b);
    return text;
}

/* A plain scalar of a map in flow style ends before its punctuation. */
static size_t flow_end(struct str text, size_t from)
{
    size_t end = from;
    for (size_t i = from; i < text.n && !strchr("\r\n,]}#", text.p[i]); i++) {
        end = text.p[i] == ' ' || text.p[i] == '\t' ? end : i + 1;
    }
    return end;
}

static bool edit_flow_scalar(struct editing *x, const struct value *old, const struct value *want)
{
    size_t at = yamltext_offset(x->text, old);
    if (!value_is_scalar(old) || !value_is_scalar(want) || old->line == 0 || at >= x->text.n ||
        old->type == VALUE_NULL || want->type == VALUE_NULL || strchr("|>&*![{?", x->text.p[at])) {
        return false;
    }
    struct strbuf put;
    strbuf_init(&put);
    emit_scalar(&put, want, old->column, old->column + 80);
    bool quoted = x->text.p[at] == '\'' || x->text.p[at] == '"';
    bool safe = put.p[0] == '\'' || put.p[0] == '"' || !strpbrk(put.p, ",[]{}\n");
    if (safe) {
        replace(x, at, quoted ? quoted_end(x->text, at) : flow_end(x->text, at), &put);
    }
    strbuf_release(&put);
    return safe;
}

/* A map in flow style, {a: 1}: scalars in their places, no keys more or less. */
static bool edit_flow(struct editing *x, const struct value *old, const struct value *want)
{
    bool ok = old->map.count == want->map.count;
    for (size_t i = 0; ok && i < old->map.count; i++) {
        const struct value *was = old->map.pairs[i].val;
        const struct value *now = value_get(want, key_text(x, old->map.pairs[i].key));
        bool maps = now && was->type == VALUE_MAP && now->type == VALUE_MAP;
        ok = now && (yamledit_same(was, now) ||
                     (maps ? edit_flow(x, was, now) : edit_flow_scalar(x, was, now)));
    }
    return ok;
}

/* Changes a value where it stands; false: its surroundings are written anew. */
static bool edit_value(struct editing *x, const struct value *old, const struct value *want,
                       size_t end)
{
    if (old->type == VALUE_MAP && want->type == VALUE_MAP) {
        bool flow = old->map.count > 0 && old->line > 0 && yamltext_is_flow(x->text, old);
        return flow ? edit_flow(x, old, want) : edit_map(x, old, want, end);
    }
    if (old->type == VALUE_LIST && want->type == VALUE_LIST) {
        return edit_list(x, old, want, end);
    }
    return value_is_scalar(old) && value_is_scalar(want) && edit_scalar(x, old, want, end);
}

/* ---- maps ---- */

/* Every key on a line of its own, below the one before: not so with merges and aliases. */
static bool is_block(const struct editing *x, const struct value *map)
{
    if (map->map.count == 0 || yamltext_is_flow(x->text, map)) {
        return false;
    }
    for (size_t i = 0; i < map->map.count; i++) {
        const struct value *key = map->map.pairs[i].key;
        if (key->line == 0 || key->column != map->map.pairs[0].key->column ||
            (i > 0 && key->line <= map->map.pairs[i - 1].key->line)) {
            return false;
        }
    }
    return true;
}

static void write_pair(struct editing *x, struct value *key, const struct value *val,
                       unsigned indent, struct strbuf *out)
{
    struct value *map = value_map(&x->a);
    value_append(&x->a, map, key, (struct value *)val);
    emit_yaml(out, map, &(struct emit_options){.indent = indent, .no_anchors = true});
}

static bool is_line_start(const struct editing *x, size_t at, unsigned indent)
{
    return at >= indent && (at == indent || x->text.p[at - indent - 1] == '\n') &&
           strspn(x->text.p + at - indent, " ") >= indent;
}

/* A pair whose value differs: the value in its place, or the whole pair anew. */
static void change_pair(struct editing *x, const struct value_pair *pair, const struct value *want,
                        size_t end)
{
    size_t kept = x->count;
    if (edit_value(x, pair->val, want, end)) {
        return;
    }
    x->count = kept;
    unsigned indent = pair->key->column - 1;
    struct strbuf put;
    strbuf_init(&put);
    write_pair(x, pair->key, want, indent, &put);
    struct str text = strbuf_str(&put);
    struct strbuf line;
    strbuf_init(&line);
    strbuf_addstr(&line, str_sub(text, indent, text.n - indent));
    replace(x, yamltext_offset(x->text, pair->key), end, &line);
    strbuf_release(&line);
    strbuf_release(&put);
}

/* `lead`: the pairs before it are gone too. */
static void drop_pair(struct editing *x, const struct value *map, size_t i, bool lead, size_t end)
{
    const struct value *key = map->map.pairs[i].key, *first = map->map.pairs[0].key;
    if (lead && i + 1 < map->map.count &&
        !is_line_start(x, yamltext_offset(x->text, first), first->column - 1)) {
        /* the first is on the line of a list's dash: the next key goes there */
        replace(x, yamltext_offset(x->text, key),
                yamltext_offset(x->text, map->map.pairs[i + 1].key), NULL);
        return;
    }
    replace(x, yamltext_line(x->text, key->line), end, NULL);
}

static void append_pairs(struct editing *x, const struct value *old, const struct value *want,
                         size_t end)
{
    struct strbuf put;
    strbuf_init(&put);
    for (size_t i = 0; i < want->map.count; i++) {
        const struct value_pair *pair = &want->map.pairs[i];
        if (!value_get(old, key_text(x, pair->key))) {
            write_pair(x, pair->key, pair->val, old->map.pairs[0].key->column - 1, &put);
        }
    }
    if (put.n > 0) {
        insert(x, end, &put);
    }
    strbuf_release(&put);
}

/* `end`: where the lines of the map end. */
static bool edit_map(struct editing *x, const struct value *old, const struct value *want,
                     size_t end)
{
    if (!is_block(x, old) || want->map.count == 0) {
        return false;
    }
    bool lead = true; /* nothing is kept so far */
    for (size_t i = 0; i < old->map.count; i++) {
        const struct value_pair *pair = &old->map.pairs[i];
        const struct value *now = value_get(want, key_text(x, pair->key));
        if (!now || !yamledit_same(pair->val, now) || i + 1 == old->map.count) {
            size_t from = yamltext_offset(x->text, pair->key);
            size_t to = i + 1 == old->map.count
                            ? end
                            : yamltext_line(x->text, old->map.pairs[i + 1].key->line);
            to = yamltext_before_trailer(x->text, from, to);
            end = i + 1 == old->map.count ? to : end;
            if (!now) {
                drop_pair(x, old, i, lead, to);
            } else if (!yamledit_same(pair->val, now)) {
                change_pair(x, pair, now, to);
            }
        }
        lead = lead && !now;
    }
    append_pairs(x, old, want, end);
    return !lead;
}

/* ---- lists ---- */

struct item {
    size_t start, value, end; /* of its lines; where its value begins */
    unsigned indent;          /* column of its dash, from 0 */
};

/* Where item i stands; false when it is not "- value" on lines of its own. */
static bool find_list_item(const struct editing *x, const struct value *list, size_t i, size_t end,
                           struct item *it)
{
    const struct value *v = list->list.items[i];
    if (v->line == 0 || v->column < 3) {
        return false;
    }
    it->value = yamltext_offset(x->text, v);
    it->indent = v->column - 3;
    it->start = yamltext_line(x->text, v->line);
    if (it->value < 2 || it->value >= x->text.n ||
        strncmp(x->text.p + it->value - 2, "- ", 2) != 0 ||
        !is_line_start(x, it->value - 2, it->indent)) {
        return false;
    }
    if (i + 1 < list->list.count) {
        unsigned next = list->list.items[i + 1]->line;
        end = yamltext_line(x->text, next);
        if (next <= v->line) {
            return false;
        }
    }
    it->end = yamltext_before_trailer(x->text, it->value, end);
    return true;
}

static void write_item(struct editing *x, const struct value *v, unsigned indent,
                       struct strbuf *out)
{
    struct value *list = value_list(&x->a);
    value_push(&x->a, list, (struct value *)v);
    emit_yaml(out, list, &(struct emit_options){.indent = indent, .no_anchors = true});
}

static void change_item(struct editing *x, const struct value *old, const struct value *want,
                        const struct item *it)
{
    size_t kept = x->count;
    if (edit_value(x, old, want, it->end)) {
        return;
    }
    x->count = kept;
    struct strbuf put;
    strbuf_init(&put);
    write_item(x, want, it->indent, &put);
    replace(x, it->start, it->end, &put);
    strbuf_release(&put);
}

/* As DVC: lists of one length item by item; else items that are gone are taken out, and what
 * follows the last one kept is put behind it. */
static bool edit_list(struct editing *x, const struct value *old, const struct value *want,
                      size_t end)
{
    bool pairwise = old->list.count == want->list.count;
    size_t k = 0;
    struct item it = {0};
    for (size_t i = 0; i < old->list.count; i++) {
        const struct value *v = old->list.items[i];
        if (!find_list_item(x, old, i, end, &it)) {
            return false;
        }
        const struct value *now = k < want->list.count ? want->list.items[k] : NULL;
        if (now && yamledit_same(v, now)) {
            k++;
        } else if (pairwise) {
            change_item(x, v, now, &it);
            k++;
        } else {
            replace(x, it.start, it.end, NULL);
        }
    }
    if (k == 0) {
        return false;
    }
    struct strbuf put;
    strbuf_init(&put);
    for (; k < want->list.count; k++) {
        write_item(x, want->list.items[k], it.indent, &put);
    }
    if (put.n > 0) {
        insert(x, it.end, &put);
    }
    strbuf_release(&put);
    return true;
}

/* ---- the whole ---- */

static void write_edits(const struct editing *x, struct strbuf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct edit *d = &x->items[i];
        strbuf_add(out, x->text.p + at, d->from > at ? d->from - at : 0);
        strbuf_addstr(out, d->put);
        at = d->to > at ? d->to : at;
    }
    strbuf_add(out, x->text.p + at, x->text.n - at);
}

static bool says(struct editing *x, struct str text, const struct value *want)
{
    const struct value *doc = yaml_parse(&x->a, text, NULL, NULL);
    return doc && yamledit_same(doc, want);
}

static int apply(struct editing *x, const struct value *want, struct strbuf *out, struct err *e)
{
    const struct value *old = yaml_parse(&x->a, x->text, NULL, e);
    struct strbuf made;
    if (!old) {
        return -1;
    }
    strbuf_init(&made);
    if (edit_value(x, old, want, x->text.n)) {
        write_edits(x, &made);
    }
    if (says(x, strbuf_str(&made), want)) {
        strbuf_addstr(out, strbuf_str(&made));
    } else {
        emit_yaml(out, want, NULL);
    }
    strbuf_release(&made);
    return 0;
}

int yamledit_apply(struct str text, const struct value *want, struct strbuf *out, struct err *e)
{
    struct editing x = {.text = text};
    arena_init(&x.a);
    int rc = apply(&x, want, out, e);
    free(x.items);
    arena_release(&x.a);
    return rc;
}
