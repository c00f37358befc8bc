#include "train/batch_ramp.h"

#include <algorithm>

#include "train/config.h"

namespace keel {

BatchRamp::BatchRamp(const RunConfig& config) : rows_(config.train.batch) {
  const BatchWarmupConfig& w = config.train.batch_warmup;
  const int64_t full = config.train.accumulate;
  Stage s{0, 0, full};
  if (w.start > 0 && w.start < full && w.increment > 0) {
    const int64_t grows = (full - w.start + w.increment - 1) / w.increment;
    // The first sequence at or after the k-th growth.
    const int64_t parts = grows * config.model.context;
    const auto growth = [&](int64_t k) { return (k * w.tokens + parts - 1) / parts; };
    for (int64_t k = 0; k < grows; ++k) {
      s.micro_batches = w.start + k * w.increment;
      const int64_t each = s.micro_batches * rows_, left = growth(k + 1) - s.first_sequence;
      if (left <= 0) continue;
      stages_.push_back(s);
      const int64_t steps = (left + each - 1) / each;
      s.first_step += steps;
      s.first_sequence += steps * each;
    }
    s.micro_batches = full;
  }
  stages_.push_back(s);
}

const BatchRamp::Stage& BatchRamp::stage_of(int64_t step) const {
  const auto after = std::upper_bound(stages_.begin(), stages_.end(), step,
                                      [](int64_t s, const Stage& x) { return s < x.first_step; });
  return *std::prev(after);
}

int64_t BatchRamp::sequences_before(int64_t step) const {
  const Stage& s = stage_of(step);
  return s.first_sequence + (step - s.first_step) * s.micro_batches * rows_;
}

double BatchRamp::clock(int64_t step) const {
  const int64_t seen = sequences_before(step + 1), full = stages_.back().micro_batches * rows_;
  return static_cast<double>(seen - full) / static_cast<double>(full);
}

}  // namespace keel
