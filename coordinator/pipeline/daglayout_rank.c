/* daglayout_rank: the layers of a graph's drawing and the order of boxes in them; see daglayout.c. */
#include "daglayout_private.h"

#include "alloc.h"
#include "err.h"

void daglayout_push(struct links *l, uint32_t item)
{
    ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
    l->items[l->count++] = item;
}

static void drop(struct links *l, uint32_t item)
{
    size_t i = 0;
    while (i < l->count && l->items[i] != item) {
        i++;
    }
    if (i < l->count) {
        memmove(l->items + i, l->items + i + 1, (l->count - i - 1) * sizeof(*l->items));
        l->count--;
    }
}

/* --- rank ------------------------------------------------------------------------------------- */

/* Boxes in the order in which the edges join them: an edge appends the group of its lower end to
 * that of its upper end. */
static void join_order(struct layout *l, struct links *order)
{
    struct links *groups = xcalloc(l->count, sizeof(*groups));
    uint32_t *group = xcalloc(l->count, sizeof(*group));
    for (uint32_t i = 0; i < l->count; i++) {
        daglayout_push(&groups[i], i);
        group[i] = i;
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t a = group[l->edges[i].from], b = group[l->edges[i].to];
        for (size_t k = 0; a != b && k < groups[b].count; k++) {
            daglayout_push(&groups[a], groups[b].items[k]);
            group[groups[b].items[k]] = a;
        }
        groups[b].count = a == b ? groups[b].count : 0;
    }
    for (size_t i = 0; i < l->count; i++) {
        for (size_t k = 0; k < groups[i].count; k++) {
            daglayout_push(order, groups[i].items[k]);
        }
        free(groups[i].items);
    }
    free(groups);
    free(group);
}

static void put_in_layer(struct layout *l, uint32_t box, uint32_t rank)
{
    l->places[box].rank = rank;
    if (rank >= l->layer_count) {
        l->layer_count = rank + 1;
    }
    daglayout_push(&l->layers[rank], box);
}

static void rank_boxes(struct layout *l)
{
    struct links order = {0}, wave = {0}, next = {0};
    uint32_t *open = xcalloc(l->count, sizeof(*open));
    join_order(l, &order);
    for (size_t i = 0; i < order.count; i++) {
        open[order.items[i]] = (uint32_t)l->in[order.items[i]].count;
        if (open[order.items[i]] == 0) {
            daglayout_push(&wave, order.items[i]);
        }
    }
    while (wave.count) {
        next.count = 0;
        for (size_t i = 0; i < wave.count; i++) {
            uint32_t box = wave.items[i], rank = 0;
            for (size_t k = 0; k < l->in[box].count; k++) {
                uint32_t above = l->places[l->edges[l->in[box].items[k]].from].rank + 1;
                rank = above > rank ? above : rank;
            }
            put_in_layer(l, box, rank);
            for (size_t k = 0; k < l->out[box].count; k++) {
                uint32_t to = l->edges[l->out[box].items[k]].to;
                if (--open[to] == 0) {
                    daglayout_push(&next, to);
                }
            }
        }
        struct links swap = wave;
        wave = next;
        next = swap;
    }
    free(order.items);
    free(wave.items);
    free(next.items);
    free(open);
}

/* Nothing that uses `box` is above layer `rank`. */
static bool may_slide(const struct layout *l, uint32_t box, uint32_t rank)
{
    for (size_t k = 0; k < l->out[box].count; k++) {
        if (l->places[l->edges[l->out[box].items[k]].to].rank < rank) {
            return false;
        }
    }
    return true;
}

static void slide_down(struct layout *l)
{
    for (size_t r = l->layer_count; r-- > 1;) {
        for (size_t i = 0; i < l->layers[r].count; i++) {
            uint32_t box = l->layers[r].items[i];
            for (size_t k = 0; k < l->in[box].count; k++) {
                uint32_t from = l->edges[l->in[box].items[k]].from;
                if (may_slide(l, from, (uint32_t)r)) {
                    drop(&l->layers[l->places[from].rank], from);
                    put_in_layer(l, from, (uint32_t)r - 1);
                }
            }
        }
    }
}

/* --- dummies ---------------------------------------------------------------------------------- */

static int median_width(const struct layout *l)
{
    int *widths = xcalloc(l->count, sizeof(*widths));
    for (size_t i = 0; i < l->count; i++) {
        size_t k = i;
        for (; k > 0 && widths[k - 1] > l->places[i].width; k--) {
            widths[k] = widths[k - 1];
        }
        widths[k] = l->places[i].width;
    }
    int median = widths[l->count / 2];
    free(widths);
    return median;
}

static int add_dummies(struct layout *l, struct err *e)
{
    int width = median_width(l);
    l->paths = ARENA_ARRAY(&l->a, l->edge_count + 1, uint32_t *);
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t from = l->edges[i].from, to = l->edges[i].to;
        uint32_t top = l->places[from].rank, bottom = l->places[to].rank;
        uint32_t *path = ARENA_ARRAY(&l->a, bottom - top + 1u, uint32_t);
        l->paths[i] = path;
        path[0] = from;
        path[bottom - top] = to;
        for (uint32_t r = top + 1; r < bottom; r++) {
            if (l->place_count >= DAGLAYOUT_MAX_PLACES) {
                return daglayout_too_large(e);
            }
            ARRAY_RESERVE(l->places, l->place_count, l->place_capacity, 1);
            l->places[l->place_count] = (struct place){.width = width, .dummy = true};
            path[r - top] = (uint32_t)l->place_count;
            put_in_layer(l, (uint32_t)l->place_count++, r);
        }
    }
    return 0;
}

