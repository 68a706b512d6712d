/* See hydradump.h. */
#include "hydradump.h"
#include "hydrascalar.h"

#include "alloc.h"
#include "num.h"
#include "yamlout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define SIMPLE_KEY_MAX 128 /* characters of a key's tag and text: from here on "? key" */

/* ---- the styles ---- */

static void write_plain(struct yamlout *d, const struct yamlchars *l, bool split)
{
    if (l->count == 0) {
        return;
    }
    if (!d->whitespace) {
        yamlout_put(d, " ", 1, 1);
    }
    d->whitespace = d->indention = false;
    bool spaces = false;
    size_t start = 0;
    for (size_t end = 0; end <= l->count; end++) {
        bool last = end == l->count, space = !last && l->c[end] == ' ';
        if (spaces && !space) {
            if (start + 1 == end && d->column > WIDTH && split) {
                yamlout_indent(d);
                d->whitespace = d->indention = false;
            } else {
                yamlout_chars(d, l, start, end);
            }
            start = end;
        } else if (!spaces && (last || space)) {
            yamlout_chars(d, l, start, end);
            start = end;
        }
        spaces = space;
    }
}

/* The line breaks of a quoted text: one more than there are, as a reader folds. */
static void write_breaks(struct yamlout *d, const struct yamlchars *l, size_t from, size_t to)
{
    if (l->c[from] == '\n') {
        yamlout_line(d, "\n", 1);
    }
    for (size_t i = from; i < to; i++) {
        yamlout_line(d, l->bytes + l->at[i], l->at[i + 1] - l->at[i]);
    }
    yamlout_indent(d);
}

static void write_single(struct yamlout *d, const struct yamlchars *l, bool split)
{
    yamlout_indicator(d, "'", true, false);
    bool spaces = false, breaks = false;
    size_t start = 0;
    for (size_t end = 0; end <= l->count; end++) {
        bool last = end == l->count;
        uint32_t c = l->c[end];
        bool space = !last && c == ' ', broken = !last && yamlchars_is_break(c);
        if (spaces && !space) {
            if (start + 1 == end && d->column > WIDTH && split && start > 0 && !last) {
                yamlout_indent(d);
            } else {
                yamlout_chars(d, l, start, end);
            }
            start = end;
        } else if (breaks && !broken) {
            write_breaks(d, l, start, end);
            start = end;
        } else if (!spaces && !breaks && (last || space || broken || c == '\'')) {
            yamlout_chars(d, l, start, end);
            start = end;
        }
        if (!last && c == '\'') {
            yamlout_put(d, "''", 2, 2);
            start = end + 1;
        }
        spaces = space;
        breaks = broken;
    }
    yamlout_indicator(d, "'", false, false);
}

static bool needs_escape(uint32_t c)
{
    bool stays =
        (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD);
    return !stays || c == '"' || c == '\\' || c == 0x2028 || c == 0x2029 || c == 0xFEFF;
}

static void write_double(struct yamlout *d, const struct yamlchars *l, bool split)
{
    yamlout_indicator(d, "\"", true, false);
    size_t start = 0;
    for (size_t end = 0; end <= l->count; end++) {
        bool last = end == l->count;
        uint32_t c = l->c[end];
        if (last || needs_escape(c)) {
            if (start < end) {
                yamlout_chars(d, l, start, end);
                start = end;
            }
            if (!last) {
                yamlout_escape(d, c);
                start = end + 1;
            }
        }
        if (end > 0 && end + 1 < l->count && (c == ' ' || start >= end) && split &&
            d->column + end > WIDTH + start) {
            if (start < end) {
                yamlout_chars(d, l, start, end);
                start = end;
            }
            yamlout_put(d, "\\", 1, 1);
            yamlout_indent(d);
            d->whitespace = d->indention = false;
            if (l->c[start] == ' ') {
                yamlout_put(d, "\\", 1, 1);
            }
        }
    }
    yamlout_indicator(d, "\"", false, false);
}

/* ---- scalars ---- */

