foreach(name pickle safetensors torchfile checkpoint)
  nephron_fuzz_target(${name}_fuzz SOURCES ${name}_fuzz.c LINK nn_weights
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
endforeach()