/* Neighbours layer by layer. A box meets its edges in the order given. */
static void link_layers(struct layout *l)
{
    for (uint32_t box = 0; box < l->count; box++) {
        for (size_t k = 0; k < l->in[box].count; k++) {
            uint32_t edge = l->in[box].items[k];
            uint32_t steps = l->places[box].rank - l->places[l->edges[edge].from].rank;
            daglayout_push(&l->places[box].near[0], l->paths[edge][steps - 1]);
        }
        for (size_t k = 0; k < l->out[box].count; k++) {
            daglayout_push(&l->places[box].near[1], l->paths[l->out[box].items[k]][1]);
        }
    }
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t steps = l->places[l->edges[i].to].rank - l->places[l->edges[i].from].rank;
        for (uint32_t k = 1; k < steps; k++) {
            daglayout_push(&l->places[l->paths[i][k]].near[0], l->paths[i][k - 1]);
            daglayout_push(&l->places[l->paths[i][k]].near[1], l->paths[i][k + 1]);
        }
    }
}

static void number_layer(struct layout *l, const struct links *layer)
{
    double step = layer->count > 1 ? 1.0 / (double)(layer->count - 1) : 1.0;
    for (size_t i = 0; i < layer->count; i++) {
        l->places[layer->items[i]].pos = (uint32_t)i;
        l->places[layer->items[i]].bar = (double)i * step;
    }
}

/* --- order ------------------------------------------------------------------------------------ */

int daglayout_compare_positions(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Crossings between a layer and its neighbour: inversions of the neighbours' positions, by a binary
 * indexed tree. */
static size_t crossings(const struct layout *l, const struct links *layer, int side, size_t width)
{
    size_t *tree = xcalloc(width + 2, sizeof(*tree)), total = 0, seen = 0;
    struct links pos = {0};
    for (size_t i = 0; i < layer->count; i++) {
        const struct links *near = &l->places[layer->items[i]].near[side];
        pos.count = 0;
        for (size_t k = 0; k < near->count; k++) {
            daglayout_push(&pos, l->places[near->items[k]].pos);
        }
        if (pos.count) {
            qsort(pos.items, pos.count, sizeof(uint32_t), daglayout_compare_positions);
        }
        for (size_t k = 0; k < pos.count; k++) {
            size_t below = 0;
            for (size_t t = pos.items[k] + 1; t > 0; t -= t & (~t + 1)) {
                below += tree[t];
            }
            total += seen - below;
            seen++;
            for (size_t t = pos.items[k] + 1; t <= width; t += t & (~t + 1)) {
                tree[t]++;
            }
        }
    }
    free(pos.items);
    free(tree);
    return total;
}

/* Stable, by barycentre. */
static void sort_layer(struct layout *l, struct links *layer)
{
    for (size_t i = 1; i < layer->count; i++) {
        uint32_t item = layer->items[i];
        size_t k = i;
        for (; k > 0 && l->places[layer->items[k - 1]].bar > l->places[item].bar; k--) {
            layer->items[k] = layer->items[k - 1];
        }
        layer->items[k] = item;
    }
}

/* Exchanges neighbours where that saves crossings; returns how many are left between neighbours. */
static size_t swap_neighbours(struct layout *l, struct links *layer, int side)
{
    size_t left = 0;
    for (size_t i = 0; i + 1 < layer->count; i++) {
        const struct links *a = &l->places[layer->items[i]].near[side],
                           *b = &l->places[layer->items[i + 1]].near[side];
        size_t now = 0, swapped = 0;
        for (size_t n = 0; n < b->count; n++) {
            for (size_t m = 0; m < a->count; m++) {
                bool over = l->places[a->items[m]].bar > l->places[b->items[n]].bar;
                now += over;
                swapped += !over;
            }
        }
        if (swapped < now) {
            uint32_t t = layer->items[i];
            layer->items[i] = layer->items[i + 1];
            layer->items[i + 1] = t;
            left += swapped;
        } else {
            left += now;
        }
    }
    return left;
}

static size_t order_layer(struct layout *l, size_t r, int side)
{
    bool edge = side == 0 ? r == 0 : r + 1 == l->layer_count;
    struct links *layer = &l->layers[r];
    size_t width = edge ? 0 : l->layers[side == 0 ? r - 1 : r + 1].count;
    size_t n = edge ? 0 : crossings(l, layer, side, width);
    if (n == 0) {
        return 0;
    }
    for (size_t i = 0; i < layer->count; i++) {
        struct place *p = &l->places[layer->items[i]];
        double sum = 0;
        for (size_t k = 0; k < p->near[side].count; k++) {
            sum += l->places[p->near[side].items[k]].bar;
        }
        p->bar = p->near[side].count ? sum / (double)p->near[side].count : p->bar;
    }
    sort_layer(l, layer);
    n = swap_neighbours(l, layer, side);
    number_layer(l, layer);
    return n;
}

static size_t sweep_down(struct layout *l)
{
    size_t n = 0;
    for (size_t r = 0; r < l->layer_count; r++) {
        n += order_layer(l, r, 0);
    }
    return n;
}

static void order_layers(struct layout *l)
{
    if (sweep_down(l) > 0) {
        for (size_t r = l->layer_count; r-- > 0;) {
            order_layer(l, r, 1);
        }
    }
    sweep_down(l);
}

int daglayout_rank(struct layout *l, struct err *e)
{
    rank_boxes(l);
    slide_down(l);
    if (add_dummies(l, e) < 0) {
        return -1;
    }
    link_layers(l);
    for (size_t i = 0; i < l->layer_count; i++) {
        number_layer(l, &l->layers[i]);
    }
    order_layers(l);
    return 0;
}
