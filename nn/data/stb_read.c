/*
 * The one place where stb_image is compiled: JPEG and PNG only, from memory only, with every
 * allocation counted against the thread's budget. image.c is its only caller.
 */
#include "stb_budget.h"

#include <malloc.h>
#include <stdlib.h>

struct budget {
    size_t left;
    bool refused;
};

/* Per thread, set for the duration of one decode: stb's hooks take no argument to carry it. */
static _Thread_local struct budget budget;

void stb_budget_begin(size_t bytes)
{
    budget = (struct budget){.left = bytes};
}

bool stb_budget_end(void)
{
    bool refused = budget.refused;

    budget = (struct budget){0};
    return refused;
}

static void *budget_take(void *p)
{
    size_t n = p ? malloc_usable_size(p) : 0;

    budget.left -= n < budget.left ? n : budget.left;
    return p;
}

static void *budget_malloc(size_t n)
{
    if (n > budget.left) {
        budget.refused = true;
        return NULL;
    }
    /* Zeroed: the decoder of 2022 uses Huffman tables that a file never defined as they come from
     * the heap, and then reads far outside (found by image_fuzz). All-zero tables give zeros. */
    return budget_take(calloc(1, n));
}

static void budget_free(void *p)
{
    if (p != NULL) {
        budget.left += malloc_usable_size(p);
    }
    free(p);
}

static void *budget_realloc(void *p, size_t n)
{
    size_t held = p ? malloc_usable_size(p) : 0;

    if (n > budget.left) { /* both blocks may live while it moves */
        budget.refused = true;
        return NULL;
    }
    void *moved = realloc(p, n);
    if (moved != NULL) {
        budget.left += held;
        budget_take(moved);
    }
    return moved;
}

#define STBI_MALLOC(n) budget_malloc(n)
#define STBI_FREE(p) budget_free(p)
#define STBI_REALLOC(p, n) budget_realloc(p, n)
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
