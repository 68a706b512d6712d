# Speed of the network alone: nn_bench train|infer [--model vgg16] [--batch 16] ... prints one JSON line.
add_executable(nn_bench ${CMAKE_CURRENT_LIST_DIR}/nn_bench.c)
target_link_libraries(nn_bench PRIVATE nn_kernel)
nephron_flags(nn_bench)
set_target_properties(nn_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
# That it runs is tested, on a small net; its figures decide nothing.
add_test(NAME nn_bench_runs COMMAND nn_bench train --model vgg11_bn --batch 2 --size 32 --divisor 16
                                    --steps 1)
set_tests_properties(nn_bench_runs PROPERTIES LABELS "bench" TIMEOUT 60
  PASS_REGULAR_EXPRESSION "\"images_per_s\": [0-9.]+")
