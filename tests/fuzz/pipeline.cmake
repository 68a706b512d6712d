# Parsers of the pipeline: dvc.yaml and .dvc files, templates, TOML and Python parameters.
foreach(name pipeline template toml)
  nephron_fuzz_target(${name}_fuzz SOURCES ${name}_fuzz.c LINK pipeline
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
endforeach()
