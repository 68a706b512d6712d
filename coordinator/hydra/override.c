/*
 * Reading overrides: one pass over the text, a token at a time, longest match as in Hydra's lexer (hydra/grammar, 1.3).
 * An unquoted value that is a single token has that token's type; several tokens in a row are one string ("2026-01-02").
 */
#include "override.h"
#include "override_private.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32
#define ARGS_MAX 4096

struct reader {
    struct arena *a;
    struct str text;
    size_t at;
    unsigned depth;
    struct err *e;
};

static int fail(const struct reader *r, const char *what)
{
    return err_set(r->e, ERR_USAGE, "Invalid `--set-param` value: '%.*s': column %zu: %s",
                   (int)(r->text.n > 400 ? 400 : r->text.n), r->text.p, r->at + 1, what);
}

static int peek_at(const struct reader *r, size_t i)
{
    return r->at + i < r->text.n ? (unsigned char)r->text.p[r->at + i] : -1;
}

static int peek(const struct reader *r)
{
    return peek_at(r, 0);
}

static size_t blanks(const struct reader *r, size_t from)
{
    size_t n = from;
    while (peek_at(r, n) == ' ' || peek_at(r, n) == '\t') {
        n++;
    }
    return n - from;
}

static void skip_blanks(struct reader *r)
{
    r->at += blanks(r, 0);
}

/* The character, with blanks around it. */
static bool take(struct reader *r, char c)
{
    size_t n = blanks(r, 0);
    if (peek_at(r, n) != c) {
        return false;
    }
    r->at += n + 1;
    skip_blanks(r);
    return true;
}

/* ---- tokens of unquoted values: each answers its length at `at`, 0 when there is none ---- */

static bool is_id_char(int c)
{
    return c > 0 && c < 0x80 && (isalnum(c) || c == '_' || c == '-');
}

static size_t match_id(const struct reader *r)
{
    int c = peek(r);
    size_t n = 0;
    if (c > 0 && c < 0x80 && (isalpha(c) || c == '_')) {
        while (is_id_char(peek_at(r, n))) {
            n++;
        }
    }
    return n;
}

/* DIGIT (('_')? DIGIT)* */
static size_t match_digits(const struct reader *r, size_t from)
{
    size_t n = from;
    if (!isdigit(peek_at(r, n))) {
        return 0;
    }
    while (isdigit(peek_at(r, n)) || (peek_at(r, n) == '_' && isdigit(peek_at(r, n + 1)))) {
        n++;
    }
    return n - from;
}

/* "0", or digits that do not begin with it. */
static size_t match_whole(const struct reader *r, size_t from)
{
    return peek_at(r, from) == '0' ? 1 : match_digits(r, from);
}

static size_t match_sign(const struct reader *r)
{
    return peek(r) == '+' || peek(r) == '-' ? 1 : 0;
}

static size_t match_int(const struct reader *r)
{
    size_t sign = match_sign(r), n = match_whole(r, sign);
    return n > 0 ? sign + n : 0;
}

static size_t match_word(const struct reader *r, size_t from, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++) {
        if (tolower(peek_at(r, from + i)) != word[i]) {
            return 0;
        }
    }
    return n;
}

static size_t match_float(const struct reader *r)
{
    size_t at = match_sign(r), whole = match_whole(r, at), n = whole;
    if (match_word(r, at, "inf") > 0 || match_word(r, at, "nan") > 0) {
        return at + 3;
    }
    bool point = peek_at(r, at + n) == '.';
    if (point) {
        size_t part = match_digits(r, at + n + 1);
        if (whole == 0 && part == 0) {
            return 0;
        }
        n += 1 + part;
    }
    size_t exponent = 0;
    if (n > 0 && (peek_at(r, at + n) | 0x20) == 'e') {
        size_t sign = peek_at(r, at + n + 1) == '+' || peek_at(r, at + n + 1) == '-';
        size_t digits = match_digits(r, at + n + 1 + sign);
        exponent = digits > 0 ? 1 + sign + digits : 0;
    }
    return point || exponent > 0 ? at + n + exponent : 0;
}

static size_t match_escapes(const struct reader *r)
{
    size_t n = 0;
    while (peek_at(r, n) == '\\' && peek_at(r, n + 1) > 0 &&
           strchr("\\()[]{}:=, \t", peek_at(r, n + 1)) != NULL) {
        n += 2;
    }
    return n;
}

static size_t match_interpolation(const struct reader *r)
{
    if (peek(r) != '$' || peek_at(r, 1) != '{') {
        return 0;
    }
    size_t n = 2;
    while (peek_at(r, n) >= 0 && peek_at(r, n) != '}') {
        n++;
    }
    return peek_at(r, n) < 0 || n == 2 ? 0 : n + 1;
}

