#ifndef NEPHRON_DAGLAYOUT_PRIVATE_H
#define NEPHRON_DAGLAYOUT_PRIVATE_H

#include "arena.h"
#include "daglayout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* The steps of daglayout.c, and the one struct that they work on. */

#define DAGLAYOUT_MAX_PLACES 20000
#define DAGLAYOUT_BOX_HEIGHT 3
#define DAGLAYOUT_LAYER_GAP 3

struct links {
    uint32_t *items;
    size_t count, capacity;
};

struct place {
    uint32_t rank, pos;
    double bar; /* position in the layer as 0..1 */
    int width;
    bool dummy;
    struct links near[2]; /* neighbours in the layer above [0] and below [1] */
    /* one alignment */
    uint32_t root, align, sink;
    double shift, at;
    bool placed;
    double x[4];
    double cx, cy; /* centre */
};

struct layout {
    const struct daglayout_edge *edges;
    size_t edge_count;
    size_t count;         /* boxes */
    struct place *places; /* boxes, then dummies */
    size_t place_count, place_capacity;
    struct links *layers;
    size_t layer_count;
    uint32_t **paths;       /* per edge: the places it runs through, ends included */
    struct links *in, *out; /* per box: edges in the order given */
    struct arena a;
    double gap;
    /* conflicts: pairs upper << 32 | lower, sorted */
    uint64_t *conflicts;
    size_t conflict_count, conflict_capacity;
};

int daglayout_too_large(struct err *e);
void daglayout_push(struct links *l, uint32_t item);
/* For qsort: uint32_t by size. */
int daglayout_compare_positions(const void *a, const void *b);
/* Layers and the order in them: rank, dummies, order. */
int daglayout_rank(struct layout *l, struct err *e);
/* The centres of all places of ordered layers. */
void daglayout_centre(struct layout *l);

#endif
