#ifndef NEPHRON_DIRMERGE_H
#define NEPHRON_DIRMERGE_H

#include "arena.h"
#include "dirobj.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Three-way merge of folder lists (dirobj.h): what two branches made of one folder, as one folder.
 * A side that changed nothing gives way to the other as a whole. Else file by file:
 *
 * | one side              | the other             | merged                              |
 * |-----------------------|-----------------------|-------------------------------------|
 * | untouched             | added/changed/deleted | added/changed/deleted               |
 * | added or changed to X | added or changed to X | X                                   |
 * | added or changed to X | added or changed to Y | conflict                            |
 * | changed               | deleted               | conflict                            |
 * | deleted               | deleted               | refused: DVC's driver does          |
 * | added "a"             | added "a/b"           | conflict: no folder can hold both   |
 *
 * No I/O. Source: DVC 3.67, dvc_data/hashfile/tree.py (merge), by its answers.
 */
struct dirmerge {
    struct dirobj merged; /* sorted, with md5; sizes unknown */
    const char
        *both_deleted; /* NULL, or the first file that both deleted; `merged` is not to be used */
    const char **conflicts; /* in the order in which DVC names them; likewise */
    size_t conflict_count;
};

/* The lists must be sorted; they are borrowed, and `m` points into them as long as `a` lives. */
void dirmerge(struct arena *a, const struct dirobj *ancestor, const struct dirobj *our,
              const struct dirobj *their, struct dirmerge *m);

#endif
