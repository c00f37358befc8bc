// The reference and the cases that layer_norm and rms_norm share.
#pragma once

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "ops/norm.h"

namespace keel::test {

using NormFn = Var (*)(const Var&, const Var&, const Var&, float, DType);
using AddNormFn = AddNorm (*)(const Var&, const Var&, const Var&, const Var&, float, DType);

// gain, bias: null for absent.
inline Array norm_ref(const Array& x, const Array* gain, const Array* bias, double eps,
                      bool centred) {
  Array y(x.shape);
  const int64_t c = x.dim(-1);
  for (int64_t r = 0; r < x.rows(); ++r) {
    Complex mean = 0, square = 0;
    if (centred) {
      for (int64_t i = 0; i < c; ++i) mean += x[r * c + i];
      mean /= static_cast<double>(c);
    }
    for (int64_t i = 0; i < c; ++i) square += (x[r * c + i] - mean) * (x[r * c + i] - mean);
    const Complex rstd = 1.0 / std::sqrt(square / static_cast<double>(c) + eps);
    for (int64_t i = 0; i < c; ++i) {
      y[r * c + i] =
          (x[r * c + i] - mean) * rstd * (gain ? (*gain)[i] : 1.0) + (bias ? (*bias)[i] : 0.0);
    }
  }
  return y;
}

struct NormCases {
  NormFn norm;
  AddNormFn add_norm;
  const char* name;
  bool centred;

  void gain_and_bias() const {
    for (auto [r, c] : row_shapes()) {
      if (c == 1 && centred) continue;  // 0 / 0: a test of its own
      check_op({.in = {{"x", {r, c}}, {"gain", {c}, kParameter, 1}, {"bias", {c}, kParameter}},
                .op = [&](auto& v) { return norm(v[0], v[1], v[2], 1e-5f, v[0].t.dtype()); },
                .ref = [&](auto& v) { return norm_ref(v[0], &v[1], &v[2], 1e-5, centred); },
                .large_mean = true});
    }
  }

  void options() const {
    const Shape x{7, 19}, c{19};
    check_op({.in = {{"x", x}},
              .op = [&](auto& v) { return norm(v[0], {}, {}, 1e-5f, v[0].t.dtype()); },
              .ref = [&](auto& v) { return norm_ref(v[0], nullptr, nullptr, 1e-5, centred); }});
    check_op({.in = {{"x", x}, {"gain", c, kParameter, 1}},
              .op = [&](auto& v) { return norm(v[0], v[1], {}, 1e-5f, v[0].t.dtype()); },
              .ref = [&](auto& v) { return norm_ref(v[0], &v[1], nullptr, 1e-5, centred); }});
    check_op({.in = {{"x", x}, {"bias", c, kParameter}},
              .op = [&](auto& v) { return norm(v[0], {}, v[1], 1e-3f, v[0].t.dtype()); },
              .ref = [&](auto& v) { return norm_ref(v[0], nullptr, &v[1], 1e-3, centred); }});
    // f32 in, bf16 out: what the residual stream is normed to in bf16 training.
    check_op({.in = {{"x", x, kStream}, {"gain", c, kParameter, 1}},
              .op = [&](auto& v) { return norm(v[0], v[1], {}, 1e-5f, DType::kBf16); },
              .ref = [&](auto& v) { return norm_ref(v[0], &v[1], nullptr, 1e-5, centred); },
              .difference_scales = {}});
  }

  void fused_with_add() const {
    for (auto [r, c] : row_shapes()) {
      if (c == 1 && centred) continue;
      const Shape x{r, c};
      check_op({.in = {{"x", x, kStream},
                       {"branch", x},
                       {"gain", {c}, kParameter, 1},
                       {"bias", {c}, kParameter}},
                .op = [&](auto& v) -> OneOrMore<Var> {
                  AddNorm a = add_norm(v[0], v[1], v[2], v[3], 1e-5f, v[1].t.dtype());
                  return {a.sum, a.y};
                },
                .ref = [&](auto& v) -> OneOrMore<Array> {
                  Array sum = v[0];
                  for (int64_t i = 0; i < sum.shape.size(); ++i) sum[i] += v[1][i];
                  return {sum, norm_ref(sum, &v[2], &v[3], 1e-5, centred)};
                }});
    }
  }

  // The fused form gives the bits of the add and the norm one after the other.
  void fused_is_the_same() const {
    const Tensor x = normal_tensor({5, 37}, 1), branch = normal_tensor({5, 37}, 2);
    const Tensor gain = normal_tensor({37}, 3, 1, 1);
    const AddNorm fused = add_norm(x, branch, gain, {}, 1e-5f, DType::kF32);
    EXPECT_TRUE(same_bits(fused.y.t, norm(fused.sum.t, gain, {}, 1e-5f, DType::kF32).t));
  }

  // Where only the sum is used, its gradient passes through and the gain gets none.
  void only_the_sum_is_used() const {
    Slot x, branch, gain;
    x.grad = normal_tensor({2, 9}, 5);
    branch.grad = normal_tensor({2, 9}, 6);
    const AddNorm a =
        add_norm(Var(normal_tensor({2, 9}, 1), &x), Var(normal_tensor({2, 9}, 2), &branch),
                 Var(normal_tensor({9}, 3), &gain), {}, 1e-5f, DType::kF32);
    const Tensor dy = normal_tensor({2, 9}, 4);
    backward(a.sum, dy);
    EXPECT_TRUE(same_bits(x.grad, dy));
    EXPECT_TRUE(same_bits(branch.grad, dy));
    EXPECT_FALSE(gain.written);
  }

  void errors() const {
    const Tensor x = normal_tensor({2, 8}, 1), bad = normal_tensor({7}, 2);
    const std::string n = name;
    expect_error<ShapeError>(n + ": gain has 7 values, last axis of x has 8",
                             [&] { norm(x, bad, {}, 1e-5f, DType::kF32); });
    expect_error<ShapeError>(n + ": bias has 7 values, last axis of x has 8",
                             [&] { norm(x, {}, bad, 1e-5f, DType::kF32); });
    expect_error<ShapeError>(n + ": x [2, 4] must be contiguous",
                             [&] { norm(x.slice(1, 0, 4), {}, {}, 1e-5f, DType::kF32); });
    expect_error<ShapeError>("add_" + n + ": x is [2, 8], branch is [1, 8]",
                             [&] { add_norm(x, x.slice(0, 0, 1), {}, {}, 1e-5f, DType::kF32); });
  }
};

}  // namespace keel::test
