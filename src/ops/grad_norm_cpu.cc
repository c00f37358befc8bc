#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/grad_norm.h"

namespace keel::kernel {
namespace {

// Eight floats at a time: the same order of additions with any SIMD width.
constexpr int kWidth = 8;
using Floats = float __attribute__((vector_size(kWidth * 4)));
using Doubles = double __attribute__((vector_size(kWidth * 8)));

void add_squares(const float* x, Doubles& sum) {
  Floats f;
  std::memcpy(&f, x, sizeof f);
  const Doubles d = __builtin_convertvector(f, Doubles);
  sum += d * d;
}

double sum_of_squares(const float* x, int64_t size) {
  Doubles s[4] = {};
  int64_t i = 0;
  for (; i + 4 * kWidth <= size; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) add_squares(x + i + k * kWidth, s[k]);
  }
  double tail = 0;
  for (; i < size; ++i) tail += static_cast<double>(x[i]) * x[i];
  const Doubles t = (s[0] + s[1]) + (s[2] + s[3]);
  return (((t[0] + t[1]) + (t[2] + t[3])) + ((t[4] + t[5]) + (t[6] + t[7]))) + tail;
}

double tree_sum(const double* x, int64_t n) {
  if (n == 0) return 0;
  if (n == 1) return x[0];
  return tree_sum(x, n / 2) + tree_sum(x + n / 2, n - n / 2);
}

}  // namespace

void grad_norm(Cpu&, const GradNorm& a) {
  const GradNormPart* parts = a.parts.data();
  const auto n = static_cast<int64_t>(a.parts.size());
  double* partial = a.partial.data<double>();
  parallel_for(n, [&](int64_t i) { partial[i] = sum_of_squares(parts[i].data, parts[i].size); });
  const double norm = std::sqrt(tree_sum(partial, n));
  StepState& s = *a.state;
  s.grad_norm = norm;
  s.clip_coefficient = 1;
  if (!std::isfinite(norm)) {
    s.nonfinite = 1;
    s.skip = 1;
  } else if (a.clip > 0) {
    s.clip_coefficient = static_cast<float>(std::min(1.0, a.clip / (norm + 1e-6)));
  }
}

}  // namespace keel::kernel
