/* Sorted names with binary search. */
#include "nameindex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nameindex_init(struct nameindex *ix, struct arena *a, size_t count)
{
    ix->refs = ARENA_ARRAY(a, count, struct nameindex_ref);
    ix->count = count;
}

static int by_name(const void *a, const void *b)
{
    const struct nameindex_ref *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    if (order != 0) {
        return order;
    }
    return x->item < y->item ? -1 : x->item > y->item;
}

size_t nameindex_sort(struct nameindex *ix)
{
    if (ix->count < 2) {
        return NAMEINDEX_NONE;
    }
    qsort(ix->refs, ix->count, sizeof(ix->refs[0]), by_name);
    for (size_t i = 1; i < ix->count; i++) {
        if (str_eq(ix->refs[i - 1].name, ix->refs[i].name)) {
            return ix->refs[i].item;
        }
    }
    return NAMEINDEX_NONE;
}

size_t nameindex_find(const struct nameindex *ix, struct str name)
{
    size_t low = 0, high = ix->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = str_cmp(ix->refs[mid].name, name);
        if (order == 0) {
            return ix->refs[mid].item;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NAMEINDEX_NONE;
}

static size_t show_bytes(char *out, size_t room, const char *p, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 5 < room; i++) {
        unsigned char ch = (unsigned char)p[i];
        if (ch >= 0x20 && ch < 0x7F) {
            out[used++] = (char)ch;
        } else {
            used += (size_t)snprintf(out + used, room - used, "\\x%02x", ch);
        }
    }
    out[used] = '\0';
    return used;
}

struct nameindex_text nameindex_show(struct str name)
{
    struct nameindex_text t = {{0}};
    if (name.n <= 80) {
        show_bytes(t.text, sizeof(t.text), name.p, name.n);
        return t;
    }
    size_t used = show_bytes(t.text, 60, name.p, 50);
    memcpy(t.text + used, "...", 3);
    used += 3;
    show_bytes(t.text + used, sizeof(t.text) - used, name.p + name.n - 20, 20);
    return t;
}
