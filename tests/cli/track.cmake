# The run store: `nephron runs` and `nephron redis`.
nephron_cli_test(t0600-runs-redis.sh LABELS cli redis)
nephron_cli_test(t0601-runs-spool.sh)
