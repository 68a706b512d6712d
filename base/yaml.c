/* YAML reader on libyaml's events; see yaml.h. */

#include "yaml.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libyaml.h>

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_NODES ((size_t)1000000)
#define MAX_DEPTH 64
#define MAX_MERGE_DEPTH 16
#define MAX_ANCHORS 10000
#define MAX_SCALAR ((size_t)4 << 20)

struct anchor {
    const char *name;
    struct value *node;
    size_t weight; /* nodes below and with it, aliases expanded */
    bool open;     /* being composed: an alias to it would be a cycle */
};

struct reader {
    struct arena *arena;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    const char *name;
    size_t nodes, max_nodes;
    struct value *(*plain)(struct arena *a, struct str text);
    struct anchor *anchors;
    size_t anchor_count, anchor_capacity;
    struct err *e;
};

/* ---- scalars: YAML 1.2 core schema with ruamel's additions ---- */

static bool one_of(struct str s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_is(s, *words)) {
            return true;
        }
    }
    return false;
}

/* Copies without '_' and without sign; false when a digit is not of the base, or there is none. */
static bool digits_of(struct str s, int base, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (c == '_' && i > 0) {
            continue;
        }
        if (digit >= base || n + 1 >= size) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return n > 0;
}

static struct value *scalar_int(struct arena *a, struct str s)
{
    char digits[512];
    bool negative = s.n > 0 && s.p[0] == '-';
    struct str body = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? str_sub(s, 1, s.n) : s;
    int base = str_starts(body, "0x")   ? 16
               : str_starts(body, "0o") ? 8
               : str_starts(body, "0b") ? 2
                                        : 10;
    struct str number = base == 10 ? body : str_sub(body, 2, body.n);
    if (!digits_of(number, base, digits + 1, sizeof(digits) - 1)) {
        return NULL;
    }
    digits[0] = '-';
    const char *text = negative ? digits : digits + 1;
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, base);
    if (errno == 0) {
        return value_int(a, v);
    }
    struct value *big = value_null(a);
    big->type = VALUE_BIGINT;
    big->s = arena_str(a, base == 10 ? str_from(text) : s);
    return big;
}

/* [-+]?(digits[.digits*]|.digits)([eE][-+]?digits)? with at least a point or an exponent. */
static bool is_float(struct str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'), digits = 0, after = 0;
    bool point = false, exponent = false;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c >= '0' && c <= '9') {
            digits++;
            after += exponent;
        } else if (c == '_' && digits > 0 && !exponent) {
            continue;
        } else if (c == '.' && !point && !exponent) {
            point = true;
        } else if ((c == 'e' || c == 'E') && digits > 0 && !exponent) {
            exponent = true;
            if (i + 1 < s.n && (s.p[i + 1] == '-' || s.p[i + 1] == '+')) {
                i++;
            }
        } else {
            return false;
        }
    }
    return digits > 0 && (point || exponent) && (!exponent || after > 0);
}

static struct value *scalar_float(struct arena *a, struct str s)
{
    static const char *const infinities[] = {".inf",  ".Inf",  ".INF", "+.inf",
                                             "+.Inf", "+.INF", NULL};
    static const char *const negatives[] = {"-.inf", "-.Inf", "-.INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    if (one_of(s, infinities)) {
        return value_float(a, INFINITY);
    }
    if (one_of(s, negatives)) {
        return value_float(a, -INFINITY);
    }
    if (one_of(s, nans)) {
        return value_float(a, NAN);
    }
    char text[512];
    size_t n = 0;
    if (!is_float(s) || s.n >= sizeof(text)) {
        return NULL;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            text[n++] = s.p[i];
        }
    }
    text[n] = '\0';
    return value_float(a, strtod(text, NULL));
}

