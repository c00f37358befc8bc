#include "nn/init/xavier.h"

#include <cmath>

namespace keel {

Start XavierInit::start(Role role, const Shape& shape) const {
  if (role == Role::kEmbedding || role == Role::kPosition) {
    return {Start::Kind::kNormal, config_.tables};
  }
  const double fans = double(shape.dim(0)) + double(shape.dim(-1));
  if (config_.distribution == "normal") {
    return start_of(role, {Start::Kind::kNormal, std::sqrt(2.0 / fans)});
  }
  return start_of(role, {Start::Kind::kUniform, std::sqrt(6.0 / fans)});
}

}  // namespace keel
