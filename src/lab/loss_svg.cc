#include "lab/loss_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/utf8.h"
#include "lab/svg.h"
#include "lab/text.h"

namespace keel {
namespace {

constexpr double kWidth = 880, kHeight = 440;
constexpr double kLeft = 64, kRight = 24, kTop = 62, kBottom = 48;
constexpr size_t kPoints = 700;
constexpr size_t kTitleBytes = 38;  // what stands beside the legend

constexpr std::string_view kRaw =
    R"(class="raw k0" fill="none" stroke="currentColor" opacity=".32")";
constexpr std::string_view kMean =
    R"(class="mean k0" fill="none" stroke="currentColor" stroke-width="2.4")";
constexpr std::string_view kVal =
    R"(class="val k1" fill="none" stroke="currentColor" stroke-width="2")";
constexpr std::string_view kFloor =
    R"(class="floor k2" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="2 5")";

struct LossFrame {
  double first = 0, last = 1;  // steps
  double low = 0, high = 1;    // loss
  double x(double step) const {
    return kLeft + (step - first) / (last - first) * (kWidth - kLeft - kRight);
  }
  double y(double loss) const {
    return kTop + (high - loss) / (high - low) * (kHeight - kTop - kBottom);
  }
};

// The range of the finite values of all curves and of the floor, with some air.
bool fit_loss(LossFrame& frame, const std::vector<Curve>& curves, double floor) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  frame = {kInf, -kInf, kInf, -kInf};
  for (const Curve& curve : curves) {
    for (size_t i = 0; i < curve.size(); ++i) {
      if (!std::isfinite(curve.values[i])) continue;
      frame.first = std::min(frame.first, static_cast<double>(curve.steps[i]));
      frame.last = std::max(frame.last, static_cast<double>(curve.steps[i]));
      frame.low = std::min(frame.low, curve.values[i]);
      frame.high = std::max(frame.high, curve.values[i]);
    }
  }
  if (!(frame.low <= frame.high)) return false;
  if (std::isfinite(floor)) frame.low = std::min(frame.low, floor);
  if (frame.last <= frame.first) frame.last = frame.first + 1;
  const double air = std::max(1e-6, 0.06 * (frame.high - frame.low));
  frame.low -= air;
  frame.high += air;
  return true;
}

// A new M after each value that is not finite leaves a gap there.
std::string path_of(const Curve& curve, const LossFrame& frame, std::string_view attributes) {
  std::string d;
  char command = 'M';
  for (size_t i = 0; i < curve.size(); ++i) {
    if (!std::isfinite(curve.values[i])) {
      command = 'M';
      continue;
    }
    d += fmt::format("{}{:.1f} {:.1f}", command, frame.x(static_cast<double>(curve.steps[i])),
                     frame.y(curve.values[i]));
    command = 'L';
  }
  return d.empty() ? "" : fmt::format("<path {} d=\"{}\"/>\n", attributes, d);
}

// 200, 1k, 1.2k: short_count without zeros at the end.
std::string tick_text(double tick) {
  std::string text = short_count(tick);
  const size_t dot = text.find('.');
  if (dot == std::string::npos) return text;
  const size_t unit = text.find_first_not_of("0123456789", dot + 1);
  const size_t kept = text.find_last_not_of('0', std::min(unit, text.size()) - 1);
  const size_t end = kept == dot ? dot : kept + 1;
  return text.substr(0, end) + (unit == std::string::npos ? "" : text.substr(unit));
}

std::string axes(const LossFrame& frame) {
  std::string out;
  for (const double tick : round_ticks(frame.low, frame.high, 6)) {
    const double y = frame.y(tick);
    out += fmt::format("<path class=\"g\" d=\"M{} {:.1f}H{}\"/>\n", kLeft, y, kWidth - kRight);
    out +=
        svg_text(kLeft - 8, y + 4.5, "class=\"m\" text-anchor=\"end\"", fmt::format("{:g}", tick));
  }
  for (const double tick : round_ticks(frame.first, frame.last, 8)) {
    out += svg_text(frame.x(tick), kHeight - kBottom + 20, "class=\"m\" text-anchor=\"middle\"",
                    tick_text(tick));
  }
  out += svg_text((kLeft + kWidth - kRight) / 2, kHeight - 10, "class=\"m\" text-anchor=\"middle\"",
                  "step");
  out += svg_text(kLeft - 8, kTop - 12, "class=\"m\" text-anchor=\"end\"", "loss");
  return out;
}

struct LegendItem {
  std::string_view attributes, label;
  double value;
  bool dot;
};

// From the right edge leftwards, so that the title keeps its room.
std::string legend(const std::vector<LegendItem>& items) {
  std::string out;
  double right = kWidth - kRight;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    const std::string label = fmt::format("{} {:.3f}", item->label, item->value);
    const double width = 6.4 * static_cast<double>(label.size());
    out += svg_text(right - width, 30, "class=\"t\"", label);
    out += fmt::format("<path {} d=\"M{:.1f} 25.5h22\"/>\n", item->attributes, right - width - 28);
    if (item->dot) {
      out += fmt::format(
          "<circle class=\"k1\" fill=\"currentColor\" cx=\"{:.1f}\" cy=\"25.5\" r=\"3\"/>\n",
          right - width - 17);
    }
    right -= width + 44;
  }
  return out;
}

