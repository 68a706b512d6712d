/* See hydrainterp.h. One pass reads and evaluates; the tokens of arguments are those of override values. */
#include "hydrainterp.h"
#include "hydraresolver.h"
#include "override_private.h"

#include "alloc.h"
#include "err.h"
#include "num.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 160
#define TEXT_MAX ((size_t)16 << 20)

struct reader {
    struct hydrainterp *in;
    const struct hydraplace *up;
    struct str s;
    size_t at;
};

static int fail(const struct reader *r, const char *what)
{
    size_t n = r->s.n > 200 ? 200 : r->s.n;
    return err_set(r->in->e, ERR_FORMAT, "interpolation in '%.*s': column %zu: %s", (int)n, r->s.p,
                   r->at + 1, what);
}

static int peek_at(const struct reader *r, size_t i)
{
    return r->at + i < r->s.n ? (unsigned char)r->s.p[r->at + i] : -1;
}

static bool at_open(const struct reader *r, size_t i)
{
    return peek_at(r, i) == '$' && peek_at(r, i + 1) == '{';
}

static void skip_blanks(struct reader *r)
{
    while (peek_at(r, 0) == ' ' || peek_at(r, 0) == '\t') {
        r->at++;
    }
}

/* The character with blanks before it. */
static bool take(struct reader *r, char c)
{
    size_t n = 0;
    while (peek_at(r, n) == ' ' || peek_at(r, n) == '\t') {
        n++;
    }
    if (peek_at(r, n) != c) {
        return false;
    }
    r->at += n + 1;
    return true;
}

static struct hydraplace made(const struct reader *r, struct value *v)
{
    return (struct hydraplace){v, r->up, !value_is_scalar(v)};
}

struct arguments {
    struct hydraplace *items;
    size_t count, capacity;
};

static void push(struct arguments *to, struct hydraplace p)
{
    ARRAY_RESERVE(to->items, to->count, to->capacity, 1);
    to->items[to->count++] = p;
}

static int read_inter(struct reader *r, struct hydraplace *out);
static int read_element(struct reader *r, struct hydraplace *out);

static int enter(struct hydrainterp *in)
{
    if (++in->depth > DEPTH_MAX) {
        return err_set(in->e, ERR_LIMIT, "Recursive interpolation detected");
    }
    return hydrainterp_count(in, 1);
}

/* ---- texts with interpolations ---- */

/* A text that grows from pieces; the words of an interpolation are written only when more comes. */
struct pieces {
    struct strbuf text;
    size_t count;
    bool literal;           /* the last piece is one */
    struct hydraplace only; /* the last interpolation; node NULL: its words are in the text */
};

static void pieces_init(struct pieces *p)
{
    *p = (struct pieces){0};
    strbuf_init_max(&p->text, TEXT_MAX);
}

static void pieces_flush(struct pieces *p)
{
    if (p->only.node != NULL && value_is_scalar(p->only.node)) {
        value_text(&p->text, p->only.node);
    } else if (p->only.node != NULL) {
        value_repr(&p->text, p->only.node);
    }
    p->only.node = NULL;
}

/* A literal piece begins, or goes on. */
static void pieces_literal(struct pieces *p)
{
    pieces_flush(p);
    p->count += !p->literal;
    p->literal = true;
}

static int pieces_inter(struct pieces *p, struct reader *r)
{
    pieces_flush(p);
    p->count++;
    p->literal = false;
    return read_inter(r, &p->only);
}

/* The text of all of them; the buffer is released. */
static int pieces_end(struct pieces *p, struct reader *r, int rc, struct hydraplace *out)
{
    pieces_flush(p);
    if (rc == 0 && p->text.truncated) {
        rc = err_set(r->in->e, ERR_LIMIT, "an interpolated text of more than 16 MiB");
    }
    if (rc == 0) {
        rc = hydrainterp_count(r->in, p->text.n / 16);
        *out = made(r, value_str(r->in->a, strbuf_str(&p->text)));
    }
    strbuf_release(&p->text);
    return rc;
}

