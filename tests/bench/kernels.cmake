# Speed of the convolutions alone, by layer, pass and instruction set.
add_executable(conv_bench ${CMAKE_CURRENT_LIST_DIR}/conv_bench.c)
target_link_libraries(conv_bench PRIVATE nn_kernel)
nephron_flags(conv_bench)
set_target_properties(conv_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
# That it runs is tested; its figures decide nothing.
add_test(NAME conv_bench_runs COMMAND conv_bench --batch 2 --shards 2 --size 32 --steps 1)
set_tests_properties(conv_bench_runs PROPERTIES LABELS "bench" TIMEOUT 60
  PASS_REGULAR_EXPRESSION "seconds: forward")

# The peer of conv_bench, where oneDNN is installed (libdnnl-dev, version 2).
find_library(DNNL_LIBRARY dnnl)
find_path(DNNL_INCLUDE dnnl.h)
if(DNNL_LIBRARY AND DNNL_INCLUDE)
  add_executable(onednn_bench ${CMAKE_CURRENT_LIST_DIR}/onednn_bench.c)
  target_include_directories(onednn_bench SYSTEM PRIVATE ${DNNL_INCLUDE})
  target_link_libraries(onednn_bench PRIVATE ${DNNL_LIBRARY})
  nephron_flags(onednn_bench)
  set_target_properties(onednn_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()
