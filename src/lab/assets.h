// The files of the report page and the measured costs of techniques, as they were when the program
// was built (cmake/embed.cmake).
#pragma once

#include <cstddef>
#include <string_view>

namespace keel {

struct Assets {
  std::string_view page_html;  // with {{name}} where the parts go
  std::string_view page_css;
  std::string_view data_js, charts_js, curves_js, page_js;  // ours, to be run in this order
  std::string_view dygraph_js, dygraph_css, dygraph_licence;
  std::string_view technique_costs;  // JSON, as tools/bench_techniques.py writes it
};

const Assets& assets();

}  // namespace keel
