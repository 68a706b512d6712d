#ifndef NEPHRON_BENCH_COMMAND_H
#define NEPHRON_BENCH_COMMAND_H

#include "mpi_commands.h"

/* `nephron bench`: see its help, and bench.h. */
mpi_command_fn bench_command;

#endif
