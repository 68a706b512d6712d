# The spool reader, and answers of a Redis server.
nephron_fuzz_target(spool_fuzz SOURCES spool_fuzz.c LINK track
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/spool)
nephron_fuzz_target(resp_fuzz SOURCES resp_fuzz.c LINK track
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/resp)
