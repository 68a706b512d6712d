#ifndef NEPHRON_EXP_MPI_H
#define NEPHRON_EXP_MPI_H

/* `mpirun -n N nephron exp run --run-all`: the queue of experiments over the ranks, one experiment a rank at a time. Rank 0 deals
 * them out, runs some itself, and alone writes their refs. argv[0] is "exp". Returns the exit code. */
int exp_mpi_main(int argc, char **argv);

#endif
