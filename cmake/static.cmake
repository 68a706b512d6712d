# nephron_static_archive(TARGET NAME): TARGET (a PkgConfig:: one) links libNAME.a instead of the shared library, its
# symbols kept private, so that a second copy that another library brings (curl: libcrypto) stays apart. The dynamic
# loader's work on libcrypto alone is a third of a `nephron status` (docs/decisions/0004).
function(nephron_static_archive target name)
  find_library(NEPHRON_ARCHIVE_${name} NAMES lib${name}.a)
  mark_as_advanced(NEPHRON_ARCHIVE_${name})
  if(NEPHRON_STATIC_SMALL AND NEPHRON_ARCHIVE_${name})
    set_target_properties(${target} PROPERTIES
      INTERFACE_LINK_LIBRARIES "${NEPHRON_ARCHIVE_${name}}"
      INTERFACE_LINK_OPTIONS "LINKER:--exclude-libs,lib${name}.a")
  endif()
endfunction()
