#include "optim/optimizer.h"

#include <fmt/format.h>

#include "core/error.h"

namespace keel {
namespace {

void check_one(const Param& p, const char* what, const Tensor& t, DType dtype) {
  if (t.shape() == p.weight.shape() && t.dtype() == dtype && t.contiguous()) return;
  throw ShapeError(fmt::format("optimizer: {} of {} is {} {}, must be contiguous {} {}", what,
                               p.name, name_of(t.dtype()), t.shape().str(), name_of(dtype),
                               p.weight.shape().str()));
}

}  // namespace

void check_params(const Params& params) {
  for (const Param& p : params) {
    check_one(p, "weight", p.weight, DType::kF32);
    check_one(p, "gradient", p.grad, DType::kF32);
    if (p.copy) check_one(p, "working copy", p.copy, DType::kBf16);
    if (p.weight.device() != params[0].weight.device()) {
      throw ShapeError(
          fmt::format("optimizer: {} and {} are on two devices", params[0].name, p.name));
    }
  }
}

}  // namespace keel
