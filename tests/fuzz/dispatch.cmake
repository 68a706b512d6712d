nephron_fuzz_target(journal_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/journal_fuzz.c LINK dispatch
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/journal)
nephron_fuzz_target(job_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/job_fuzz.c LINK dispatch
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/job)
