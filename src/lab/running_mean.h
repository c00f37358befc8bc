// Exponential running mean whose start is corrected for its zero initial value. A value that is
// not finite leaves the mean as it was: one bad step must not hide the curve around it.
#pragma once

#include <cmath>

namespace keel {

class RunningMean {
 public:
  // decay in [0, 1): the weight that the past keeps at each value; 0.95 looks back about 20 values.
  explicit RunningMean(double decay = 0.95) : decay_(decay) {}

  void add(double value) {
    if (!std::isfinite(value)) return;
    sum_ = decay_ * sum_ + (1 - decay_) * value;
    weight_ = decay_ * weight_ + (1 - decay_);
  }
  // NaN before the first finite value.
  double value() const { return weight_ > 0 ? sum_ / weight_ : std::nan(""); }

 private:
  double decay_;
  double sum_ = 0;
  double weight_ = 0;
};

}  // namespace keel
