// Targets, weights and the plain formula of the loss, for the tests of cross-entropy and head.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "harness/check_op.h"
#include "ops/cross_entropy.h"

namespace keel::test {

// Row i of n: its target, and a weight that is 0 for every fifth row.
inline std::vector<int32_t> some_targets(int64_t n, int64_t vocab) {
  std::vector<int32_t> t(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) t[static_cast<size_t>(i)] = int32_t((i * 7919 + 3) % vocab);
  return t;
}
inline std::vector<float> some_weights(int64_t n) {
  std::vector<float> w(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    w[static_cast<size_t>(i)] = i % 5 == 4 ? 0 : 0.25f * float(i % 3 + 1);
  return w;
}

struct Labels {
  std::vector<int32_t> ids;
  std::vector<float> w;
  Tensor targets, weights;
  StepState state;

  Labels(int64_t n, int64_t vocab) : ids(some_targets(n, vocab)), w(some_weights(n)) {
    targets = from_host({n}, ids);
    weights = from_host({n}, w);
    state.loss_scale = 0.5f;
  }
  // Sum of w_i times the loss of row i, times the scale.
  Array reference(const Array& logits, const HeadOptions& o = {}) const {
    Array loss(Shape{1});
    const int64_t vocab = logits.dim(-1);
    const double cap = o.softcap, eps = o.smoothing;
    for (int64_t r = 0; r < logits.rows(); ++r) {
      std::vector<Complex> z(&logits.v[static_cast<size_t>(r * vocab)],
                             &logits.v[static_cast<size_t>(r * vocab)] + vocab);
      for (Complex& x : z) {
        x *= static_cast<double>(o.scale);
        if (cap > 0) x = cap * std::tanh(x / cap);
      }
      double top = z[0].real();
      for (int64_t i = 1; i < vocab; ++i) top = std::max(top, z[size_t(i)].real());
      Complex sum = 0, mean = 0;
      for (int64_t i = 0; i < vocab; ++i) {
        sum += std::exp(z[size_t(i)] - top);
        mean += z[size_t(i)] / double(vocab);
      }
      const auto at = static_cast<size_t>(r);
      const Complex log_z = top + std::log(sum);
      loss[0] += 0.5 * double(w[at]) *
                 ((1 - eps) * (log_z - z[size_t(ids[at])]) + eps * (log_z - mean) +
                  double(o.z_loss) * log_z * log_z);
    }
    return loss;
  }
};

inline Array times_transposed(const Array& x, const Array& weight) {
  const int64_t n = x.rows(), c = x.dim(-1), v = weight.dim(0);
  Array z(Shape{n, v});
  for (int64_t r = 0; r < n; ++r) {
    for (int64_t i = 0; i < v; ++i) {
      for (int64_t k = 0; k < c; ++k) z[r * v + i] += x[r * c + k] * weight[i * c + k];
    }
  }
  return z;
}

}  // namespace keel::test