static size_t longer(size_t best, enum override_token *kind, size_t n, enum override_token as)
{
    if (n > best) {
        *kind = as;
        return n;
    }
    return best;
}

/* ':' inside a value, with the blanks around it; not in the keys of a {map}. */
static size_t match_colon(const struct reader *r, bool in_key)
{
    size_t n = blanks(r, 0);
    if (in_key || peek_at(r, n) != ':') {
        return 0;
    }
    n++;
    return n + blanks(r, n);
}

/* Blanks that belong to what comes next (", ) ] }" and the like) are no token of the value. */
static size_t match_blanks(const struct reader *r, bool in_key)
{
    size_t n = blanks(r, 0);
    int next = peek_at(r, n);
    bool taken = next > 0 && strchr(",()]}=", next) != NULL;
    return taken || (in_key && next == ':') ? 0 : n;
}

/* The token of a primitive here; of equal lengths the first kind counts. */
static size_t match_token(const struct reader *r, bool in_key, enum override_token *kind)
{
    int c = peek(r);
    size_t n = 0;
    *kind = OVERRIDE_TOKEN_NONE;
    n = longer(n, kind, match_colon(r, in_key), OVERRIDE_TOKEN_TEXT);
    n = longer(n, kind, match_float(r), OVERRIDE_TOKEN_FLOAT);
    n = longer(n, kind, match_int(r), OVERRIDE_TOKEN_INT);
    n = longer(n, kind, match_id(r), OVERRIDE_TOKEN_TEXT);
    n = longer(n, kind, match_escapes(r), OVERRIDE_TOKEN_ESCAPED);
    n = longer(n, kind, match_blanks(r, in_key), OVERRIDE_TOKEN_BLANK);
    n = longer(n, kind, in_key ? 0 : match_interpolation(r), OVERRIDE_TOKEN_TEXT);
    if (n == 0 && c > 0 && strchr("/-\\+.$%*@?|", c) != NULL) {
        *kind = OVERRIDE_TOKEN_TEXT;
        n = 1;
    }
    return n;
}

/* ---- primitives ---- */

static struct value *place(const struct reader *r, struct value *v, size_t at)
{
    v->line = 1;
    v->column = (unsigned)at + 1;
    return v;
}

/* Digits without "_"; whole numbers beyond 64 bits keep their text. */
static struct value *number(const struct reader *r, struct str text, bool is_float)
{
    struct strbuf plain;
    strbuf_init(&plain);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '_') {
            strbuf_addch(&plain, text.p[i]);
        }
    }
    struct str s = strbuf_str(&plain);
    struct value *v;
    int64_t i = 0;
    double f = 0;
    if (!is_float && num_parse_int(s, &i)) {
        v = value_int(r->a, i);
    } else if (!is_float) {
        v = value_null(r->a);
        v->type = VALUE_BIGINT;
        v->s = arena_str(r->a, s.p[0] == '+' ? str_sub(s, 1, s.n) : s);
    } else if (num_parse_double(s, &f)) {
        v = value_float(r->a, f);
    } else {
        size_t sign = s.p[0] == '-' || s.p[0] == '+';
        bool inf = tolower((unsigned char)s.p[sign]) == 'i';
        v = value_float(r->a, inf ? (s.p[0] == '-' ? -1.0 : 1.0) / 0.0 : 0.0 / 0.0);
    }
    strbuf_release(&plain);
    return v;
}

static struct value *word_value(const struct reader *r, struct str word)
{
    struct reader w = {.text = word};
    if (word.n == 4 && match_word(&w, 0, "null") > 0) {
        return value_null(r->a);
    }
    if (word.n == 4 && match_word(&w, 0, "true") > 0) {
        return value_bool(r->a, true);
    }
    if (word.n == 5 && match_word(&w, 0, "false") > 0) {
        return value_bool(r->a, false);
    }
    return value_str(r->a, word);
}

size_t override_token(struct str text, size_t at, bool in_key, enum override_token *kind)
{
    const struct reader r = {.text = text, .at = at};
    return match_token(&r, in_key, kind);
}

struct value *override_token_value(struct arena *a, struct str token, enum override_token kind)
{
    const struct reader r = {.a = a};
    bool number_like = kind == OVERRIDE_TOKEN_INT || kind == OVERRIDE_TOKEN_FLOAT;
    return number_like ? number(&r, token, kind == OVERRIDE_TOKEN_FLOAT) : word_value(&r, token);
}

