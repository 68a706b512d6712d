# Readers of the store: dvc.lock and folder objects.
foreach(name lock dirobj)
  nephron_fuzz_target(${name}_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}_fuzz.c LINK store
    CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/${name})
endforeach()
