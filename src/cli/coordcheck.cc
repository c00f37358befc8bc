// keel coordcheck: whether activations keep their size when the model grows wider.

#include <fmt/format.h>

#include <cmath>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/parallel.h"
#include "io/fs.h"
#include "lab/coord_check.h"

namespace keel {
namespace {

// What a slope is called flat below.
constexpr double kFlat = 0.1;
constexpr int64_t kMostWidth = 1 << 24;

void check_args(const CoordCheckArgs& args) {
  check_number("--steps", args.steps, 1);
  check_number("--seeds", args.seeds, 1);
  bool grows = args.widths.size() >= 2 && args.widths.front() > 0;
  for (size_t i = 1; i < args.widths.size(); ++i) grows &= args.widths[i] > args.widths[i - 1];
  if (!grows) {
    throw ConfigError(fmt::format("--widths: must be two or more that grow, as in 64,128; are {}",
                                  fmt::join(args.widths, ",")));
  }
  for (const int64_t width : args.widths) check_number("--widths", width, 1, kMostWidth);
  if (!args.out.empty() && !args.out.ends_with(".svg")) {
    throw ConfigError(fmt::format("-o: the picture is an .svg file, is {}", args.out));
  }
}

Json check_json(const CoordCheck& check) {
  Json series = Json::array();
  for (const CoordSeries& s : check.series) {
    Json activations = Json::array();
    for (const std::vector<double>& a : s.activations) activations.push(Json::array_of(a));
    Json one = Json::object();
    one.set("name", s.name).set("activations", std::move(activations));
    series.push(std::move(one.set("slopes", Json::array_of(s.slopes))));
  }
  const CoordSeries& steepest = check.steepest();
  Json j = Json::object();
  j.set("widths", Json::array_of(check.widths)).set("steps", check.steps);
  j.set("seeds", check.seeds).set("steepest", steepest.name);
  j.set("max_slope", std::abs(steepest.slopes.back())).set("series", std::move(series));
  return j;
}

std::string slope_text(double slope) {
  return std::isfinite(slope) ? fmt::format("{:>9.3f}", slope) : fmt::format("{:>9}", "-");
}

std::string check_text(const CoordCheck& check) {
  std::string out = fmt::format(
      "mean |activation| by width, after {} steps at the full rate, {} "
      "seeds; slope of its logarithm, also before the first step\n{:22}",
      check.steps, check.seeds, "");
  for (const int64_t width : check.widths) out += fmt::format("{:>10}", width);
  out += fmt::format("{:>9}{:>9}\n", "slope", "at first");
  for (const CoordSeries& s : check.series) {
    out += fmt::format("{:22}", s.name);
    for (const double a : s.activations.back()) out += fmt::format("{:>10.4g}", a);
    out += slope_text(s.slopes.back()) + slope_text(s.slopes.front()) + "\n";
  }
  const CoordSeries& steepest = check.steepest();
  const double slope = steepest.slopes.back();
  if (!std::isfinite(slope)) {
    return out + fmt::format("no slope: {} is 0 or not finite\n", steepest.name);
  }
  return out + fmt::format("{}: the steepest is {:.3f} ({}), flat is below {}\n",
                           std::abs(slope) < kFlat ? "flat" : "NOT flat", slope, steepest.name,
                           kFlat);
}

}  // namespace

int run(const CoordCheckArgs& args) {
  check_args(args);
  const std::vector<RunConfig> configs = configs_of_widths(args.config, args.sets, args.widths);
  set_num_threads(static_cast<int>(configs.front().train.threads));
  const CoordCheck check = coord_check(configs, args.steps, args.seeds);
  if (!args.out.empty()) {
    real_fs().replace_file(args.out, coord_check_svg(check));
    say(args.out);
  }
  if (args.json) {
    print_json(check_json(check));
  } else {
    print(check_text(check));
  }
  return kExitOk;
}

}  // namespace keel
