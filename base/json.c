/* JSON by libjansson; see json.h. */

#include "json.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "num.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 64

static struct value *from_jansson(struct arena *a, json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT: {
        struct value *map = value_map(a);
        const char *key;
        json_t *item;
        json_object_foreach(j, key, item)
        {
            value_append(a, map, value_cstr(a, key), from_jansson(a, item));
        }
        return map;
    }
    case JSON_ARRAY: {
        struct value *list = value_list(a);
        size_t count = json_array_size(j);
        for (size_t i = 0; i < count; i++) {
            value_push(a, list, from_jansson(a, json_array_get(j, i)));
        }
        return list;
    }
    case JSON_STRING:
        return value_str(a, (struct str){json_string_value(j), json_string_length(j)});
    case JSON_INTEGER:
        return value_int(a, json_integer_value(j));
    case JSON_REAL:
        return value_float(a, json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE:
        return value_bool(a, json_is_true(j));
    default:
        return value_null(a);
    }
}

/* The nesting of the text, so that a deep document is refused before libjansson recurses. */
static bool too_deep(struct str text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > MAX_DEPTH) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

struct value *json_parse(struct arena *a, struct str text, const char *name, struct err *e)
{
    name = name != NULL ? name : "<json>";
    if (text.n > JSON_MAX_BYTES) {
        err_set(e, ERR_LIMIT, "%s: %zu bytes of JSON, at most %zu are read", name, text.n,
                JSON_MAX_BYTES);
        return NULL;
    }
    if (too_deep(text)) {
        err_set(e, ERR_LIMIT, "%s: JSON nested deeper than %d levels", name, MAX_DEPTH);
        return NULL;
    }
    json_error_t je;
    json_t *j = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    if (j == NULL) {
        err_set(e, ERR_FORMAT, "%s:%d:%d: %s", name, je.line, je.column, je.text);
        return NULL;
    }
    struct value *v = from_jansson(a, j);
    json_decref(j);
    return v;
}

struct value *json_load(struct arena *a, const char *path, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    struct value *v = NULL;
    if (fs_read(path, JSON_MAX_BYTES, &text, e) == 0) {
        v = json_parse(a, strbuf_str(&text), path, e);
    }
    strbuf_release(&text);
    return v;
}

static uint32_t decode_utf8(const unsigned char *p, size_t n, size_t *used)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (len > n) {
        *used = 1;
        return 0xFFFD;
    }
    *used = len;
    uint32_t c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        c = c << 6 | (p[i] & 0x3F);
    }
    return c;
}

