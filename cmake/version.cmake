# What the program says of itself, told to the two files that need it; only these are compiled again
# when it changes.

# Version of a library as pkg-config knows it.
function(keel_library_version out label package)
  execute_process(COMMAND pkg-config --modversion ${package} OUTPUT_VARIABLE found
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(found "(unknown)")
  endif()
  set(${out} "${${out}}, ${label} ${found}" PARENT_SCOPE)
endfunction()

# keel_version_info(VERSION_FILE CPU_FILE): version, commit, build type and libraries for the first;
# the instruction sets that the compiler may use for the second, which is itself compiled for the
# baseline of the architecture, because it says what is missing.
function(keel_version_info version_file cpu_file)
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty
    OUTPUT_VARIABLE id OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(id unknown)
  endif()
  set(libraries "fmt ${fmt_VERSION}, toml++ ${tomlplusplus_VERSION}, \
nlohmann-json ${nlohmann_json_VERSION}, CLI11 ${CLI11_VERSION}")
  keel_library_version(libraries SQLite sqlite3)
  keel_library_version(libraries zstd libzstd)
  keel_library_version(libraries xxHash libxxhash)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/${version_file} PROPERTIES COMPILE_DEFINITIONS
    "KEEL_VERSION=\"${PROJECT_VERSION}\";KEEL_BUILD_ID=\"${id}\";\
KEEL_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";KEEL_LIBRARIES=\"${libraries}\"")

  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=${KEEL_ARCH} -dM -E -x c++ /dev/null
    OUTPUT_VARIABLE macros ERROR_QUIET)
  string(REGEX MATCHALL "__(AVX|FMA|BMI)[0-9A-Z]*__" sets "${macros}")
  string(REPLACE "__" "" sets "${sets}")
  string(REPLACE ";" " " sets "${sets}")
  string(TOLOWER " ${sets} " sets)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/${cpu_file} PROPERTIES
    COMPILE_DEFINITIONS "KEEL_USES=\"${sets}\"" SKIP_PRECOMPILE_HEADERS ON)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    set_source_files_properties(${PROJECT_SOURCE_DIR}/${cpu_file} PROPERTIES
      COMPILE_OPTIONS "-march=x86-64")
  endif()
endfunction()
