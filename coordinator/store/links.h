#ifndef NEPHRON_LINKS_H
#define NEPHRON_LINKS_H

#include "arena.h"

#include <stddef.h>

struct content;
struct err;
struct hash;
struct pipeline;
struct store;

/*
 * Which outs of the workspace were put there, or made links of, by Nephron: when no stage names one
 * any more (another branch, a stage that was taken out) a checkout of everything removes it, as DVC
 * does.
 *
 * File .dvc/tmp/nephron/links, one line an out:
 *
 *     INODE STAMP MD5 LEGACY PATH
 *     1835021 9f86d08100000002 d3b07384d113edec49eaa6238ad5ff00.dir 0 data/raw
 *
 * STAMP (hexadecimal) changes with any file of the out, or its time. Losing the file costs nothing:
 * what is not listed is never removed.
 */
struct links;

/* `file`: absolute, need not exist. Reads nothing. */
struct links *links_new(const char *file);
/* Writes what was noted. Its failure is logged. */
void links_save(struct links *l);
void links_close(struct links *l); /* saves; called by store_close */

/*
 * `path` stands in the workspace with the content `hash`, which is in the cache. `now`: what it
 * holds, as content_read said and nothing changed since; NULL: it is looked at. Thread-safe.
 */
void links_note(struct store *s, struct arena *a, const char *path, const struct hash *hash,
                const struct content *now);

/*
 * Removes the outs that were noted, have not changed since, whose content is in the cache (DVC does
 * not ask for that), and that no stage of `p` names. (*removed)[0..*count-1]: as shown to the person,
 * folders with "/" at the end; in `a`.
 */
int links_sweep(struct store *s, struct arena *a, const struct pipeline *p, const char ***removed,
                size_t *count, struct err *e);

#endif
