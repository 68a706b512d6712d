#ifndef NEPHRON_VALUE_H
#define NEPHRON_VALUE_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One document tree for YAML, JSON and TOML: what the parsers return, what params, lock files and
 * templates work on, and what `--json` output is built from. All nodes live in an arena and point
 * into it; nothing is freed singly. Maps keep the order of the source, keys are scalars and are
 * looked up by their text ("1" finds the integer key 1); from 16 pairs on a hash index makes the
 * look-up constant. Text is UTF-8 and NUL-terminated in memory.
 */

#define VALUE_TYPES(X)                                                                             \
    X(NULL, "null")                                                                                \
    X(BOOL, "bool")                                                                                \
    X(INT, "int")                                                                                  \
    X(BIGINT, "int") /* beyond 64 bits: the decimal text is in `s` */                              \
    X(FLOAT, "float")                                                                              \
    X(STR, "str")                                                                                  \
    X(DATE, "date") /* TOML dates only: the source text is in `s` */                               \
    X(LIST, "list")                                                                                \
    X(MAP, "dict")

enum value_type {
#define X(name, text) VALUE_##name,
    VALUE_TYPES(X)
#undef X
};

struct value_pair {
    struct value *key; /* a scalar */
    struct value *val;
};

struct value {
    enum value_type type;
    unsigned line, column; /* 1-based place in the source; 0: made by the program */
    union {
        bool b;
        int64_t i;
        double f;
        struct str s;
        struct {
            struct value **items;
            size_t count, capacity;
        } list;
        struct {
            struct value_pair *pairs;
            size_t count, capacity;
            uint32_t *index; /* private to value.c */
            size_t index_size;
        } map;
    };
};

const char *value_type_name(enum value_type t); /* Python's word: "str", "dict", … */

struct value *value_null(struct arena *a);
struct value *value_bool(struct arena *a, bool b);
struct value *value_int(struct arena *a, int64_t i);
struct value *value_float(struct arena *a, double f);
struct value *value_str(struct arena *a, struct str s); /* copies */
struct value *value_cstr(struct arena *a, const char *s);
struct value *value_list(struct arena *a);
struct value *value_map(struct arena *a);

void value_push(struct arena *a, struct value *list, struct value *item);
/* Adds or replaces by the key's text; a replaced pair keeps its place. */
void value_set(struct arena *a, struct value *map, const char *key, struct value *val);
void value_set_key(struct arena *a, struct value *map, struct value *key, struct value *val);
/* Adds without looking for the key: for parsers that check duplicates themselves. */
void value_append(struct arena *a, struct value *map, struct value *key, struct value *val);

/* NULL when absent, or when `map` is NULL or no map. */
struct value *value_get(const struct value *map, const char *key);
struct value *value_get_str(const struct value *map, struct str key);
/* Dotted path with list indices as DVC reads params: "a.b", "a[0].c", "a.0". NULL when absent. */
struct value *value_find(const struct value *root, const char *dotted);
bool value_remove(struct value *map, const char *key);

bool value_is_scalar(const struct value *v);
/* The number that a bool, int or float is; false: it is none of these. */
bool value_as_double(const struct value *v, double *out);
/* Equal by value as Python's ==: 1 == 1.0 == True, map order irrelevant, NaN never equal. */
bool value_eq(const struct value *a, const struct value *b);
struct value *value_copy(struct arena *a, const struct value *v); /* deep */

/* Text of a map key or scalar as Python's str(): True, None, 0.1, abc. */
void value_text(struct strbuf *b, const struct value *v);
/* As Python's repr(): quoted strings, [1, 'a'], {'k': 1.0}. */
void value_repr(struct strbuf *b, const struct value *v);
/* The view of a string value, or the empty view for any other type and for NULL. */
struct str value_as_str(const struct value *v);

#endif
