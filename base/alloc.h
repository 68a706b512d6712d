#ifndef NEPHRON_ALLOC_H
#define NEPHRON_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Heap allocation for bounded command-line paths: these functions never return NULL, a machine
 * that is out of memory ends the program with a message. Sizes that come from outside (image
 * headers, checkpoints, requests) are range-checked by the caller and go through size_mul first.
 */

/* The end of the program: also for libraries that could not get their memory. */
_Noreturn void alloc_failed(size_t n);
/* uthash's own way is exit(-1) without a word; project headers come before library headers. */
#define uthash_fatal(message) alloc_failed(0)

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* *out = a * b; false (and *out untouched) when the product overflows. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);

/*
 * Growable arrays: `T *items; size_t count, capacity;`. Makes room for `extra` more items.
 *     ARRAY_RESERVE(g->nodes, g->count, g->capacity, 1);
 *     g->nodes[g->count++] = node;
 */
#define ARRAY_RESERVE(items, count, capacity, extra)                                               \
    ((items) = alloc_grow((items), (count), (extra), sizeof(*(items)), &(capacity)))
void *alloc_grow(void *items, size_t count, size_t extra, size_t item_size, size_t *capacity);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