struct value *yaml_scalar(struct arena *a, struct str s)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (one_of(s, nulls)) {
        return value_null(a);
    }
    if (one_of(s, yes) || one_of(s, no)) {
        return value_bool(a, one_of(s, yes));
    }
    struct value *v = NULL;
    if (strchr("+-.0123456789", s.p[0]) != NULL) {
        v = scalar_int(a, s);
        v = v != NULL ? v : scalar_float(a, s);
    }
    return v != NULL ? v : value_str(a, s);
}

/* ---- composing ---- */

static int fail_at(struct reader *r, enum err_code code, yaml_mark_t mark, const char *what)
{
    return err_set(r->e, code, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, what);
}

static int next_event(struct reader *r)
{
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        const char *problem = r->parser.problem != NULL ? r->parser.problem : "unreadable";
        char text[512];
        if (r->parser.error == YAML_READER_ERROR) {
            return err_set(r->e, ERR_FORMAT, "%s: byte %zu: %s", r->name, r->parser.problem_offset,
                           problem);
        }
        snprintf(text, sizeof(text), "%s%s%s", r->parser.context != NULL ? r->parser.context : "",
                 r->parser.context != NULL ? ", " : "", problem);
        return fail_at(r, ERR_FORMAT, r->parser.problem_mark, text);
    }
    r->has_event = true;
    return 0;
}

static int count_nodes(struct reader *r, size_t n, yaml_mark_t mark)
{
    r->nodes += n;
    if (r->nodes > r->max_nodes) {
        char text[96];
        snprintf(text, sizeof(text), "more than %zu nodes after expansion of aliases",
                 r->max_nodes);
        return fail_at(r, ERR_LIMIT, mark, text);
    }
    return 0;
}

static struct anchor *find_anchor(struct reader *r, const char *name)
{
    for (size_t i = r->anchor_count; i > 0; i--) { /* the newest of a name counts */
        if (strcmp(r->anchors[i - 1].name, name) == 0) {
            return &r->anchors[i - 1];
        }
    }
    return NULL;
}

/* Index of the new anchor, -1 when the node has none, -2 on error. */
static long open_anchor(struct reader *r, const unsigned char *name, struct value *node)
{
    if (name == NULL) {
        return -1;
    }
    if (r->anchor_count >= MAX_ANCHORS) {
        fail_at(r, ERR_LIMIT, r->event.start_mark, "more than 10000 anchors");
        return -2;
    }
    ARRAY_RESERVE(r->anchors, r->anchor_count, r->anchor_capacity, 1);
    r->anchors[r->anchor_count] =
        (struct anchor){arena_strdup(r->arena, (const char *)name), node, 1, true};
    return (long)r->anchor_count++;
}

static struct value *compose(struct reader *r, int depth);

static void place(struct value *v, yaml_mark_t mark)
{
    v->line = (unsigned)mark.line + 1;
    v->column = (unsigned)mark.column + 1;
}

/* `core` names the tag that this kind of node may carry besides none and "!". */
static int check_tag(struct reader *r, const unsigned char *tag, const char *core)
{
    const char *t = (const char *)tag;
    if (t == NULL || strcmp(t, "!") == 0 || strcmp(t, core) == 0) {
        return 0;
    }
    char text[256];
    snprintf(text, sizeof(text), "tag %.100s is not supported", t);
    return fail_at(r, ERR_FORMAT, r->event.start_mark, text);
}

static struct value *plain_scalar(struct reader *r, struct str s)
{
    return r->plain != NULL ? r->plain(r->arena, s) : yaml_scalar(r->arena, s);
}

