/*
 * TOML 1.0 by recursive descent over the text. Source: https://toml.io/en/v1.0.0 (the ABNF's names
 * are used).
 *
 * What may be written only once is kept beside the tree: every map that the file opened has a
 * state, found by its address in a small hash table. A table is IMPLICIT when only its sub-tables
 * were named ([a.b] makes a), DEFINED by its own header, DOTTED when made by a dotted key (only
 * keys of the same table may extend it), CLOSED when written inline.
 */
#include "toml.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "toml_number.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_DEPTH 64
#define MAX_NODES 1000000

enum table_state {
    TABLE_UNKNOWN,
    TABLE_IMPLICIT,
    TABLE_DEFINED,
    TABLE_DOTTED,
    TABLE_CLOSED,
    ARRAY_OF_TABLES
};

struct table_note {
    const struct value *v;
    enum table_state state;
    unsigned section; /* of the header under which a dotted key made it */
};

struct parser {
    struct arena *a;
    struct str text;
    size_t at;
    unsigned line;
    size_t line_start;
    const char *name;
    struct err *e;
    unsigned depth, nodes;
    unsigned section, sections; /* the header or inline table being filled; how many there were */
    struct table_note *notes;   /* open addressing by address */
    size_t note_count, note_size;
};

static struct value *parse_value(struct parser *p);

static int fail_code(struct parser *p, enum err_code code, const char *what)
{
    return err_set(p->e, code, "%s:%u:%zu: %s", p->name, p->line, p->at - p->line_start + 1, what);
}

static int fail(struct parser *p, const char *what)
{
    return fail_code(p, ERR_FORMAT, what);
}

/* --- notes ------------------------------------------------------------------------------------ */

static struct table_note *note_slot(struct table_note *notes, size_t size, const struct value *v)
{
    size_t i = ((uintptr_t)v >> 4) * 0x9e3779b97f4a7c15u % size;
    while (notes[i].v && notes[i].v != v) {
        i = (i + 1) % size;
    }
    return &notes[i];
}

static struct table_note *note_of(struct parser *p, const struct value *v)
{
    if ((p->note_count + 1) * 2 > p->note_size) {
        size_t size = p->note_size ? p->note_size * 2 : 64;
        struct table_note *bigger = xcalloc(size, sizeof(*bigger));
        for (size_t i = 0; i < p->note_size; i++) {
            if (p->notes[i].v) {
                *note_slot(bigger, size, p->notes[i].v) = p->notes[i];
            }
        }
        free(p->notes);
        p->notes = bigger;
        p->note_size = size;
    }
    struct table_note *n = note_slot(p->notes, p->note_size, v);
    if (!n->v) {
        n->v = v;
        p->note_count++;
    }
    return n;
}

static void note_set(struct parser *p, const struct value *v, enum table_state state)
{
    struct table_note *n = note_of(p, v);
    n->state = state;
    n->section = p->section;
}

/* --- characters ------------------------------------------------------------------------------- */

static int peek(const struct parser *p)
{
    return p->at < p->text.n ? (unsigned char)p->text.p[p->at] : -1;
}

static bool looking_at(const struct parser *p, const char *s)
{
    size_t n = strlen(s);
    return p->text.n - p->at >= n && memcmp(p->text.p + p->at, s, n) == 0;
}

static void skip_blanks(struct parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t') {
        p->at++;
    }
}

/* Length of the line end here: 0 none, 1 or 2. */
static size_t newline(const struct parser *p)
{
    return peek(p) == '\n' ? 1 : looking_at(p, "\r\n") ? 2 : 0;
}

static void take_newline(struct parser *p)
{
    p->at += newline(p);
    p->line++;
    p->line_start = p->at;
}

