#ifndef NEPHRON_ARENA_H
#define NEPHRON_ARENA_H

#include "str.h"

#include <stddef.h>

/*
 * Bump allocator for parsed documents and graphs: many small objects, one release. Memory is
 * zeroed, aligned to 16 bytes and never moves. Not thread-safe; one arena a thread.
 */

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first; private to arena.c */
    size_t bytes_used;
};

void arena_init(struct arena *a);
void arena_release(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed; never NULL */
void *arena_alloc_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* NUL-terminated copy */
struct str arena_str(struct arena *a, struct str s);           /* copy, also NUL-terminated */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_alloc_array((a), (count), sizeof(type)))

#endif
