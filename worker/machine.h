#ifndef NEPHRON_MACHINE_H
#define NEPHRON_MACHINE_H

#include <stdbool.h>

struct comm;
struct err;

/*
 * This rank's share of its host: cores that its parent may use, divided by the ranks of the host.
 * Open MPI 4.1 binds ranks to one core each when there are one or two of them; a rank bound to less
 * than its share then widens its affinity to its part of the launcher's cores (`core.rebind`).
 * Call it before any compute thread exists: they inherit it.
 */

struct machine_share {
    int threads;     /* >= 1: how many compute threads this rank should have */
    int rank, ranks; /* among those of this host */
    bool widened;
    int before; /* cores it was bound to */
};

/* OMP_NUM_THREADS or NEPHRON_THREADS, when set, win over the share. Collective. */
int machine_share(struct comm *c, bool rebind, struct machine_share *out, struct err *e);

#endif
