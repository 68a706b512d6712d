#ifndef NEPHRON_GITSTAGE_H
#define NEPHRON_GITSTAGE_H

#include <stddef.h>

struct err;
struct session;

/* What git should know after a command wrote or removed pipeline files (repo paths): with
 * `core.autostage` they and the .gitignore beside each go into git's index. Nothing without git. */
int gitstage_add(struct session *s, const char *const *files, size_t count, struct err *e);
/* Without `core.autostage`: the git command that does it, for the person. Not when quiet. */
void gitstage_hint(struct session *s, const char *const *files, size_t count);

#endif
