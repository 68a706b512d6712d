#ifndef NEPHRON_POOL_PROGRAM_H
#define NEPHRON_POOL_PROGRAM_H

#include <stdbool.h>

struct pool;

/*
 * The life of a command on the ranks of a pool (pool.h): MPI begins, rank 0 runs the command and has the others work for it, all
 * leave with its exit code. A rank that cannot go on ends them all.
 */

/* Runs on rank 0; argv[0] is the command. Prints; returns the exit code. */
typedef int pool_program_fn(const struct pool *p, int argc, char **argv, bool quiet);

/* On every rank, with the same words. `quiet`: jobs do not name their commands. */
int pool_program(int argc, char **argv, bool quiet, pool_program_fn *coordinate);

#endif
