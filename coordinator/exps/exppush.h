#ifndef NEPHRON_EXPPUSH_H
#define NEPHRON_EXPPUSH_H

#include "expref.h"

#include <stdbool.h>

struct err;
struct repo;

/* Refs of experiments, to and from other repositories of git. Source: DVC 3.67, dvc/repo/experiments/push.py and pull.py. */

struct exppush_result {
    struct expref_list done;       /* the other side has them now */
    struct expref_list up_to_date; /* had them before */
    struct expref_list diverged;   /* has another experiment of the same name */
};

/* `remote`: name or URL. `force`: what diverged is replaced. ERR_REMOTE. Two processes of git, whatever the number of refs (a few more
 * for thousands). */
int exppush_refs(const struct repo *r, struct arena *a, const char *remote,
                 const struct expref_list *refs, bool force, struct exppush_result *res,
                 struct err *e);
/* `refs`: as they are in the remote. In *res they have the commits that are here now. */
int exppush_fetch(const struct repo *r, struct arena *a, const char *remote,
                  const struct expref_list *refs, bool force, struct exppush_result *res,
                  struct err *e);

#endif
