# What is typed after --set-param, and the parameters files that it changes.
nephron_fuzz_target(override_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/override_fuzz.c LINK exps
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/override)
# A folder of settings with hostile files, composed.
nephron_fuzz_target(hydra_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/hydra_fuzz.c LINK exps
  CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/hydra)
