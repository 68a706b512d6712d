#ifndef NEPHRON_DIROBJ_H
#define NEPHRON_DIROBJ_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;

/*
 * Directory objects: the list of a folder's files that DVC keeps in the cache under "<md5>.dir".
 *
 *   [{"md5": "acbd18db4cc2f85cedef654fccc4a4d8", "relpath": "a/b.txt"}, …]
 *
 * | part    | rule                                                                            |
 * |---------|---------------------------------------------------------------------------------|
 * | order   | by relpath, Unicode code points of the whole string ("a-b" < "a.c" < "a/b")     |
 * | text    | separators ", " and ": ", ASCII with \uXXXX, no newline; empty folder: "[]"      |
 * | name    | md5 of that text, then ".dir"                                                   |
 * | dropped | exec bits, empty folders, links to folders                                      |
 *
 * Reading accepts any JSON layout and further keys (ignored), and refuses relpaths that would leave
 * the folder: absolute, "..", ".", empty parts, NUL. Limit 1 GiB; memory grows with the members
 * only.
 */

struct dirobj_item {
    const char *relpath;
    char md5[33];
    /* Below: known when built from a folder, else zero. */
    int64_t size;
    struct stat st;
    bool is_link;
};

struct dirobj {
    struct dirobj_item *items; /* sorted */
    size_t count, capacity;
    int64_t size; /* sum of the members, -1 unknown */
    char md5[37]; /* with ".dir"; "" until dirobj_digest */
};

void dirobj_init(struct dirobj *d);
/* Room for one more; the item is zeroed, `relpath` copied to `a`. */
struct dirobj_item *dirobj_add(struct arena *a, struct dirobj *d, const char *relpath);
void dirobj_sort(struct dirobj *d);
/* The canonical text; the items must be sorted. */
void dirobj_write(const struct dirobj *d, struct strbuf *out);
/* Sorts, and sets md5 and size. */
void dirobj_digest(struct dirobj *d);
/* Parses; md5 is computed from the canonical form. ERR_FORMAT "NAME: …", ERR_LIMIT. The item array
 * is in `a` as well. */
int dirobj_parse(struct arena *a, struct dirobj *d, struct str text, const char *name,
                 struct err *e);
/* NULL when absent. */
const struct dirobj_item *dirobj_find(const struct dirobj *d, const char *relpath);
/* DVC's words for a folder `dir` whose list is not in the cache: ERR_MISSING, detail ENODATA. Always -1. */
int dirobj_unlisted(const char *dir, struct err *e);

#endif
