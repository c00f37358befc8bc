#include "lab/report.h"

#include <fmt/format.h>

#include <vector>

#include "core/error.h"
#include "io/fs.h"
#include "lab/assets.h"
#include "lab/loss_svg.h"
#include "lab/text.h"

namespace keel {
namespace {

struct Part {
  std::string_view name;
  std::string text;
};

// A library's file without its last comment, which names a file that a browser's tools would fetch.
std::string without_source_map(std::string_view text) {
  const size_t mark = text.rfind("# sourceMappingURL=");
  if (mark == std::string_view::npos) return std::string(text);
  return std::string(text.substr(0, text.find_last_not_of("/*", mark - 1) + 1));
}

// `page` with each {{name}} replaced. What is put in is not looked at again, so text of a run that
// holds such a mark stays text.
std::string fill(std::string_view page, const std::vector<Part>& parts) {
  std::string out;
  while (true) {
    const size_t begin = page.find("{{");
    const size_t end = page.find("}}", begin);
    out += page.substr(0, begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return out;
    const std::string_view name = page.substr(begin + 2, end - begin - 2);
    for (const Part& part : parts) {
      if (part.name == name) out += part.text;
    }
    page.remove_prefix(end + 2);
  }
}

}  // namespace

std::string render_report(std::span<const RunData> runs, const ReportOptions& options) {
  const Json data = report_data(runs, options);
  const Assets& files = assets();
  std::string title = runs.front().name;
  if (runs.size() > 1) title = fmt::format("{} runs compared", runs.size());
  std::string script(files.data_js);
  script.append(files.charts_js).append(files.curves_js).append(files.page_js);
  return fill(files.page_html, {{"title", html_escape(valid_utf8(title)) + " · keel report"},
                                {"dygraph_css", without_source_map(files.dygraph_css)},
                                {"page_css", std::string(files.page_css)},
                                {"dygraph_licence", html_escape(valid_utf8(files.dygraph_licence))},
                                {"data", script_json(data.dump())},
                                {"dygraph_js", without_source_map(files.dygraph_js)},
                                {"page_js", std::move(script)}});
}

void write_report(std::span<const std::string> paths, const std::string& output,
                  const ReportOptions& options) {
  const bool svg = output.ends_with(".svg");
  if (svg && paths.size() > 1) {
    throw ConfigError(fmt::format(
        "{}: a picture shows one run, {} were given; name one, or an output ending in .html",
        output, paths.size()));
  }
  std::vector<RunData> runs;
  for (const std::string& path : paths) runs.push_back(load_run_data(path));
  real_fs().replace_file(
      output, svg && !runs.empty() ? loss_svg(runs.front()) : render_report(runs, options));
}

}  // namespace keel
