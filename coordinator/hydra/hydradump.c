/* See hydradump.h. The state is PyYAML's: the column, whether the last thing written was white space, whether only indentation and
 * dashes stand on the line. */
#include "hydradump.h"
#include "hydrascalar.h"

#include "alloc.h"
#include "num.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define SIMPLE_KEY_MAX 128 /* characters of a key's tag and text: from here on "? key" */

struct dump {
    struct strbuf *out;
    size_t column, indent;
    bool whitespace, indention;
};

/* Text as code points, each with its offset; one more of each at the end. */
struct letters {
    const char *bytes;
    uint32_t *c;
    size_t *at;
    size_t n;
};

static void letters_init(struct letters *l, struct str s)
{
    l->bytes = s.p;
    l->c = xmalloc((s.n + 1) * sizeof *l->c);
    l->at = xmalloc((s.n + 1) * sizeof *l->at);
    l->n = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char b = (unsigned char)s.p[i];
        size_t len = b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        len = i + len > s.n ? 1 : len;
        uint32_t c = len == 1 ? b : b & (0x7Fu >> len);
        for (size_t k = 1; k < len; k++) {
            c = c << 6 | ((unsigned char)s.p[i + k] & 0x3F);
        }
        l->c[l->n] = c;
        l->at[l->n++] = i;
        i += len;
    }
    l->c[l->n] = 0;
    l->at[l->n] = s.n;
}

static void letters_release(struct letters *l)
{
    free(l->c);
    free(l->at);
}

