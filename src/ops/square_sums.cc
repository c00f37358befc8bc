#include "ops/square_sums.h"

#include <cmath>

namespace keel {

double root_mean_square(const Tensor& x) {
  double sum = 0;
  on_device(x, [&](auto& dev) { kernel::square_sum(dev, {x, &sum}); });
  return x.size() > 0 ? std::sqrt(sum / static_cast<double>(x.size())) : 0.0;
}

}  // namespace keel
