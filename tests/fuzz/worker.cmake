nephron_fuzz_target(settings_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/settings_fuzz.c LINK worker
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/settings)
