/*
 * Literal assignments of a Python file. Source: DVC 3.67, dvc/utils/serialize/_py.py, which walks
 * Python's syntax tree; here the text is cut into logical lines (brackets, triple quotes and
 * backslashes join lines) with their indentation, and only the lines that can matter are looked
 * into.
 */
#include "pyparams.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_DEPTH 64
#define MAX_NODES 1000000

struct py_line {
    struct str text; /* without indentation and comment at the end */
    size_t indent;
    unsigned number;
};

struct py {
    struct arena *a;
    const char *name;
    struct err *e;
    struct py_line *lines;
    size_t count, capacity;
    unsigned depth, nodes;
};

/* --- logical lines ---------------------------------------------------------------------------- */

/* Index after the string that starts at s[i] (on its quote); s.n + 1 when it does not end. */
static size_t skip_string(struct str s, size_t i)
{
    char q = s.p[i];
    bool triple = i + 2 < s.n && s.p[i + 1] == q && s.p[i + 2] == q;
    for (i += triple ? 3 : 1; i < s.n; i++) {
        if (s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == '\n' && !triple) {
            return s.n + 1;
        } else if (s.p[i] == q &&
                   (!triple || (i + 2 < s.n && s.p[i + 1] == q && s.p[i + 2] == q))) {
            return i + (triple ? 3 : 1);
        }
    }
    return s.n + 1;
}

static size_t skip_to_newline(struct str s, size_t i)
{
    while (i < s.n && s.p[i] != '\n') {
        i++;
    }
    return i;
}

/* Index of the newline (or the end) that closes the logical line starting at i; comments are not
 * part of *end. */
static size_t logical_end(struct str s, size_t i, size_t *end)
{
    size_t open = 0;
    *end = i;
    while (i < s.n) {
        char c = s.p[i];
        if (c == '"' || c == '\'') {
            i = skip_string(s, i);
            if (i > s.n) {
                return i;
            }
            *end = i;
            continue;
        }
        if (c == '#') {
            i = skip_to_newline(s, i);
            continue;
        }
        if (c == '\n' && open == 0) {
            return i;
        }
        open += c == '(' || c == '[' || c == '{';
        open -= open && (c == ')' || c == ']' || c == '}');
        i += c == '\\' && i + 1 < s.n ? 2 : 1;
        *end = c == '\n' || c == ' ' ? *end : i;
    }
    return open ? s.n + 1 : s.n;
}

static int cut_lines(struct py *p, struct str s)
{
    unsigned number = 1;
    for (size_t i = 0; i < s.n;) {
        size_t start = i, end, indent = 0;
        while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\f')) {
            indent += s.p[i] == '\t' ? 8 - indent % 8 : s.p[i] == ' ';
            i++;
        }
        size_t stop = logical_end(s, i, &end);
        if (stop > s.n) {
            return err_set(p->e, ERR_FORMAT, "%s:%u: a string or bracket is not closed", p->name,
                           number);
        }
        struct str text = str_trim(str_sub(s, i, end > i ? end - i : 0));
        if (text.n) {
            ARRAY_RESERVE(p->lines, p->count, p->capacity, 1);
            p->lines[p->count++] = (struct py_line){text, indent, number};
        }
        for (size_t k = start; k <= stop && k < s.n; k++) {
            number += s.p[k] == '\n';
        }
        i = stop + 1;
    }
    return 0;
}

/* --- literals --------------------------------------------------------------------------------- */

struct lit {
    struct py *p;
    struct str s;
    size_t at;
    unsigned line;
};

static struct value *parse_literal(struct lit *l);

static void skip_blank(struct lit *l)
{
    while (l->at < l->s.n) {
        char c = l->s.p[l->at];
        if (c == '#') {
            l->at = skip_to_newline(l->s, l->at);
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            l->at++;
        } else if (c == '\\' && l->at + 1 < l->s.n && l->s.p[l->at + 1] == '\n') {
            l->at += 2;
        } else {
            return;
        }
    }
}