static struct value *tagged_scalar(struct reader *r, struct str s, const char *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    struct value *plain = plain_scalar(r, s);
    const char *kind =
        strncmp(tag, prefix, sizeof(prefix) - 1) == 0 ? tag + sizeof(prefix) - 1 : "";
    if (strcmp(tag, "!") == 0 || strcmp(kind, "str") == 0) {
        return value_str(r->arena, s);
    }
    bool fits =
        plain != NULL &&
        ((strcmp(kind, "int") == 0 && (plain->type == VALUE_INT || plain->type == VALUE_BIGINT)) ||
         (strcmp(kind, "bool") == 0 && plain->type == VALUE_BOOL) ||
         (strcmp(kind, "null") == 0 && plain->type == VALUE_NULL) ||
         (strcmp(kind, "float") == 0 && plain->type == VALUE_FLOAT));
    if (fits) {
        return plain;
    }
    if (plain != NULL && strcmp(kind, "float") == 0 && plain->type == VALUE_INT) {
        return value_float(r->arena, (double)plain->i);
    }
    char text[256];
    snprintf(text, sizeof(text), "tag %.100s is not supported here", tag);
    fail_at(r, ERR_FORMAT, r->event.start_mark, text);
    return NULL;
}

static struct value *compose_scalar(struct reader *r)
{
    struct str s = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
    const char *tag = (const char *)r->event.data.scalar.tag;
    if (s.n > MAX_SCALAR) {
        fail_at(r, ERR_LIMIT, r->event.start_mark, "a scalar of more than 4 MiB");
        return NULL;
    }
    if (s.n > 0 && memchr(s.p, '\0', s.n) != NULL) {
        fail_at(r, ERR_FORMAT, r->event.start_mark, "a NUL character in a scalar");
        return NULL;
    }
    struct value *v;
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (tag != NULL && r->plain != NULL && plain && strcmp(tag, "!") == 0) {
        tag = NULL; /* PyYAML does not know that it means text */
    }
    if (tag != NULL) {
        v = tagged_scalar(r, s, tag);
    } else if (plain) {
        v = plain_scalar(r, s);
        if (v == NULL) {
            fail_at(r, ERR_FORMAT, r->event.start_mark, "a plain scalar that stands for nothing");
        }
    } else {
        v = value_str(r->arena, s);
    }
    if (v == NULL) {
        return NULL;
    }
    place(v, r->event.start_mark);
    long anchor = open_anchor(r, r->event.data.scalar.anchor, v);
    if (anchor >= 0) {
        r->anchors[anchor].open = false;
    }
    return anchor >= -1 ? v : NULL;
}

static struct value *compose_list(struct reader *r, int depth)
{
    if (check_tag(r, r->event.data.sequence_start.tag, YAML_SEQ_TAG) < 0) {
        return NULL;
    }
    struct value *list = value_list(r->arena);
    place(list, r->event.start_mark);
    size_t before = r->nodes;
    long anchor = open_anchor(r, r->event.data.sequence_start.anchor, list);
    if (anchor == -2) {
        return NULL;
    }
    for (;;) {
        if (next_event(r) < 0) {
            return NULL;
        }
        if (r->event.type == YAML_SEQUENCE_END_EVENT) {
            break;
        }
        struct value *item = compose(r, depth + 1);
        if (item == NULL) {
            return NULL;
        }
        value_push(r->arena, list, item);
    }
    if (anchor >= 0) {
        r->anchors[anchor].open = false;
        r->anchors[anchor].weight = r->nodes - before + 1;
    }
    return list;
}

static int merge_into(struct reader *r, struct value *map, const struct value *from, int depth)
{
    if (depth > MAX_MERGE_DEPTH) {
        return err_set(r->e, ERR_LIMIT, "%s:%u:%u: merge keys nested deeper than %d", r->name,
                       map->line, map->column, MAX_MERGE_DEPTH);
    }
    if (from->type == VALUE_LIST) {
        for (size_t i = 0; i < from->list.count; i++) {
            if (merge_into(r, map, from->list.items[i], depth + 1) < 0) {
                return -1;
            }
        }
        return 0;
    }
    if (from->type != VALUE_MAP) {
        return err_set(r->e, ERR_FORMAT, "%s:%u:%u: expected a mapping for merging, found %s",
                       r->name, from->line, from->column, value_type_name(from->type));
    }
    yaml_mark_t mark = {.line = map->line - 1, .column = map->column - 1};
    for (size_t i = 0; i < from->map.count; i++) {
        struct strbuf key;
        strbuf_init(&key);
        value_text(&key, from->map.pairs[i].key);
        bool known = value_get_str(map, strbuf_str(&key)) != NULL;
        strbuf_release(&key);
        if (known) {
            continue;
        }
        if (count_nodes(r, 1, mark) < 0) {
            return -1;
        }
        value_append(r->arena, map, from->map.pairs[i].key, from->map.pairs[i].val);
    }
    return 0;
}