double last_finite(const Curve& curve) {
  for (size_t i = curve.size(); i-- > 0;) {
    if (std::isfinite(curve.values[i])) return curve.values[i];
  }
  return std::nan("");
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int count) {
  const double rough = (high - low) / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  // The factor nearest to `rough` in ratio.
  const double ratio = rough / power;
  const double factor = ratio >= std::sqrt(50)   ? 10
                        : ratio >= std::sqrt(10) ? 5
                        : ratio >= std::sqrt(2)  ? 2
                                                 : 1;
  const double stride = factor * power;
  std::vector<double> ticks;
  const auto first = static_cast<int64_t>(std::ceil(low / stride - 1e-9));
  const auto last = static_cast<int64_t>(std::floor(high / stride + 1e-9));
  for (int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * stride);
  return ticks;
}

std::string loss_svg(const RunData& run) {
  const Curve& loss = run.metric(metric_name::kLoss);
  const Curve raw = downsample(loss, kPoints);
  const Curve mean = downsample(smooth(loss, smooth_window(loss.size())), kPoints);
  const Curve val = downsample(run.eval(metric_name::kValLoss), kPoints);
  const double floor = run.meta_number(metric_name::kEntropyFloor);
  std::string out = svg_opening(kWidth, kHeight, fmt::format("Loss of {} by step", run.name));
  out += svg_text(20, 31, "class=\"t h\"", shortened(run.name, kTitleBytes));
  LossFrame frame;
  if (!fit_loss(frame, {raw, val}, floor)) {
    out += svg_text(kWidth / 2, kHeight / 2, "class=\"m\" text-anchor=\"middle\"",
                    "No loss has been measured yet.");
    return out + "</svg>\n";
  }
  out += axes(frame);
  out += path_of(raw, frame, kRaw);
  if (std::isfinite(floor)) {
    out += path_of(
        {{static_cast<int64_t>(frame.first), static_cast<int64_t>(frame.last)}, {floor, floor}},
        frame, kFloor);
  }
  out += path_of(mean, frame, kMean) + path_of(val, frame, kVal);
  for (size_t i = 0; i < val.size(); ++i) {
    if (!std::isfinite(val.values[i])) continue;
    out += fmt::format(
        "<circle class=\"k1\" fill=\"currentColor\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n",
        frame.x(static_cast<double>(val.steps[i])), frame.y(val.values[i]));
  }
  std::vector<LegendItem> items;
  const double train = summarize(run).train_loss;
  if (std::isfinite(train)) items.push_back({kMean, "train", train, false});
  if (std::isfinite(last_finite(val))) {
    items.push_back({kVal, "validation", last_finite(val), true});
  }
  if (std::isfinite(floor)) items.push_back({kFloor, "entropy floor", floor, false});
  return out + legend(items) + "</svg>\n";
}

}  // namespace keel
