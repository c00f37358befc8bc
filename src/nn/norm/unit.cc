#include "nn/norm/unit.h"

#include <cmath>

namespace keel {
namespace {

// ||x|| = sqrt(dim) root, root the root mean square that the op floors and divides by.
NormForm form_of(const UnitNorm::Config& config, int64_t dim) {
  NormForm f;
  f.eps = static_cast<float>(config.eps / std::sqrt(static_cast<double>(dim)));
  f.epsilon = Epsilon::kFloor;
  return f;
}

}  // namespace

UnitNorm::UnitNorm(const Config& config, const NormArgs& args)
    : RowNorm(form_of(config, args.dim),
              GainBias(args, config,
                       config.scale_sqrt_dim ? 1 : 1 / std::sqrt(static_cast<double>(args.dim)))) {}

}  // namespace keel
