# Puts the report page, the chart library and the costs of techniques into the program. As a script (cmake -P) this file
# writes the C++ arrays; included, it defines keel_embed_report(TARGET), which runs it at build time.
if(CMAKE_SCRIPT_MODE_FILE)
  set(out "// Made by cmake/embed.cmake.\n#include \"lab/assets.h\"\n\nnamespace keel {\nnamespace {\n")
  set(fields "")
  foreach(pair ${PAIRS})
    string(REPLACE "=" ";" pair "${pair}")
    list(GET pair 0 name)
    list(GET pair 1 path)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND out "constexpr unsigned char ${name}[] = {${bytes}0};\n")
    string(APPEND fields "    text(${name}, sizeof ${name} - 1),\n")
  endforeach()
  string(APPEND out "std::string_view text(const unsigned char* bytes, size_t size) {\n"
    "  return {reinterpret_cast<const char*>(bytes), size};\n}\n}  // namespace\n\n"
    "const Assets& assets() {\n  static const Assets all{\n${fields}  };\n  return all;\n}\n\n"
    "}  // namespace keel\n")
  file(WRITE ${OUTPUT} "${out}")
  return()
endif()

function(keel_embed_report target)
  find_path(KEEL_DYGRAPHS dygraph.min.js PATHS /usr/share/javascript/dygraphs
    DOC "Folder of dygraph.min.js and dygraph.min.css")
  find_file(KEEL_DYGRAPHS_LICENCE copyright PATHS /usr/share/doc/libjs-dygraphs NO_DEFAULT_PATH
    DOC "Licence text of dygraphs")
  if(NOT KEEL_DYGRAPHS OR NOT KEEL_DYGRAPHS_LICENCE)
    message(FATAL_ERROR "dygraphs not found: install the package libjs-dygraphs (make setup does)")
  endif()
  set(page ${PROJECT_SOURCE_DIR}/src/lab/page)
  # In the order of struct Assets.
  set(pairs "")
  foreach(file page.html run.html frontier.html page.css frontier.css data.js parts.js charts.js
      curves.js page.js plot.js frontier_text.js frontier_figures.js frontier_page.js)
    string(REPLACE "." "_" name ${file})
    list(APPEND pairs ${name}=${page}/${file})
  endforeach()
  list(APPEND pairs
    dygraph_js=${KEEL_DYGRAPHS}/dygraph.min.js dygraph_css=${KEEL_DYGRAPHS}/dygraph.min.css
    dygraph_licence=${KEEL_DYGRAPHS_LICENCE}
    technique_costs=${PROJECT_SOURCE_DIR}/src/lab/techniques/costs.json)
  string(REGEX REPLACE "[a-z_]+=" "" files "${pairs}")
  set(output ${PROJECT_BINARY_DIR}/generated/report_assets.cc)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  add_custom_command(OUTPUT ${output} VERBATIM DEPENDS ${files} ${script}
    COMMAND ${CMAKE_COMMAND} "-DPAIRS=${pairs}" -DOUTPUT=${output} -P ${script})
  target_sources(${target} PRIVATE ${output})
endfunction()