/* The text of a scalar that is no string, and the length of its tag as PyYAML counts it for keys. */
static size_t other_text(const struct value *v, struct strbuf *out)
{
    char num[NUM_TEXT_SIZE];
    switch (v->type) {
    case VALUE_NULL:
        strbuf_adds(out, "null");
        return 6;
    case VALUE_BOOL:
        strbuf_adds(out, v->b ? "true" : "false");
        return 6;
    case VALUE_INT:
        strbuf_addf(out, "%" PRId64, v->i);
        return 5;
    case VALUE_FLOAT:
        break;
    default:
        strbuf_addstr(out, v->s);
        return 5;
    }
    num_repr(num, v->f);
    const char *e = strchr(num, 'e');
    if (v->f != v->f) {
        strbuf_adds(out, ".nan");
    } else if (v->f - v->f != 0) {
        strbuf_adds(out, v->f < 0 ? "-.inf" : ".inf");
    } else if (e != NULL && strchr(num, '.') == NULL) {
        strbuf_addf(out, "%.*s.0%s", (int)(e - num), num, e);
    } else {
        strbuf_adds(out, num);
    }
    return 7;
}

static void write_text(struct yamlout *d, const struct yamlchars *l, bool is_key)
{
    struct str s = {l->bytes, l->at[l->count]};
    struct yamlchars_looks k = yamlchars_look_at(l);
    if (k.plain && hydrascalar_kind(s) == HYDRASCALAR_STR && !hydrascalar_is_quoted(s)) {
        write_plain(d, l, !is_key);
    } else if (k.single && !(is_key && k.multiline)) {
        write_single(d, l, !is_key);
    } else {
        write_double(d, l, !is_key);
    }
}

static void write_scalar(struct yamlout *d, const struct value *v, bool is_key)
{
    struct strbuf text;
    struct yamlchars l;
    strbuf_init(&text);
    size_t outer = d->indent;
    d->indent += 2;
    if (v->type == VALUE_STR) {
        yamlchars_init(&l, v->s);
        write_text(d, &l, is_key);
    } else {
        other_text(v, &text);
        yamlchars_init(&l, strbuf_str(&text));
        write_plain(d, &l, !is_key);
    }
    d->indent = outer;
    yamlchars_release(&l);
    strbuf_release(&text);
}

/* ---- maps and lists ---- */

enum place { AT_ROOT, IN_MAP, IN_LIST };

static void write_node(struct yamlout *d, const struct value *v, enum place in);

static bool is_simple_key(const struct value *key)
{
    if (key->type != VALUE_STR) {
        struct strbuf text;
        strbuf_init(&text);
        size_t n = other_text(key, &text) + text.n;
        strbuf_release(&text);
        return n < SIMPLE_KEY_MAX;
    }
    struct yamlchars l;
    yamlchars_init(&l, key->s);
    bool simple = l.count > 0 && l.count + 5 < SIMPLE_KEY_MAX && !yamlchars_look_at(&l).multiline;
    yamlchars_release(&l);
    return simple;
}

static void write_pair(struct yamlout *d, const struct value_pair *p)
{
    yamlout_indent(d);
    if (is_simple_key(p->key)) {
        write_scalar(d, p->key, true);
        yamlout_indicator(d, ":", false, false);
    } else {
        yamlout_indicator(d, "?", true, true);
        write_scalar(d, p->key, false);
        yamlout_indent(d);
        yamlout_indicator(d, ":", true, true);
    }
    write_node(d, p->val, IN_MAP);
}

static void write_items(struct yamlout *d, const struct value *v, enum place in)
{
    size_t outer = d->indent;
    bool indentless = v->type == VALUE_LIST && in == IN_MAP && !d->indention;
    d->indent += in == AT_ROOT || indentless ? 0 : 2;
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        write_pair(d, &v->map.pairs[i]);
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        yamlout_indent(d);
        yamlout_indicator(d, "-", true, true);
        write_node(d, v->list.items[i], IN_LIST);
    }
    d->indent = outer;
}

static void write_node(struct yamlout *d, const struct value *v, enum place in)
{
    bool map = v->type == VALUE_MAP;
    if (!map && v->type != VALUE_LIST) {
        write_scalar(d, v, false);
    } else if ((map ? v->map.count : v->list.count) == 0) {
        yamlout_indicator(d, map ? "{}" : "[]", true, false);
    } else {
        write_items(d, v, in);
    }
}

void hydradump(struct strbuf *out, const struct value *v)
{
    struct yamlout d = {.out = out, .whitespace = true, .indention = true};
    write_node(&d, v, AT_ROOT);
    if (d.column > 0) {
        strbuf_addch(out, '\n');
    }
}
