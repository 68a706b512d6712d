nephron_fuzz_target(unpack_fuzz SOURCES unpack_fuzz.c LINK xfer
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/unpack)
nephron_fuzz_target(gdrive_fuzz SOURCES gdrive_fuzz.c LINK xfer
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/gdrive)
nephron_fuzz_target(source_fuzz SOURCES source_fuzz.c LINK xfer
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/source)
nephron_fuzz_target(keylist_fuzz SOURCES keylist_fuzz.c LINK xfer
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/keylist)
nephron_fuzz_target(sshconfig_fuzz SOURCES sshconfig_fuzz.c LINK xfer
  CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/sshconfig)
