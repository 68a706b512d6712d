/*
 * emit: YAML as DVC writes it.
 *
 * This follows the rules of ruamel.yaml's round-trip emitter (the libyaml/PyYAML emitter, with its
 * own folding of plain and double-quoted text) because dvc.lock must be equal byte for byte. The
 * state is the emitter's: the column, whether the last thing written was white space, whether only
 * indentation stands on the line, and the current indent. Differences to libyaml that matter:
 *   - a plain scalar breaks before a word that would pass column 80, leaving the blank at the
 *     line's end, and instead of a blank when the column is already at 80 or more. After a run of
 *     blanks a reader then gets one blank back: DVC's own loss, which stale.c allows for;
 *   - text with a single quote that cannot be plain is double quoted;
 *   - double-quoted text breaks without a backslash where a reader would restore the blank.
 * One rule is not followed: ruamel breaks long keys with blanks too, and cannot read that again.
 */
#include "emit.h"

#include "alloc.h"
#include "num.h"
#include "yamlout.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define MAX_SIMPLE_KEY 123 /* 128 with the "!!str" that ruamel counts in */

enum context { IN_ROOT, IN_MAP, IN_LIST };

/* Lists and maps that were met, to find shared ones: node -> how often, and its anchor number. */
struct seen {
    const struct value *node;
    bool shared, written;
    unsigned id;
};

struct emitter {
    struct yamlout o;
    struct seen *seen; /* open addressing; NULL: no anchors */
    size_t seen_size, seen_count;
    unsigned next_id;
};

/* ---- shared nodes ---- */

static struct seen *seen_slot(struct emitter *em, const struct value *v)
{
    size_t mask = em->seen_size - 1;
    size_t i = (((uintptr_t)v >> 4) * 0x9E3779B97F4A7C15ULL >> 20) & mask;
    while (em->seen[i].node && em->seen[i].node != v) {
        i = (i + 1) & mask;
    }
    return &em->seen[i];
}

static void seen_grow(struct emitter *em)
{
    struct seen *old = em->seen;
    size_t old_size = em->seen_size;
    em->seen_size = old_size ? old_size * 2 : 64;
    em->seen = xcalloc(em->seen_size, sizeof(*em->seen));
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].node) {
            *seen_slot(em, old[i].node) = old[i];
        }
    }
    free(old);
}

/* Numbers are given in the order of second meetings, as ruamel's serializer does. */
static void find_shared(struct emitter *em, const struct value *v)
{
    if (v->type != VALUE_LIST && v->type != VALUE_MAP) {
        return;
    }
    if (em->seen_count * 2 >= em->seen_size) {
        seen_grow(em);
    }
    struct seen *s = seen_slot(em, v);
    if (s->node) {
        if (!s->shared) {
            s->shared = true;
            s->id = em->next_id++;
        }
        return;
    }
    s->node = v;
    em->seen_count++;
    if (v->type == VALUE_LIST) {
        for (size_t i = 0; i < v->list.count; i++) {
            find_shared(em, v->list.items[i]);
        }
        return;
    }
    for (size_t i = 0; i < v->map.count; i++) {
        find_shared(em, v->map.pairs[i].val);
    }
}

/* ---- scalars ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_class(struct str s, size_t i, const char *set)
{
    while (i < s.n && s.p[i] && strchr(set, s.p[i])) {
        i++;
    }
    return i;
}

/* [eE][-+]?[0-9]+ at i; `sign` makes the sign required. Returns the end, or i when there is none.
 */
static size_t skip_exponent(struct str s, size_t i, bool sign)
{
    size_t j = i;
    if (j >= s.n || (s.p[j] != 'e' && s.p[j] != 'E')) {
        return i;
    }
    j++;
    if (j < s.n && (s.p[j] == '-' || s.p[j] == '+')) {
        j++;
    } else if (sign) {
        return i;
    }
    size_t end = skip_class(s, j, "0123456789");
    return end > j ? end : i;
}

static bool looks_like_int(struct str s)
{
    size_t i = s.p[0] == '-' || s.p[0] == '+';
    if (i >= s.n) {
        return false;
    }
    if (skip_class(s, i, "0123456789_") == s.n) {
        return true;
    }
    if (s.p[i] != '0' || i + 2 >= s.n) {
        return false;
    }
    static const struct {
        char letter;
        const char *digits;
    } bases[] = {{'b', "01_"}, {'o', "01234567_"}, {'x', "0123456789abcdefABCDEF_"}};
    for (size_t k = 0; k < ARRAY_SIZE(bases); k++) {
        if (s.p[i + 1] == bases[k].letter && skip_class(s, i + 2, bases[k].digits) == s.n) {
            return true;
        }
    }
    return false;
}

