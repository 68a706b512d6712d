#ifndef NEPHRON_GITIGNORE_H
#define NEPHRON_GITIGNORE_H

#include <stdbool.h>

struct err;
struct repo;

/*
 * The `/NAME` lines that keep tracked outputs out of git. One line a path, in the .gitignore of the
 * output's folder, special characters escaped for git (`\ [ ] ! * # ?`); not added when git ignores
 * the path already. git itself is not run. What was read is remembered in the repo, so ten thousand
 * outputs in one folder cost one read and ten thousand appended lines. Does nothing where the
 * repository has no SCM, or the path is outside of the work tree. Thread-safe.
 */

/* `path`: repo path of an output. *changed (may be NULL) says whether the file was written. */
int gitignore_add(struct repo *r, const char *path, bool *changed, struct err *e);
/* Drops the line; an emptied file is deleted. */
int gitignore_remove(struct repo *r, const char *path, bool *changed, struct err *e);
/* Lines are appended without a sync, one a stage; this brings all of them to the disk. */
int gitignore_sync(struct repo *r, struct err *e);
/* Whether git ignores the path, by the rules in force now. */
bool gitignore_ignored(struct repo *r, const char *path);
/* Called by repo_open and repo_close; nothing is read yet. */
void gitignore_init(struct repo *r);
void gitignore_release(struct repo *r);

#endif
