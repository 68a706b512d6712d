/* Bump allocator; see arena.h. Blocks double up to 1 MiB, larger requests get their own block. */

#include "arena.h"

#include "alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16
#define FIRST_BLOCK 4096
#define LARGEST_BLOCK ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_release(struct arena *a)
{
    for (struct arena_block *b = a->blocks; b != NULL;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    arena_init(a);
}

static struct arena_block *new_block(struct arena *a, size_t n)
{
    size_t size = a->blocks != NULL ? a->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK) {
        size = LARGEST_BLOCK;
    }
    if (size < n) {
        size = n;
    }
    size_t bytes;
    if (!size_add(size, sizeof(struct arena_block), &bytes)) {
        bytes = (size_t)-1; /* xcalloc ends the program */
    }
    struct arena_block *b = xcalloc(1, bytes);
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need;
    if (!size_add(n, ALIGNMENT - 1, &need)) {
        need = (size_t)-1 & ~(size_t)(ALIGNMENT - 1);
    }
    need &= ~(size_t)(ALIGNMENT - 1);
    struct arena_block *b = a->blocks;
    if (b == NULL || b->size - b->used < need) {
        b = new_block(a, need);
    }
    void *p = b->data + b->used;
    b->used += need;
    a->bytes_used += need;
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (!size_mul(count, size, &n)) {
        n = (size_t)-1;
    }
    return arena_alloc(a, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (n > 0) {
        memcpy(p, s, n);
    }
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_strndup(a, s.p, s.n), s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    size_t size = n > 0 ? (size_t)n : 0;
    char *p = arena_alloc(a, size + 1);
    vsnprintf(p, size + 1, fmt, again);
    va_end(again);
    return p;
}
