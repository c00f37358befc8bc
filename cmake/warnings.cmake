# Warnings and code generation that every target of ours shares.
add_library(keel_warnings INTERFACE)
target_compile_options(keel_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wnon-virtual-dtor>
  # g++ 12 warns about its own AVX-512 headers, wherever they are inlined.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-uninitialized -Wno-maybe-uninitialized>)
# g++ 12 warns of overlapping copies in "literal" + std::string (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(keel_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()

add_compile_options(
  $<$<COMPILE_LANGUAGE:CXX>:-march=${KEEL_ARCH}> $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno>
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=fast>)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

if(KEEL_SANITIZE)
  add_compile_options(-fsanitize=${KEEL_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KEEL_SANITIZE})
  add_compile_definitions(KEEL_SANITIZED)
endif()

find_program(KEEL_CCACHE ccache)
if(KEEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these ccache does not keep what was compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${KEEL_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${KEEL_CCACHE})
endif()
find_program(KEEL_LLD ld.lld)
if(KEEL_LLD)
  add_link_options(-fuse-ld=lld)
endif()
