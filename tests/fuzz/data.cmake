nephron_fuzz_target(image_fuzz SOURCES image_fuzz.c LINK nn_data
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/image)
nephron_fuzz_target(featurefile_fuzz SOURCES featurefile_fuzz.c LINK nn_data
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/featurefile)
