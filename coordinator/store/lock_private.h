#ifndef NEPHRON_LOCK_PRIVATE_H
#define NEPHRON_LOCK_PRIVATE_H

#include "lock.h"

/* Shared by lock.c (entries, writing) and lock_parse.c (reading). */

struct lock_slot {
    struct lock_entry
        *entry;      /* never changed in place: readers may hold an old one until lock_free */
    struct str text; /* "  NAME:\n    cmd: …\n": as it is written */
    bool has_anchor; /* anchors are numbered through the file: rendered anew from `doc` each time */
    const struct value *doc; /* {NAME: {…}}; NULL: not needed */
    bool gone;
};

struct lock {
    struct arena arena;
    char *path, *shown;
    struct lock_slot *slots;
    size_t count, capacity, gone;
    uint32_t *index; /* open addressing over slots; UINT32_MAX: free */
    size_t index_size;
    struct value *top; /* top-level keys in file order; "stages" holds a null; NULL: none yet */
    char *raw;         /* the file; slot texts of the direct parser point into it */
    bool exists, dirty;
};

struct lock *lock_new(const char *path, const char *shown);
/* NULL when there is no such stage. */
struct lock_slot *lock_slot(const struct lock *l, struct str stage);
/* A new slot at the end; false when the name is taken. */
struct lock_slot *lock_slot_add(struct lock *l, const char *name);

/* The direct parser; false when the text is not in the form that DVC writes: nothing is said about
 * its validity then. */
bool lock_parse_direct(struct lock *l, struct str text);
int lock_parse_yaml(struct lock *l, struct str text, struct err *e);

#endif
