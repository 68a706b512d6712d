# Speed of the convolutions alone, by layer, pass and instruction set.
add_executable(conv_bench ${CMAKE_CURRENT_LIST_DIR}/conv_bench.c)
target_link_libraries(conv_bench PRIVATE nn_kernel)
nephron_flags(conv_bench)
set_target_properties(conv_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
# That it runs is tested; its figures decide nothing.
add_test(NAME conv_bench_runs COMMAND conv_bench --batch 2 --shards 2 --size 32 --steps 1)
set_tests_properties(conv_bench_runs PROPERTIES LABELS "bench" TIMEOUT 60
  PASS_REGULAR_EXPRESSION "seconds: forward")
