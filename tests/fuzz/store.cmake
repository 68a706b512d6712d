# Readers of the store: dvc.lock, folder objects, the memo of hashes; its writers: YAML, edited .dvc files.
foreach(name lock dirobj state emit dvcfile)
  nephron_fuzz_target(${name}_fuzz SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}_fuzz.c LINK store
    CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/${name})
endforeach()
