#ifndef NEPHRON_REVNAMES_H
#define NEPHRON_REVNAMES_H

#include "arena.h"

#include <stddef.h>

struct err;
struct repo;
struct value;

/* What people call commits: the branch that is checked out, else the first tag, else the first branch (DVC 3.67,
 * dvc/repo/experiments/utils.py: describe). */
struct revnames {
    struct value *names; /* commit -> name; arena memory */
};

/* One process of git. */
int revnames_read(const struct repo *r, struct arena *a, struct revnames *n, struct err *e);
/* NULL: it has none. */
const char *revnames_of(const struct revnames *n, const char *commit);

#endif
