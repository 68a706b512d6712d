# Registration of tests. Labels: unit cli ref mpi redis slow bench fuzz.

find_package(PkgConfig REQUIRED)
if(NEPHRON_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Seconds of the slow ones, on two cores. A fresh build tree knows no times: without these, long tests would be left for
# the end, where no other is there to run beside them.
set(NEPHRON_COSTS
  t0292-corpus-commands 115 t0770-train-scale 60 t0700-train-ranks 60 nn_aarch64 40 t0712-launch 60 t0713-checkpoints 50
  t0711-gangs 42 fault_sweep 39 fault_kill 20 t0290-corpus 30 nn_model_bits_test 30 nn_phantom_test 10)

function(nephron_test_cost name)
  list(FIND NEPHRON_COSTS ${name} at)
  if(NOT at EQUAL -1)
    math(EXPR at "${at} + 1")
    list(GET NEPHRON_COSTS ${at} cost)
    set_tests_properties(${name} PROPERTIES COST ${cost})
  endif()
endfunction()

# What all tests have: labels and seconds, given or else the default, and the cores it wants ("": one).
function(nephron_test_properties name labels default_labels timeout default_timeout processors)
  if(NOT labels)
    set(labels ${default_labels})
  endif()
  if(NOT timeout)
    set(timeout ${default_timeout})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
  if(processors)
    set_tests_properties(${name} PROPERTIES PROCESSORS ${processors})
  endif()
  nephron_test_cost(${name})
endfunction()

# nephron_unit_test(NAME SOURCES x_test.c LINK libs… [LABELS …] [TIMEOUT s] [PROCESSORS n])
function(nephron_unit_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;PROCESSORS" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} PkgConfig::CMOCKA)
  target_compile_definitions(${name} PRIVATE
    NEPHRON_SOURCE_DIR="${PROJECT_SOURCE_DIR}" NEPHRON_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  nephron_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  nephron_test_properties(${name} "${ARG_LABELS}" unit "${ARG_TIMEOUT}" 120 "${ARG_PROCESSORS}")
endfunction()

# nephron_cli_test(FILE [LABELS …] [TIMEOUT s] [PROCESSORS n] [RUN_SERIAL]): a sharness script in
# the current folder; it finds the programs by $NEPHRON_BIN_DIR.
function(nephron_cli_test file)
  cmake_parse_arguments(ARG "RUN_SERIAL" "TIMEOUT;PROCESSORS" "LABELS" ${ARGN})
  get_filename_component(name ${file} NAME_WE)
  # Outside of the source tree, which is a repository itself; one folder a build tree and test.
  string(MD5 tree "${CMAKE_BINARY_DIR}")
  string(SUBSTRING ${tree} 0 8 tree)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${file} --root=/tmp/nephron-cli-${tree}-${name})
  nephron_test_properties(${name} "${ARG_LABELS}" cli "${ARG_TIMEOUT}" 300 "${ARG_PROCESSORS}")
  set_tests_properties(${name} PROPERTIES
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    ENVIRONMENT "NEPHRON_REDIS_URL=none;NEPHRON_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};NEPHRON_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
  if(ARG_RUN_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

# nephron_fuzz_target(NAME SOURCES x_fuzz.c LINK libs… CORPUS dir): built with NEPHRON_FUZZ; without it
# the same source is linked to a driver that replays the corpus, and runs as a unit test.
function(nephron_fuzz_target name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINK" ${ARGN})
  if(NEPHRON_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  nephron_flags(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  add_test(NAME ${name} COMMAND ${name} -runs=0 ${ARG_CORPUS})
  set_tests_properties(${name} PROPERTIES LABELS "fuzz" TIMEOUT 120)
endfunction()
