#include "ops/general_norm.h"

#include <fmt/format.h>

#include "core/error.h"
#include "ops/blend.h"
#include "ops/norm_op.h"

namespace keel {
namespace {

struct Kernels {
  using Form = NormForm;
  static constexpr const char* kName = "general_norm";
  static constexpr const char* kAddName = "add_general_norm";

  static NormStats stats(const Tensor& x, const NormForm& f) {
    return {f.centred ? rows_of(x) : Tensor(), rows_of(x), rows_of(x)};
  }
  static void fwd(auto& dev, const Tensor& x, const Tensor& branch, const Tensor& gain,
                  const Tensor& bias, const Tensor& sum, const Tensor& y, const NormStats& s,
                  const NormForm& f) {
    kernel::general_norm_fwd(dev, {x, branch, gain, bias, sum, y, s.mean, s.rstd, s.weight, f});
  }
  static void bwd(auto& dev, const Tensor& dy, const Tensor& dsum, const Tensor& x,
                  const Tensor& gain, const NormStats& s, const Grad& dx, const Grad& dbranch,
                  const Grad& dgain, const Grad& dbias, const Tensor& partial, const NormForm& f) {
    kernel::general_norm_bwd(
        dev, {dy, dsum, x, gain, s.mean, s.rstd, s.weight, dx, dbranch, dgain, dbias, partial, f});
  }
  static void pass_sum(auto& dev, const Tensor& dsum, const Grad& dx, const Grad& dbranch,
                       const NormForm& f) {
    kernel::scaled_copy(dev, {dsum, dx, f.x_factor});
    kernel::copy(dev, {dsum, dbranch});
  }
  static void again(auto& dev, const Tensor& x, const Tensor& gain, const Tensor& bias,
                    const NormStats& s, const Tensor& y) {
    kernel::general_norm_again(dev, {x, gain, bias, s.mean, s.rstd, y});
  }
};

void check_form(const char* op, const Var& x, const NormForm& f) {
  if (f.first < 0 || f.first > x.t.dim(-1)) {
    throw ShapeError(fmt::format("{}: the root mean square of {} values, last axis of x has {}", op,
                                 f.first, x.t.dim(-1)));
  }
  if (f.centred && f.first != 0) {
    throw ShapeError(
        fmt::format("{}: a centred norm takes all values, not the first {}", op, f.first));
  }
}

}  // namespace

Var general_norm(const Var& x, const Var& gain, const Var& bias, const NormForm& form, DType out) {
  check_form(Kernels::kName, x, form);
  return NormOp<Kernels>::norm(x, gain, bias, form, out);
}

AddNorm add_general_norm(const Var& x, const Var& branch, const Var& gain, const Var& bias,
                         const NormForm& form, DType out) {
  check_form(Kernels::kAddName, x, form);
  return NormOp<Kernels>::add_norm(x, branch, gain, bias, form, out);
}

}  // namespace keel