static bool is_one_of(struct str s, const char *const *words)
{
    for (; *words; words++) {
        if (str_is(s, *words)) {
            return true;
        }
    }
    return false;
}

static bool looks_like_float(struct str s)
{
    size_t sign = s.p[0] == '-' || s.p[0] == '+';
    struct str rest = str_sub(s, sign, s.n - sign);
    static const char *const infs[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    if (is_one_of(rest, infs) || is_one_of(s, nans)) {
        return true;
    }
    if (!rest.n) {
        return false;
    }
    if (rest.p[0] == '.') {
        size_t i = skip_class(rest, 1, "0123456789_");
        return i > 1 && (i == rest.n || skip_exponent(rest, i, true) == rest.n);
    }
    if (!is_digit(rest.p[0])) {
        return false;
    }
    size_t i = skip_class(rest, 0, "0123456789_");
    if (i < rest.n && rest.p[i] == '.') {
        i = skip_class(rest, i + 1, "0123456789_");
        return i == rest.n || skip_exponent(rest, i, false) == rest.n;
    }
    return i < rest.n && skip_exponent(rest, i, false) == rest.n;
}

/* 2001-12-14, 2001-12-14t21:59:43.10-05:00, 2001-1-1 2:00:00 Z. Rare enough for a regular
 * expression. */
static bool looks_like_timestamp(struct str s)
{
    static const char pattern[] = "^[0-9]{4}-([0-9]{2}-[0-9]{2}$|[0-9]{1,2}-[0-9]{1,2}([Tt]|[ "
                                  "\t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
                                  "(\\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?$)";
    char text[128];
    regex_t re;
    if (s.n < 8 || s.n >= sizeof(text) || s.p[4] != '-' ||
        regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    bool found = strlen(text) == s.n && regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

/* Would a YAML 1.2 reader (ruamel's resolver) take this plain text for something else than a
 * string? */
static bool resolves_to_other(struct str s)
{
    static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE", "null",
                                        "Null", "NULL", "~",    "<<",    "=",     NULL};
    if (!s.n || is_one_of(s, words)) {
        return true;
    }
    char c = s.p[0];
    if (c != '-' && c != '+' && c != '.' && !is_digit(c)) {
        return false;
    }
    return looks_like_float(s) || (c != '.' && looks_like_int(s)) ||
           (is_digit(c) && looks_like_timestamp(s));
}

static void write_plain(struct emitter *em, const struct yamlchars *cs, bool split)
{
    if (!cs->count) {
        return;
    }
    if (!em->o.whitespace) {
        yamlout_put(&em->o, " ", 1, 1);
    }
    em->o.whitespace = em->o.indention = false;
    bool spaces = false;
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (spaces) {
            if (last || c != ' ') {
                if (start + 1 == end && em->o.column >= WIDTH && split) {
                    yamlout_indent(&em->o);
                    em->o.whitespace = em->o.indention = false;
                } else {
                    yamlout_chars(&em->o, cs, start, end);
                }
                start = end;
            }
        } else if (last || c == ' ') {
            /* never inside of a key */
            if (split && end - start + em->o.column > WIDTH && em->o.column > em->o.indent) {
                yamlout_indent(&em->o);
            }
            yamlout_chars(&em->o, cs, start, end);
            start = end;
        }
        spaces = !last && c == ' ';
    }
    /* write_indent before a long word left these set; the text after it does not count as blank. */
    em->o.whitespace = em->o.indention = false;
}

static void write_single_quoted(struct emitter *em, const struct yamlchars *cs, bool split)
{
    yamlout_indicator(&em->o, "'", true, false);
    bool spaces = false, breaks = false;
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (spaces) {
            if (last || c != ' ') {
                if (start + 1 == end && em->o.column > WIDTH && split && start && !last) {
                    yamlout_indent(&em->o);
                } else {
                    yamlout_chars(&em->o, cs, start, end);
                }
                start = end;
            }
        } else if (breaks) {
            if (last || !yamlchars_is_break(c)) {
                yamlout_chars(&em->o, cs, start, end); /* NEL, LS, PS: written as they are */
                em->o.column = 0;
                em->o.whitespace = em->o.indention = true;
                yamlout_indent(&em->o);
                start = end;
            }
        } else if (last || c == ' ' || yamlchars_is_break(c) || c == '\'') {
            yamlout_chars(&em->o, cs, start, end);
            start = end;
        }
        if (!last && c == '\'') {
            yamlout_put(&em->o, "''", 2, 2);
            start = end + 1;
        }
        spaces = !last && c == ' ';
        breaks = !last && yamlchars_is_break(c);
    }
    yamlout_indicator(&em->o, "'", false, false);
}

