#ifndef NEPHRON_REPLACE_H
#define NEPHRON_REPLACE_H

struct arena;
struct err;

/*
 * Replacing a folder whole: the new content is made in `TARGET.nephron-tmp-HOST-PID`, then takes
 * the name in one step (renameat2 with RENAME_EXCHANGE; where a file system has no exchange, the
 * old one steps aside as `TARGET.nephron-old-HOST-PID`, and replace_sweep brings it back when the
 * step was cut in two).
 */

struct replace {
    const char *target; /* in the arena, as everything here */
    const char *temp;   /* the new folder, empty after replace_begin */
};

/* Sweeps, makes the parents of `target` and the temp folder. */
int replace_begin(struct arena *a, struct replace *r, const char *target, struct err *e);
/* `from` (temp, or a folder inside it) becomes the target; what else was in temp and the old target
 * are removed. The new data is on disk before the old goes. */
int replace_commit(struct arena *a, struct replace *r, const char *from, struct err *e);
void replace_abort(struct replace *r); /* removes temp; the target was not touched */
/* Removes left-overs of processes of this host that are gone, and any older than a day. */
void replace_sweep(struct arena *a, const char *target);

#endif
