#ifndef NEPHRON_RANKS_AGREE_H
#define NEPHRON_RANKS_AGREE_H

struct comm;
struct err;

/*
 * A failure on one rank becomes a failure on all of them, at the same place, so that nobody waits
 * for a rank that has left. rc is this rank's result (0 or -1 with *e set). Returns 0 when all had
 * 0, otherwise -1: on the lowest rank that failed with its own error, on the others with one that
 * ranks_is_foreign() knows, since one rank speaking is enough. Collective.
 */
int ranks_agree(struct comm *c, int rc, struct err *e);
/* *e says no more than that another rank failed, which prints the reason. */
int ranks_is_foreign(const struct err *e);

#endif