/* The text up to `quote`, or its end when that is 0. */
static int read_pieces(struct reader *r, int quote, struct pieces *p)
{
    for (;;) {
        size_t slashes = 0;
        while (peek_at(r, slashes) == '\\') {
            slashes++;
        }
        int next = peek_at(r, slashes);
        bool open = at_open(r, slashes), halved = open || (quote != 0 && next == quote);
        bool escaped = halved && slashes % 2 == 1;
        if (slashes > 0) {
            pieces_literal(p);
            strbuf_pad(&p->text, '\\', halved ? slashes / 2 : slashes);
        }
        r->at += slashes;
        if (next < 0 || (next == quote && !escaped)) {
            r->at += next >= 0;
            return next < 0 && quote != 0 ? fail(r, "a quote that does not end") : 0;
        }
        if (open && !escaped) {
            if (pieces_inter(p, r) < 0) {
                return -1;
            }
            continue;
        }
        size_t n = open ? 2 : 1;
        pieces_literal(p);
        strbuf_add(&p->text, r->s.p + r->at, n);
        r->at += n;
    }
}

static int read_quoted(struct reader *r, struct hydraplace *out)
{
    struct pieces p;
    int quote = peek_at(r, 0);
    pieces_init(&p);
    r->at++;
    return pieces_end(&p, r, read_pieces(r, quote, &p), out);
}

int hydrainterp_text(struct hydrainterp *in, const struct hydraplace *up, struct str text,
                     struct hydraplace *out)
{
    struct reader r = {.in = in, .up = up, .s = text};
    struct pieces p;
    pieces_init(&p);
    int rc = read_pieces(&r, 0, &p);
    if (rc == 0 && p.count == 1 && p.only.node != NULL) {
        *out = p.only;
        strbuf_release(&p.text);
        return 0;
    }
    return pieces_end(&p, &r, rc, out);
}

/* ---- arguments ---- */

/* Tokens in a row are one text; a single one has its own type. */
static int read_primitive(struct reader *r, bool in_key, struct hydraplace *out)
{
    struct pieces p;
    struct str token = {NULL, 0};
    enum override_token kind = OVERRIDE_TOKEN_NONE, last = OVERRIDE_TOKEN_NONE;
    size_t count = 0;
    int rc = 0;
    pieces_init(&p);
    for (; rc == 0; count++) {
        if (!in_key && at_open(r, 0)) {
            rc = pieces_inter(&p, r);
            last = OVERRIDE_TOKEN_NONE;
            continue;
        }
        size_t n = override_token(r->s, r->at, in_key, &kind);
        if (n == 0) {
            break;
        }
        token = str_sub(r->s, r->at, n);
        last = kind;
        pieces_literal(&p);
        override_token_add(&p.text, token, kind);
        r->at += n;
    }
    if (rc == 0 && (count == 0 || (count == 1 && last == OVERRIDE_TOKEN_BLANK))) {
        rc = fail(r, "expected a value");
    }
    if (rc < 0 || count != 1 || last == OVERRIDE_TOKEN_ESCAPED) {
        return pieces_end(&p, r, rc, out);
    }
    *out =
        last == OVERRIDE_TOKEN_NONE ? p.only : made(r, override_token_value(r->in->a, token, last));
    strbuf_release(&p.text);
    return 0;
}

/* Elements up to `close`; a comma without one before or behind stands for an empty text. */
static int read_sequence(struct reader *r, char close, struct arguments *to)
{
    bool comma = true;
    skip_blanks(r);
    if (take(r, close)) {
        return 0;
    }
    for (;;) {
        skip_blanks(r);
        bool end = peek_at(r, 0) == close;
        if (end || peek_at(r, 0) == ',') {
            if (comma) {
                push(to, made(r, value_cstr(r->in->a, "")));
            }
            comma = true;
            r->at++;
            if (end) {
                return 0;
            }
            continue;
        }
        struct hydraplace one;
        if (!comma) {
            return fail(r, "expected ',' or the end");
        }
        if (read_element(r, &one) < 0) {
            return -1;
        }
        push(to, one);
        comma = false;
    }
}