void override_token_add(struct strbuf *out, struct str token, enum override_token kind)
{
    if (kind != OVERRIDE_TOKEN_ESCAPED) {
        strbuf_addstr(out, token);
        return;
    }
    for (size_t i = 1; i < token.n; i += 2) {
        strbuf_addch(out, token.p[i]);
    }
}

/* Any number of tokens; blanks at both ends do not count. NULL with *e set. */
static struct value *read_primitive(struct reader *r, bool in_key)
{
    struct strbuf all;
    strbuf_init(&all);
    size_t count = 0, pending = 0, from = r->at;
    enum override_token kind, first = OVERRIDE_TOKEN_NONE;
    struct str single = {0};
    for (size_t n; (n = match_token(r, in_key, &kind)) > 0; r->at += n) {
        struct str token = str_sub(r->text, r->at, n);
        if (kind == OVERRIDE_TOKEN_BLANK) {
            pending = count > 0 ? n : 0;
            continue;
        }
        if (pending > 0) {
            strbuf_add(&all, r->text.p + r->at - pending, pending);
            pending = 0;
            count++;
        }
        override_token_add(&all, token, kind);
        single = token;
        first = kind;
        count++;
    }
    struct value *v = NULL;
    if (count == 1 && (first == OVERRIDE_TOKEN_INT || first == OVERRIDE_TOKEN_FLOAT)) {
        v = number(r, single, first == OVERRIDE_TOKEN_FLOAT);
    } else if (count == 1 && first == OVERRIDE_TOKEN_TEXT) {
        v = word_value(r, single);
    } else if (count > 0) {
        v = value_str(r->a, strbuf_str(&all));
    } else if (r->at > from) {
        fail(r, "a value of blanks alone must be in quotes");
    } else {
        fail(r, peek(r) < 0 ? "expected a value"
                            : "a character that must be in quotes, or escaped by a backslash");
    }
    strbuf_release(&all);
    return v != NULL ? place(r, v, from) : NULL;
}

/* '…' or "…": a backslash counts only before the same quote (and before those that stand before it). */
static struct value *read_quoted(struct reader *r)
{
    size_t from = r->at;
    int quote = peek(r);
    struct strbuf b;
    strbuf_init(&b);
    r->at++;
    for (;;) {
        size_t slashes = 0;
        while (peek_at(r, slashes) == '\\') {
            slashes++;
        }
        int next = peek_at(r, slashes);
        strbuf_pad(&b, '\\', next == quote ? slashes / 2 : slashes);
        r->at += slashes;
        if (next < 0) {
            strbuf_release(&b);
            r->at = from;
            fail(r, "the quote that begins here does not end");
            return NULL;
        }
        r->at++;
        if (next == quote && slashes % 2 == 0) {
            break;
        }
        strbuf_addch(&b, (char)next);
    }
    struct value *v = place(r, value_str(r->a, strbuf_str(&b)), from);
    strbuf_release(&b);
    return v;
}

/* ---- elements ---- */

static int read_term(struct reader *r, struct override_term *out);

/* An element inside of a container: no sweep can be there. */
static struct value *read_element(struct reader *r)
{
    struct override_term t;
    size_t from = r->at;
    if (read_term(r, &t) < 0) {
        return NULL;
    }
    if (t.type != OVERRIDE_ELEMENT) {
        r->at = from;
        fail(r, "a sweep cannot stand inside of a list or a map");
        return NULL;
    }
    return t.value;
}

static struct value *read_list(struct reader *r)
{
    struct value *list = place(r, value_list(r->a), r->at);
    r->at++;
    skip_blanks(r);
    if (take(r, ']')) {
        return list;
    }
    do {
        struct value *v = read_element(r);
        if (v == NULL) {
            return NULL;
        }
        value_push(r->a, list, v);
    } while (take(r, ','));
    if (!take(r, ']')) {
        fail(r, "expected ',' or ']'");
        return NULL;
    }
    return list;
}

static struct value *read_map(struct reader *r)
{
    struct value *map = place(r, value_map(r->a), r->at);
    r->at++;
    skip_blanks(r);
    if (take(r, '}')) {
        return map;
    }
    do {
        struct value *key = read_primitive(r, true), *v = NULL;
        if (key == NULL || !take(r, ':')) {
            if (key != NULL) {
                fail(r, "expected ':' after a key");
            }
            return NULL;
        }
        if ((v = read_element(r)) == NULL) {
            return NULL;
        }
        value_set_key(r->a, map, key, v);
    } while (take(r, ','));
    if (!take(r, '}')) {
        fail(r, "expected ',' or '}'");
        return NULL;
    }
    return map;
}

