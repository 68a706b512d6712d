# Targets of this project are made by these functions, so that flags stand in one place.

set(NEPHRON_WARNINGS -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wno-unused-parameter)

# Hardening of release builds; t0003 reads it back from the programs. Binding at start (now) costs nothing that can be measured
# beside loading libcrypto: `nephron --version` is 2.4 ms with all of this.
include(CheckCCompilerFlag)
check_c_compiler_flag(-fcf-protection NEPHRON_HAS_CF_PROTECTION)
set(NEPHRON_HARDENING -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
if(NEPHRON_HAS_CF_PROTECTION)
  list(APPEND NEPHRON_HARDENING -fcf-protection)
endif()

function(nephron_flags target)
  target_compile_options(${target} PRIVATE ${NEPHRON_WARNINGS})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE NEPHRON_VERSION="${PROJECT_VERSION}")
  if(NEPHRON_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${target} PRIVATE -O2 -g1 ${NEPHRON_HARDENING})
    target_link_options(${target} PRIVATE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  nephron_sanitize(${target})
endfunction()

# nephron_library(NAME SOURCES a.c b.c [LINK libs…] [LINK_PRIVATE libs…] [STRICT])
# Every header folder of the library is public: a library that does not link it cannot include it.
function(nephron_library name)
  cmake_parse_arguments(ARG "STRICT" "" "SOURCES;LINK;LINK_PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_LINK_PRIVATE})
  if(ARG_STRICT)
    target_compile_options(${name} PRIVATE -Wconversion -Wno-sign-conversion)
  endif()
  target_compile_options(${name} PRIVATE -include ${PROJECT_SOURCE_DIR}/base/banned.h)
  nephron_flags(${name})
endfunction()

# nephron_program(NAME SOURCES main.c … LINK libs…): an executable installed beside its siblings.
function(nephron_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_link_options(${name} PRIVATE -Wl,--as-needed)
  target_compile_options(${name} PRIVATE -include ${PROJECT_SOURCE_DIR}/base/banned.h)
  nephron_flags(${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
