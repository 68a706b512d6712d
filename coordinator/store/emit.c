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
    struct strbuf *out;
    size_t column;
    size_t indent;
    bool whitespace, indention;
    struct seen *seen; /* open addressing; NULL: no anchors */
    size_t seen_size, seen_count;
    unsigned next_id;
};

static bool is_break(uint32_t c)
{
    return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_space_like(uint32_t c)
{
    return c == 0 || c == ' ' || c == '\t' || c == '\r' || is_break(c);
}

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

/* ---- lowest level ---- */

static void put(struct emitter *em, const char *text, size_t n, size_t columns)
{
    strbuf_add(em->out, text, n);
    em->column += columns;
}

static void line_break(struct emitter *em)
{
    strbuf_addch(em->out, '\n');
    em->whitespace = em->indention = true;
    em->column = 0;
}

static void write_indent(struct emitter *em)
{
    size_t indent = em->indent;
    if (!em->indention || em->column > indent || (em->column == indent && !em->whitespace)) {
        line_break(em);
    }
    if (em->column < indent) {
        em->whitespace = true;
        strbuf_pad(em->out, ' ', indent - em->column);
        em->column = indent;
    }
}

static void indicator(struct emitter *em, const char *text, bool need_whitespace, bool indention)
{
    if (need_whitespace && !em->whitespace) {
        put(em, " ", 1, 1);
    }
    put(em, text, strlen(text), strlen(text));
    em->whitespace = false;
    em->indention = em->indention && indention;
}

/* ---- scalars ---- */

/* Text as code points with byte offsets, so that columns and look-ahead are plain indexing. */
struct chars {
    const char *bytes;
    uint32_t *c; /* count + 1 entries, the last is 0 */
    size_t *at;  /* count + 1 byte offsets */
    size_t count;
};

static void chars_init(struct chars *cs, struct str s)
{
    cs->bytes = s.p;
    cs->c = xmalloc((s.n + 1) * sizeof(*cs->c));
    cs->at = xmalloc((s.n + 1) * sizeof(*cs->at));
    cs->count = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char b = (unsigned char)s.p[i];
        unsigned len = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
        uint32_t c = len == 1 ? b : b & (0x7Fu >> len);
        if (i + len > s.n || (b >= 0x80 && b < 0xC0)) {
            len = 1; /* not UTF-8: readers refuse it; written as it came */
            c = 0xFFFD;
        }
        for (unsigned k = 1; k < len; k++) {
            c = c << 6 | ((unsigned char)s.p[i + k] & 0x3F);
        }
        cs->c[cs->count] = c;
        cs->at[cs->count++] = i;
        i += len;
    }
    cs->c[cs->count] = 0;
    cs->at[cs->count] = s.n;
}

static void chars_release(struct chars *cs)
{
    free(cs->c);
    free(cs->at);
}

static void put_chars(struct emitter *em, const struct chars *cs, size_t from, size_t to)
{
    put(em, cs->bytes + cs->at[from], cs->at[to] - cs->at[from], to - from);
}

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

struct analysis {
    bool plain, single, multiline;
};

/* One code point's part in the analysis of a scalar: may it stand in plain text at this place? */
static bool is_block_indicator(const struct chars *cs, size_t i)
{
    uint32_t c = cs->c[i];
    bool followed = i + 1 >= cs->count || is_space_like(cs->c[i + 1]);
    if (i == 0) {
        if (c < 0x80 && c && strchr("#,[]{}&*!|>'\"%@`", (int)c)) {
            return true;
        }
        return (c == '?' || c == ':' || c == '-') && followed;
    }
    return (c == ':' && followed) || (c == '#' && is_space_like(cs->c[i - 1]));
}

