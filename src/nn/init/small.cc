#include "nn/init/small.h"

#include <cmath>

namespace keel {

Start SmallInit::start(Role role, const Shape&) const {
  double deviation = std::sqrt(2.0 / (5.0 * double(args_.dim)));
  if (role == Role::kResidualOutput && config_.depth_scaled && args_.shrink_by_depth) {
    deviation /= std::sqrt(2.0 * double(args_.layers));
  }
  return start_of(role, {Start::Kind::kNormal, deviation});
}

}  // namespace keel
