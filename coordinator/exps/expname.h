#ifndef NEPHRON_EXPNAME_H
#define NEPHRON_EXPNAME_H

struct err;

/* Names of experiments: what a person may give, and "brisk-otter" for those without one. */

#define EXPNAME_SIZE 32

/* An adjective and a noun of our own lists. Does not depend on any seed, nor on other names there are. */
void expname_random(char out[EXPNAME_SIZE]);

/* A name can stand in refs/exps/<baseline>/<name>: git's rules for one part of a ref (git-check-ref-format). ERR_USAGE
 * with DVC's text. */
int expname_check(const char *name, struct err *e);

#endif
