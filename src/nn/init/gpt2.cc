#include "nn/init/gpt2.h"

#include <cmath>

namespace keel {

Start Gpt2Init::start(Role role, const Shape&) const {
  switch (role) {
    case Role::kGain:
      return {Start::Kind::kConstant, 1.0};
    case Role::kBias:
      return {Start::Kind::kConstant, 0.0};
    case Role::kResidualOutput:
      if (!args_.shrink_by_depth) return {Start::Kind::kNormal, config_.deviation};
      return {Start::Kind::kNormal, config_.deviation / std::sqrt(2.0 * double(args_.layers))};
    default:
      return {Start::Kind::kNormal, config_.deviation};
  }
}

}  // namespace keel
