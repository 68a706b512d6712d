# Parsers of the pipeline: dvc.yaml and .dvc files, templates, TOML and Python parameters, plots.
foreach(name pipeline template toml plotfile)
  nephron_fuzz_target(${name}_fuzz SOURCES ${name}_fuzz.c LINK pipeline
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
endforeach()
