/*
 * The INI dialect of ConfigObj as far as DVC uses it: sections of depth one, quoted names and
 * values, lists (a, b), triple quotes, comments. Comments are not kept on rewriting, as DVC does
 * not keep them. One pass, line by line; the grammar follows ConfigObj's regular expressions
 * (_sectionmarker, _keyword, _valueexp).
 */
#include "config.h"

#include "alloc.h"
#include "err.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_MAX_BYTES ((size_t)1 << 20)

struct ini {
    struct arena *arena;
    struct str rest;
    size_t line_no;
    struct value *sections;
    struct value *current;
    size_t error_count;
    size_t first_line;
    struct err first;
};

static bool ini_line(struct ini *in, struct str *line)
{
    if (in->rest.n == 0) {
        return false;
    }
    str_split(&in->rest, '\n', line);
    if (line->n > 0 && line->p[line->n - 1] == '\r') {
        line->n--;
    }
    in->line_no++;
    return true;
}

static void ini_error(struct ini *in, const char *what, size_t line_no)
{
    if (in->error_count++ == 0) {
        in->first_line = line_no;
        err_set(&in->first, ERR_CONFIG, "%s at line %zu.", what, line_no);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct str skip_blanks(struct str s)
{
    while (s.n > 0 && is_blank(*s.p)) {
        s.p++;
        s.n--;
    }
    return s;
}

static struct str unquote(struct str s)
{
    if (s.n >= 2 && s.p[0] == s.p[s.n - 1] && (s.p[0] == '"' || s.p[0] == '\'')) {
        return str_sub(s, 1, s.n - 2);
    }
    return s;
}

/* "  ] ]  # comment": the number of closing brackets, or -1 when something else follows. */
static int closing_brackets(struct str s)
{
    int depth = 0;
    for (;;) {
        s = skip_blanks(s);
        if (s.n == 0 || *s.p == '#') {
            return depth > 0 ? depth : -1;
        }
        if (*s.p != ']') {
            return -1;
        }
        depth++;
        s = str_sub(s, 1, s.n - 1);
    }
}

/* The name between the brackets; false when the line is no section marker. */
static bool parse_section(struct str line, struct str *name, int *open, int *close)
{
    struct str s = skip_blanks(line);
    *open = 0;
    while (s.n > 0 && *s.p == '[') {
        ++*open;
        s = skip_blanks(str_sub(s, 1, s.n - 1));
    }
    if (*open == 0 || s.n == 0) {
        return false;
    }
    char quote = *s.p == '"' || *s.p == '\'' ? *s.p : 0;
    for (size_t i = 1; i <= s.n; i++) {
        if (quote != 0 && (i < 3 || s.p[i - 1] != quote)) {
            continue;
        }
        *close = closing_brackets(str_sub(s, i, s.n - i));
        if (*close > 0) {
            *name = unquote(str_sub(s, 0, i));
            return name->n > 0;
        }
    }
    return false;
}

/* "key = value": false when the line has another form. */
static bool parse_keyword(struct str line, struct str *key, struct str *value)
{
    struct str s = skip_blanks(line);
    if (s.n == 0 || *s.p == '=') {
        return false;
    }
    size_t from = 0;
    if (*s.p == '"' || *s.p == '\'') {
        const char *end = memchr(s.p + 1, *s.p, s.n - 1);
        if (end == NULL) {
            return false;
        }
        from = (size_t)(end - s.p) + 1;
        struct str after = skip_blanks(str_sub(s, from, s.n - from));
        if (after.n == 0 || *after.p != '=') {
            return false;
        }
    }
    const char *eq = memchr(s.p + from, '=', s.n - from);
    if (eq == NULL) {
        return false;
    }
    *key = unquote(str_trim(str_sub(s, 0, (size_t)(eq - s.p))));
    *value = skip_blanks(str_sub(s, (size_t)(eq - s.p) + 1, s.n - (size_t)(eq - s.p) - 1));
    return key->n > 0;
}

/* One item of a value; *rest then begins with ',', '#' or is empty. */
static bool parse_item(struct str *rest, struct str *item)
{
    struct str s = skip_blanks(*rest);
    if (s.n > 0 && (*s.p == '"' || *s.p == '\'')) {
        for (size_t i = 1; i < s.n; i++) {
            if (s.p[i] != *s.p) {
                continue;
            }
            struct str after = skip_blanks(str_sub(s, i + 1, s.n - i - 1));
            if (after.n == 0 || *after.p == ',' || *after.p == '#') {
                *item = str_sub(s, 1, i - 1);
                *rest = after;
                return true;
            }
        }
        return false;
    }
    size_t n = 0;
    while (n < s.n && s.p[n] != ',' && s.p[n] != '#') {
        n++;
    }
    *item = str_trim(str_sub(s, 0, n));
    *rest = str_sub(s, n, s.n - n);
    return true;
}

static struct value *parse_value(struct ini *in, struct str text)
{
    struct str item;
    if (text.n > 0 && text.p[0] == ',') {
        struct str after = skip_blanks(str_sub(text, 1, text.n - 1));
        return after.n == 0 || *after.p == '#' ? value_list(in->arena) : NULL;
    }
    if (!parse_item(&text, &item)) {
        return NULL;
    }
    if (text.n == 0 || *text.p == '#') {
        return value_str(in->arena, item);
    }
    struct value *list = value_list(in->arena);
    value_push(in->arena, list, value_str(in->arena, item));
    while (text.n > 0 && *text.p == ',') {
        text = skip_blanks(str_sub(text, 1, text.n - 1));
        if (text.n == 0 || *text.p == '#') {
            break;
        }
        if (*text.p == ',' || !parse_item(&text, &item)) {
            return NULL;
        }
        value_push(in->arena, list, value_str(in->arena, item));
    }
    return list;
}

static bool rest_is_comment(struct str s)
{
    s = skip_blanks(s);
    return s.n == 0 || *s.p == '#';
}

/* A value in triple quotes, which may go on over the following lines. NULL: not well formed. */
static struct value *parse_triple(struct ini *in, struct str text)
{
    char quote[4] = {text.p[0], text.p[0], text.p[0], 0};
    struct strbuf out;
    strbuf_init_max(&out, CONFIG_MAX_BYTES);
    struct value *v = NULL;
    struct str line = str_sub(text, 3, text.n - 3);
    for (;;) {
        /* The value may itself end with quotes: the first place after which only a comment follows.
         */
        const char *end = line.n >= 3 ? memmem(line.p, line.n, quote, 3) : NULL;
        bool any = end != NULL;
        for (; end != NULL; end = memmem(end + 1, line.n - (size_t)(end + 1 - line.p), quote, 3)) {
            size_t n = (size_t)(end - line.p);
            if (rest_is_comment(str_sub(line, n + 3, line.n - n - 3))) {
                strbuf_add(&out, line.p, n);
                v = value_str(in->arena, strbuf_str(&out));
                break;
            }
        }
        if (any) {
            break;
        }
        strbuf_addstr(&out, line);
        strbuf_addch(&out, '\n');
        if (!ini_line(in, &line)) {
            break;
        }
    }
    strbuf_release(&out);
    return v;
}

static void ini_keyword(struct ini *in, struct str line)
{
    struct str key, text;
    size_t line_no = in->line_no;
    if (!parse_keyword(line, &key, &text)) {
        char what[300];
        snprintf(what, sizeof what,
                 "Invalid line ('%.*s') (matched as neither section nor keyword)",
                 (int)(line.n < 200 ? line.n : 200), line.p);
        ini_error(in, what, line_no);
        return;
    }
    struct value *v;
    if (str_starts(text, "\"\"\"") || str_starts(text, "'''")) {
        v = parse_triple(in, text);
        if (v == NULL) {
            ini_error(in, "Parse error in multiline value", line_no);
            return;
        }
    } else {
        v = parse_value(in, text);
        if (v == NULL) {
            ini_error(in, "Parse error in value", line_no);
            return;
        }
    }
    if (value_get_str(in->current, key) != NULL) {
        ini_error(in, "Duplicate keyword name", line_no);
        return;
    }
    v->line = (unsigned)line_no;
    value_append(in->arena, in->current, value_str(in->arena, key), v);
}

static void ini_section(struct ini *in, struct str name, int open, int close)
{
    if (open != close) {
        ini_error(in, "Cannot compute the section depth", in->line_no);
    } else if (open > 1) {
        /* ConfigObj would nest it; DVC's schema has no nested section, so all it can do is fail
         * later. */
        ini_error(in, "Section too nested", in->line_no);
    } else if (value_get_str(in->sections, name) != NULL) {
        ini_error(in, "Duplicate section name", in->line_no);
    } else {
        in->current = value_map(in->arena);
        value_append(in->arena, in->sections, value_str(in->arena, name), in->current);
    }
}

struct value *config_parse(struct arena *a, struct str text, struct err *e)
{
    struct ini in = {.arena = a, .rest = text, .sections = value_map(a)};
    in.current = in.sections;
    if (text.n > CONFIG_MAX_BYTES) {
        err_set(e, ERR_CONFIG, "larger than %zu bytes", CONFIG_MAX_BYTES);
        return NULL;
    }
    size_t bad = str_utf8_valid(text);
    if (bad != text.n || memchr(text.p, 0, text.n) != NULL) {
        err_set(e, ERR_CONFIG, "not UTF-8 text (byte %zu)", bad);
        return NULL;
    }
    if (str_starts(in.rest, "\xef\xbb\xbf")) {
        in.rest = str_sub(in.rest, 3, in.rest.n - 3);
    }
    struct str line;
    while (ini_line(&in, &line)) {
        struct str bare = str_trim(line);
        struct str name;
        int open, close;
        if (bare.n == 0 || *bare.p == '#') {
            continue;
        }
        if (parse_section(line, &name, &open, &close)) {
            ini_section(&in, name, open, close);
        } else {
            ini_keyword(&in, line);
        }
    }
    if (in.error_count > 1) {
        err_set(e, ERR_CONFIG, "Parsing failed with several errors.\nFirst error at line %zu.",
                in.first_line);
        return NULL;
    }
    if (in.error_count == 1) {
        err_set(e, ERR_CONFIG, "%s", in.first.text);
        return NULL;
    }
    return in.sections;
}

/* ---- writing ---- */

/* The quotes a text needs, "" for none; NULL when it cannot be written so that it is read back. */
static const char *quotes_for(struct str s, bool multiline)
{
    static const char edge[] = " \r\n\v\t\f'\""; /* ConfigObj's, and \f, which reading strips */
    if (memchr(s.p, '\r', s.n) != NULL) {
        return NULL; /* line ends are not kept on reading */
    }
    bool single = memchr(s.p, '\'', s.n) != NULL;
    bool dbl = memchr(s.p, '"', s.n) != NULL;
    bool lines = memchr(s.p, '\n', s.n) != NULL;
    if ((multiline && single && dbl) || lines) {
        bool has_single = memmem(s.p, s.n, "'''", 3) != NULL;
        bool has_double = memmem(s.p, s.n, "\"\"\"", 3) != NULL;
        return !multiline || (has_single && has_double) ? NULL : has_single ? "\"\"\"" : "'''";
    }
    bool plain = strchr(edge, s.p[0]) == NULL && strchr(edge, s.p[s.n - 1]) == NULL &&
                 memchr(s.p, ',', s.n) == NULL && memchr(s.p, '#', s.n) == NULL;
    if (plain) {
        return "";
    }
    return single && dbl ? NULL : dbl ? "'" : "\"";
}

static int emit_quoted(struct strbuf *out, struct str s, bool multiline, struct err *e)
{
    if (s.n == 0) {
        strbuf_adds(out, "\"\"");
        return 0;
    }
    const char *quote = quotes_for(s, multiline);
    if (quote == NULL) {
        return err_set(e, ERR_CONFIG, "Value \"%.*s\" cannot be safely quoted.",
                       (int)(s.n < 200 ? s.n : 200), s.p);
    }
    strbuf_adds(out, quote);
    strbuf_addstr(out, s);
    strbuf_adds(out, quote);
    return 0;
}

static int emit_value(struct strbuf *out, const struct value *v, struct err *e)
{
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            strbuf_adds(out, i > 0 ? ", " : "");
            if (emit_quoted(out, value_as_str(v->list.items[i]), false, e) < 0) {
                return -1;
            }
        }
        strbuf_adds(out, v->list.count <= 1 ? "," : "");
        return 0;
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, v);
    int rc = emit_quoted(out, strbuf_str(&text), true, e);
    strbuf_release(&text);
    return rc;
}

