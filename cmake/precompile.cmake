# How much a target is optimized, and its precompiled header.
#
# keel_compile(TARGET hot | warm | cold | tests): hot is -O3 (kernels), cold -O1 (command line, config,
# reports: as fast in use, and a third of the time to compile less), warm and tests have the level
# of the preset.
#
# The standard headers and fmt take longer to read than most files of ours take to compile, so they
# are read once for each way of compiling. (g++ takes the options of optimization from the
# precompiled header, so a shared one would compile kernels at -O2.) A file must still include what
# it uses: with KEEL_PCH=OFF, as the presets asan, tsan, cuda and fuzz and clang-tidy in `make check`
# have it, a missing include is an error.
set(KEEL_PCH_STD <algorithm> <array> <cmath> <cstdint> <cstring> <memory> <span> <string>
  <string_view> <utility> <vector>)
set(KEEL_PCH_MORE ${KEEL_PCH_STD} <charconv> <deque> <functional> <map> <optional> <set> <variant>
  <fmt/format.h> <fmt/ranges.h>)
set(KEEL_PCH_hot LEVEL -O3 HEADERS ${KEEL_PCH_STD} <immintrin.h>)
set(KEEL_PCH_warm HEADERS ${KEEL_PCH_MORE})
set(KEEL_PCH_cold LEVEL -O1 HEADERS ${KEEL_PCH_MORE})
set(KEEL_PCH_tests LINK GTest::gtest HEADERS ${KEEL_PCH_MORE} <gtest/gtest.h>)

function(keel_compile target temperature)
  cmake_parse_arguments(ARG "" "LEVEL" "LINK;HEADERS" ${KEEL_PCH_${temperature}})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${ARG_LEVEL}>)
  if(NOT KEEL_PCH)
    return()
  endif()
  set(pch keel_pch_${temperature})
  if(NOT TARGET ${pch})
    file(WRITE ${PROJECT_BINARY_DIR}/pch.cc "")
    add_library(${pch} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/pch.cc)
    target_link_libraries(${pch} PRIVATE keel_warnings fmt::fmt Threads::Threads ${ARG_LINK})
    # clang would refuse one that ccache brings back, as older than what it was made from.
    target_compile_options(${pch} PRIVATE ${ARG_LEVEL}
      $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
    target_precompile_headers(${pch} PRIVATE ${ARG_HEADERS})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${pch})
endfunction()

# Six files in one translation unit: what they include is compiled once, which takes a third off a
# full build. So the names in the anonymous namespaces of a folder must differ. Not where files are
# to be looked at one by one: preset dev, the sanitizers, clang-tidy. Kernels never.
function(keel_batch target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${KEEL_BATCH} UNITY_BUILD_BATCH_SIZE 6)
endfunction()
