#include "ops/newton_schulz.h"

#include <utility>

#include "backend/cpu/gemm.h"

namespace keel {

Tensor newton_schulz(const NewtonSchulz& n) {
  Tensor x = n.x, next = n.next;
  const bool tall = x.dim(0) > x.dim(1);
  const int64_t k = n.gram.dim(0);
  for (int i = 0; i < n.iterations; ++i) {
    count_flops(4 * k * x.size() + 2 * k * k * k);
    on_device(x, [&](auto& dev) {
      gemm(dev,
           {.a = x, .b = x, .c = n.gram, .a_transposed = tall, .b_transposed = !tall, .bias = {}});
      gemm(dev, {.a = n.gram, .b = n.gram, .c = n.poly, .bias = {}});
      kernel::newton_schulz_poly(dev, {n.gram, n.poly, 3.4445f, -4.7750f, 2.0315f});
      gemm(dev, {.a = tall ? x : n.poly, .b = tall ? n.poly : x, .c = next, .bias = {}});
    });
    std::swap(x, next);
  }
  return x;
}

}  // namespace keel