/* Names are written bare (sections with a name in double quotes: in single ones); what would be
 * read back as something else is refused. */
static int emit_name(struct strbuf *out, struct str s, const char *refused, struct err *e)
{
    bool bad = s.n == 0 || str_starts(s, "\xef\xbb\xbf") || strchr(" \t\v\f\r", s.p[0]) != NULL ||
               strchr(" \t\v\f\r", s.p[s.n - 1]) != NULL;
    for (size_t i = 0; i < s.n && !bad; i++) {
        bad = strchr(refused, s.p[i]) != NULL;
    }
    if (bad) {
        return err_set(e, ERR_CONFIG, "the name '%.*s' cannot be written",
                       (int)(s.n < 200 ? s.n : 200), s.p);
    }
    return emit_quoted(out, s, false, e);
}

static int emit_option(struct strbuf *out, const char *indent, const struct value_pair *p,
                       struct err *e)
{
    strbuf_adds(out, indent);
    if (emit_name(out, value_as_str(p->key), "=#[]'\",\n", e) < 0) {
        return -1;
    }
    strbuf_adds(out, " = ");
    if (emit_value(out, p->val, e) < 0) {
        return -1;
    }
    strbuf_addch(out, '\n');
    return 0;
}

int config_emit(struct strbuf *out, const struct value *sections, struct err *e)
{
    size_t before = out->n;
    for (size_t i = 0; i < sections->map.count; i++) {
        if (sections->map.pairs[i].val->type != VALUE_MAP &&
            emit_option(out, "", &sections->map.pairs[i], e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < sections->map.count; i++) {
        const struct value *options = sections->map.pairs[i].val;
        if (options->type != VALUE_MAP) {
            continue;
        }
        strbuf_addch(out, '[');
        if (emit_name(out, value_as_str(sections->map.pairs[i].key), "#[]'\n", e) < 0) {
            return -1;
        }
        strbuf_adds(out, "]\n");
        for (size_t k = 0; k < options->map.count; k++) {
            if (emit_option(out, "    ", &options->map.pairs[k], e) < 0) {
                return -1;
            }
        }
    }
    if (out->n == before) {
        strbuf_addch(out, '\n'); /* as ConfigObj: a file always ends with a newline */
    }
    return 0;
}