static bool needs_escape(uint32_t c)
{
    return c == '"' || c == '\\' || c == 0x85 || c == 0x2028 || c == 0x2029 || c == '\n' ||
           yamlchars_is_special(c);
}

/* May the line end at `end` without a backslash, so that a reader's folding gives the blank back?
 */
static bool breaks_cleanly(const struct yamlchars *cs, size_t start, size_t end)
{
    size_t space = end;
    while (space < cs->count && cs->c[space] != ' ') {
        space++;
    }
    if (space == cs->count) {
        return false;
    }
    bool quote = false;
    for (size_t i = end; i < space; i++) {
        if (cs->c[i] == '\n') {
            space = i;
            break;
        }
        quote = quote || cs->c[i] == '"' || cs->c[i] == '\'';
    }
    if (space + 1 >= cs->count) {
        return false;
    }
    if (cs->c[space] == '\n' && cs->c[space + 1] != ' ') {
        return false;
    }
    return !quote && cs->c[space + 1] != ' ' && cs->c[space + 1] != '\n' &&
           !(end > 0 && cs->c[end - 1] == ' ' && cs->c[end] == ' ') && start != end;
}

static void write_double_quoted(struct emitter *em, const struct yamlchars *cs, bool split)
{
    yamlout_indicator(&em->o, "\"", true, false);
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (last || needs_escape(c)) {
            if (start < end) {
                yamlout_chars(&em->o, cs, start, end);
                start = end;
            }
            if (!last) {
                yamlout_escape(&em->o, c);
                start = end + 1;
            }
        }
        if (split && end > 0 && end + 1 < cs->count && (c == ' ' || start >= end) &&
            em->o.column + end > WIDTH + start) {
            bool clean = breaks_cleanly(cs, start, end);
            if (start < end) {
                yamlout_chars(&em->o, cs, start, end);
                start = end;
            }
            if (!clean) {
                yamlout_put(&em->o, "\\", 1, 1);
            }
            yamlout_indent(&em->o);
            em->o.whitespace = em->o.indention = false;
            if (cs->c[start] == ' ') {
                if (clean) {
                    start++;
                } else {
                    yamlout_put(&em->o, "\\", 1, 1);
                }
            }
        }
    }
    yamlout_indicator(&em->o, "\"", false, false);
}

/* The text of a scalar that is no string: always plain. */
static void scalar_text(const struct value *v, struct strbuf *text)
{
    char num[NUM_TEXT_SIZE];
    switch (v->type) {
    case VALUE_BOOL:
        strbuf_adds(text, v->b ? "true" : "false");
        break;
    case VALUE_INT:
        strbuf_addf(text, "%" PRId64, v->i);
        break;
    case VALUE_FLOAT:
        num_repr(num, v->f);
        if (v->f != v->f) {
            strbuf_adds(text, ".nan");
        } else if (v->f - v->f != 0) {
            strbuf_adds(text, v->f < 0 ? "-.inf" : ".inf");
        } else {
            strbuf_adds(text, num);
        }
        break;
    case VALUE_BIGINT:
    case VALUE_DATE:
        strbuf_addstr(text, v->s);
        break;
    default:
        break; /* null: nothing */
    }
}

static void write_string(struct emitter *em, struct str s, bool is_key)
{
    struct yamlchars cs;
    yamlchars_init(&cs, s);
    struct yamlchars_looks an = yamlchars_look_at(&cs);
    if (an.plain && !resolves_to_other(s)) {
        write_plain(em, &cs, !is_key);
    } else if (an.single && !(is_key && an.multiline) && !(s.n && memchr(s.p, '\'', s.n)) &&
               !(s.n && memchr(s.p, '\n', s.n))) {
        write_single_quoted(em, &cs, !is_key);
    } else {
        write_double_quoted(em, &cs, !is_key);
    }
    yamlchars_release(&cs);
}

static void write_scalar(struct emitter *em, const struct value *v, enum context in, bool is_key)
{
    size_t outer = em->o.indent;
    em->o.indent += 2;
    if (in == IN_LIST) {
        yamlout_indent(&em->o);
    }
    if (v->type == VALUE_STR) {
        write_string(em, v->s, is_key);
    } else if (v->type == VALUE_NULL && is_key) {
        struct yamlchars cs;
        yamlchars_init(&cs, STR("null"));
        write_plain(em, &cs, false);
        yamlchars_release(&cs);
    } else {
        struct strbuf text;
        struct yamlchars cs;
        strbuf_init(&text);
        scalar_text(v, &text);
        yamlchars_init(&cs, strbuf_str(&text));
        write_plain(em, &cs, !is_key);
        yamlchars_release(&cs);
        strbuf_release(&text);
    }
    em->o.indent = outer;
}

