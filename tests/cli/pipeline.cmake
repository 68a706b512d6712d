# Pipeline files: stages, graph, refusals. The programs `nephron` and, for the corpus, stage_dump.
nephron_cli_test(t0200-stage-list.sh)
nephron_cli_test(t0201-dag.sh)
nephron_cli_test(t0202-stage-add.sh)
nephron_cli_test(t0203-pipeline-errors.sh)
nephron_cli_test(t0204-nephron-meta.sh)

# A developer program, not installed.
add_executable(stage_dump ${PROJECT_SOURCE_DIR}/tests/peer/stage_dump.c)
target_link_libraries(stage_dump PRIVATE pipeline)
nephron_flags(stage_dump)
set_target_properties(stage_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
foreach(test t0290-corpus t0291-refusals t0292-corpus-commands)
  nephron_cli_test(${test}.sh LABELS cli slow TIMEOUT 600)
  set_property(TEST ${test} APPEND PROPERTY
    ENVIRONMENT "NEPHRON_STAGE_DUMP=$<TARGET_FILE:stage_dump>")
endforeach()