static int read_list(struct reader *r, struct hydraplace *out)
{
    struct arguments items = {0};
    struct value *list = value_list(r->in->a);
    r->at++;
    int rc = read_sequence(r, ']', &items);
    for (size_t i = 0; i < items.count; i++) {
        value_push(r->in->a, list, items.items[i].node);
    }
    free(items.items);
    *out = made(r, list);
    return rc;
}

static int read_map(struct reader *r, struct hydraplace *out)
{
    struct value *map = value_map(r->in->a);
    *out = made(r, map);
    r->at++;
    if (take(r, '}')) {
        return 0;
    }
    do {
        struct hydraplace key, one;
        skip_blanks(r);
        if (read_primitive(r, true, &key) < 0) {
            return -1;
        }
        if (!take(r, ':')) {
            return fail(r, "expected ':' behind a key");
        }
        skip_blanks(r);
        if (read_element(r, &one) < 0) {
            return -1;
        }
        value_set_key(r->in->a, map, key.node, one.node);
    } while (take(r, ','));
    return take(r, '}') ? 0 : fail(r, "expected ',' or '}'");
}

static int read_element(struct reader *r, struct hydraplace *out)
{
    int c = peek_at(r, 0), rc = -1;
    if (enter(r->in) < 0) {
        return -1;
    }
    if (c == '[') {
        rc = read_list(r, out);
    } else if (c == '{') {
        rc = read_map(r, out);
    } else if (c == '"' || c == '\'') {
        rc = read_quoted(r, out);
    } else {
        rc = read_primitive(r, false, out);
    }
    r->in->depth--;
    return rc;
}

int hydrainterp_element(struct hydrainterp *in, const struct hydraplace *up, struct str text,
                        struct hydraplace *out)
{
    struct reader r = {.in = in, .up = up, .s = text};
    if (read_element(&r, out) < 0) {
        return -1;
    }
    return r.at == text.n ? 0 : fail(&r, "expected the end");
}

/* ---- one interpolation ---- */

const char *hydrainterp_type(const struct hydraplace *p)
{
    enum value_type t = p->node->type;
    return t == VALUE_MAP && !p->bare    ? "DictConfig"
           : t == VALUE_LIST && !p->bare ? "ListConfig"
           : t == VALUE_NULL             ? "NoneType"
                                         : value_type_name(t);
}

static int no_key(const struct reader *r, size_t from, const struct hydraplace *word)
{
    const char *module = word->bare                       ? ""
                         : word->node->type == VALUE_MAP  ? "omegaconf.dictconfig."
                         : word->node->type == VALUE_LIST ? "omegaconf.listconfig."
                                                          : "";
    struct strbuf text;
    strbuf_init_max(&text, 400);
    value_text(&text, word->node);
    err_set(r->in->e, ERR_FORMAT,
            "The following interpolation is used to denote a config key and thus should return a "
            "string, but instead returned `%s` of type `<class '%s%s'>`: %.*s",
            text.p, module, hydrainterp_type(word), (int)(r->at - from), r->s.p + from);
    strbuf_release(&text);
    return -1;
}

/* A word of a key, or an interpolation that stands for one. *id: it could be part of a resolver's name. */
static int read_word(struct reader *r, struct strbuf *key, bool *id)
{
    size_t n = 0;
    if (at_open(r, 0)) {
        struct hydraplace word;
        size_t from = r->at;
        if (read_inter(r, &word) < 0) {
            return -1;
        }
        if (word.node->type != VALUE_STR) {
            return no_key(r, from, &word);
        }
        strbuf_addstr(key, word.node->s);
        return 0;
    }
    for (int c; (c = peek_at(r, n)) > 0 && strchr("\\{}()[]:. \t'\"", c) == NULL; n++) {
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool inner = n > 0 && ((c >= '0' && c <= '9') || c == '-');
        *id = *id && (letter || c == '_' || inner);
    }
    strbuf_add(key, r->s.p + r->at, n);
    r->at += n;
    return n > 0 ? 0 : fail(r, "expected a key");
}