/* "name=" before an argument. */
static const char *read_arg_name(struct reader *r)
{
    size_t n = match_id(r), gap = n > 0 ? blanks(r, n) : 0;
    if (n == 0 || peek_at(r, n + gap) != '=') {
        return NULL;
    }
    const char *name = arena_strndup(r->a, r->text.p + r->at, n);
    r->at += n + gap + 1;
    skip_blanks(r);
    return name;
}

static int read_args(struct reader *r, struct override_args *args)
{
    size_t room = 0;
    for (size_t i = r->at; i < r->text.n; i++) {
        room += r->text.p[i] == ',';
    }
    if (room > ARGS_MAX) {
        return fail(r, "too many arguments");
    }
    args->items = ARENA_ARRAY(r->a, room + 1, struct override_term);
    args->names = ARENA_ARRAY(r->a, room + 1, const char *);
    if (take(r, ')')) {
        return 0;
    }
    do {
        args->names[args->count] = read_arg_name(r);
        if (args->count > 0 && args->names[args->count] == NULL &&
            args->names[args->count - 1] != NULL) {
            return fail(r, "an argument without a name after one with");
        }
        struct override_term *t = &args->items[args->count];
        if (args->count > room || read_term(r, t) < 0) {
            return -1;
        }
        t->value->line = 0; /* Hydra takes the quotes off a function's arguments */
        args->count++;
    } while (take(r, ','));
    return take(r, ')') ? 0 : fail(r, "expected ',' or ')'");
}

/* NAME( … */
static size_t match_call(const struct reader *r)
{
    size_t n = match_id(r), gap = n > 0 ? blanks(r, n) : 0;
    return n > 0 && peek_at(r, n + gap) == '(' ? n : 0;
}

static int read_call(struct reader *r, size_t n, struct override_term *out)
{
    size_t from = r->at;
    const char *name = arena_strndup(r->a, r->text.p + r->at, n);
    struct override_args args = {0};
    struct err why = ERR_INIT;
    r->at += n;
    take(r, '(');
    if (read_args(r, &args) < 0) {
        return -1;
    }
    if (override_call(r->a, name, &args, out, &why) < 0) {
        r->at = from;
        return fail(r, why.text);
    }
    return 0;
}

static int read_plain(struct reader *r, struct override_term *out)
{
    int c = peek(r);
    *out = (struct override_term){.type = OVERRIDE_ELEMENT};
    if (c == '[') {
        out->value = read_list(r);
    } else if (c == '{') {
        out->value = read_map(r);
    } else if (c == '"' || c == '\'') {
        out->value = read_quoted(r);
    } else {
        out->value = read_primitive(r, false);
    }
    return out->value != NULL ? 0 : -1;
}

static int read_term(struct reader *r, struct override_term *out)
{
    if (r->depth == DEPTH_MAX) {
        return fail(r, "nested too deep");
    }
    r->depth++;
    size_t call = match_call(r);
    int rc = call > 0 ? read_call(r, call, out) : read_plain(r, out);
    r->depth--;
    return rc;
}

/* ---- the whole ---- */

/* The length of a key: ID(.ID)*, ID(/ID)*; "$" may stand in it, numbers between dots. */
static size_t match_key(const struct reader *r)
{
    size_t n = 0;
    for (int c; (c = peek_at(r, n)) > 0; n++) {
        bool inner = n > 0 && (c == '.' || c == '/') && is_id_char(peek_at(r, n + 1));
        if (!is_id_char(c) && c != '$' && !inner) {
            break;
        }
    }
    return n;
}

static enum override_kind read_kind(struct reader *r)
{
    if (peek(r) == '~') {
        r->at++;
        return OVERRIDE_DELETE;
    }
    size_t plus = (peek(r) == '+') + (peek(r) == '+' && peek_at(r, 1) == '+');
    r->at += plus;
    return plus == 2 ? OVERRIDE_FORCE_ADD : plus == 1 ? OVERRIDE_ADD : OVERRIDE_CHANGE;
}

static int read_key(struct reader *r, struct override *o)
{
    size_t n = match_key(r);
    if (n == 0) {
        return fail(r, "expected a key, as in key=value");
    }
    o->key = arena_strndup(r->a, r->text.p + r->at, n);
    r->at += n;
    if (peek(r) == '@') {
        r->at++;
        n = match_key(r);
        o->package = arena_strndup(r->a, r->text.p + r->at, n);
        r->at += n;
    }
    return 0;
}

