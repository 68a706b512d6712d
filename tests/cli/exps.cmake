# Experiments: made by nephron and by the real DVC; each skips without it.
nephron_cli_test(t0331-exp-run.sh)
nephron_cli_test(t0332-exp-queue.sh)
nephron_cli_test(t0333-exp-kill.sh)
