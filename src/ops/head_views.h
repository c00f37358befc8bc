// The heads of a fused projection as views, shared by the ops that split one.
#pragma once

#include "autograd/var.h"
#include "core/device.h"
#include "ops/copy.h"

namespace keel {

// Heads [first, first + n) of qkv [b, t, heads * head_dim] as [b, t, n, head_dim].
inline Tensor heads_of(const Tensor& qkv, int64_t first, int64_t n, int64_t head_dim) {
  const int64_t t = qkv.dim(1), row = qkv.dim(2);
  return qkv.strided({qkv.dim(0), t, n, head_dim}, {t * row, row, head_dim, 1}, first * head_dim);
}

// The gradient of an input that was passed on unchanged: to (+)= dy, where an empty dy is zero.
inline void pass_on(const Tensor& dy, const Grad& to) {
  if (!to || (!dy && to.add)) return;
  on_device(to.t, [&](auto& dev) {
    if (dy)
      kernel::copy(dev, {dy, to});
    else
      kernel::fill(dev, {to.t, 0.0f});
  });
}

}  // namespace keel
