# What holds for the whole tree: documents and structure.
nephron_cli_test(t0001-reference.sh)
nephron_cli_test(t0002-layers.sh)
nephron_cli_test(t0003-hardening.sh)
nephron_cli_test(t0004-examples.sh)
nephron_cli_test(t0005-format.sh)
nephron_cli_test(t0006-no-mpi.sh)