/* v, or v,v,… */
static int read_value(struct reader *r, struct override *o)
{
    struct override_term t;
    if (read_term(r, &t) < 0) {
        return -1;
    }
    o->type = t.type;
    o->value = t.value;
    o->simple = t.simple;
    o->shuffled = t.shuffled;
    if (r->at == r->text.n) {
        return 0;
    }
    struct value *list = value_list(r->a);
    value_push(r->a, list, t.value);
    while (t.type == OVERRIDE_ELEMENT && take(r, ',')) {
        if (read_term(r, &t) < 0) {
            return -1;
        }
        value_push(r->a, list, t.value);
    }
    if (t.type != OVERRIDE_ELEMENT || r->at < r->text.n) {
        return fail(r, "expected the end; text with such a character must be in quotes");
    }
    o->type = OVERRIDE_CHOICE;
    o->value = list;
    o->simple = true;
    return 0;
}

int override_parse(struct arena *a, struct str text, struct override *o, struct err *e)
{
    struct reader r = {.a = a, .text = arena_str(a, text), .e = e};
    *o = (struct override){.text = r.text.p};
    if (text.n > OVERRIDE_MAX_BYTES || memchr(text.p, 0, text.n) != NULL) {
        return err_set(e, ERR_USAGE, "Invalid `--set-param` value: too long, or with a NUL");
    }
    o->kind = read_kind(&r);
    if (read_key(&r, o) < 0) {
        return -1;
    }
    if (r.at == r.text.n && o->kind == OVERRIDE_DELETE) {
        o->type = OVERRIDE_NOTHING;
        return 0;
    }
    if (peek(&r) != '=') {
        return fail(&r, "expected '='");
    }
    r.at++;
    skip_blanks(&r);
    if (r.at == r.text.n) {
        o->type = OVERRIDE_ELEMENT;
        o->value = value_cstr(a, "");
        return 0;
    }
    return read_value(&r, o);
}

bool override_is_sweep(const struct override *o)
{
    return o->type >= OVERRIDE_CHOICE;
}

/* ---- writing ---- */

static void add_quoted(struct strbuf *out, struct str s, char quote)
{
    strbuf_addch(out, quote);
    for (size_t i = 0; i < s.n;) {
        size_t slashes = 0;
        while (i + slashes < s.n && s.p[i + slashes] == '\\') {
            slashes++;
        }
        i += slashes;
        bool before = i == s.n || s.p[i] == quote;
        strbuf_pad(out, '\\', before ? 2 * slashes : slashes);
        if (i < s.n) {
            strbuf_adds(out, s.p[i] == quote ? "\\" : "");
            strbuf_addch(out, s.p[i++]);
        }
    }
    strbuf_addch(out, quote);
}

/* Each run of characters that need it with a backslash before each; blanks within the text do not. */
static void add_escaped(struct strbuf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (strchr("\\()[]{}:=, \t", s.p[i]) != NULL) {
            strbuf_addch(out, '\\');
        }
        strbuf_addch(out, s.p[i]);
    }
}

static void add_string(struct strbuf *out, const struct override *o, const struct value *v)
{
    char at = v->column > 0 && v->column <= strlen(o->text) ? o->text[v->column - 1] : 0;
    if (v->line > 0 && (at == '\'' || at == '"')) {
        add_quoted(out, v->s, at);
    } else {
        add_escaped(out, v->s);
    }
}

void override_add_value(struct strbuf *out, const struct override *o, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        strbuf_adds(out, "null");
        break;
    case VALUE_STR:
        add_string(out, o, v);
        break;
    case VALUE_LIST:
        strbuf_addch(out, '[');
        for (size_t i = 0; i < v->list.count; i++) {
            strbuf_adds(out, i > 0 ? "," : "");
            override_add_value(out, o, v->list.items[i]);
        }
        strbuf_addch(out, ']');
        break;
    case VALUE_MAP:
        strbuf_addch(out, '{');
        for (size_t i = 0; i < v->map.count; i++) {
            strbuf_adds(out, i > 0 ? "," : "");
            override_add_value(out, o, v->map.pairs[i].key);
            strbuf_addch(out, ':');
            override_add_value(out, o, v->map.pairs[i].val);
        }
        strbuf_addch(out, '}');
        break;
    default:
        value_text(out, v);
    }
}

static void add_key(struct strbuf *out, const struct override *o)
{
    static const char *const prefix[] = {"", "+", "++", "~"};
    strbuf_addf(out, "%s%s", prefix[o->kind], o->key);
    if (o->package != NULL) {
        strbuf_addf(out, "@%s", o->package);
    }
}

void override_add_text(struct strbuf *out, const struct override *o)
{
    add_key(out, o);
    strbuf_addch(out, '=');
    if (o->value != NULL) {
        override_add_value(out, o, o->value);
    } else {
        strbuf_adds(out, "null");
    }
}
