# Warnings and code generation that every target of ours shares.
add_library(keel_warnings INTERFACE)
target_compile_options(keel_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)

set(KEEL_ARCH "native" CACHE STRING "Value of -march (native, x86-64-v3, ...)")
add_compile_options(-march=${KEEL_ARCH} -fno-math-errno -ffp-contract=fast)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(KEEL_CCACHE ccache)
if(KEEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KEEL_CCACHE})
endif()
find_program(KEEL_LLD ld.lld)
if(KEEL_LLD)
  add_link_options(-fuse-ld=lld)
endif()