static bool is_break(uint32_t c)
{
    return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_blank(uint32_t c)
{
    return c == 0 || c == ' ' || c == '\t' || c == '\r' || is_break(c);
}

/* ---- the lowest level ---- */

static void put(struct dump *d, const char *text, size_t n, size_t columns)
{
    strbuf_add(d->out, text, n);
    d->column += columns;
}

static void put_letters(struct dump *d, const struct letters *l, size_t from, size_t to)
{
    put(d, l->bytes + l->at[from], l->at[to] - l->at[from], to - from);
}

static void end_line(struct dump *d, const char *how, size_t n)
{
    strbuf_add(d->out, how, n);
    d->whitespace = d->indention = true;
    d->column = 0;
}

static void write_indent(struct dump *d)
{
    if (!d->indention || d->column > d->indent || (d->column == d->indent && !d->whitespace)) {
        end_line(d, "\n", 1);
    }
    if (d->column < d->indent) {
        strbuf_pad(d->out, ' ', d->indent - d->column);
        d->column = d->indent;
        d->whitespace = true;
    }
}

static void indicator(struct dump *d, const char *text, bool need_blank, bool keeps_indention)
{
    if (need_blank && !d->whitespace) {
        put(d, " ", 1, 1);
    }
    put(d, text, strlen(text), strlen(text));
    d->whitespace = false;
    d->indention = d->indention && keeps_indention;
}

/* ---- which style a string can have ---- */

struct looks {
    bool plain, single, multiline;
};

static bool is_indicator(const struct letters *l, size_t i)
{
    uint32_t c = l->c[i];
    bool followed = i + 1 >= l->n || is_blank(l->c[i + 1]);
    if (i == 0) {
        return (c > 0 && c < 0x80 && strchr("#,[]{}&*!|>'\"%@`", (int)c) != NULL) ||
               ((c == '?' || c == ':' || c == '-') && followed);
    }
    return (c == ':' && followed) || (c == '#' && is_blank(l->c[i - 1]));
}

/* A character that only "…" can hold. */
static bool is_special(uint32_t c)
{
    bool printable = c == '\n' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
                     (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
                     (c >= 0x10000 && c <= 0x10FFFF);
    return !printable || c == 0xFEFF;
}

static struct looks look_at(const struct letters *l)
{
    struct looks k = {.plain = true, .single = true};
    if (l->n >= 3 && (memcmp(l->bytes, "---", 3) == 0 || memcmp(l->bytes, "...", 3) == 0)) {
        k.plain = false;
    }
    for (size_t i = 0; i < l->n; i++) {
        uint32_t c = l->c[i];
        bool edge = i == 0 || i + 1 == l->n;
        k.plain = k.plain && !is_indicator(l, i) && !(c == ' ' && edge);
        if (is_special(c)) {
            k.plain = k.single = false;
        }
        if (is_break(c)) {
            k.multiline = true;
            k.plain = false;
            k.single = k.single && !(i > 0 && l->c[i - 1] == ' ');
        }
        if (c == ' ' && i > 0 && is_break(l->c[i - 1])) {
            k.plain = k.single = false;
        }
    }
    return k;
}

/* ---- the styles ---- */

static void write_plain(struct dump *d, const struct letters *l, bool split)
{
    if (l->n == 0) {
        return;
    }
    if (!d->whitespace) {
        put(d, " ", 1, 1);
    }
    d->whitespace = d->indention = false;
    bool spaces = false;
    size_t start = 0;
    for (size_t end = 0; end <= l->n; end++) {
        bool last = end == l->n, space = !last && l->c[end] == ' ';
        if (spaces && !space) {
            if (start + 1 == end && d->column > WIDTH && split) {
                write_indent(d);
                d->whitespace = d->indention = false;
            } else {
                put_letters(d, l, start, end);
            }
            start = end;
        } else if (!spaces && (last || space)) {
            put_letters(d, l, start, end);
            start = end;
        }
        spaces = space;
    }
}

/* The line breaks of a quoted text: one more than there are, as a reader folds. */
static void write_breaks(struct dump *d, const struct letters *l, size_t from, size_t to)
{
    if (l->c[from] == '\n') {
        end_line(d, "\n", 1);
    }
    for (size_t i = from; i < to; i++) {
        end_line(d, l->bytes + l->at[i], l->at[i + 1] - l->at[i]);
    }
    write_indent(d);
}

static void write_single(struct dump *d, const struct letters *l, bool split)
{
    indicator(d, "'", true, false);
    bool spaces = false, breaks = false;
    size_t start = 0;
    for (size_t end = 0; end <= l->n; end++) {
        bool last = end == l->n;
        uint32_t c = l->c[end];
        bool space = !last && c == ' ', broken = !last && is_break(c);
        if (spaces && !space) {
            if (start + 1 == end && d->column > WIDTH && split && start > 0 && !last) {
                write_indent(d);
            } else {
                put_letters(d, l, start, end);
            }
            start = end;
        } else if (breaks && !broken) {
            write_breaks(d, l, start, end);
            start = end;
        } else if (!spaces && !breaks && (last || space || broken || c == '\'')) {
            put_letters(d, l, start, end);
            start = end;
        }
        if (!last && c == '\'') {
            put(d, "''", 2, 2);
            start = end + 1;
        }
        spaces = space;
        breaks = broken;
    }
    indicator(d, "'", false, false);
}

static void put_escape(struct dump *d, uint32_t c)
{
    static const struct {
        uint32_t c;
        char letter;
    } named[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {0xA, 'n'},
                 {0xB, 'v'},   {0xC, 'f'},  {0xD, 'r'},  {0x1B, 'e'},   {'"', '"'},
                 {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    char text[16];
    int n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(named) && n == 0; i++) {
        n = named[i].c == c ? snprintf(text, sizeof text, "\\%c", named[i].letter) : 0;
    }
    if (n == 0) {
        n = c <= 0xFF     ? snprintf(text, sizeof text, "\\x%02" PRIX32, c)
            : c <= 0xFFFF ? snprintf(text, sizeof text, "\\u%04" PRIX32, c)
                          : snprintf(text, sizeof text, "\\U%08" PRIX32, c);
    }
    put(d, text, (size_t)n, (size_t)n);
}

static bool needs_escape(uint32_t c)
{
    bool stays =
        (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD);
    return !stays || c == '"' || c == '\\' || c == 0x2028 || c == 0x2029 || c == 0xFEFF;
}

static void write_double(struct dump *d, const struct letters *l, bool split)
{
    indicator(d, "\"", true, false);
    size_t start = 0;
    for (size_t end = 0; end <= l->n; end++) {
        bool last = end == l->n;
        uint32_t c = l->c[end];
        if (last || needs_escape(c)) {
            if (start < end) {
                put_letters(d, l, start, end);
                start = end;
            }
            if (!last) {
                put_escape(d, c);
                start = end + 1;
            }
        }
        if (end > 0 && end + 1 < l->n && (c == ' ' || start >= end) && split &&
            d->column + end > WIDTH + start) {
            if (start < end) {
                put_letters(d, l, start, end);
                start = end;
            }
            put(d, "\\", 1, 1);
            write_indent(d);
            d->whitespace = d->indention = false;
            if (l->c[start] == ' ') {
                put(d, "\\", 1, 1);
            }
        }
    }
    indicator(d, "\"", false, false);
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

static void write_text(struct dump *d, const struct letters *l, bool is_key)
{
    struct str s = {l->bytes, l->at[l->n]};
    struct looks k = look_at(l);
    if (k.plain && hydrascalar_kind(s) == HYDRASCALAR_STR && !hydrascalar_is_quoted(s)) {
        write_plain(d, l, !is_key);
    } else if (k.single && !(is_key && k.multiline)) {
        write_single(d, l, !is_key);
    } else {
        write_double(d, l, !is_key);
    }
}

static void write_scalar(struct dump *d, const struct value *v, bool is_key)
{
    struct strbuf text;
    struct letters l;
    strbuf_init(&text);
    size_t outer = d->indent;
    d->indent += 2;
    if (v->type == VALUE_STR) {
        letters_init(&l, v->s);
        write_text(d, &l, is_key);
    } else {
        other_text(v, &text);
        letters_init(&l, strbuf_str(&text));
        write_plain(d, &l, !is_key);
    }
    d->indent = outer;
    letters_release(&l);
    strbuf_release(&text);
}

/* ---- maps and lists ---- */

enum place { AT_ROOT, IN_MAP, IN_LIST };

static void write_node(struct dump *d, const struct value *v, enum place in);

static bool is_simple_key(const struct value *key)
{
    if (key->type != VALUE_STR) {
        struct strbuf text;
        strbuf_init(&text);
        size_t n = other_text(key, &text) + text.n;
        strbuf_release(&text);
        return n < SIMPLE_KEY_MAX;
    }
    struct letters l;
    letters_init(&l, key->s);
    bool simple = l.n > 0 && l.n + 5 < SIMPLE_KEY_MAX && !look_at(&l).multiline;
    letters_release(&l);
    return simple;
}

static void write_pair(struct dump *d, const struct value_pair *p)
{
    write_indent(d);
    if (is_simple_key(p->key)) {
        write_scalar(d, p->key, true);
        indicator(d, ":", false, false);
    } else {
        indicator(d, "?", true, true);
        write_scalar(d, p->key, false);
        write_indent(d);
        indicator(d, ":", true, true);
    }
    write_node(d, p->val, IN_MAP);
}

static void write_items(struct dump *d, const struct value *v, enum place in)
{
    size_t outer = d->indent;
    bool indentless = v->type == VALUE_LIST && in == IN_MAP && !d->indention;
    d->indent += in == AT_ROOT || indentless ? 0 : 2;
    for (size_t i = 0; v->type == VALUE_MAP && i < v->map.count; i++) {
        write_pair(d, &v->map.pairs[i]);
    }
    for (size_t i = 0; v->type == VALUE_LIST && i < v->list.count; i++) {
        write_indent(d);
        indicator(d, "-", true, true);
        write_node(d, v->list.items[i], IN_LIST);
    }
    d->indent = outer;
}

static void write_node(struct dump *d, const struct value *v, enum place in)
{
    bool map = v->type == VALUE_MAP;
    if (!map && v->type != VALUE_LIST) {
        write_scalar(d, v, false);
    } else if ((map ? v->map.count : v->list.count) == 0) {
        indicator(d, map ? "{}" : "[]", true, false);
    } else {
        write_items(d, v, in);
    }
}

void hydradump(struct strbuf *out, const struct value *v)
{
    struct dump d = {.out = out, .whitespace = true, .indention = true};
    write_node(&d, v, AT_ROOT);
    if (d.column > 0) {
        strbuf_addch(out, '\n');
    }
}
