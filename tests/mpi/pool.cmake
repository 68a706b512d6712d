# The stage pool: mpirun -n N nephron repro.
nephron_cli_test(t0710-pool.sh LABELS mpi PROCESSORS 2)
nephron_cli_test(t0711-gangs.sh LABELS mpi PROCESSORS 2 TIMEOUT 900)
nephron_cli_test(t0712-launch.sh LABELS mpi PROCESSORS 2 TIMEOUT 900)
nephron_cli_test(t0713-checkpoints.sh LABELS mpi TIMEOUT 600)
nephron_cli_test(t0714-no-shared-fs.sh LABELS mpi PROCESSORS 2)
nephron_cli_test(t0715-exp-ranks.sh LABELS mpi PROCESSORS 2)
