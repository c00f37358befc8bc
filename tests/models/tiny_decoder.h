// A decoder of a few tokens, its loss and gradients, and the check of these by differences: for
// tests of whatever a model can be put together from.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "harness/check_op.h"
#include "models/decoder.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"

namespace keel::test {

// A decoder with its tokens; gains and biases are moved away from where they start.
struct TinyDecoder {
  static constexpr int64_t kRows = 2, kTime = 7, kVocab = 13;

  Decoder model;
  Tensor tokens, targets;

  explicit TinyDecoder(const ModelConfig& config)
      : model(config, kVocab, DeviceKind::kCpu, DType::kF32) {
    model.initialise(3);
    uint64_t seed = 0;
    for (const Parameter& p : model.parameters().list()) {
      if (p.shape.axes() > 1) continue;
      const std::vector<float> noise = normal_values(p.weight.size(), ++seed, 0.3);
      for (size_t i = 0; i < noise.size(); ++i) p.weight.data<float>()[i] += noise[i];
    }
    std::vector<int32_t> in(kRows * kTime), out(kRows * kTime);
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<int32_t>(i * 5 % kVocab);
      out[i] = static_cast<int32_t>(i * 7 % kVocab);
    }
    tokens = from_host({kRows, kTime}, std::span<const int32_t>(in));
    targets = from_host({kRows * kTime}, std::span<const int32_t>(out));
  }

  Pass pass() const {
    Pass p;
    p.tokens = tokens;
    return p;
  }
  CrossEntropy cross_entropy() const {
    Pass p = pass();
    const Var hidden = reshape(model.hidden(p), {kRows * kTime, model.config().dim});
    return head_loss(hidden, model.head(), targets, {}, nullptr, 0, model.head_options(),
                     model.head_bias());
  }
  double loss() const {
    NoGrad off;
    double sum = 0;
    for (const float row : to_host(cross_entropy().rows)) sum += static_cast<double>(row);
    return sum;
  }
  void gradients() {
    model.parameters().want_gradients(true);
    model.parameters().begin_gradients();
    const CrossEntropy ce = cross_entropy();
    backward(ce.loss);
    model.parameters().finish_gradients();
  }
};

// d loss along v, by central differences, where v moves one tensor alone.
inline double slope(const TinyDecoder& t, const Tensor& weight, const std::vector<float>& v,
                    double h) {
  const std::vector<float> w = to_host(weight);
  const auto at = [&](double step) {
    for (size_t i = 0; i < w.size(); ++i) {
      weight.data<float>()[i] = w[i] + static_cast<float>(step * static_cast<double>(v[i]));
    }
    return t.loss();
  };
  const double near = (at(h) - at(-h)) / (2 * h), far = (at(2 * h) - at(-2 * h)) / (4 * h);
  at(0);
  return (4 * near - far) / 3;
}

inline double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// The gradient of every tensor, along itself and along a random direction, against differences of
// the loss with step h.
inline void expect_gradients(TinyDecoder& t, double h, double bound, const std::string& what) {
  t.gradients();
  const std::vector<float> all = to_host(t.model.parameters().flat_grads());
  const double whole = std::sqrt(dot(all, all));
  ASSERT_GT(whole, 0.1);
  for (const Parameter& p : t.model.parameters().list()) {
    const std::vector<float> g = to_host(p.grad);
    const double norm = std::max(std::sqrt(dot(g, g)), 0.01 * whole);
    for (std::vector<float> v : {g, normal_values(p.grad.size(), 5)}) {
      const double length = std::max(std::sqrt(dot(v, v)), 1e-12);
      for (float& x : v) x = static_cast<float>(static_cast<double>(x) / length);
      const double rounding = 1e-6 / h;  // of the losses that a difference is taken of
      EXPECT_NEAR(slope(t, p.weight, v, h) / norm, dot(v, g) / norm, bound + rounding / norm)
          << p.name << " with " << what;
    }
  }
}

}  // namespace keel::test
