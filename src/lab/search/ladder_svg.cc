#include "lab/search/ladder_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "io/utf8.h"
#include "lab/svg.h"
#include "lab/text.h"

namespace keel {
namespace {

constexpr double kWidth = 880, kLeft = 164, kRight = 236, kTop = 82, kRow = 46;
constexpr size_t kNameBytes = 20, kLineBytes = 128, kMostLines = 3;
const double kReach = 0.5 * std::log(10.0);  // of the axis beyond the rates that were tried
constexpr double kInf = std::numeric_limits<double>::infinity();

// "0.0123", "1e-7": three significant digits, as the page has them.
std::string rate_text(double rate) {
  const double rounded = std::strtod(fmt::format("{:.3g}", rate).c_str(), nullptr);
  const double size = std::abs(rounded);
  if (size == 0 || !std::isfinite(size) || (size >= 1e-4 && size < 1e6)) {
    return fmt::format("{}", rounded);
  }
  const double power = std::floor(std::log10(size));
  return fmt::format("{:.3g}e{:.0f}", rounded / std::pow(10, power), power);
}

// How a kind of frontier is drawn: by colour, shape and dash, so that none of them is needed.
struct Kind {
  std::string_view name, colour, dash;
  bool hollow;
  double offset;  // pixels from the middle of the row
};
constexpr Kind kTraining{"training", "k0", "", false, -8};
constexpr Kind kDivergence{"divergence", "k7", " stroke-dasharray=\"6 3\"", true, 9};

struct Axis {
  double low = kInf, high = -kInf;  // logarithms
  void see(const std::optional<double>& rate) {
    if (!rate || !(*rate > 0) || !std::isfinite(*rate)) return;
    low = std::min(low, std::log(*rate));
    high = std::max(high, std::log(*rate));
  }
  bool shows(double rate) const { return std::log(rate) >= low && std::log(rate) <= high; }
  double x(double rate) const {
    const double at = (std::log(rate) - low) / (high - low);
    return kLeft + std::clamp(at, 0.0, 1.0) * (kWidth - kRight - kLeft);
  }
};

bool drawn(const std::optional<double>& rate) { return rate && *rate > 0 && std::isfinite(*rate); }

// Wide enough for every value, bound and interval, but for what lies more than kReach beyond the
// rates that were tried: that ends in an arrow.
bool fit(Axis& axis, const FrontierResult& result) {
  Axis tried, found;
  for (const ArmResult& arm : result.arms) {
    for (const ArmRate& rate : arm.rates) tried.see(rate.rate);
    for (const FrontierValue* f : {&arm.training_frontier, &arm.divergence_frontier}) {
      for (const auto& rate : {f->value, f->low, f->high}) found.see(rate);
    }
    axis.see(arm.best_lr);
    axis.see(arm.published);
  }
  if (found.low <= found.high) {
    const bool limited = tried.low <= tried.high;
    const double least = limited ? tried.low - kReach : -kInf;
    const double most = limited ? tried.high + kReach : kInf;
    axis.low = std::min(axis.low, std::clamp(found.low, least, most));
    axis.high = std::max(axis.high, std::clamp(found.high, least, most));
  }
  if (!(axis.low <= axis.high)) return false;
  // Room for the arrows of what is censored.
  const double air = std::max(0.3 * std::log(2.0), 0.09 * (axis.high - axis.low));
  axis.low -= air;
  axis.high += air;
  return true;
}

std::string stroke(const Kind& kind, std::string_view d, bool dashed) {
  return fmt::format(
      "<path class=\"{}\" d=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"{}/>\n",
      kind.colour, d, dashed ? kind.dash : "");
}

std::string mark(const Kind& kind, double x, double y) {
  if (!kind.hollow) {
    return fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"currentColor\"/>\n",
        kind.colour, x, y);
  }
  return fmt::format(
      "<rect class=\"{} hollow\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\" "
      "stroke=\"currentColor\" stroke-width=\"2\"/>\n",
      kind.colour, x - 4.5, y - 4.5);
}

// To the right (side 1) or left (side -1) of x.
std::string arrow(const Kind& kind, double x, double y, int side) {
  const double tip = x + 26 * side;
  return stroke(kind, fmt::format("M{:.1f} {:.1f}H{:.1f}", x, y, tip), false) +
         stroke(kind,
                fmt::format("M{:.1f} {:.1f}l{} -4.5m{} 4.5l{} 4.5", tip, y, -7 * side, 7 * side,
                            -7 * side),
                false);
}

std::string end_of(const Kind& kind, double x, double y) {
  return stroke(kind, fmt::format("M{:.1f} {:.1f}v9", x, y - 4.5), false);
}

// "stable up to 0.195", "0.074 (0.058 to 0.094)".
std::string frontier_text(const FrontierValue& f, bool above) {
  if (!f.value) {
    if (!f.low || !f.high) return "not known";
    return fmt::format("{} to {}", rate_text(*f.low), rate_text(*f.high));
  }
  const std::string value = rate_text(*f.value);
  if (f.censored == (above ? "right" : "left")) {
    return fmt::format("stable {} to {}", above ? "up" : "down", value);
  }
  if (!f.censored.empty()) return fmt::format("{} {}", above ? "below" : "above", value);
  if (f.ill_determined) return value + ", ill-determined";
  if (!f.low && !f.high) return value + ", no interval";
  return fmt::format("{} ({} to {})", value, f.low ? rate_text(*f.low) : "open",
                     f.high ? rate_text(*f.high) : "open");
}

std::string frontier(const Axis& axis, const Kind& kind, const FrontierValue& f, double y,
                     bool above) {
  std::string out;
  const bool low = drawn(f.low) && axis.shows(*f.low), high = drawn(f.high) && axis.shows(*f.high);
  if (f.censored.empty() && (drawn(f.low) || drawn(f.high))) {
    const double from = low ? axis.x(*f.low) : kLeft;
    const double to = high ? axis.x(*f.high) : kWidth - kRight;
    out += stroke(kind, fmt::format("M{:.1f} {:.1f}H{:.1f}", from, y, to), true);
    out += low ? end_of(kind, from, y) : arrow(kind, from + 26, y, -1);
    out += high ? end_of(kind, to, y) : arrow(kind, to - 26, y, 1);
  }
  if (drawn(f.value)) {
    if (!f.censored.empty())
      out += arrow(kind, axis.x(*f.value), y, f.censored == "right" ? 1 : -1);
    out += mark(kind, axis.x(*f.value), y);
  }
  return out + svg_text(kWidth - kRight + 14, y + 4, "class=\"t\"",
                        fmt::format("{}", frontier_text(f, above)));
}

// The best rate is a triangle below the row's lines, a published value a diamond over them.
std::string other_marks(const Axis& axis, const ArmResult& arm, double y) {
  std::string out;
  if (drawn(arm.best_lr)) {
    out += fmt::format("<path class=\"k2\" d=\"M{:.1f} {:.1f}l5 9h-10z\" fill=\"currentColor\"/>\n",
                       axis.x(*arm.best_lr), y - 4.5);
  }
  if (drawn(arm.published)) {
    out += fmt::format(
        "<path class=\"k3 hollow\" d=\"M{:.1f} {:.1f}l6 6l-6 6l-6 -6z\" stroke=\"currentColor\" "
        "stroke-width=\"2\"/>\n",
        axis.x(*arm.published), y - 6);
  }
  return out;
}

// 1, 2 and 5 times the powers of ten, or the powers alone where those would be many.
std::string scale(const Axis& axis, double bottom, const std::string& key) {
  std::string out;
  const bool wide = axis.high - axis.low > std::log(3000.0);
  const bool narrow = axis.high - axis.low < std::log(12.0);
  for (int power = -12; power <= 12; ++power) {
    for (const double digit : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
      if (wide && digit != 1) continue;
      if (!narrow && digit != 1 && digit != 2 && digit != 5) continue;
      const double tick = digit * std::pow(10.0, power);
      if (std::log(tick) < axis.low || std::log(tick) > axis.high) continue;
      const double x = axis.x(tick);
      out += fmt::format("<path class=\"g\" d=\"M{:.1f} {}V{:.1f}\"/>\n", x, kTop, bottom);
      out += svg_text(x, bottom + 18, "class=\"m\" text-anchor=\"middle\"", rate_text(tick));
    }
  }
  out += fmt::format("<path class=\"a\" d=\"M{} {:.1f}H{}\"/>\n", kLeft, bottom, kWidth - kRight);
  return out + svg_text((kLeft + kWidth - kRight) / 2, bottom + 37,
                        "class=\"m\" text-anchor=\"middle\"", shortened(key, 60));
}

std::string legend(const FrontierResult& result) {
  std::string out;
  double x = 20;
  for (const Kind* kind : {&kTraining, &kDivergence}) {
    out += stroke(*kind, fmt::format("M{:.1f} 56h32", x), true) + mark(*kind, x + 16, 56);
    const std::string label = fmt::format("{} frontier", kind->name);
    out += svg_text(x + 40, 60, "class=\"t\"", label);
    x += 40 + 6.4 * static_cast<double>(label.size()) + 16;
  }
  out +=
      fmt::format("<path class=\"k2\" d=\"M{:.1f} 51l5 9h-10z\" fill=\"currentColor\"/>\n", x + 6);
  out += svg_text(x + 18, 60, "class=\"t\"", "best rate");
  x += 92;
  const bool published = std::any_of(result.arms.begin(), result.arms.end(),
                                     [](const ArmResult& arm) { return drawn(arm.published); });
  if (!published) return out;
  out += fmt::format(
      "<path class=\"k3 hollow\" d=\"M{:.1f} 50l6 6l-6 6l-6 -6z\" stroke=\"currentColor\" "
      "stroke-width=\"2\"/>\n",
      x + 6);
  const std::string label = result.published_label.empty() ? "published" : result.published_label;
  return out + svg_text(x + 18, 60, "class=\"t\"", shortened(label, 44));
}

// What every frontier is quoted with, in lines.
std::vector<std::string> conditions(const FrontierResult& result) {
  std::vector<std::string> lines(1);
  const auto add = [&](const std::string& word) {
    if (lines.back().size() + word.size() > kLineBytes && !lines.back().empty())
      lines.emplace_back();
    lines.back() += word;
  };
  std::vector<std::string> items;
  for (const auto& [name, value] : result.conditions) items.push_back(name + " " + value);
  if (!result.arms.empty()) {
    const int64_t seeds = result.arms.front().seeds;
    items.push_back(fmt::format("{} seed{}", seeds, seeds == 1 ? "" : "s"));
  }
  for (size_t i = 0; i < items.size(); ++i) add(items[i] + (i + 1 < items.size() ? ", " : ""));
  if (lines.size() > kMostLines) {
    lines.resize(kMostLines);
    lines.back() += "…";
  }
  return lines;
}

}  // namespace

