#ifndef NEPHRON_MPI_COMMANDS_H
#define NEPHRON_MPI_COMMANDS_H

#include <signal.h>
#include <stdbool.h>

struct comm;
struct err;

/*
 * The commands of program nephron-mpi. argv[0] is the command's name. All ranks run the same
 * command; output is rank 0's. Each returns the exit code; with a code that is not 0, *e says what
 * happened (an empty text: it was said already).
 */

struct mpi_context {
    struct comm *comm;
    const volatile sig_atomic_t *stop; /* the signal that came, or 0 */
};

typedef int mpi_command_fn(const struct mpi_context *x, int argc, char **argv, struct err *e);

struct mpi_command {
    const char *name;
    mpi_command_fn *run;
    const char *help;
};

struct opt_list;
struct opt_spec;
/* opt_parse on all ranks; true: go on, else *code is the exit code. */
bool mpi_parse(const struct opt_spec *spec, const struct mpi_context *x, int argc, char **argv,
               struct opt_list *args, int *code, struct err *e);

extern const struct mpi_command mpi_commands[]; /* ended by a NULL name */

/* NULL: there is none of this name. */
const struct mpi_command *mpi_command_find(const char *name);
/* Runs it and says on stderr what went wrong, once for all ranks where all have the same reason.
 * Returns the exit code. A rank whose transport failed ends all of them. */
int mpi_command_run(const struct mpi_command *c, const struct mpi_context *x, int argc,
                    char **argv);

#endif