static int peek(struct lit *l)
{
    skip_blank(l);
    return l->at < l->s.n ? (unsigned char)l->s.p[l->at] : -1;
}

static bool is_name_char(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

static struct str word_at(struct str s, size_t i)
{
    size_t n = i;
    while (n < s.n && is_name_char((unsigned char)s.p[n])) {
        n++;
    }
    return str_sub(s, i, n - i);
}

static struct value *place(struct lit *l, struct value *v)
{
    v->line = l->line;
    v->column = 1;
    return ++l->p->nodes > MAX_NODES ? NULL : v;
}

static void add_code_point(struct strbuf *b, unsigned long c)
{
    if (c < 0x80) {
        strbuf_addch(b, (char)c);
    } else if (c < 0x800) {
        strbuf_addch(b, (char)(0xc0 | (c >> 6)));
        strbuf_addch(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        strbuf_addch(b, (char)(0xe0 | (c >> 12)));
        strbuf_addch(b, (char)(0x80 | ((c >> 6) & 0x3f)));
        strbuf_addch(b, (char)(0x80 | (c & 0x3f)));
    } else {
        strbuf_addch(b, (char)(0xf0 | (c >> 18)));
        strbuf_addch(b, (char)(0x80 | ((c >> 12) & 0x3f)));
        strbuf_addch(b, (char)(0x80 | ((c >> 6) & 0x3f)));
        strbuf_addch(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* One escape after the backslash at s[i]; returns the index after it, 0 for one that is wrong. */
static size_t unescape(struct str s, size_t i, struct strbuf *b)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char c = s.p[i];
    const char *f = c ? strchr(from, c) : NULL;
    if (c == '\n') {
        return i + 1;
    }
    if (f) {
        strbuf_addch(b, to[f - from]);
        return i + 1;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    char text[9] = "";
    unsigned long code;
    if (digits) {
        if (i + digits >= s.n) {
            return 0;
        }
        memcpy(text, s.p + i + 1, digits);
        char *end;
        code = strtoul(text, &end, 16);
        if (end != text + digits || code == 0 || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000)) {
            return 0;
        }
        add_code_point(b, code);
        return i + 1 + digits;
    }
    if (c >= '0' && c <= '7') {
        size_t n = 0;
        while (n < 3 && i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '7') {
            text[n] = s.p[i + n];
            n++;
        }
        code = strtoul(text, NULL, 8);
        add_code_point(b, code);
        return code ? i + n : 0;
    }
    strbuf_addch(b, '\\');
    strbuf_addch(b, c);
    return i + 1;
}

/* One quoted piece at l->at; false for f-strings and bytes. */
static bool parse_piece(struct lit *l, struct strbuf *b)
{
    struct str prefix = word_at(l->s, l->at);
    bool raw = false;
    for (size_t i = 0; i < prefix.n; i++) {
        char c = prefix.p[i];
        raw = raw || c == 'r' || c == 'R';
        if (c != 'r' && c != 'R' && c != 'u' && c != 'U') {
            return false;
        }
    }
    size_t start = l->at + prefix.n, end = skip_string(l->s, start);
    if (end > l->s.n) {
        return false;
    }
    char q = l->s.p[start];
    bool triple = end - start >= 6 && l->s.p[start + 1] == q && l->s.p[start + 2] == q;
    struct str body = str_sub(l->s, start + (triple ? 3 : 1), end - start - (triple ? 6 : 2));
    for (size_t i = 0; i < body.n;) {
        if (body.p[i] == '\\' && !raw && i + 1 < body.n) {
            i = unescape(body, i + 1, b);
            if (!i) {
                return false;
            }
        } else {
            strbuf_addch(b, body.p[i++]);
        }
    }
    l->at = end;
    return true;
}

static bool at_string(struct lit *l)
{
    int c = peek(l);
    struct str prefix = word_at(l->s, l->at);
    size_t q = l->at + prefix.n;
    return c >= 0 && prefix.n <= 2 && q < l->s.n && (l->s.p[q] == '"' || l->s.p[q] == '\'');
}

static struct value *parse_text(struct lit *l)
{
    struct strbuf b;
    strbuf_init(&b);
    bool ok = true;
    while (ok && at_string(l)) {
        ok = parse_piece(l, &b);
    }
    struct value *v = ok ? place(l, value_str(l->p->a, strbuf_str(&b))) : NULL;
    strbuf_release(&b);
    return v;
}

/* "3." and ".5" are numbers in Python. */
static struct value *float_value(struct arena *a, struct str s)
{
    struct strbuf full;
    double f;
    strbuf_init(&full);
    strbuf_addf(&full, "%s%.*s%s", s.n && s.p[0] == '.' ? "0" : "", STR_ARG(s),
                s.n && s.p[s.n - 1] == '.' ? "0" : "");
    bool ok = num_parse_double(strbuf_str(&full), &f);
    strbuf_release(&full);
    return ok ? value_float(a, f) : NULL;
}

/* `s` is NUL-terminated and without the _ between digits. */
static struct value *number_value(struct arena *a, struct str s)
{
    int64_t n;
    if (s.n > 2 && s.p[0] == '0' && strchr("xXoObB", s.p[1])) {
        char *end, kind = (char)(s.p[1] | 0x20);
        unsigned long long u = strtoull(s.p + 2, &end, kind == 'x' ? 16 : kind == 'o' ? 8 : 2);
        return *end || u > INT64_MAX ? NULL : value_int(a, (int64_t)u);
    }
    if (num_parse_int(s, &n)) {
        return value_int(a, n);
    }
    if (s.n && strspn(s.p, "0123456789") == s.n) {
        struct value *v = value_str(a, s);
        v->type = VALUE_BIGINT;
        return v;
    }
    return float_value(a, s);
}

static struct value *parse_number(struct lit *l)
{
    struct strbuf b;
    strbuf_init(&b);
    size_t i = l->at;
    bool hex = i + 1 < l->s.n && l->s.p[i] == '0' && (l->s.p[i + 1] | 0x20) == 'x';
    for (; i < l->s.n; i++) {
        char c = l->s.p[i], last = i > l->at ? l->s.p[i - 1] : 0;
        bool sign = (c == '+' || c == '-') && (last | 0x20) == 'e' && !hex;
        if (!is_name_char((unsigned char)c) && c != '.' && !sign) {
            break;
        }
        strbuf_add(&b, &c, c != '_');
    }
    struct value *v = number_value(l->p->a, strbuf_str(&b));
    strbuf_release(&b);
    l->at = i;
    return v ? place(l, v) : NULL;
}

/* [a, b], (a, b), {a, b}: the opening bracket is at l->at. A parenthesis around one literal is that
 * literal. */
static struct value *parse_sequence(struct lit *l, char close)
{
    struct value *list = place(l, value_list(l->p->a));
    bool comma = false;
    l->at++;
    while (list) {
        if (peek(l) == close) {
            l->at++;
            bool wrapped = close == ')' && list->list.count == 1 && !comma;
            return wrapped ? list->list.items[0] : list;
        }
        struct value *v = parse_literal(l);
        if (!v) {
            return NULL;
        }
        value_push(l->p->a, list, v);
        if (peek(l) == ',') {
            comma = true;
            l->at++;
        } else if (peek(l) != close) {
            return NULL;
        }
    }
    return NULL;
}

static struct value *parse_dict(struct lit *l)
{
    size_t start = l->at;
    struct value *map = place(l, value_map(l->p->a));
    l->at++;
    while (map) {
        if (peek(l) == '}') {
            l->at++;
            return map;
        }
        struct value *k = parse_literal(l);
        if (!k) {
            return NULL;
        }
        if (peek(l) != ':') {
            l->at = start;
            return map->map.count ? NULL : parse_sequence(l, '}'); /* a set */
        }
        l->at++;
        struct value *v = value_is_scalar(k) ? parse_literal(l) : NULL;
        if (!v) {
            return NULL;
        }
        value_set_key(l->p->a, map, k, v);
        if (peek(l) == ',') {
            l->at++;
        } else if (peek(l) != '}') {
            return NULL;
        }
    }
    return NULL;
}

static struct value *negate(struct lit *l, struct value *v, int sign)
{
    if (!v || (v->type != VALUE_INT && v->type != VALUE_FLOAT)) {
        return NULL;
    }
    if (sign == '-' && v->type == VALUE_INT) {
        return place(l, value_int(l->p->a, -v->i));
    }
    return sign == '-' ? place(l, value_float(l->p->a, -v->f)) : v;
}

static struct value *parse_name(struct lit *l)
{
    struct str w = word_at(l->s, l->at);
    l->at += w.n;
    if (str_is(w, "True") || str_is(w, "False")) {
        return place(l, value_bool(l->p->a, w.p[0] == 'T'));
    }
    return str_is(w, "None") ? place(l, value_null(l->p->a)) : NULL;
}

/* NULL: not a literal. */
static struct value *parse_literal(struct lit *l)
{
    struct value *v = NULL;
    int c = peek(l);
    if (l->p->depth == MAX_DEPTH) {
        return NULL;
    }
    l->p->depth++;
    if (at_string(l)) {
        v = parse_text(l);
    } else if (c == '[' || c == '(') {
        v = parse_sequence(l, c == '[' ? ']' : ')');
    } else if (c == '{') {
        v = parse_dict(l);
    } else if (c == '-' || c == '+') {
        l->at++;
        int next = peek(l); /* one sign only, as ast.literal_eval */
        v = next == '-' || next == '+' ? NULL : negate(l, parse_literal(l), c);
    } else if ((c >= '0' && c <= '9') || c == '.') {
        v = parse_number(l);
    } else if (c >= 0) {
        v = parse_name(l);
    }
    l->p->depth--;
    return v;
}

/* --- statements ------------------------------------------------------------------------------- */

/* Offset of the first `c` outside of brackets and strings; s.n when there is none. */
static size_t find_outside(struct str s, char c)
{
    size_t open = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\'') {
            size_t end = skip_string(s, i);
            i = end > s.n ? s.n : end - 1;
            continue;
        }
        if (s.p[i] == c && open == 0) {
            return i;
        }
        open += s.p[i] == '(' || s.p[i] == '[' || s.p[i] == '{';
        open -= open && (s.p[i] == ')' || s.p[i] == ']' || s.p[i] == '}');
    }
    return s.n;
}

/* The name an assignment binds; empty when it is none that counts. */
static struct str target_name(struct str target, bool only_self)
{
    target = str_trim(target);
    size_t colon = find_outside(target, ':');
    target = str_trim(str_sub(target, 0, colon));
    bool attribute = str_starts(target, "self.");
    struct str name = attribute ? str_sub(target, 5, target.n) : target;
    bool plain = name.n && word_at(name, 0).n == name.n && !(name.p[0] >= '0' && name.p[0] <= '9');
    return plain && (attribute || !only_self) ? name : (struct str){NULL, 0};
}

/* The rest of `1, 2`; NULL when it is no literal. */
static struct value *parse_tuple(struct lit *l, struct value *first)
{
    struct value *list = place(l, value_list(l->p->a));
    for (struct value *v = first; v && list; v = parse_literal(l)) {
        value_push(l->p->a, list, v);
        if (peek(l) != ',') {
            return list;
        }
        l->at++;
        if (peek(l) < 0) {
            return list;
        }
    }
    return NULL;
}

static void read_simple(struct py *p, struct str s, unsigned line, bool only_self,
                        struct value *into)
{
    size_t eq = find_outside(s, '=');
    if (eq == s.n || eq == 0 || (eq + 1 < s.n && s.p[eq + 1] == '=') ||
        strchr("=!<>+-*/%&|^@:", s.p[eq - 1])) {
        return;
    }
    struct str name = target_name(str_sub(s, 0, eq), only_self);
    struct lit l = {p, s, eq + 1, line};
    struct value *v = name.n ? parse_literal(&l) : NULL;
    if (v && peek(&l) == ',') {
        v = parse_tuple(&l, v);
    }
    if (v && peek(&l) < 0) {
        struct value *key = place(&l, value_str(p->a, name));
        if (key) {
            value_set_key(p->a, into, key, v);
        }
    }
}

static void read_statements(struct py *p, struct str s, unsigned line, bool only_self,
                            struct value *into)
{
    while (s.n) {
        size_t cut = find_outside(s, ';');
        read_simple(p, str_trim(str_sub(s, 0, cut)), line, only_self, into);
        s = cut < s.n ? str_sub(s, cut + 1, s.n) : (struct str){NULL, 0};
    }
}

static bool starts_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    return str_starts(s, word) && (s.n == n || !is_name_char((unsigned char)s.p[n]));
}

static bool is_compound(struct str s)
{
    static const char *const words[] = {"if",    "elif",   "else",    "for",  "while",
                                        "try",   "except", "finally", "with", "def",
                                        "class", "async",  "match",   "case"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (starts_word(s, words[i])) {
            return true;
        }
    }
    return false;
}

static size_t read_block(struct py *p, size_t from, size_t indent, bool only_self, unsigned depth,
                         struct value *into);

/* class NAME…: or def __init__(…): with its body; returns the index after it. */
static size_t read_body(struct py *p, size_t at, bool only_self, unsigned depth, struct value *into)
{
    const struct py_line *head = &p->lines[at];
    size_t colon = find_outside(head->text, ':');
    struct str rest = str_trim(str_sub(head->text, colon + 1, head->text.n));
    if (colon < head->text.n && rest.n) {
        read_statements(p, rest, head->number, only_self, into);
    }
    at++;
    if (at < p->count && p->lines[at].indent > head->indent && depth < MAX_DEPTH) {
        at = read_block(p, at, p->lines[at].indent, only_self, depth + 1, into);
    }
    while (at < p->count && p->lines[at].indent > head->indent) {
        at++;
    }
    return at;
}

static size_t read_block(struct py *p, size_t from, size_t indent, bool only_self, unsigned depth,
                         struct value *into)
{
    size_t i = from;
    while (i < p->count && p->lines[i].indent >= indent) {
        const struct py_line *line = &p->lines[i];
        struct str name = {NULL, 0};
        if (line->indent > indent) {
            i++; /* the body of something that was passed over */
        } else if (starts_word(line->text, "class")) {
            name = word_at(str_trim(str_sub(line->text, 5, line->text.n)), 0);
            struct value *map = value_map(p->a), *key = value_str(p->a, name);
            map->line = key->line = line->number;
            map->column = key->column = 1;
            i = read_body(p, i, false, depth, map);
            value_set_key(p->a, into, key, map);
        } else if (starts_word(line->text, "def") &&
                   str_is(word_at(str_trim(str_sub(line->text, 3, line->text.n)), 0), "__init__")) {
            i = read_body(p, i, true, depth, into);
        } else {
            if (!is_compound(line->text)) {
                read_statements(p, line->text, line->number, only_self, into);
            }
            i++;
        }
    }
    return i;
}

struct value *pyparams_parse(struct arena *a, struct str text, const char *name, struct err *e)
{
    struct py p = {.a = a, .name = name, .e = e};
    if (text.n > MAX_BYTES) {
        err_set(e, ERR_LIMIT, "%s: file is larger than 16 MiB", name);
        return NULL;
    }
    if (str_utf8_valid(text) < text.n || (text.n && memchr(text.p, 0, text.n))) {
        err_set(e, ERR_FORMAT, "%s: not UTF-8 text", name);
        return NULL;
    }
    struct value *doc = NULL;
    if (cut_lines(&p, text) == 0) {
        doc = value_map(a);
        doc->line = doc->column = 1;
        for (size_t i = 0; i < p.count;) {
            size_t next = read_block(&p, i, p.lines[i].indent, false, 0, doc);
            i = next > i ? next : i + 1;
        }
    }
    free(p.lines);
    return doc;
}