static bool is_control(int c)
{
    return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

static int skip_comment(struct parser *p)
{
    if (peek(p) != '#') {
        return 0;
    }
    while (peek(p) >= 0 && !newline(p)) {
        if (is_control(peek(p))) {
            return fail(p, "control character in a comment");
        }
        p->at++;
    }
    return 0;
}

/* Blanks, comments and line ends: between the parts of an array. */
static int skip_space(struct parser *p)
{
    for (;;) {
        skip_blanks(p);
        if (skip_comment(p) < 0) {
            return -1;
        }
        if (!newline(p)) {
            return 0;
        }
        take_newline(p);
    }
}

static int end_of_line(struct parser *p)
{
    skip_blanks(p);
    if (skip_comment(p) < 0) {
        return -1;
    }
    if (peek(p) < 0) {
        return 0;
    }
    if (!newline(p)) {
        return fail(p, "expected the end of the line");
    }
    take_newline(p);
    return 0;
}

static struct value *new_node(struct parser *p, struct value *v)
{
    v->line = p->line;
    v->column = (unsigned)(p->at - p->line_start + 1);
    if (++p->nodes > MAX_NODES) {
        fail_code(p, ERR_LIMIT, "more than 1,000,000 values");
        return NULL;
    }
    return v;
}

/* --- strings ---------------------------------------------------------------------------------- */

static void add_utf8(struct strbuf *b, uint32_t c)
{
    char out[4];
    size_t n = 0;
    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xc0 | (c >> 6));
        out[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out[n++] = (char)(0xe0 | (c >> 12));
        out[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | (c >> 18));
        out[n++] = (char)(0x80 | ((c >> 12) & 0x3f));
        out[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[n++] = (char)(0x80 | (c & 0x3f));
    }
    strbuf_add(b, out, n);
}

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int parse_unicode(struct parser *p, struct strbuf *b, int digits)
{
    uint32_t c = 0;
    for (int i = 0; i < digits; i++) {
        int d = hex_digit(peek(p));
        if (d < 0) {
            return fail(p, "expected a hex digit in an escape");
        }
        c = c << 4 | (uint32_t)d;
        p->at++;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return fail(p, "escape is not a Unicode character");
    }
    if (c == 0) {
        return fail(p, "NUL character in a string");
    }
    add_utf8(b, c);
    return 0;
}

/* After the backslash. */
static int parse_escape(struct parser *p, struct strbuf *b, bool multiline)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    int c = peek(p);
    const char *f = c > 0 ? strchr(from, c) : NULL;
    if (f) {
        p->at++;
        strbuf_addch(b, to[f - from]);
        return 0;
    }
    if (c == 'u' || c == 'U') {
        p->at++;
        return parse_unicode(p, b, c == 'u' ? 4 : 8);
    }
    if (multiline && (c == ' ' || c == '\t' || newline(p))) {
        size_t save = p->at;
        skip_blanks(p);
        if (newline(p)) {
            while (newline(p)) {
                take_newline(p);
                skip_blanks(p);
            }
            return 0;
        }
        p->at = save;
    }
    return fail(p, "unknown escape in a string");
}

static int parse_string_into(struct parser *p, struct strbuf *b, bool multiline_allowed)
{
    char quote = (char)peek(p);
    char triple[4] = {quote, quote, quote, 0};
    bool multiline = multiline_allowed && looking_at(p, triple);
    p->at += multiline ? 3 : 1;
    if (multiline && newline(p)) {
        take_newline(p);
    }
    for (;;) {
        int c = peek(p);
        if (c < 0 || (!multiline && newline(p))) {
            return fail(p, "string is not closed");
        }
        if (c == quote) {
            if (!multiline) {
                p->at++;
                return 0;
            }
            if (looking_at(p, triple)) {
                /* Up to two quotes may stand before the closing three. */
                size_t run = 3;
                while (run < 5 && p->at + run < p->text.n && p->text.p[p->at + run] == quote) {
                    run++;
                }
                strbuf_add(b, quote == '"' ? "\"\"" : "''", run - 3);
                p->at += run;
                return 0;
            }
        } else if (c == '\\' && quote == '"') {
            p->at++;
            if (parse_escape(p, b, multiline) < 0) {
                return -1;
            }
            continue;
        } else if (multiline && newline(p)) {
            strbuf_add(b, p->text.p + p->at, newline(p));
            take_newline(p);
            continue;
        } else if (is_control(c)) {
            return fail(p, "control character in a string");
        }
        strbuf_addch(b, (char)c);
        p->at++;
    }
}

