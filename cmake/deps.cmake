# Every third-party part, found on the system; nothing is downloaded at configure time.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

function(keel_system_library name header library)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  find_library(${name}_LIBRARY NAMES ${library} REQUIRED)
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE ${${name}_LIBRARY})
endfunction()
keel_system_library(keel_dnnl dnnl.h dnnl)
keel_system_library(keel_xxhash xxhash.h xxhash)
keel_system_library(keel_zstd zstd.h zstd)
keel_system_library(keel_sqlite sqlite3.h sqlite3)

# Boost.Math is headers alone.
find_path(keel_boost_math_INCLUDE boost/math/distributions.hpp REQUIRED)

# oneDNN's own OpenMP runtime: each worker thread tells it to use one thread (core/parallel).
add_library(keel_gomp INTERFACE)
target_link_libraries(keel_gomp INTERFACE -l:libgomp.so.1)
