/* The document tree; see value.h. */

#include "value.h"

#include "num.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INDEX_FROM 16 /* pairs: below, a scan of the keys is faster than the hash */

const char *value_type_name(enum value_type t)
{
    static const char *const names[] = {
#define X(name, text) text,
        VALUE_TYPES(X)
#undef X
    };
    return names[t];
}

static struct value *new_value(struct arena *a, enum value_type type)
{
    struct value *v = ARENA_NEW(a, struct value);
    v->type = type;
    return v;
}

struct value *value_null(struct arena *a)
{
    return new_value(a, VALUE_NULL);
}

struct value *value_bool(struct arena *a, bool b)
{
    struct value *v = new_value(a, VALUE_BOOL);
    v->b = b;
    return v;
}

struct value *value_int(struct arena *a, int64_t i)
{
    struct value *v = new_value(a, VALUE_INT);
    v->i = i;
    return v;
}

struct value *value_float(struct arena *a, double f)
{
    struct value *v = new_value(a, VALUE_FLOAT);
    v->f = f;
    return v;
}

struct value *value_str(struct arena *a, struct str s)
{
    struct value *v = new_value(a, VALUE_STR);
    v->s = arena_str(a, s);
    return v;
}

struct value *value_cstr(struct arena *a, const char *s)
{
    return s != NULL ? value_str(a, str_from(s)) : value_null(a);
}

struct value *value_list(struct arena *a)
{
    return new_value(a, VALUE_LIST);
}

struct value *value_map(struct arena *a)
{
    return new_value(a, VALUE_MAP);
}

/* Arena arrays grow by doubling; the abandoned half stays until the arena goes. */
static void *grow(struct arena *a, void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return old;
    }
    size_t wanted = *capacity > 0 ? *capacity * 2 : 4;
    void *p = arena_alloc_array(a, wanted, size);
    if (count > 0) {
        memcpy(p, old, count * size);
    }
    *capacity = wanted;
    return p;
}

void value_push(struct arena *a, struct value *list, struct value *item)
{
    list->list.items =
        grow(a, list->list.items, list->list.count, &list->list.capacity, sizeof(struct value *));
    list->list.items[list->list.count++] = item;
}

/* The text of a scalar as a view; numbers are written into `tmp`. */
static struct str key_text(const struct value *key, char tmp[NUM_TEXT_SIZE])
{
    switch (key->type) {
    case VALUE_STR:
    case VALUE_BIGINT:
    case VALUE_DATE:
        return key->s;
    case VALUE_INT:
        snprintf(tmp, NUM_TEXT_SIZE, "%lld", (long long)key->i);
        return str_from(tmp);
    case VALUE_FLOAT:
        num_repr(tmp, key->f);
        return str_from(tmp);
    case VALUE_BOOL:
        return key->b ? STR("True") : STR("False");
    default:
        return STR("None");
    }
}

static uint32_t hash_text(struct str s)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    }
    return h ^ (h >> 15);
}

/* Open addressing; a slot holds pair number + 1, 0 is free. */
static void index_put(struct value *map, size_t pair)
{
    char tmp[NUM_TEXT_SIZE];
    size_t mask = map->map.index_size - 1;
    size_t at = hash_text(key_text(map->map.pairs[pair].key, tmp)) & mask;
    while (map->map.index[at] != 0) {
        at = (at + 1) & mask;
    }
    map->map.index[at] = (uint32_t)pair + 1;
}

static void index_rebuild(struct arena *a, struct value *map)
{
    size_t size = 64;
    while (size < map->map.count * 3) {
        size *= 2;
    }
    map->map.index = ARENA_ARRAY(a, size, uint32_t);
    map->map.index_size = size;
    for (size_t i = 0; i < map->map.count; i++) {
        index_put(map, i);
    }
}

static struct value_pair *find_pair(const struct value *map, struct str key)
{
    char tmp[NUM_TEXT_SIZE];
    if (map == NULL || map->type != VALUE_MAP) {
        return NULL;
    }
    if (map->map.index == NULL) {
        for (size_t i = 0; i < map->map.count; i++) {
            if (str_eq(key_text(map->map.pairs[i].key, tmp), key)) {
                return &map->map.pairs[i];
            }
        }
        return NULL;
    }
    size_t mask = map->map.index_size - 1;
    for (size_t at = hash_text(key) & mask; map->map.index[at] != 0; at = (at + 1) & mask) {
        struct value_pair *pair = &map->map.pairs[map->map.index[at] - 1];
        if (str_eq(key_text(pair->key, tmp), key)) {
            return pair;
        }
    }
    return NULL;
}

