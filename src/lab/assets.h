// The files of the pages and the measured costs of techniques, as they were when the program
// was built (cmake/embed.cmake).
#pragma once

#include <cstddef>
#include <string_view>

namespace keel {

struct Assets {
  std::string_view page_html;                // the shell, with {{name}} where the parts go
  std::string_view run_html, frontier_html;  // what is in it: a report of runs, of a frontier
  std::string_view page_css, frontier_css;
  // Ours. Of every page, in this order:
  std::string_view data_js, parts_js;
  // Of the report of runs, of that of a frontier:
  std::string_view charts_js, curves_js, page_js;
  std::string_view plot_js, frontier_text_js, frontier_figures_js, frontier_page_js;
  std::string_view dygraph_js, dygraph_css, dygraph_licence;
  std::string_view technique_costs;  // JSON, as tools/bench_techniques.py writes it
};

const Assets& assets();

}  // namespace keel
