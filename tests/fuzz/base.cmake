nephron_fuzz_target(json_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/json_fuzz.c LINK base
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/json)
