nephron_fuzz_target(config_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/config_fuzz.c LINK repo
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/config)
nephron_fuzz_target(ignore_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/ignore_fuzz.c LINK repo
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/ignore)
nephron_fuzz_target(rwlock_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/rwlock_fuzz.c LINK repo
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/rwlock)
