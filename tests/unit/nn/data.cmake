# Tests of nn_data and nn_phantom.

foreach(name image)
  nephron_unit_test(nn_${name}_test SOURCES ${name}_test.c LINK nn_data)
endforeach()
