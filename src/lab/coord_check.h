// The coordinate check of maximal update parametrisation (Yang et al., arXiv 2203.03466, appendix
// D.1): a model is trained for a few steps at several widths, and the mean |activation| of each of
// its parts is looked at after every step. In muP none of them grows or shrinks with the width; in
// the standard parametrisation at a high rate they do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/config.h"

namespace keel {

// One part of the model: "embedding", "blocks.0.attention", "blocks.0.ffn", "blocks.0.stream" (the
// residual stream behind both branches), "logits".
struct CoordSeries {
  std::string name;
  // [steps + 1][widths] mean |activation| over the elements and seeds, before and after each step.
  std::vector<std::vector<double>> activations;
  // [steps + 1] of log activation over log width; NaN where an activation is 0 or not finite.
  std::vector<double> slopes;
};

struct CoordCheck {
  std::vector<int64_t> widths;
  int64_t steps = 0, seeds = 0;
  std::vector<CoordSeries> series;

  // The series of the largest |slope| after the last step; one without a slope goes before all.
  const CoordSeries& steepest() const;
};

// The config at each width: model.dim is the width; heads, key-value heads and a feed-forward width
// that is set grow in proportion, so the size of a head stays; the rate is held at optim.lr without
// warm-up, because the steps are few. ConfigError for a width at which heads would not be whole,
// and for all that a config can be refused for.
std::vector<RunConfig> configs_of_widths(const std::string& path,
                                         const std::vector<std::string>& sets,
                                         std::span<const int64_t> widths);

// Trains each of them `seeds` times (seed.init and those behind it) for `steps` steps on the same
// data; the activations are those of the first batch, without dropout. Throws as a run would;
// MemoryError before the first step if the widest does not fit.
CoordCheck coord_check(const std::vector<RunConfig>& configs, int64_t steps, int64_t seeds);

// The slope of the least-squares line through (log x, log y); NaN where a y is not above 0.
double log_slope(std::span<const int64_t> x, std::span<const double> y);

// 880 x 600 pixels: activations after the last step over the width, a panel for each kind of part,
// a line for each layer; dashed: before the first step. No script, nothing fetched.
std::string coord_check_svg(const CoordCheck& check);

}  // namespace keel
