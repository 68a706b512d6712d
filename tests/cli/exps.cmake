# Experiments: made by nephron and by the real DVC; each skips without it.
nephron_cli_test(t0331-exp-run.sh)
nephron_cli_test(t0332-exp-queue.sh)
nephron_cli_test(t0333-exp-kill.sh)
nephron_cli_test(t0334-exp-refs.sh)
nephron_cli_test(t0335-exp-show.sh)
nephron_cli_test(t0336-exp-push.sh)
nephron_cli_test(t0349-exp-auto-push.sh)