static int add_pair(struct reader *r, struct value *map, struct value *key, struct value *val)
{
    if (!value_is_scalar(key)) {
        return err_set(r->e, ERR_FORMAT, "%s:%u:%u: a mapping key must be a scalar, found %s",
                       r->name, key->line, key->column, value_type_name(key->type));
    }
    struct strbuf text;
    strbuf_init(&text);
    value_text(&text, key);
    struct value *old = value_get_str(map, strbuf_str(&text));
    int rc = 0;
    if (old != NULL && r->plain != NULL && key->type != VALUE_STR) {
        value_set_key(r->arena, map, key, val);
    } else if (old != NULL) {
        struct strbuf was, now;
        strbuf_init_max(&was, 200);
        strbuf_init_max(&now, 200);
        value_repr(&was, old);
        value_repr(&now, val);
        rc = err_set(r->e, ERR_FORMAT,
                     "%s:%u:%u: found duplicate key \"%.200s\" with value %s (original value: %s)",
                     r->name, key->line, key->column, text.p, now.p, was.p);
        strbuf_release(&was);
        strbuf_release(&now);
    } else {
        value_append(r->arena, map, key, val);
    }
    strbuf_release(&text);
    return rc;
}

/* One "key: value"; 1 at the end of the mapping. */
static int compose_pair(struct reader *r, struct value *map, struct value **merge, int depth)
{
    if (next_event(r) < 0) {
        return -1;
    }
    if (r->event.type == YAML_MAPPING_END_EVENT) {
        return 1;
    }
    bool is_merge = r->event.type == YAML_SCALAR_EVENT &&
                    r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                    strcmp((const char *)r->event.data.scalar.value, "<<") == 0;
    struct value *key = compose(r, depth + 1);
    if (key == NULL || next_event(r) < 0) {
        return -1;
    }
    struct value *val = compose(r, depth + 1);
    if (val == NULL) {
        return -1;
    }
    if (is_merge) {
        *merge = val;
        return 0;
    }
    return add_pair(r, map, key, val);
}

/* PyYAML's way: what a merge brings stands before the map's own pairs, which count. */
static int add_merged(struct reader *r, struct value *map, const struct value *merge)
{
    if (r->plain == NULL) {
        return merge_into(r, map, merge, 0);
    }
    struct value *all = value_map(r->arena);
    place(all, (yaml_mark_t){.line = map->line - 1, .column = map->column - 1});
    if (merge_into(r, all, merge, 0) < 0) {
        return -1;
    }
    for (size_t i = 0; i < map->map.count; i++) {
        value_set_key(r->arena, all, map->map.pairs[i].key, map->map.pairs[i].val);
    }
    map->map = all->map;
    return 0;
}

static struct value *compose_map(struct reader *r, int depth)
{
    if (check_tag(r, r->event.data.mapping_start.tag, YAML_MAP_TAG) < 0) {
        return NULL;
    }
    struct value *map = value_map(r->arena), *merge = NULL;
    place(map, r->event.start_mark);
    size_t before = r->nodes;
    long anchor = open_anchor(r, r->event.data.mapping_start.anchor, map);
    int rc = anchor == -2 ? -1 : 0;
    while (rc == 0) {
        rc = compose_pair(r, map, &merge, depth);
    }
    if (rc < 0 || (merge != NULL && add_merged(r, map, merge) < 0)) {
        return NULL;
    }
    if (anchor >= 0) {
        r->anchors[anchor].open = false;
        r->anchors[anchor].weight = r->nodes - before + 1;
    }
    return map;
}