/* ---- nodes ---- */

static void write_node(struct emitter *em, const struct value *v, enum context in);

static void write_list(struct emitter *em, const struct value *v, enum context in)
{
    size_t outer = em->o.indent;
    bool indentless = in == IN_MAP && !em->o.indention;
    if (in != IN_ROOT && !indentless) {
        em->o.indent += 2;
    }
    for (size_t i = 0; i < v->list.count; i++) {
        yamlout_indent(&em->o);
        yamlout_indicator(&em->o, "-", true, true);
        write_node(em, v->list.items[i], IN_LIST);
    }
    em->o.indent = outer;
}

/* A key on one line: short, no line breaks. */
static bool is_simple_key(const struct value *key)
{
    if (key->type != VALUE_STR) {
        return true;
    }
    for (size_t i = 0; i < key->s.n; i++) {
        unsigned char c = (unsigned char)key->s.p[i];
        if (c == '\n' ||
            (c == 0xC2 && i + 1 < key->s.n && (unsigned char)key->s.p[i + 1] == 0x85) ||
            (c == 0xE2 && i + 2 < key->s.n && (unsigned char)key->s.p[i + 1] == 0x80 &&
             ((unsigned char)key->s.p[i + 2] & 0xFE) == 0xA8)) {
            return false;
        }
    }
    return str_utf8_length(key->s) < MAX_SIMPLE_KEY;
}

static void write_map(struct emitter *em, const struct value *v, enum context in)
{
    size_t outer = em->o.indent;
    if (in != IN_ROOT) {
        em->o.indent += 2;
    }
    for (size_t i = 0; i < v->map.count; i++) {
        const struct value_pair *pair = &v->map.pairs[i];
        yamlout_indent(&em->o);
        if (is_simple_key(pair->key)) {
            write_scalar(em, pair->key, IN_MAP, true);
            yamlout_indicator(&em->o, ":", false, false);
        } else {
            yamlout_indicator(&em->o, "?", true, true);
            write_scalar(em, pair->key, IN_MAP, false);
            yamlout_indent(&em->o);
            yamlout_indicator(&em->o, ":", true, true);
        }
        write_node(em, pair->val, IN_MAP);
    }
    em->o.indent = outer;
}

/* True when the node was written as an alias. */
static bool write_anchor(struct emitter *em, const struct value *v)
{
    struct seen *s = em->seen ? seen_slot(em, v) : NULL;
    if (!s || !s->shared) {
        return false;
    }
    char text[24];
    snprintf(text, sizeof(text), "%cid%03u", s->written ? '*' : '&', s->id);
    yamlout_indicator(&em->o, text, true, false);
    if (s->written) {
        return true;
    }
    s->written = true;
    return false;
}

static void write_node(struct emitter *em, const struct value *v, enum context in)
{
    if (v->type != VALUE_LIST && v->type != VALUE_MAP) {
        write_scalar(em, v, in, false);
        return;
    }
    if (write_anchor(em, v)) {
        return;
    }
    if (v->type == VALUE_LIST ? !v->list.count : !v->map.count) {
        yamlout_indicator(&em->o, v->type == VALUE_LIST ? "[]" : "{}", true, false);
    } else if (v->type == VALUE_LIST) {
        write_list(em, v, in);
    } else {
        write_map(em, v, in);
    }
}

void emit_yaml(struct strbuf *out, const struct value *v, const struct emit_options *opt)
{
    static const struct emit_options none = {0};
    opt = opt ? opt : &none;
    struct emitter em = {
        .o = {.out = out, .indent = opt->indent, .whitespace = true, .indention = true},
        .next_id = opt->next_anchor ? *opt->next_anchor : 1};
    if (!opt->no_anchors) {
        seen_grow(&em);
        find_shared(&em, v);
    }
    write_node(&em, v, IN_ROOT);
    if (em.o.column) {
        strbuf_addch(out, '\n');
    }
    if (opt->next_anchor) {
        *opt->next_anchor = em.next_id;
    }
    free(em.seen);
}

void emit_scalar(struct strbuf *out, const struct value *v, unsigned column, unsigned indent)
{
    struct emitter em = {.o = {.out = out, .column = column, .whitespace = true}};
    em.o.indent = indent >= 2 ? indent - 2 : 0;
    write_scalar(&em, v, IN_MAP, false);
}
