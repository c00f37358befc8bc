#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/coord_check.h"
#include "lab/svg.h"

namespace keel {
namespace {

constexpr double kPageWidth = 880, kPageHeight = 600;
constexpr double kPanelWidth = 360, kPanelHeight = 190;

struct Panel {
  std::string_view title, part;  // names that end in `part`
  double left, top;
};
constexpr Panel kPanels[] = {{"attention", "attention", 76, 86},
                             {"feed-forward", "ffn", 496, 86},
                             {"residual stream", "stream", 76, 356},
                             {"embedding and logits", "", 496, 356}};

bool belongs(const CoordSeries& s, const Panel& panel) {
  if (panel.part.empty()) return s.name == "embedding" || s.name == "logits";
  return s.name.ends_with(panel.part);
}

// Both axes in logarithms.
struct Axes {
  const Panel& panel;
  double first, last, low, high;
  double x(int64_t width) const {
    return panel.left + (std::log(double(width)) - first) / (last - first) * kPanelWidth;
  }
  double y(double log_value) const {
    return panel.top + (high - log_value) / (high - low) * kPanelHeight;
  }
};

bool drawn(double value) { return value > 0 && std::isfinite(value); }

// At least three octaves high, so that a flat line looks flat.
Axes axes_of(const Panel& panel, const CoordCheck& check) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const CoordSeries& s : check.series) {
    if (!belongs(s, panel)) continue;
    for (const auto* at : {&s.activations.front(), &s.activations.back()}) {
      for (const double value : *at) {
        if (!drawn(value)) continue;
        low = std::min(low, std::log(value));
        high = std::max(high, std::log(value));
      }
    }
  }
  if (!(low <= high)) low = high = 0;
  const double air = std::max(0.06 * (high - low), 1.5 * std::log(2.0) - 0.5 * (high - low));
  return {panel, std::log(double(check.widths.front())), std::log(double(check.widths.back())),
          low - air, high + air};
}

// 1, 2 and 5 times the powers of ten, or the powers alone where those would be many.
std::string grid(const Axes& a, const CoordCheck& check) {
  std::string out;
  const bool wide = a.high - a.low > std::log(1000.0);
  for (int power = -12; power <= 12; ++power) {
    for (const int digit : {1, 2, 5}) {
      if (wide && digit != 1) continue;
      const double tick = digit * std::pow(10.0, power);
      if (std::log(tick) < a.low || std::log(tick) > a.high) continue;
      const double y = a.y(std::log(tick));
      out += fmt::format("<path class=\"g\" d=\"M{:.1f} {:.1f}h{}\"/>\n", a.panel.left, y,
                         kPanelWidth);
      out += svg_text(a.panel.left - 8, y + 4, "class=\"m\" text-anchor=\"end\"",
                      fmt::format("{:g}", tick));
    }
  }
  for (const int64_t width : check.widths) {
    out += svg_text(a.x(width), a.panel.top + kPanelHeight + 18,
                    "class=\"m\" text-anchor=\"middle\"", fmt::format("{}", width));
  }
  return out;
}

std::string line_of(const Axes& a, const CoordCheck& check, const std::vector<double>& values,
                    std::string_view attributes) {
  std::string d;
  char command = 'M';
  for (size_t i = 0; i < values.size(); ++i) {
    if (!drawn(values[i])) {
      command = 'M';
      continue;
    }
    d += fmt::format("{}{:.1f} {:.1f}", command, a.x(check.widths[i]), a.y(std::log(values[i])));
    command = 'L';
  }
  return d.empty()
             ? ""
             : fmt::format(
                   "<path class=\"l k0\" fill=\"none\" stroke=\"currentColor\" {} d=\"{}\"/>\n",
                   attributes, d);
}

std::string lines(const Axes& a, const CoordCheck& check) {
  std::vector<const CoordSeries*> in;
  for (const CoordSeries& s : check.series) {
    if (belongs(s, a.panel)) in.push_back(&s);
  }
  std::string out;
  double steepest = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const double shade = 0.35 + 0.65 * double(i + 1) / double(in.size());
    out += line_of(a, check, in[i]->activations.front(),
                   fmt::format("stroke-dasharray=\"2 5\" opacity=\"{:.2f}\"", 0.6 * shade));
    out += line_of(a, check, in[i]->activations.back(),
                   fmt::format("stroke-width=\"2\" opacity=\"{:.2f}\"", shade));
    const double slope = in[i]->slopes.back();
    if (!(std::abs(slope) <= std::abs(steepest))) steepest = slope;
  }
  out += svg_text(a.panel.left, a.panel.top - 10, "class=\"t b\"", a.panel.title);
  out += svg_text(a.panel.left + kPanelWidth, a.panel.top - 10, "class=\"m\" text-anchor=\"end\"",
                  std::isfinite(steepest) ? fmt::format("steepest slope {:+.3f}", steepest)
                                          : std::string("no slope: not finite, or 0"));
  return out;
}

}  // namespace

std::string coord_check_svg(const CoordCheck& check) {
  std::string out =
      svg_opening(kPageWidth, kPageHeight, "Coordinate check: mean activations by width");
  out += svg_text(20, 31, "class=\"t h\"",
                  fmt::format("Mean |activation| by width after {} steps", check.steps));
  out += svg_text(20, 52, "class=\"m\"",
                  fmt::format("dashed: before the first; darker: later layers; mean of {} seeds; "
                              "both axes logarithmic",
                              check.seeds));
  for (const Panel& panel : kPanels) {
    const Axes a = axes_of(panel, check);
    out += grid(a, check) + lines(a, check);
  }
  return out + "</svg>\n";
}

}  // namespace keel
