/* Heap allocation that ends the program when memory is gone; see alloc.h. */

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void alloc_failed(size_t n)
{
    fprintf(stderr, "nephron: out of memory while asking for %zu bytes\n", n);
    _exit(1); /* not exit: libraries would be taken down under the feet of other threads */
}

void *xmalloc(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);
    if (p == NULL) {
        alloc_failed(n);
    }
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (p == NULL) {
        alloc_failed(count * size);
    }
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n > 0 ? n : 1);
    if (q == NULL) {
        alloc_failed(n);
    }
    return q;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

bool size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void *alloc_grow(void *items, size_t count, size_t extra, size_t item_size, size_t *capacity)
{
    size_t want, bytes;
    if (!size_add(count, extra, &want)) {
        alloc_failed((size_t)-1);
    }
    if (want <= *capacity && items != NULL) {
        return items;
    }
    size_t grown = *capacity + *capacity / 2 + 8;
    if (grown < want) {
        grown = want;
    }
    if (!size_mul(grown, item_size, &bytes)) {
        alloc_failed((size_t)-1);
    }
    *capacity = grown;
    return xrealloc(items, bytes);
}
