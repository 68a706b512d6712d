/* See paramsedit.h. */
#include "paramsedit.h"

#include "emit.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "override.h"
#include "params.h"
#include "path.h"
#include "yamltext.h"
#include "value.h"
#include "yamledit.h"

#include <string.h>
#include <strings.h>

struct change {
    struct arena *a;
    const char *shown;
    struct str text;
    const struct value *old, *now;
    struct err *e;
};

static int apply_all(struct change *c, struct value *now, const struct value *overrides)
{
    for (size_t i = 0; i < overrides->list.count; i++) {
        struct override o;
        if (override_parse(c->a, overrides->list.items[i]->s, &o, c->e) < 0 ||
            override_apply(c->a, now, &o, c->e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- TOML and Python: a value a line ---- */

static void add_literal(struct strbuf *out, const struct value *v, bool python)
{
    if (python) {
        value_repr(out, v);
    } else if (v->type == VALUE_FLOAT) {
        char text[NUM_TEXT_SIZE];
        num_repr(text, v->f);
        strbuf_adds(out, text);
    } else {
        json_write(out, v, &(struct json_style){.utf8 = true});
    }
}

/* The end of a value that begins at `at`: before a comment, and the blanks before that. */
static size_t value_end(struct str text, size_t at)
{
    size_t i = at;
    char quote = 0;
    for (; i < text.n && text.p[i] != '\n' && text.p[i] != '\r'; i++) {
        char c = text.p[i];
        if (quote != 0 && c == '\\') {
            i += i + 1 < text.n;
        } else if (quote != 0) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '#' || c == ';') {
            break;
        }
    }
    while (i > at && (text.p[i - 1] == ' ' || text.p[i - 1] == '\t')) {
        i--;
    }
    return i;
}

/* The text with the value on `line` replaced. */
static bool replace_on_line(struct change *c, unsigned line, const struct value *v, bool python)
{
    size_t at = yamltext_line(c->text, line);
    const char *equal = memchr(c->text.p + at, '=', c->text.n - at);
    const char *nl = memchr(c->text.p + at, '\n', c->text.n - at);
    if (equal == NULL || (nl != NULL && nl < equal)) {
        return false;
    }
    size_t from = (size_t)(equal - c->text.p) + 1;
    while (from < c->text.n && (c->text.p[from] == ' ' || c->text.p[from] == '\t')) {
        from++;
    }
    struct strbuf b;
    strbuf_init(&b);
    yamltext_add(&b, c->text, 0, from);
    add_literal(&b, v, python);
    yamltext_add(&b, c->text, value_end(c->text, from), c->text.n);
    c->text = arena_str(c->a, strbuf_str(&b));
    strbuf_release(&b);
    return true;
}

/* Each value that differs; lines do not move. */
static bool edit_lines(struct change *c, const struct value *old, const struct value *now,
                       bool python)
{
    if (old->map.count != now->map.count) {
        return false;
    }
    for (size_t i = 0; i < old->map.count; i++) {
        const struct value *was = old->map.pairs[i].val, *is = now->map.pairs[i].val;
        if (yamledit_same(was, is)) {
            continue;
        }
        bool maps = was->type == VALUE_MAP && is->type == VALUE_MAP;
        unsigned line = old->map.pairs[i].key->line != 0 ? old->map.pairs[i].key->line : was->line;
        if (maps ? !edit_lines(c, was, is, python) : !replace_on_line(c, line, is, python)) {
            return false;
        }
    }
    return true;
}

static int edit_by_line(struct change *c, bool python, struct strbuf *out)
{
    struct err none = ERR_INIT;
    const struct value *got = NULL;
    if (edit_lines(c, c->old, c->now, python)) {
        got = params_parse(c->a, c->text, c->shown, &none);
    }
    if (got == NULL || !yamledit_same(got, c->now)) {
        return err_set(c->e, ERR_USAGE,
                       "cannot write the changed parameters to '%s': in a %s file --set-param can "
                       "change values that stand alone on their line; edit the file by hand",
                       c->shown, python ? "Python" : "TOML");
    }
    strbuf_addstr(out, c->text);
    return 0;
}

static int write_text(struct change *c, struct strbuf *out)
{
    const char *ext = path_extension(c->shown);
    if (strcasecmp(ext, ".json") == 0) {
        json_write(out, c->now, &(struct json_style){0});
        return 0;
    }
    if (strcasecmp(ext, ".toml") == 0 || strcasecmp(ext, ".py") == 0) {
        return edit_by_line(c, strcasecmp(ext, ".py") == 0, out);
    }
    if (c->old->line == 0) { /* empty */
        strbuf_addstr(out, c->text);
        emit_yaml(out, c->now, NULL);
        return 0;
    }
    return yamledit_apply(c->text, c->now, out, c->e);
}

int paramsedit(struct arena *a, const char *shown, struct str text, const struct value *overrides,
               struct strbuf *out, struct err *e)
{
    struct change c = {.a = a, .shown = shown, .text = text, .e = e};
    c.old = params_parse(a, text, shown, e);
    if (c.old == NULL) {
        return -1;
    }
    if (c.old->type != VALUE_MAP) {
        return err_set(e, ERR_FORMAT, "'%s' holds no parameters: expected a map, found %s", shown,
                       value_type_name(c.old->type));
    }
    struct value *now = value_copy(a, c.old);
    c.now = now;
    if (apply_all(&c, now, overrides) < 0) {
        return -1;
    }
    if (yamledit_same(c.old, c.now)) {
        strbuf_addstr(out, text);
        return 0;
    }
    return write_text(&c, out);
}