/* Everything before '}' or ':'. *id: a resolver's name. */
static int read_key(struct reader *r, struct strbuf *key, bool *id)
{
    skip_blanks(r);
    while (peek_at(r, 0) == '.') {
        strbuf_addch(key, '.');
        r->at++;
        *id = false;
    }
    for (bool first = true;; first = false) {
        int c = peek_at(r, 0);
        if (c == '[') {
            *id = false;
            r->at++;
            strbuf_addch(key, '[');
            if (read_word(r, key, id) < 0 || peek_at(r, 0) != ']') {
                return fail(r, "expected [key]");
            }
            r->at++;
            strbuf_addch(key, ']');
            continue;
        }
        if (!first && c != '.') {
            return 0;
        }
        if (!first) {
            strbuf_addch(key, '.');
            r->at++;
        }
        if (read_word(r, key, id) < 0) {
            return -1;
        }
    }
}

static bool is_ancestor(const struct hydraplace *up, const struct value *v)
{
    for (; up != NULL; up = up->up) {
        if (up->node == v) {
            return true;
        }
    }
    return false;
}

static int look_up(struct reader *r, struct str key, struct hydraplace *out)
{
    if (r->in->root == NULL) {
        *out = made(r, value_cstr(r->in->a, ""));
        return 0;
    }
    if (hydrainterp_select(r->in, r->up, key, true, out) < 0) {
        return -1;
    }
    if (out->node == NULL) {
        size_t dots = 0;
        while (dots < key.n && key.p[dots] == '.') {
            dots++;
        }
        return err_set(r->in->e, ERR_MISSING, "Interpolation key '%.*s' not found",
                       (int)(key.n - dots), key.p + dots);
    }
    if (is_ancestor(r->up, out->node)) {
        return err_set(r->in->e, ERR_FORMAT, "Interpolation to parent node detected");
    }
    return 0;
}

static int read_call(struct reader *r, struct str name, struct hydraplace *out)
{
    struct arguments args = {0};
    int rc = read_sequence(r, '}', &args);
    if (rc == 0 && r->in->root == NULL) {
        *out = made(r, value_cstr(r->in->a, ""));
    } else if (rc == 0) {
        rc = hydraresolver_call(r->in, r->up, name, args.items, args.count, out);
    }
    free(args.items);
    return rc;
}

static int read_inter(struct reader *r, struct hydraplace *out)
{
    struct strbuf key;
    bool id = true;
    if (enter(r->in) < 0) {
        return -1;
    }
    strbuf_init(&key);
    r->at += 2;
    int rc = read_key(r, &key, &id);
    if (rc == 0 && take(r, '}')) {
        rc = look_up(r, arena_str(r->in->a, strbuf_str(&key)), out);
    } else if (rc == 0 && id && take(r, ':')) {
        rc = read_call(r, arena_str(r->in->a, strbuf_str(&key)), out);
    } else if (rc == 0) {
        rc = fail(r, "expected '}'");
    }
    strbuf_release(&key);
    if (rc < 0 && r->in->no_index) {
        r->in->no_index = false;
        err_wrap(r->in->e, "TypeError raised while resolving interpolation");
    }
    r->in->depth--;
    return rc;
}

bool hydrainterp_is(const struct value *v)
{
    return v->type == VALUE_STR && v->s.n >= 2 && memmem(v->s.p, v->s.n, "${", 2) != NULL;
}

bool hydrainterp_is_missing(const struct value *v)
{
    return v->type == VALUE_STR && str_is(v->s, "???");
}

int hydrainterp_check(struct arena *a, struct str text, struct err *e)
{
    struct hydrainterp in = {.a = a, .e = e};
    struct hydraplace out;
    return hydrainterp_text(&in, NULL, text, &out);
}

