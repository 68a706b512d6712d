# Trivial stages a second: repro_1000.sh, repro_linear.sh [N] [J] [wide|chain] prints one JSON line. A small one runs as a test; its figure decides nothing.
add_test(NAME repro_1000_runs COMMAND ${CMAKE_CURRENT_LIST_DIR}/repro_1000.sh 100 2)
set_tests_properties(repro_1000_runs PROPERTIES LABELS "bench" TIMEOUT 120
  ENVIRONMENT "NEPHRON_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  PASS_REGULAR_EXPRESSION "\"stages_per_s\": [0-9]+")
