# Tests of nn_weights and nn_modelio.

nephron_unit_test(nn_zipfile_test SOURCES zipfile_test.c LINK nn_weights base)
nephron_unit_test(nn_pickle_test SOURCES pickle_test.c LINK nn_weights base)
nephron_unit_test(nn_torchfile_test SOURCES torchfile_test.c LINK nn_weights base)
nephron_unit_test(nn_safetensors_test SOURCES safetensors_test.c LINK nn_weights base)
nephron_unit_test(nn_weights_formats_test SOURCES weights_formats_test.c LINK nn_weights base)
nephron_unit_test(nn_weights_save_test SOURCES weights_save_test.c LINK nn_weights base)
nephron_unit_test(nn_modelfile_test SOURCES modelfile_test.c LINK nn_weights base)
nephron_unit_test(nn_checkpoint_test SOURCES checkpoint_test.c LINK nn_weights base)
nephron_unit_test(nn_modelio_test SOURCES modelio_test.c LINK nn_modelio base)
# Writes some 500 MB for torchvision's VGG; needs $NEPHRON_TORCH_PYTHON.
nephron_unit_test(nn_weights_torch_test SOURCES weights_torch_test.c LINK nn_weights base
  LABELS ref TIMEOUT 300)
