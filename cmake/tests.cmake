# Tests: one GoogleTest program per folder of tests/. Files named *_long_test.cc go to a program of
# their own, test_NAME_long, whose tests carry the label "long" (run by `make test-all` only); what
# else is there, tests or not, belongs to test_NAME.
if(KEEL_TESTS STREQUAL "AUTO")
  find_package(GTest QUIET)
  set(KEEL_TESTS OFF)
  if(GTest_FOUND)
    set(KEEL_TESTS ON)
  endif()
elseif(KEEL_TESTS)
  find_package(GTest REQUIRED)
endif()
include(GoogleTest)

function(keel_test_program name library sources)
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE ${library} GTest::gtest GTest::gtest_main
    keel_warnings keel_cuda ${ARGN})
  keel_compile(test_${name} tests)
  target_compile_definitions(test_${name} PRIVATE
    KEEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}" KEEL_BINARY_DIR="${PROJECT_BINARY_DIR}")
endfunction()

# keel_tests(NAME LIBRARY): the programs of tests/NAME. What all of them share, tests/harness, is
# an archive: a program takes from it what it uses.
function(keel_tests name library)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*.cc)
  file(GLOB harness_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/harness/*.cc)
  if(harness_sources AND NOT TARGET keel_harness)
    add_library(keel_harness STATIC ${harness_sources})
    target_include_directories(keel_harness PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(keel_harness PUBLIC keel_ops keel_io PRIVATE GTest::gtest keel_warnings)
    keel_compile(keel_harness tests)
    target_compile_definitions(keel_harness PRIVATE
      KEEL_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
  endif()
  foreach(kind short long)
    set(chosen ${sources})
    if(kind STREQUAL "long")
      set(program ${name}_long)
      list(FILTER chosen INCLUDE REGEX "_long_test\\.cc$")
    else()
      set(program ${name})
      list(FILTER chosen EXCLUDE REGEX "_long_test\\.cc$")
    endif()
    if(NOT chosen)
      continue()
    endif()
    keel_test_program(${program} ${library} "${chosen}" $<TARGET_NAME_IF_EXISTS:keel_harness>)
    if(name STREQUAL "cli" AND TARGET keel)
      add_dependencies(test_${program} keel)
      target_compile_definitions(test_${program} PRIVATE KEEL_PROGRAM="$<TARGET_FILE:keel>")
    endif()
    gtest_discover_tests(test_${program} DISCOVERY_MODE PRE_TEST  # TIMEOUT: against one that hangs
      PROPERTIES LABELS ${kind} TIMEOUT $<IF:$<STREQUAL:${kind},long>,3600,600>)
  endforeach()
endfunction()
