# The store's files against the real DVC's; each skips without it.
nephron_cli_test(t0301-emit-lock.sh)
nephron_cli_test(t0302-repro-files.sh)
nephron_cli_test(t0303-add-files.sh)
nephron_cli_test(t0304-checkout-files.sh)
nephron_cli_test(t0305-remote-files.sh)
