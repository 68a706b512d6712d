# repro and explain.
nephron_cli_test(t0400-repro.sh)
nephron_cli_test(t0401-parallel.sh)
nephron_cli_test(t0402-signals.sh TIMEOUT 120)
nephron_cli_test(t0403-kill.sh TIMEOUT 600)
nephron_cli_test(t0404-with-dvc.sh LABELS cli peer)
nephron_cli_test(t0405-charts.sh TIMEOUT 180)
