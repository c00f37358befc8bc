#include "lab/search/page.h"

#include "io/fs.h"
#include "lab/assets.h"
#include "lab/downsample.h"
#include "lab/page_file.h"
#include "lab/search/ladder_svg.h"
#include "lab/svg.h"

namespace keel {
namespace {

void shorten(std::optional<GrowthRun>& run, size_t max_points) {
  if (!run) return;
  for (auto& [name, series] : run->series) {
    Curve curve = downsample({std::move(series.steps), std::move(series.values)}, max_points);
    series = {std::move(curve.steps), std::move(curve.values)};
  }
}

Json page_data(const FrontierResult& result, const FrontierPageOptions& options) {
  FrontierResult shown = result;
  for (ArmResult& arm : shown.arms) {
    shorten(arm.healthy, options.max_points);
    shorten(arm.failing, options.max_points);
  }
  Json data = Json::object();
  data.set("program", options.program).set("generated", page_time(options.unix_time));
  data.set("ladder_svg", ladder_svg(result));
  data.set("plot_style",
           Json::object().set("light", plot_style().light).set("dark", plot_style().dark));
  data.set("result", to_json(shown));
  return data;
}

}  // namespace

std::string render_frontier_page(const FrontierResult& result, const FrontierPageOptions& options) {
  const Assets& files = assets();
  PageParts parts;
  parts.heading = result.title.empty() ? "Frontier of " + result.key : result.title;
  parts.title = parts.heading + " · keel frontier";
  parts.styles.append(files.page_css).append(files.frontier_css);
  parts.main = files.frontier_html;
  for (const std::string_view script :
       {files.data_js, files.parts_js, files.plot_js, files.frontier_text_js,
        files.frontier_figures_js, files.frontier_page_js}) {
    parts.script += script;
  }
  return render_page(parts, page_data(result, options));
}

void write_frontier_page(const FrontierResult& result, const std::string& path,
                         const FrontierPageOptions& options) {
  real_fs().replace_file(path, render_frontier_page(result, options));
}

}  // namespace keel
