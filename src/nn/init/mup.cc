#include "nn/init/mup.h"

#include <cmath>

namespace keel {
namespace {

bool hidden(Role role) { return role == Role::kLinear || sizes_branch(role); }

}  // namespace

Start MupInit::start(Role role, const Shape&) const {
  if (role == Role::kHead && config_.zero_head) return {Start::Kind::kConstant, 0};
  double deviation = config_.deviation;
  if (hidden(role)) deviation /= std::sqrt(width());
  if (role == Role::kResidualOutput && args_.shrink_by_depth)
    deviation /= std::sqrt(2.0 * double(args_.layers));
  return start_of(role, {Start::Kind::kNormal, deviation});
}

double MupInit::rate_factor(Role role, const Shape&) const {
  return hidden(role) ? 1 / width() : 1;
}

}  // namespace keel