static bool is_special(uint32_t c)
{
    if (c == '\n' || (c >= 0x20 && c <= 0x7E) || c == 0x85) {
        return false;
    }
    bool printable = (c >= 0xA0 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
                     (c >= 0x10000 && c <= 0x10FFFF);
    return !printable || c == 0xFEFF;
}

static struct analysis analyze(const struct chars *cs)
{
    struct analysis an = {.plain = true, .single = true};
    if (!cs->count) {
        return an;
    }
    if (cs->count >= 3 && (!memcmp(cs->bytes, "---", 3) || !memcmp(cs->bytes, "...", 3))) {
        an.plain = false;
    }
    for (size_t i = 0; i < cs->count; i++) {
        uint32_t c = cs->c[i];
        if (is_block_indicator(cs, i)) {
            an.plain = false;
        }
        if (is_special(c)) {
            an.plain = an.single = false;
        }
        if (is_break(c)) {
            an.multiline = true;
            an.plain = false;
            an.single = an.single && !(i > 0 && cs->c[i - 1] == ' ');
        }
        if (c == ' ') {
            if (i == 0 || i + 1 == cs->count) {
                an.plain = false;
            }
            if (i > 0 && is_break(cs->c[i - 1])) {
                an.plain = an.single = false;
            }
        }
    }
    return an;
}

static void write_plain(struct emitter *em, const struct chars *cs, bool split)
{
    if (!cs->count) {
        return;
    }
    if (!em->whitespace) {
        put(em, " ", 1, 1);
    }
    em->whitespace = em->indention = false;
    bool spaces = false;
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (spaces) {
            if (last || c != ' ') {
                if (start + 1 == end && em->column >= WIDTH && split) {
                    write_indent(em);
                    em->whitespace = em->indention = false;
                } else {
                    put_chars(em, cs, start, end);
                }
                start = end;
            }
        } else if (last || c == ' ') {
            /* never inside of a key */
            if (split && end - start + em->column > WIDTH && em->column > em->indent) {
                write_indent(em);
            }
            put_chars(em, cs, start, end);
            start = end;
        }
        spaces = !last && c == ' ';
    }
    /* write_indent before a long word left these set; the text after it does not count as blank. */
    em->whitespace = em->indention = false;
}

static void write_single_quoted(struct emitter *em, const struct chars *cs, bool split)
{
    indicator(em, "'", true, false);
    bool spaces = false, breaks = false;
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (spaces) {
            if (last || c != ' ') {
                if (start + 1 == end && em->column > WIDTH && split && start && !last) {
                    write_indent(em);
                } else {
                    put_chars(em, cs, start, end);
                }
                start = end;
            }
        } else if (breaks) {
            if (last || !is_break(c)) {
                put_chars(em, cs, start, end); /* NEL, LS, PS: written as they are */
                em->column = 0;
                em->whitespace = em->indention = true;
                write_indent(em);
                start = end;
            }
        } else if (last || c == ' ' || is_break(c) || c == '\'') {
            put_chars(em, cs, start, end);
            start = end;
        }
        if (!last && c == '\'') {
            put(em, "''", 2, 2);
            start = end + 1;
        }
        spaces = !last && c == ' ';
        breaks = !last && is_break(c);
    }
    indicator(em, "'", false, false);
}

static bool needs_escape(uint32_t c)
{
    return c == '"' || c == '\\' || c == 0x85 || c == 0x2028 || c == 0x2029 || c == '\n' ||
           is_special(c);
}

