# Tests of nn_data and nn_phantom.

foreach(name image augment dataset split duplicates score chart featurefile)
  nephron_unit_test(nn_${name}_test SOURCES ${name}_test.c LINK nn_data)
endforeach()
nephron_unit_test(nn_loader_test SOURCES loader_test.c LINK nn_data PROCESSORS 2)
# 1,200 slices are drawn for its nearest neighbours: 4 s, or 80 s under the thread sanitizer.
nephron_unit_test(nn_phantom_test SOURCES phantom_test.c LINK nn_data PROCESSORS 2 TIMEOUT 400)
