#ifndef NEPHRON_WATCH_H
#define NEPHRON_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repro_stop;

/*
 * Waits for changes of files and folders by inotify(7), without looking at them in between. A file is
 * watched through its folder, since editors replace files; a file that does not exist through the
 * nearest folder that does; a folder with all below it, also what is made there later. A change
 * counts when the file is complete (closed, moved, removed), and is told when nothing more has
 * changed for 200 ms. Paths are absolute and normal.
 */

struct watch;

/* `root`: below it .dvcignore rules hold. Returns new (watch_free); NULL with *e set. */
struct watch *watch_new(const char *root, struct err *e);
void watch_free(struct watch *w);
/* What lies at or below `path` is not told, nor watched; before the calls of watch_add. */
void watch_skip(struct watch *w, const char *path);
/* ERR_LIMIT when the system allows no more watches. */
int watch_add(struct watch *w, const char *path, struct err *e);

/* Has anything changed that was not forgotten? Does not wait. */
bool watch_pending(struct watch *w);
/* Forgets what is known to have changed: it was dealt with. */
void watch_forget(struct watch *w);
/* Waits until something has changed: 1; 0: a signal came (stop->signal); -1 with *e set. */
int watch_wait(struct watch *w, const struct repro_stop *stop, struct err *e);
/* What changed, in order, each once; borrowed until it is forgotten. "" stands for changes that were
 * too many to be told. */
size_t watch_changed(const struct watch *w, const char *const **paths);

#endif
