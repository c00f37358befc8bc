# Tells one source file of a library the program's version, the commit it was built from and the
# flags; only that file is compiled again when they change.
function(keel_build_id library file)
  set(source ${PROJECT_SOURCE_DIR}/src/${library}/${file})
  if(NOT EXISTS ${source})
    return()
  endif()
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty
    OUTPUT_VARIABLE id OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(id unknown)
  endif()
  set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS
    "KEEL_VERSION=\"${PROJECT_VERSION}\";KEEL_BUILD_ID=\"${id}\";KEEL_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\"")
endfunction()
