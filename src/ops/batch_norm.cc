#include "ops/batch_norm.h"

#include "core/device.h"
#include "ops/check.h"

namespace keel {
namespace {

Tensor value(const Tensor& x, const Tensor& gain, const Tensor& bias, const Tensor& mean,
             const Tensor& rstd, DType out) {
  Tensor y = empty(x.shape(), out, x.device());
  on_device(
      x,
      [&](auto& dev) {
        kernel::batch_norm_rows(dev, {x, gain, bias, mean, rstd, y});
      },
      "batch_norm");
  return y;
}

int64_t chunks_of(const Tensor& x) {
  return (x.rows() + kernel::kBatchRows - 1) / kernel::kBatchRows;
}

}  // namespace

Var batch_norm(const Var& x, const Var& gain, const Var& bias, const RunningStats& running,
               const BatchNormForm& form, DType out) {
  const char* op = "batch_norm";
  check_last_axis(op, x.t, "gain", gain.t);
  check_last_axis(op, x.t, "bias", bias.t);
  check_last_axis(op, x.t, "running mean", running.mean);
  check_last_axis(op, x.t, "running variance", running.variance);
  check_contiguous(op, "x", x.t);
  const int64_t c = x.t.dim(-1);
  const DeviceKind device = x.t.device();
  const Tensor mean = empty({c}, DType::kF32, device), rstd = empty({c}, DType::kF32, device);
  {
    Tensor partial;
    if (form.training) partial = empty({chunks_of(x.t), c}, DType::kF32, device);
    on_device(x.t, [&](auto& dev) {
      kernel::batch_norm_stats(dev, {x.t, running, mean, rstd, partial, form});
    });
  }
  Var y = record(op, value(x.t, gain.t, bias.t, mean, rstd, out), {x, gain, bias},
                 [x = x.t, gain = gain.t, mean, rstd, training = form.training](Node& n) {
                   const Tensor dy = n.dy();
                   const Grad dx = n.grad_of(0), dgain = n.grad_of(1), dbias = n.grad_of(2);
                   const int64_t width = x.dim(-1);
                   const Tensor partial = empty({chunks_of(x), 2, width}, DType::kF32, x.device());
                   const Tensor sums = empty({2, width}, DType::kF32, x.device());
                   on_device(
                       x,
                       [&](auto& dev) {
                         kernel::batch_norm_bwd(dev, {dy, x, gain, mean, rstd, dx, dgain, dbias,
                                                      partial, sums, training});
                       },
                       "batch_norm");
                 });
  rebuild_with(y, [x = x.t, gain = gain.t, bias = bias.t, mean, rstd, out] {
    return value(x, gain, bias, mean, rstd, out);
  });
  return y;
}

}  // namespace keel