static void write_escaped(struct strbuf *out, uint32_t c)
{
    if (c >= 0x10000) {
        c -= 0x10000;
        strbuf_addf(out, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
    } else {
        strbuf_addf(out, "\\u%04x", c);
    }
}

/* How many bytes from the start stand for themselves. */
static size_t plain_run(struct str s)
{
    size_t n = 0;
    while (n < s.n && (signed char)s.p[n] >= 0x20 && s.p[n] != '"' && s.p[n] != '\\') {
        n++; /* a byte of UTF-8 beyond ASCII is negative */
    }
    return n;
}

void json_write_string(struct strbuf *out, struct str s, bool utf8)
{
    strbuf_addch(out, '"');
    for (size_t i = 0; i < s.n;) {
        size_t plain = plain_run((struct str){s.p + i, s.n - i});
        if (plain > 0) {
            strbuf_add(out, s.p + i, plain);
            i += plain;
            continue;
        }
        unsigned char c = (unsigned char)s.p[i];
        static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
        const char *at = c != '\0' ? strchr(named, c) : NULL;
        size_t used = 1;
        if (at != NULL) {
            strbuf_addch(out, '\\');
            strbuf_addch(out, names[at - named]);
        } else if (c < 0x20) {
            write_escaped(out, c);
        } else {
            uint32_t code = decode_utf8((const unsigned char *)s.p + i, s.n - i, &used);
            if (utf8) {
                strbuf_add(out, s.p + i, used);
            } else {
                write_escaped(out, code);
            }
        }
        i += used;
    }
    strbuf_addch(out, '"');
}

static void write_key(struct strbuf *out, const struct value *key, const struct json_style *style)
{
    struct strbuf text;
    strbuf_init(&text);
    if (key->type == VALUE_BOOL) {
        strbuf_adds(&text, key->b ? "true" : "false");
    } else if (key->type == VALUE_NULL) {
        strbuf_adds(&text, "null");
    } else {
        value_text(&text, key);
    }
    json_write_string(out, strbuf_str(&text), style->utf8);
    strbuf_release(&text);
}

static void write_break(struct strbuf *out, const struct json_style *style, size_t depth)
{
    if (style->indent > 0) {
        strbuf_addch(out, '\n');
        strbuf_pad(out, ' ', style->indent * depth);
    }
}

/* After a comma: a new line, or Python's blank. */
static void write_separator(struct strbuf *out, const struct json_style *style)
{
    strbuf_adds(out, style->indent > 0 || style->compact ? "," : ", ");
}

static void write_value(struct strbuf *out, const struct value *v, const struct json_style *style,
                        size_t depth);

static int compare_keys(const void *x, const void *y)
{
    const struct value_pair *a = x, *b = y;
    struct strbuf ta, tb;
    strbuf_init(&ta);
    strbuf_init(&tb);
    value_text(&ta, a->key);
    value_text(&tb, b->key);
    int c = str_cmp(strbuf_str(&ta), strbuf_str(&tb));
    strbuf_release(&ta);
    strbuf_release(&tb);
    return c;
}

static void write_map(struct strbuf *out, const struct value *v, const struct json_style *style,
                      size_t depth)
{
    size_t count = v->map.count;
    struct value_pair *sorted = NULL;
    const struct value_pair *pairs = v->map.pairs;
    if (style->sort_keys && count > 1) {
        sorted = xcalloc(count, sizeof(*sorted));
        memcpy(sorted, pairs, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_keys);
        pairs = sorted;
    }
    strbuf_addch(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            write_separator(out, style);
        }
        write_break(out, style, depth + 1);
        write_key(out, pairs[i].key, style);
        strbuf_adds(out, style->compact ? ":" : ": ");
        write_value(out, pairs[i].val, style, depth + 1);
    }
    if (count > 0) {
        write_break(out, style, depth);
    }
    strbuf_addch(out, '}');
    free(sorted);
}

static void write_list(struct strbuf *out, const struct value *v, const struct json_style *style,
                       size_t depth)
{
    strbuf_addch(out, '[');
    for (size_t i = 0; i < v->list.count; i++) {
        if (i > 0) {
            write_separator(out, style);
        }
        write_break(out, style, depth + 1);
        write_value(out, v->list.items[i], style, depth + 1);
    }
    if (v->list.count > 0) {
        write_break(out, style, depth);
    }
    strbuf_addch(out, ']');
}

static void write_float(struct strbuf *out, double f)
{
    char text[NUM_TEXT_SIZE];
    if (isnan(f)) {
        strbuf_adds(out, "NaN");
    } else if (isinf(f)) {
        strbuf_adds(out, f < 0 ? "-Infinity" : "Infinity");
    } else {
        num_repr(text, f);
        strbuf_adds(out, text);
    }
}

static void write_value(struct strbuf *out, const struct value *v, const struct json_style *style,
                        size_t depth)
{
    switch (v->type) {
    case VALUE_NULL:
        strbuf_adds(out, "null");
        break;
    case VALUE_BOOL:
        strbuf_adds(out, v->b ? "true" : "false");
        break;
    case VALUE_INT:
        strbuf_addf(out, "%lld", (long long)v->i);
        break;
    case VALUE_BIGINT:
        strbuf_addstr(out, v->s);
        break;
    case VALUE_FLOAT:
        write_float(out, v->f);
        break;
    case VALUE_STR:
    case VALUE_DATE:
        json_write_string(out, v->s, style->utf8);
        break;
    case VALUE_LIST:
        write_list(out, v, style, depth);
        break;
    case VALUE_MAP:
        write_map(out, v, style, depth);
        break;
    }
}

void json_write(struct strbuf *out, const struct value *v, const struct json_style *style)
{
    static const struct json_style python = {0};
    write_value(out, v, style != NULL ? style : &python, 0);
}