std::string ladder_svg(const FrontierResult& result) {
  const std::string title = result.title.empty() ? "Frontier of " + result.key : result.title;
  Axis axis;
  if (!fit(axis, result)) {
    return svg_opening(kWidth, 140, title) +
           svg_text(20, 31, "class=\"t h\"", shortened(title, 90)) +
           svg_text(kWidth / 2, 84, "class=\"m\" text-anchor=\"middle\"",
                    "No frontier has been measured yet.") +
           "</svg>\n";
  }
  const double bottom = kTop + kRow * static_cast<double>(result.arms.size());
  const std::vector<std::string> lines = conditions(result);
  const double height = bottom + 54 + 17 * static_cast<double>(lines.size());
  std::string out = svg_opening(
      kWidth, height, fmt::format("{}: how far {} can go in each recipe", title, result.key));
  out += svg_text(20, 31, "class=\"t h\"", shortened(title, 90)) + legend(result);
  out += scale(axis, bottom, result.key);
  for (size_t i = 0; i < result.arms.size(); ++i) {
    const ArmResult& arm = result.arms[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    if (i > 0) {
      out += fmt::format("<path class=\"g\" d=\"M20 {:.1f}H{}\"/>\n", y - kRow / 2, kWidth - 20);
    }
    out += svg_text(20, y + 4, "class=\"t b\"", shortened(arm.name, kNameBytes));
    out += frontier(axis, kTraining, arm.training_frontier, y + kTraining.offset, result.above);
    out +=
        frontier(axis, kDivergence, arm.divergence_frontier, y + kDivergence.offset, result.above);
    out += other_marks(axis, arm, y);
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    out += svg_text(20, bottom + 58 + 17 * static_cast<double>(i), "class=\"m\"", lines[i]);
  }
  return out + "</svg>\n";
}

}  // namespace keel
