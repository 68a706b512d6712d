# The stage pool: mpirun -n N nephron repro.
nephron_cli_test(t0710-pool.sh LABELS mpi PROCESSORS 2)