void value_append(struct arena *a, struct value *map, struct value *key, struct value *val)
{
    map->map.pairs =
        grow(a, map->map.pairs, map->map.count, &map->map.capacity, sizeof(struct value_pair));
    map->map.pairs[map->map.count++] = (struct value_pair){key, val};
    if (map->map.count < INDEX_FROM) {
        return;
    }
    if (map->map.count * 3 > map->map.index_size * 2) {
        index_rebuild(a, map);
    } else {
        index_put(map, map->map.count - 1);
    }
}

void value_set_key(struct arena *a, struct value *map, struct value *key, struct value *val)
{
    char tmp[NUM_TEXT_SIZE];
    struct value_pair *pair = find_pair(map, key_text(key, tmp));
    if (pair != NULL) {
        pair->val = val;
    } else {
        value_append(a, map, key, val);
    }
}

void value_set(struct arena *a, struct value *map, const char *key, struct value *val)
{
    struct value_pair *pair = find_pair(map, str_from(key));
    if (pair != NULL) {
        pair->val = val;
    } else {
        value_append(a, map, value_cstr(a, key), val);
    }
}

struct value *value_get_str(const struct value *map, struct str key)
{
    struct value_pair *pair = find_pair(map, key);
    return pair != NULL ? pair->val : NULL;
}

struct value *value_get(const struct value *map, const char *key)
{
    return value_get_str(map, str_from(key));
}

static struct value *step_into(const struct value *v, struct str part)
{
    if (v == NULL) {
        return NULL;
    }
    if (v->type == VALUE_MAP) {
        return value_get_str(v, part);
    }
    int64_t i;
    if (v->type == VALUE_LIST && num_parse_int(part, &i)) {
        i = i < 0 ? i + (int64_t)v->list.count : i;
        return i >= 0 && (size_t)i < v->list.count ? v->list.items[i] : NULL;
    }
    return NULL;
}

struct value *value_find(const struct value *root, const char *dotted)
{
    const struct value *v = root;
    struct str rest = str_from(dotted), part;
    while (v != NULL && str_split(&rest, '.', &part)) {
        const char *bracket = part.n > 0 ? memchr(part.p, '[', part.n) : NULL;
        if (bracket == NULL || part.p[part.n - 1] != ']') {
            v = step_into(v, part);
            continue;
        }
        size_t name_length = (size_t)(bracket - part.p);
        if (name_length > 0) {
            v = step_into(v, str_sub(part, 0, name_length));
        }
        struct str indices = str_sub(part, name_length, part.n), index;
        while (v != NULL && str_split(&indices, ']', &index)) {
            if (index.n > 0) {
                v = index.p[0] == '[' ? step_into(v, str_sub(index, 1, index.n)) : NULL;
            }
        }
    }
    return (struct value *)v;
}

bool value_remove(struct value *map, const char *key)
{
    struct value_pair *pair = find_pair(map, str_from(key));
    if (pair == NULL) {
        return false;
    }
    size_t at = (size_t)(pair - map->map.pairs);
    memmove(pair, pair + 1, (map->map.count - at - 1) * sizeof(*pair));
    map->map.count--;
    if (map->map.index != NULL) {
        memset(map->map.index, 0, map->map.index_size * sizeof(uint32_t));
        for (size_t i = 0; i < map->map.count; i++) {
            index_put(map, i);
        }
    }
    return true;
}

bool value_is_scalar(const struct value *v)
{
    return v->type != VALUE_LIST && v->type != VALUE_MAP;
}

bool value_as_double(const struct value *v, double *out)
{
    switch (v->type) {
    case VALUE_BOOL:
        *out = v->b;
        return true;
    case VALUE_INT:
        *out = (double)v->i;
        return true;
    case VALUE_FLOAT:
        *out = v->f;
        return true;
    default:
        return false;
    }
}

