#ifndef NEPHRON_REPRO_MPI_H
#define NEPHRON_REPRO_MPI_H

/*
 * `mpirun -n N nephron repro …`: called by every rank with the same arguments (argv[0] is "repro"). Rank 0 decides and is a slot, the
 * others are slots. Initialises MPI unless that is done, and finalises it. Every rank returns rank 0's exit code.
 */
int repro_mpi_main(int argc, char **argv);

#endif
