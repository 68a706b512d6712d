# The stage pool of `mpirun -n N nephron repro`.
nephron_library(worker_pool
  SOURCES post.c pool.c fiber.c guise.c gang.c ferry.c errand.c seat.c runner_mpi.c repro_mpi.c pool_program.c exp_mpi.c
  LINK worker exps tracked dispatch track base MPI::MPI_C)
if(TARGET nephron-mpi)
  target_link_libraries(nephron-mpi PRIVATE worker_pool)
endif()