static bool map_eq(const struct value *a, const struct value *b)
{
    char tmp[NUM_TEXT_SIZE];
    if (a->map.count != b->map.count) {
        return false;
    }
    for (size_t i = 0; i < a->map.count; i++) {
        const struct value_pair *pair = &a->map.pairs[i];
        const struct value_pair *other = find_pair(b, key_text(pair->key, tmp));
        if (other == NULL || !value_eq(pair->key, other->key) || !value_eq(pair->val, other->val)) {
            return false;
        }
    }
    return true;
}

bool value_eq(const struct value *a, const struct value *b)
{
    double x, y;
    if (a->type == VALUE_INT && b->type == VALUE_INT) {
        return a->i == b->i;
    }
    if (value_as_double(a, &x) && value_as_double(b, &y)) {
        return x == y;
    }
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_LIST:
        if (a->list.count != b->list.count) {
            return false;
        }
        for (size_t i = 0; i < a->list.count; i++) {
            if (!value_eq(a->list.items[i], b->list.items[i])) {
                return false;
            }
        }
        return true;
    case VALUE_MAP:
        return map_eq(a, b);
    default:
        return str_eq(a->s, b->s);
    }
}

struct value *value_copy(struct arena *a, const struct value *v)
{
    struct value *copy = new_value(a, v->type);
    copy->line = v->line;
    copy->column = v->column;
    switch (v->type) {
    case VALUE_LIST:
        for (size_t i = 0; i < v->list.count; i++) {
            value_push(a, copy, value_copy(a, v->list.items[i]));
        }
        break;
    case VALUE_MAP:
        for (size_t i = 0; i < v->map.count; i++) {
            value_append(a, copy, value_copy(a, v->map.pairs[i].key),
                         value_copy(a, v->map.pairs[i].val));
        }
        break;
    case VALUE_STR:
    case VALUE_BIGINT:
    case VALUE_DATE:
        copy->s = arena_str(a, v->s);
        break;
    case VALUE_BOOL:
        copy->b = v->b;
        break;
    case VALUE_INT:
        copy->i = v->i;
        break;
    case VALUE_FLOAT:
        copy->f = v->f;
        break;
    case VALUE_NULL:
        break;
    }
    return copy;
}

/* Python's repr of a str: single quotes unless the text has them and no double ones. */
static void repr_text(struct strbuf *b, struct str s)
{
    bool has_single = s.n > 0 && memchr(s.p, '\'', s.n) != NULL;
    bool has_double = s.n > 0 && memchr(s.p, '"', s.n) != NULL;
    char quote = has_single && !has_double ? '"' : '\'';
    strbuf_addch(b, quote);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == (unsigned char)quote || c == '\\') {
            strbuf_addch(b, '\\');
            strbuf_addch(b, (char)c);
        } else if (c == '\n') {
            strbuf_adds(b, "\\n");
        } else if (c == '\r') {
            strbuf_adds(b, "\\r");
        } else if (c == '\t') {
            strbuf_adds(b, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            strbuf_addf(b, "\\x%02x", c);
        } else {
            strbuf_addch(b, (char)c);
        }
    }
    strbuf_addch(b, quote);
}

void value_repr(struct strbuf *b, const struct value *v)
{
    char tmp[NUM_TEXT_SIZE];
    switch (v->type) {
    case VALUE_STR:
        repr_text(b, v->s);
        return;
    case VALUE_LIST:
        strbuf_addch(b, '[');
        for (size_t i = 0; i < v->list.count; i++) {
            strbuf_adds(b, i > 0 ? ", " : "");
            value_repr(b, v->list.items[i]);
        }
        strbuf_addch(b, ']');
        return;
    case VALUE_MAP:
        strbuf_addch(b, '{');
        for (size_t i = 0; i < v->map.count; i++) {
            strbuf_adds(b, i > 0 ? ", " : "");
            value_repr(b, v->map.pairs[i].key);
            strbuf_adds(b, ": ");
            value_repr(b, v->map.pairs[i].val);
        }
        strbuf_addch(b, '}');
        return;
    default:
        strbuf_addstr(b, key_text(v, tmp));
    }
}

void value_text(struct strbuf *b, const struct value *v)
{
    if (v->type == VALUE_STR) {
        strbuf_addstr(b, v->s);
    } else {
        value_repr(b, v);
    }
}

struct str value_as_str(const struct value *v)
{
    return v != NULL && v->type == VALUE_STR ? v->s : (struct str){"", 0};
}