int hydrainterp_count(struct hydrainterp *in, size_t n)
{
    in->work += n;
    return in->work <= HYDRAINTERP_MAX_WORK
               ? 0
               : err_set(in->e, ERR_LIMIT, "interpolations stand for too many values");
}

/* ---- keys ---- */

bool hydrainterp_next_part(struct str *rest, struct str *part)
{
    if (rest->p == NULL) {
        return false;
    }
    if (rest->n > 0 && rest->p[0] == '[') {
        const char *end = memchr(rest->p, ']', rest->n);
        size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
        *part = str_sub(*rest, 1, n - 1);
        n += end != NULL;
        *rest = str_sub(*rest, n, rest->n - n);
    } else {
        size_t n = 0;
        while (n < rest->n && rest->p[n] != '.' && rest->p[n] != '[') {
            n++;
        }
        *part = str_sub(*rest, 0, n);
        *rest = str_sub(*rest, n, rest->n - n);
    }
    if (rest->n == 0) {
        *rest = (struct str){NULL, 0};
    } else if (rest->p[0] == '.') {
        *rest = str_sub(*rest, 1, rest->n - 1);
    }
    return true;
}

/* Could a key with this text be a number or the like? */
static bool may_be_other(struct str part)
{
    return part.n > 0 && part.p[0] != '\0' && strchr("0123456789-+.TFin", part.p[0]) != NULL;
}

static bool is_under_text(const struct value *map, struct str part)
{
    for (size_t i = 0; i < map->map.count; i++) {
        const struct value *key = map->map.pairs[i].key;
        if (key->type == VALUE_STR && str_eq(key->s, part)) {
            return true;
        }
    }
    return false;
}

struct value *hydrainterp_member(const struct value *in, struct str part, bool *bad_index)
{
    *bad_index = false;
    if (in->type == VALUE_LIST) {
        int64_t i = 0;
        *bad_index = !num_parse_int(str_trim(part), &i);
        return !*bad_index && i >= 0 && i < (int64_t)in->list.count ? in->list.items[i] : NULL;
    }
    struct value *v = value_get_str(in, part);
    return v != NULL && may_be_other(part) && !is_under_text(in, part) ? NULL : v;
}

/* One step down. -1 with *e set; out->node NULL: there is none. */
static int step(struct hydrainterp *in, const struct hydraplace *from, struct str part, bool strict,
                struct hydraplace *out)
{
    bool bad_index;
    struct hydraplace *kept = ARENA_NEW(in->a, struct hydraplace);
    *kept = *from;
    *out =
        (struct hydraplace){.node = hydrainterp_member(from->node, part, &bad_index), .up = kept};
    if (bad_index) {
        in->no_index = true;
        return err_set(in->e, ERR_FORMAT, "Index '%.*s' (str) is not an int", STR_ARG(part));
    }
    if (strict && out->node != NULL && hydrainterp_is_missing(out->node)) {
        in->missing = true;
        return err_set(in->e, ERR_MISSING,
                       "MissingMandatoryValue while resolving interpolation: Missing mandatory "
                       "value: %.*s",
                       STR_ARG(part));
    }
    return 0;
}

int hydrainterp_follow(struct hydrainterp *in, struct hydraplace *p)
{
    if (!hydrainterp_is(p->node)) {
        return 0;
    }
    struct hydraplace out;
    if (enter(in) < 0 || hydrainterp_text(in, p->up, p->node->s, &out) < 0) {
        return -1;
    }
    in->depth--;
    *p = out;
    return 0;
}

/* The container that a key begins at; its leading dots are taken off. */
static int start(struct hydrainterp *in, const struct hydraplace *up, struct str *key,
                 struct hydraplace *out)
{
    const struct hydraplace root = {.node = in->root};
    const struct str whole = *key;
    if (!str_starts(*key, ".")) {
        while (up != NULL && up->up != NULL) {
            up = up->up;
        }
        *out = up != NULL ? *up : root;
        return 0;
    }
    for (*key = str_sub(*key, 1, key->n - 1); up != NULL && str_starts(*key, ".");
         *key = str_sub(*key, 1, key->n - 1)) {
        up = up->up;
    }
    if (up == NULL) {
        return err_set(in->e, ERR_MISSING,
                       "ConfigKeyError while resolving interpolation: Error resolving key '%.*s'",
                       STR_ARG(whole));
    }
    *out = *up;
    return 0;
}

