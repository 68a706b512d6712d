/* daglayout_centre: where boxes stand, by the mean of four alignments; see daglayout.c. */
#include "daglayout_private.h"

#include "alloc.h"

#include <math.h>

static int compare_pairs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool above_is_dummy(const struct layout *l, const struct place *p)
{
    return p->near[0].count && l->places[p->near[0].items[0]].dummy;
}

/* Edges of boxes that cross the line between two dummies give way to it (type 1 of Brandes and
 * Köpf). */
static void find_conflicts(struct layout *l)
{
    for (size_t r = 1; r < l->layer_count; r++) {
        const struct links *layer = &l->layers[r];
        uint32_t low = 0, widest = (uint32_t)l->layers[r - 1].count - 1;
        size_t from = 0;
        for (size_t i = 0; i < layer->count; i++) {
            const struct place *p = &l->places[layer->items[i]];
            bool inner = p->dummy && above_is_dummy(l, p);
            if (!p->dummy || !(i + 1 == layer->count || inner)) {
                continue;
            }
            uint32_t high = inner ? l->places[p->near[0].items[0]].pos : widest;
            for (; from <= i; from++) {
                const struct links *near = &l->places[layer->items[from]].near[0];
                for (size_t k = 0; k < near->count; k++) {
                    uint32_t pos = l->places[near->items[k]].pos;
                    if (pos < low || pos > high) {
                        ARRAY_RESERVE(l->conflicts, l->conflict_count, l->conflict_capacity, 1);
                        l->conflicts[l->conflict_count++] =
                            (uint64_t)near->items[k] << 32 | layer->items[from];
                    }
                }
            }
            low = high;
        }
    }
    if (l->conflict_count) {
        qsort(l->conflicts, l->conflict_count, sizeof(uint64_t), compare_pairs);
    }
}

static bool in_conflict(const struct layout *l, uint32_t upper, uint32_t lower)
{
    uint64_t pair = (uint64_t)upper << 32 | lower;
    return l->conflict_count &&
           bsearch(&pair, l->conflicts, l->conflict_count, sizeof(pair), compare_pairs) != NULL;
}

/* The middle neighbours' positions: one, or two of an even number, in the order of the pull. */
static size_t medians(const struct layout *l, const struct links *near, bool leftward,
                      uint32_t out[2])
{
    size_t n = near->count;
    if (n == 0) {
        return 0;
    }
    uint32_t *pos = xcalloc(n, sizeof(*pos));
    for (size_t k = 0; k < n; k++) {
        pos[k] = l->places[near->items[k]].pos;
    }
    qsort(pos, n, sizeof(*pos), daglayout_compare_positions);
    size_t low = (n - 1) / 2, high = n / 2;
    out[0] = pos[leftward ? low : high];
    out[1] = pos[leftward ? high : low];
    free(pos);
    return low == high ? 1 : 2;
}

static void align_layer(struct layout *l, const struct links *layer, const struct links *beside,
                        int side, bool leftward)
{
    long last = -1;
    for (size_t i = 0; i < layer->count; i++) {
        uint32_t v = layer->items[leftward ? i : layer->count - 1 - i], middle[2];
        size_t n = medians(l, &l->places[v].near[side], leftward, middle);
        for (size_t k = 0; k < n; k++) {
            uint32_t u = beside->items[middle[k]];
            /* positions counted from the side of the pull */
            long pos = leftward ? (long)middle[k] : (long)(beside->count - 1 - middle[k]);
            bool free_v = l->places[v].align == v;
            bool blocked = side == 0 ? in_conflict(l, u, v) : in_conflict(l, v, u);
            if (free_v && !blocked && pos > last) {
                l->places[u].align = v;
                l->places[v].root = l->places[u].root;
                l->places[v].align = l->places[v].root;
                last = pos;
            }
        }
    }
}

/* Puts the block of root v beside its placed neighbours. */
static void place_block(struct layout *l, uint32_t v, bool leftward)
{
    struct place *p = l->places;
    if (p[v].placed) {
        return;
    }
    p[v].placed = true;
    p[v].at = 0;
    uint32_t w = v;
    do {
        const struct links *layer = &l->layers[p[w].rank];
        bool has = leftward ? p[w].pos > 0 : p[w].pos + 1 < layer->count;
        if (has) {
            uint32_t beside = layer->items[leftward ? p[w].pos - 1 : p[w].pos + 1];
            uint32_t u = p[beside].root;
            double delta = l->gap + (p[beside].width + p[w].width) / 2.0;
            place_block(l, u, leftward);
            if (p[v].sink == v) {
                p[v].sink = p[u].sink;
            }
            if (p[v].sink != p[u].sink) {
                uint32_t s = p[u].sink;
                p[s].shift = fmin(p[s].shift, p[v].at - (p[u].at + delta));
            } else {
                p[v].at = fmax(p[v].at, p[u].at + delta);
            }
        }
        w = p[w].align;
    } while (w != v);
}

/* Alignment number k: 0 from the upper left, 1 upper right, 2 lower left, 3 lower right. */
static void place_one_way(struct layout *l, int k)
{
    bool leftward = k % 2 == 0;
    int side = k < 2 ? 0 : 1;
    size_t n = l->layer_count;
    for (uint32_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i];
        p->root = p->align = p->sink = i;
        p->shift = INFINITY;
        p->placed = false;
        p->at = 0;
    }
    for (size_t i = 1; i < n; i++) {
        size_t r = side == 0 ? i : n - 1 - i;
        align_layer(l, &l->layers[r], &l->layers[side == 0 ? r - 1 : r + 1], side, leftward);
    }
    for (size_t i = 0; i < n; i++) {
        const struct links *layer = &l->layers[side == 0 ? i : n - 1 - i];
        for (size_t m = 0; m < layer->count; m++) {
            uint32_t v = layer->items[leftward ? m : layer->count - 1 - m];
            if (l->places[v].root == v) {
                place_block(l, v, leftward);
            }
        }
    }
    for (size_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i], *root = &l->places[p->root];
        double shift = l->places[root->sink].shift;
        double x = root->at + (isinf(shift) ? 0 : shift);
        p->x[k] = leftward ? x : -x;
    }
}

void daglayout_centre(struct layout *l)
{
    find_conflicts(l);
    for (int k = 0; k < 4; k++) {
        place_one_way(l, k);
    }
    for (size_t i = 0; i < l->place_count; i++) {
        struct place *p = &l->places[i];
        double x[4];
        for (int k = 0; k < 4; k++) {
            int at = k;
            for (; at > 0 && x[at - 1] > p->x[k]; at--) {
                x[at] = x[at - 1];
            }
            x[at] = p->x[k];
        }
        p->cx = (x[1] + x[2]) / 2.0;
        p->cy = p->rank * (double)(DAGLAYOUT_BOX_HEIGHT + DAGLAYOUT_LAYER_GAP) +
                DAGLAYOUT_BOX_HEIGHT / 2.0;
    }
}