static struct value *parse_string(struct parser *p)
{
    struct strbuf b;
    strbuf_init(&b);
    struct value *place = new_node(p, value_null(p->a)), *v = NULL;
    if (place && parse_string_into(p, &b, true) == 0) {
        v = value_str(p->a, strbuf_str(&b));
        v->line = place->line;
        v->column = place->column;
    }
    strbuf_release(&b);
    return v;
}

/* --- words ------------------------------------------------------------------------------------ */

static bool is_bare(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static struct value *parse_word(struct parser *p)
{
    struct str rest = str_sub(p->text, p->at, p->text.n);
    long date = toml_date_length(rest);
    if (date < 0) {
        fail(p, "not a date or time");
        return NULL;
    }
    size_t n = (size_t)date;
    while (!date && n < rest.n &&
           (is_bare((unsigned char)rest.p[n]) || rest.p[n] == '+' || rest.p[n] == '.')) {
        n++;
    }
    struct str word = str_sub(rest, 0, n);
    struct value *v;
    if (date) {
        v = value_str(p->a, word);
        v->type = VALUE_DATE;
    } else if (str_is(word, "true") || str_is(word, "false")) {
        v = value_bool(p->a, word.p[0] == 't');
    } else {
        v = toml_number(p->a, word);
    }
    if (!v) {
        fail(p, "not a value that TOML knows");
        return NULL;
    }
    v = new_node(p, v);
    p->at += n;
    return v;
}

/* --- keys and tables -------------------------------------------------------------------------- */

struct key {
    struct value *parts[MAX_DEPTH];
    size_t count;
};

static struct value *parse_simple_key(struct parser *p)
{
    int c = peek(p);
    if (c == '"' || c == '\'') {
        struct strbuf b;
        strbuf_init(&b);
        struct value *place = new_node(p, value_null(p->a)), *v = NULL;
        if (place && parse_string_into(p, &b, false) == 0) {
            v = value_str(p->a, strbuf_str(&b));
            v->line = place->line;
            v->column = place->column;
        }
        strbuf_release(&b);
        return v;
    }
    size_t start = p->at;
    while (is_bare(peek(p))) {
        p->at++;
    }
    if (p->at == start) {
        fail(p, "expected a key");
        return NULL;
    }
    struct value *key = new_node(p, value_str(p->a, str_sub(p->text, start, p->at - start)));
    if (key) {
        key->column -= (unsigned)(p->at - start);
    }
    return key;
}

static int parse_key(struct parser *p, struct key *k)
{
    k->count = 0;
    for (;;) {
        if (k->count == MAX_DEPTH) {
            return fail_code(p, ERR_LIMIT, "key is more than 64 deep");
        }
        skip_blanks(p);
        k->parts[k->count] = parse_simple_key(p);
        if (!k->parts[k->count++]) {
            return -1;
        }
        skip_blanks(p);
        if (peek(p) != '.') {
            return 0;
        }
        p->at++;
    }
}

static int fail_key(struct parser *p, const struct value *key, const char *what)
{
    return err_set(p->e, ERR_FORMAT, "%s:%u:%u: key '%.*s' %s", p->name, key->line, key->column,
                   (int)(key->s.n > 200 ? 200 : key->s.n), key->s.p, what);
}

static struct value *add_table(struct parser *p, struct value *into, struct value *key,
                               enum table_state state)
{
    struct value *t = new_node(p, value_map(p->a));
    if (t) {
        value_append(p->a, into, key, t);
        note_set(p, t, state);
    }
    return t;
}

/* The table a dotted key's parts but the last lead to, made where missing. */
static struct value *walk_dotted(struct parser *p, struct value *table, const struct key *k)
{
    for (size_t i = 0; i + 1 < k->count; i++) {
        struct value *next = value_get_str(table, k->parts[i]->s);
        if (!next) {
            next = add_table(p, table, k->parts[i], TABLE_DOTTED);
            if (!next) {
                return NULL;
            }
        } else {
            const struct table_note *n = next->type == VALUE_MAP ? note_of(p, next) : NULL;
            if (!n || n->state != TABLE_DOTTED || n->section != p->section) {
                fail_key(p, k->parts[i], "is defined already");
                return NULL;
            }
        }
        table = next;
    }
    return table;
}

/* key = value, into `table`. */
static int parse_pair(struct parser *p, struct value *table)
{
    struct key k;
    if (parse_key(p, &k) < 0) {
        return -1;
    }
    if (peek(p) != '=') {
        return fail(p, "expected '=' after a key");
    }
    p->at++;
    skip_blanks(p);
    table = walk_dotted(p, table, &k);
    if (!table) {
        return -1;
    }
    struct value *last = k.parts[k.count - 1];
    if (value_get_str(table, last->s)) {
        return fail_key(p, last, "is defined already");
    }
    struct value *v = parse_value(p);
    if (!v) {
        return -1;
    }
    value_append(p->a, table, last, v);
    return 0;
}

static struct value *parse_inline_table(struct parser *p)
{
    struct value *t = new_node(p, value_map(p->a));
    unsigned section = p->section,
             own = ++p->sections; /* dotted keys extend what this table made */
    p->at++;
    skip_blanks(p);
    if (t && peek(p) == '}') {
        p->at++;
        note_set(p, t, TABLE_CLOSED);
        return t;
    }
    while (t) {
        p->section = own;
        if (parse_pair(p, t) < 0) {
            t = NULL;
            break;
        }
        skip_blanks(p);
        int c = peek(p);
        if (c == ',') {
            p->at++;
            skip_blanks(p);
            continue;
        }
        if (c == '}') {
            p->at++;
            break;
        }
        fail(p, "expected ',' or '}' in an inline table");
        t = NULL;
    }
    p->section = section;
    if (t) {
        note_set(p, t, TABLE_CLOSED);
    }
    return t;
}

static struct value *parse_array(struct parser *p)
{
    struct value *list = new_node(p, value_list(p->a));
    p->at++;
    while (list) {
        if (skip_space(p) < 0) {
            return NULL;
        }
        if (peek(p) == ']') {
            p->at++;
            return list;
        }
        struct value *item = parse_value(p);
        if (!item || skip_space(p) < 0) {
            return NULL;
        }
        value_push(p->a, list, item);
        if (peek(p) == ',') {
            p->at++;
        } else if (peek(p) != ']') {
            fail(p, "expected ',' or ']' in an array");
            return NULL;
        }
    }
    return list;
}

static struct value *parse_value(struct parser *p)
{
    if (p->depth == MAX_DEPTH) {
        fail_code(p, ERR_LIMIT, "values are nested more than 64 deep");
        return NULL;
    }
    p->depth++;
    struct value *v;
    switch (peek(p)) {
    case '"':
    case '\'':
        v = parse_string(p);
        break;
    case '[':
        v = parse_array(p);
        break;
    case '{':
        v = parse_inline_table(p);
        break;
    default:
        v = parse_word(p);
        break;
    }
    p->depth--;
    return v;
}

/* The last table of an array of tables; the table itself otherwise. NULL when it cannot be entered.
 */
static struct value *enter(struct parser *p, struct value *v)
{
    if (v->type == VALUE_LIST && note_of(p, v)->state == ARRAY_OF_TABLES) {
        v = v->list.items[v->list.count - 1];
    }
    bool open = v->type == VALUE_MAP && note_of(p, v)->state != TABLE_CLOSED;
    return open ? v : NULL;
}

/* The table that the header's parts but the last lead to. */
static struct value *walk_header(struct parser *p, struct value *root, const struct key *k)
{
    struct value *table = root;
    for (size_t i = 0; i + 1 < k->count; i++) {
        struct value *next = value_get_str(table, k->parts[i]->s);
        table = next ? enter(p, next) : add_table(p, table, k->parts[i], TABLE_IMPLICIT);
        if (!table) {
            if (next) {
                fail_key(p, k->parts[i], "is no table that can be extended");
            }
            return NULL;
        }
    }
    return table;
}

static struct value *open_array_table(struct parser *p, struct value *table, struct value *last)
{
    struct value *list = value_get_str(table, last->s);
    if (!list) {
        list = new_node(p, value_list(p->a));
        if (!list) {
            return NULL;
        }
        value_append(p->a, table, last, list);
        note_set(p, list, ARRAY_OF_TABLES);
    } else if (list->type != VALUE_LIST || note_of(p, list)->state != ARRAY_OF_TABLES) {
        fail_key(p, last, "is defined already");
        return NULL;
    }
    struct value *t = new_node(p, value_map(p->a));
    if (t) {
        value_push(p->a, list, t);
        note_set(p, t, TABLE_DEFINED);
    }
    return t;
}

static struct value *open_table(struct parser *p, struct value *table, struct value *last)
{
    struct value *t = value_get_str(table, last->s);
    if (!t) {
        return add_table(p, table, last, TABLE_DEFINED);
    }
    if (t->type != VALUE_MAP || note_of(p, t)->state != TABLE_IMPLICIT) {
        fail_key(p, last, "is defined already");
        return NULL;
    }
    note_set(p, t, TABLE_DEFINED);
    return t;
}

/* [a.b] or [[a.b]]; returns the table that follows. */
static struct value *parse_header(struct parser *p, struct value *root)
{
    struct key k;
    bool array = looking_at(p, "[[");
    p->at += array ? 2 : 1;
    p->section = ++p->sections;
    if (parse_key(p, &k) < 0) {
        return NULL;
    }
    if (!looking_at(p, array ? "]]" : "]")) {
        fail(p, array ? "expected ']]'" : "expected ']'");
        return NULL;
    }
    p->at += array ? 2 : 1;
    struct value *table = walk_header(p, root, &k), *last = k.parts[k.count - 1];
    if (!table) {
        return NULL;
    }
    return array ? open_array_table(p, table, last) : open_table(p, table, last);
}

static struct value *parse_document(struct parser *p)
{
    struct value *root = new_node(p, value_map(p->a)), *table = root;
    note_set(p, root, TABLE_DEFINED);
    for (;;) {
        if (skip_space(p) < 0) {
            return NULL;
        }
        if (peek(p) < 0) {
            return root;
        }
        if (peek(p) == '[') {
            table = parse_header(p, root);
            if (!table) {
                return NULL;
            }
        } else if (parse_pair(p, table) < 0) {
            return NULL;
        }
        if (end_of_line(p) < 0) {
            return NULL;
        }
    }
}

struct value *toml_parse(struct arena *a, struct str text, const char *name, struct err *e)
{
    struct parser p = {.a = a, .text = text, .line = 1, .name = name ? name : "<toml>", .e = e};
    if (text.n > MAX_BYTES) {
        fail_code(&p, ERR_LIMIT, "file is larger than 16 MiB");
        return NULL;
    }
    p.at = str_utf8_valid(text);
    if (p.at < text.n || (text.n && memchr(text.p, 0, text.n))) {
        fail(&p, "not UTF-8 text");
        return NULL;
    }
    p.at = str_starts(text, "\xef\xbb\xbf") ? 3 : 0;
    struct value *doc = parse_document(&p);
    free(p.notes);
    return doc;
}