int hydrainterp_select(struct hydrainterp *in, const struct hydraplace *up, struct str key,
                       bool strict, struct hydraplace *out)
{
    struct str rest = key, part, whole;
    in->no_node = in->no_index = false;
    if (start(in, up, &rest, out) < 0) {
        return -1;
    }
    whole = rest;
    while (rest.n > 0 && hydrainterp_next_part(&rest, &part)) {
        if (value_is_scalar(out->node) || out->bare) {
            in->no_node = true;
            return err_set(in->e, ERR_FORMAT,
                           "ConfigTypeError raised while resolving interpolation: Error trying to "
                           "access %.*s: node `%.*s` is not a container and thus cannot contain "
                           "`%.*s`",
                           STR_ARG(whole), (int)(part.p > whole.p ? part.p - whole.p - 1 : 0),
                           whole.p, STR_ARG(part));
        }
        struct hydraplace from = *out;
        if (step(in, &from, part, strict, out) < 0) {
            return -1;
        }
        if (out->node == NULL) {
            return 0;
        }
        if (hydrainterp_follow(in, out) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- copies ---- */

/* Counts the nodes that a copy would make. */
static int count_copy(struct hydrainterp *in, const struct value *v)
{
    int rc = hydrainterp_count(in, 1);
    for (size_t i = 0; rc == 0 && v->type == VALUE_LIST && i < v->list.count; i++) {
        rc = count_copy(in, v->list.items[i]);
    }
    for (size_t i = 0; rc == 0 && v->type == VALUE_MAP && i < v->map.count; i++) {
        rc = count_copy(in, v->map.pairs[i].val);
    }
    return rc;
}

struct value *hydrainterp_copy(struct hydrainterp *in, const struct value *v)
{
    return count_copy(in, v) == 0 ? value_copy(in->a, v) : NULL;
}

/* ---- all of a tree ---- */

static int resolve_slot(struct hydrainterp *in, const struct hydraplace *up, struct value **slot)
{
    struct hydraplace p = {.node = *slot, .up = up};
    if (!hydrainterp_is(*slot)) {
        return value_is_scalar(*slot) ? 0 : hydrainterp_resolve(in, &p);
    }
    size_t depth = in->depth;
    in->missing = false;
    if (hydrainterp_follow(in, &p) < 0) {
        in->depth = depth;
        if (!in->missing) {
            return -1;
        }
        err_clear(in->e);
        *slot = value_cstr(in->a, "???");
        return 0;
    }
    if (p.bare) {
        return err_set(in->e, ERR_FORMAT, "Value '%s' is not a supported primitive type",
                       hydrainterp_type(&p));
    }
    if (!value_is_scalar(p.node) && hydrainterp_resolve(in, &p) < 0) {
        return -1;
    }
    if (hydrainterp_is(p.node) && hydrainterp_check(in->a, p.node->s, in->e) < 0) {
        return -1;
    }
    struct value *copy = hydrainterp_copy(in, p.node);
    *slot = copy != NULL ? copy : *slot;
    return copy != NULL ? 0 : -1;
}

int hydrainterp_resolve(struct hydrainterp *in, const struct hydraplace *at)
{
    struct value *v = at->node;
    int rc = enter(in);
    for (size_t i = 0; rc == 0 && v->type == VALUE_LIST && i < v->list.count; i++) {
        rc = resolve_slot(in, at, &v->list.items[i]);
    }
    for (size_t i = 0; rc == 0 && v->type == VALUE_MAP && i < v->map.count; i++) {
        rc = resolve_slot(in, at, &v->map.pairs[i].val);
    }
    in->depth -= rc == 0;
    return rc;
}
