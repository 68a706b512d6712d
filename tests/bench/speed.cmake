# That `nephron bench` and the scripts around it run is tested, on small nets; their figures decide nothing.
nephron_cli_test(t0900-bench.sh LABELS bench TIMEOUT 300)
