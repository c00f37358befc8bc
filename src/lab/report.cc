#include "lab/report.h"

#include <fmt/format.h>

#include <vector>

#include "core/error.h"
#include "io/fs.h"
#include "lab/assets.h"
#include "lab/loss_svg.h"
#include "lab/page_file.h"

namespace keel {
namespace {

// A library's file without its last comment, which names a file that a browser's tools would fetch.
std::string without_source_map(std::string_view text) {
  const size_t mark = text.rfind("# sourceMappingURL=");
  if (mark == std::string_view::npos) return std::string(text);
  return std::string(text.substr(0, text.find_last_not_of("/*", mark - 1) + 1));
}

constexpr std::string_view kControls =
    "      <label for=\"x-axis\">Horizontal axis <select id=\"x-axis\"></select></label>\n"
    "      <button type=\"button\" id=\"reset-zoom\" hidden>Show all</button>\n";

}  // namespace

std::string render_report(std::span<const RunData> runs, const ReportOptions& options) {
  const Json data = report_data(runs, options);
  const Assets& files = assets();
  std::string title = runs.front().name;
  if (runs.size() > 1) title = fmt::format("{} runs compared", runs.size());
  PageParts parts;
  parts.title = title + " · keel report";
  parts.heading = title;
  parts.styles = without_source_map(files.dygraph_css).append(files.page_css);
  parts.controls = kControls;
  parts.main = files.run_html;
  parts.licence = files.dygraph_licence;
  parts.library_name = "dygraphs, MIT";
  parts.library = without_source_map(files.dygraph_js);
  parts.script.append(files.data_js).append(files.parts_js).append(files.charts_js);
  parts.script.append(files.curves_js).append(files.page_js);
  return render_page(parts, data);
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
