#ifndef NEPHRON_NAMEINDEX_H
#define NEPHRON_NAMEINDEX_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Look-up of names that a stranger chose: a sorted array, not a hash table, since a file may hold
 * 100,000 names made to collide. Also the place where names of strangers become fit for messages.
 */

struct nameindex_ref {
    struct str name;
    uint32_t item;
};

struct nameindex {
    struct nameindex_ref *refs; /* sorted by name after nameindex_sort */
    size_t count;
};

#define NAMEINDEX_NONE ((size_t)-1)

/* Room for `count` names from `a`; the caller fills refs[0 … count) and sorts. */
void nameindex_init(struct nameindex *ix, struct arena *a, size_t count);
/* Returns the item of a name that occurs twice, or NAMEINDEX_NONE. Bytewise order. */
size_t nameindex_sort(struct nameindex *ix);
size_t nameindex_find(const struct nameindex *ix, struct str name);

/* A name as it may stand in a message: control and non-ASCII bytes as \xNN, long ones cut in the
 * middle. By value, so that nameindex_show(s).text can be an argument of err_set. */
struct nameindex_text {
    char text[128];
};
struct nameindex_text nameindex_show(struct str name);

#endif
