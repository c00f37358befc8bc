# The fuzz targets, fuzz/NAME_fuzz.cc. With KEEL_FUZZ (clang; `make fuzz` sets it) each is a program
# of libFuzzer, fuzz_NAME; with the tests each is replay_NAME, which runs the committed inputs of
# fuzz/corpus/NAME and changed copies of them as an ordinary test.
function(keel_fuzz_target name)
  set(sources ${PROJECT_SOURCE_DIR}/fuzz/${name}_fuzz.cc ${PROJECT_SOURCE_DIR}/fuzz/fuzz.cc ${ARGN})
  if(KEEL_FUZZ)
    add_executable(fuzz_${name} EXCLUDE_FROM_ALL ${sources})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set(program fuzz_${name})
  elseif(KEEL_TESTS)
    add_executable(replay_${name} ${sources} ${PROJECT_SOURCE_DIR}/fuzz/replay.cc)
    set(program replay_${name})
    add_test(NAME fuzz_${name}
      COMMAND replay_${name} 3000 ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
  else()
    return()
  endif()
  target_link_libraries(${program} PRIVATE keel_io keel_warnings)
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz)
endfunction()

keel_fuzz_target(csv)
keel_fuzz_target(json)
keel_fuzz_target(safetensors)
keel_fuzz_target(tfevents)
# Alone, without the rest of its library.
keel_fuzz_target(manifest ${PROJECT_SOURCE_DIR}/src/train/checkpoint_manifest.cc)
