#include "lab/downsample.h"

#include <algorithm>
#include <cmath>

namespace keel {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// Indices kept of curve points [begin, end): smallest, largest, first that is not finite.
void keep_bucket(const Curve& curve, size_t begin, size_t end, std::vector<size_t>& kept) {
  size_t low = kNone, high = kNone, bad = kNone;
  for (size_t i = begin; i < end; ++i) {
    const double value = curve.values[i];
    if (!std::isfinite(value)) {
      if (bad == kNone) bad = i;
      continue;
    }
    if (low == kNone || value < curve.values[low]) low = i;
    if (high == kNone || value > curve.values[high]) high = i;
  }
  for (const size_t i : {low, high, bad}) {
    if (i != kNone) kept.push_back(i);
  }
}

}  // namespace

Curve downsample(const Curve& curve, size_t max_points) {
  const size_t count = curve.size();
  if (count <= max_points) return curve;
  const bool finite = std::all_of(curve.values.begin(), curve.values.end(),
                                  [](double value) { return std::isfinite(value); });
  const size_t buckets = std::max<size_t>(1, (max_points - 2) / (finite ? 2 : 3));
  const double first = static_cast<double>(curve.steps.front());
  const double width = static_cast<double>(curve.steps.back()) - first + 1;
  std::vector<size_t> kept = {0, count - 1};
  size_t begin = 0;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    const double limit =
        first + width * static_cast<double>(bucket + 1) / static_cast<double>(buckets);
    size_t end = begin;
    while (end < count &&
           (bucket + 1 == buckets || static_cast<double>(curve.steps[end]) < limit)) {
      ++end;
    }
    keep_bucket(curve, begin, end, kept);
    begin = end;
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  Curve out;
  for (const size_t i : kept) {
    out.steps.push_back(curve.steps[i]);
    out.values.push_back(curve.values[i]);
  }
  return out;
}

Curve smooth(const Curve& curve, size_t window) {
  const size_t count = curve.size();
  // Sums and counts of the finite values before each point.
  std::vector<double> sum(count + 1), finite(count + 1);
  for (size_t i = 0; i < count; ++i) {
    const bool counts = std::isfinite(curve.values[i]);
    sum[i + 1] = sum[i] + (counts ? curve.values[i] : 0);
    finite[i + 1] = finite[i] + (counts ? 1 : 0);
  }
  Curve out{curve.steps, {}};
  out.values.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t reach = std::min({window / 2, i, count - 1 - i});
    const size_t begin = i - reach, end = i + reach + 1;
    out.values.push_back((sum[end] - sum[begin]) / (finite[end] - finite[begin]));
  }
  return out;
}

size_t smooth_window(size_t count) { return std::clamp<size_t>(count / 50, 5, 201) | 1; }

}  // namespace keel
