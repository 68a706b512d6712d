# Model files of others and ours. Knows no layers: modelio.c (nn_modelio) joins it with nn_kernel.

nephron_library(nn_weights STRICT
  SOURCES model/nameindex.c model/crc32.c model/zipfile.c model/zipwriter.c
          model/pickle.c model/pickle_globals.c model/pickle_write.c
          model/torchfile.c model/safetensors.c
          model/weights.c model/weights_values.c model/weights_save.c model/weights_show.c
          model/modelfile.c model/checkpoint.c model/checkpoint_write.c
  LINK base m)
target_include_directories(nn_weights PUBLIC model)
# Element conversion and sums are loops over memory.
set_source_files_properties(model/weights_values.c model/crc32.c PROPERTIES COMPILE_OPTIONS "-O2")

# Parameters of a model to and from these files.
nephron_library(nn_modelio STRICT
  SOURCES model/modelio.c
  LINK nn_weights nn_kernel base)