static void put_escape(struct emitter *em, uint32_t c)
{
    static const struct {
        uint32_t c;
        char letter;
    } named[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {0xA, 'n'},
                 {0xB, 'v'},   {0xC, 'f'},  {0xD, 'r'},  {0x1B, 'e'},   {'"', '"'},
                 {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    char text[16];
    int n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(named) && !n; i++) {
        if (named[i].c == c) {
            n = snprintf(text, sizeof(text), "\\%c", named[i].letter);
        }
    }
    if (!n) {
        const char *fmt = c <= 0xFF     ? "\\x%02" PRIX32
                          : c <= 0xFFFF ? "\\u%04" PRIX32
                                        : "\\U%08" PRIX32;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        n = snprintf(text, sizeof(text), fmt, c);
#pragma GCC diagnostic pop
    }
    put(em, text, (size_t)n, (size_t)n);
}

/* May the line end at `end` without a backslash, so that a reader's folding gives the blank back?
 */
static bool breaks_cleanly(const struct chars *cs, size_t start, size_t end)
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

static void write_double_quoted(struct emitter *em, const struct chars *cs, bool split)
{
    indicator(em, "\"", true, false);
    size_t start = 0;
    for (size_t end = 0; end <= cs->count; end++) {
        bool last = end == cs->count;
        uint32_t c = cs->c[end];
        if (last || needs_escape(c)) {
            if (start < end) {
                put_chars(em, cs, start, end);
                start = end;
            }
            if (!last) {
                put_escape(em, c);
                start = end + 1;
            }
        }
        if (split && end > 0 && end + 1 < cs->count && (c == ' ' || start >= end) &&
            em->column + end > WIDTH + start) {
            bool clean = breaks_cleanly(cs, start, end);
            if (start < end) {
                put_chars(em, cs, start, end);
                start = end;
            }
            if (!clean) {
                put(em, "\\", 1, 1);
            }
            write_indent(em);
            em->whitespace = em->indention = false;
            if (cs->c[start] == ' ') {
                if (clean) {
                    start++;
                } else {
                    put(em, "\\", 1, 1);
                }
            }
        }
    }
    indicator(em, "\"", false, false);
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
    struct chars cs;
    chars_init(&cs, s);
    struct analysis an = analyze(&cs);
    if (an.plain && !resolves_to_other(s)) {
        write_plain(em, &cs, !is_key);
    } else if (an.single && !(is_key && an.multiline) && !(s.n && memchr(s.p, '\'', s.n)) &&
               !(s.n && memchr(s.p, '\n', s.n))) {
        write_single_quoted(em, &cs, !is_key);
    } else {
        write_double_quoted(em, &cs, !is_key);
    }
    chars_release(&cs);
}

static void write_scalar(struct emitter *em, const struct value *v, enum context in, bool is_key)
{
    size_t outer = em->indent;
    em->indent += 2;
    if (in == IN_LIST) {
        write_indent(em);
    }
    if (v->type == VALUE_STR) {
        write_string(em, v->s, is_key);
    } else if (v->type == VALUE_NULL && is_key) {
        struct chars cs;
        chars_init(&cs, STR("null"));
        write_plain(em, &cs, false);
        chars_release(&cs);
    } else {
        struct strbuf text;
        struct chars cs;
        strbuf_init(&text);
        scalar_text(v, &text);
        chars_init(&cs, strbuf_str(&text));
        write_plain(em, &cs, !is_key);
        chars_release(&cs);
        strbuf_release(&text);
    }
    em->indent = outer;
}

/* ---- nodes ---- */

static void write_node(struct emitter *em, const struct value *v, enum context in);

static void write_list(struct emitter *em, const struct value *v, enum context in)
{
    size_t outer = em->indent;
    bool indentless = in == IN_MAP && !em->indention;
    if (in != IN_ROOT && !indentless) {
        em->indent += 2;
    }
    for (size_t i = 0; i < v->list.count; i++) {
        write_indent(em);
        indicator(em, "-", true, true);
        write_node(em, v->list.items[i], IN_LIST);
    }
    em->indent = outer;
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
    size_t outer = em->indent;
    if (in != IN_ROOT) {
        em->indent += 2;
    }
    for (size_t i = 0; i < v->map.count; i++) {
        const struct value_pair *pair = &v->map.pairs[i];
        write_indent(em);
        if (is_simple_key(pair->key)) {
            write_scalar(em, pair->key, IN_MAP, true);
            indicator(em, ":", false, false);
        } else {
            indicator(em, "?", true, true);
            write_scalar(em, pair->key, IN_MAP, false);
            write_indent(em);
            indicator(em, ":", true, true);
        }
        write_node(em, pair->val, IN_MAP);
    }
    em->indent = outer;
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
    indicator(em, text, true, false);
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
        indicator(em, v->type == VALUE_LIST ? "[]" : "{}", true, false);
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
    struct emitter em = {.out = out,
                         .indent = opt->indent,
                         .whitespace = true,
                         .indention = true,
                         .next_id = opt->next_anchor ? *opt->next_anchor : 1};
    if (!opt->no_anchors) {
        seen_grow(&em);
        find_shared(&em, v);
    }
    write_node(&em, v, IN_ROOT);
    if (em.column) {
        strbuf_addch(out, '\n');
    }
    if (opt->next_anchor) {
        *opt->next_anchor = em.next_id;
    }
    free(em.seen);
}

void emit_scalar(struct strbuf *out, const struct value *v, unsigned column, unsigned indent)
{
    struct emitter em = {.out = out, .column = column, .whitespace = true};
    em.indent = indent >= 2 ? indent - 2 : 0;
    write_scalar(&em, v, IN_MAP, false);
}