static struct value *compose_alias(struct reader *r)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    struct anchor *anchor = find_anchor(r, name);
    char text[256];
    if (anchor == NULL) {
        snprintf(text, sizeof(text), "found undefined alias %.100s", name);
        fail_at(r, ERR_FORMAT, r->event.start_mark, text);
        return NULL;
    }
    if (anchor->open) {
        snprintf(text, sizeof(text), "alias %.100s refers to a node that contains it", name);
        fail_at(r, ERR_FORMAT, r->event.start_mark, text);
        return NULL;
    }
    return count_nodes(r, anchor->weight, r->event.start_mark) == 0 ? anchor->node : NULL;
}

/* The node that the current event begins; ends with its last event current. */
static struct value *compose(struct reader *r, int depth)
{
    if (depth > MAX_DEPTH) {
        fail_at(r, ERR_LIMIT, r->event.start_mark, "nested deeper than 64 levels");
        return NULL;
    }
    if (r->event.type == YAML_ALIAS_EVENT) {
        return compose_alias(r);
    }
    if (count_nodes(r, 1, r->event.start_mark) < 0) {
        return NULL;
    }
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return compose_scalar(r);
    case YAML_SEQUENCE_START_EVENT:
        return compose_list(r, depth);
    case YAML_MAPPING_START_EVENT:
        return compose_map(r, depth);
    default:
        fail_at(r, ERR_FORMAT, r->event.start_mark, "unexpected end");
        return NULL;
    }
}

static struct value *compose_document(struct reader *r)
{
    if (next_event(r) < 0 || next_event(r) < 0) { /* stream start, then document start or end */
        return NULL;
    }
    if (r->event.type == YAML_STREAM_END_EVENT) {
        return value_null(r->arena);
    }
    if (next_event(r) < 0) {
        return NULL;
    }
    struct value *root = compose(r, 0);
    if (root == NULL || next_event(r) < 0 || next_event(r) < 0) { /* document end, stream end */
        return NULL;
    }
    if (r->event.type != YAML_STREAM_END_EVENT) {
        fail_at(r, ERR_FORMAT, r->event.start_mark,
                "expected a single document in the stream, but found another document");
        return NULL;
    }
    return root;
}

struct value *yaml_parse(struct arena *a, struct str text, const struct yaml_options *opt,
                         struct err *e)
{
    static const struct yaml_options defaults = {0};
    opt = opt != NULL ? opt : &defaults;
    struct reader r = {.arena = a,
                       .e = e,
                       .name = opt->name != NULL ? opt->name : "<yaml>",
                       .plain = opt->plain,
                       .max_nodes = opt->max_nodes > 0 ? opt->max_nodes : MAX_NODES};
    size_t max_bytes = opt->max_bytes > 0 ? opt->max_bytes : MAX_BYTES;
    if (text.n > max_bytes) {
        err_set(e, ERR_LIMIT, "%s: %zu bytes of YAML, at most %zu are read", r.name, text.n,
                max_bytes);
        return NULL;
    }
    if (str_utf8_valid(text) != text.n) {
        err_set(e, ERR_FORMAT, "%s: byte %zu: expected UTF-8 text", r.name, str_utf8_valid(text));
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        err_set(e, ERR_BUG, "libyaml could not be initialised");
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    struct value *root = compose_document(&r);
    if (r.has_event) {
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.parser);
    free(r.anchors);
    return root;
}

struct value *yaml_load(struct arena *a, const char *path, const struct yaml_options *opt,
                        struct err *e)
{
    struct yaml_options named = opt != NULL ? *opt : (struct yaml_options){0};
    if (named.name == NULL) {
        named.name = path;
    }
    struct strbuf text;
    strbuf_init(&text);
    struct value *root = NULL;
    if (fs_read(path, named.max_bytes > 0 ? named.max_bytes : MAX_BYTES, &text, e) == 0) {
        root = yaml_parse(a, strbuf_str(&text), &named, e);
    }
    strbuf_release(&text);
    return root;
}
