# init, add, checkout, commit, remotes, push, fetch, pull, status, revisions.
nephron_cli_test(t0310-data.sh)
nephron_cli_test(t0311-remote.sh)
nephron_cli_test(t0312-status.sh)
nephron_cli_test(t0313-revisions.sh)
nephron_cli_test(t0315-budget.sh)
nephron_cli_test(t0316-concurrent.sh)
# Beside the real DVC: tracked data and pipelines.
nephron_cli_test(t0320-edit.sh)
nephron_cli_test(t0321-diff.sh)
nephron_cli_test(t0322-completion.sh)
nephron_cli_test(t0323-gc.sh)
nephron_cli_test(t0324-import.sh)
nephron_cli_test(t0325-registry.sh)
