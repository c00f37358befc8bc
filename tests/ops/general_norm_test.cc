#include "ops/general_norm.h"

#include "ops/layer_norm.h"
#include "ops/norm_cases.h"
#include "ops/rms_norm.h"

namespace keel::test {
namespace {

Array general_ref(const Array& x, const Array* gain, const Array* bias, const NormForm& f) {
  Array y(x.shape);
  const int64_t c = x.dim(-1), k = f.first ? f.first : c;
  const double eps = static_cast<double>(f.eps);
  for (int64_t r = 0; r < x.rows(); ++r) {
    Complex mean = 0, square = 0;
    if (f.centred) {
      for (int64_t i = 0; i < c; ++i) mean += x[r * c + i] / static_cast<double>(c);
    }
    for (int64_t i = 0; i < k; ++i) square += (x[r * c + i] - mean) * (x[r * c + i] - mean);
    square /= static_cast<double>(k);
    Complex rstd;
    if (f.epsilon == Epsilon::kInside) rstd = 1.0 / std::sqrt(square + eps);
    if (f.epsilon == Epsilon::kOutside) rstd = 1.0 / (std::sqrt(square) + eps);
    if (f.epsilon == Epsilon::kFloor) {
      const Complex root = std::sqrt(square);
      rstd = 1.0 / (root.real() > eps ? root : Complex(eps));
    }
    for (int64_t i = 0; i < c; ++i) {
      y[r * c + i] =
          (x[r * c + i] - mean) * rstd * (gain ? (*gain)[i] : 1.0) + (bias ? (*bias)[i] : 0.0);
    }
  }
  return y;
}

std::vector<NormForm> forms(int64_t c) {
  const int64_t part = (c + 15) / 16;
  return {{1e-3f, Epsilon::kOutside},
          {1e-3f, Epsilon::kOutside, true},
          {1e-6f, Epsilon::kFloor},
          {1e-2f, Epsilon::kFloor, true},  // above the values of the smallest scale
          {1e-5f, Epsilon::kInside, false, part},
          {1e-5f, Epsilon::kOutside, false, part}};
}

TEST(GeneralNorm, GainAndBias) {
  for (auto [r, c] : row_shapes()) {
    for (const NormForm& f : forms(c)) {
      // One value: 0 / 0, and x / |x| of which only rounding has a gradient.
      if (c == 1 && (f.centred || f.epsilon == Epsilon::kFloor)) continue;
      check_op({.in = {{"x", {r, c}}, {"gain", {c}, kParameter, 1}, {"bias", {c}, kParameter}},
                .op = [&](auto& v) { return general_norm(v[0], v[1], v[2], f, v[0].t.dtype()); },
                .ref = [&](auto& v) { return general_ref(v[0], &v[1], &v[2], f); }});
    }
  }
}

TEST(GeneralNorm, FusedWithAddAndAFactor) {
  const Shape x{70, 19}, c{19};
  for (NormForm f : {NormForm{1e-5f}, NormForm{1e-5f, Epsilon::kInside, true},
                     NormForm{1e-5f, Epsilon::kOutside, true}, NormForm{1e-5f, {}, false, 3}}) {
    f.x_factor = 1.75f;
    check_op({.in = {{"x", x, kStream}, {"branch", x}, {"gain", c, kParameter, 1}},
              .op = [&](auto& v) -> OneOrMore<Var> {
                AddNorm a = add_general_norm(v[0], v[1], v[2], {}, f, v[1].t.dtype());
                return {a.sum, a.y};
              },
              .ref = [&](auto& v) -> OneOrMore<Array> {
                Array sum = v[0];
                for (int64_t i = 0; i < sum.shape.size(); ++i) sum[i] = 1.75 * sum[i] + v[1][i];
                return {sum, general_ref(sum, &v[2], nullptr, f)};
              }});
  }
}

TEST(GeneralNorm, OnlyTheSumIsUsed) {
  Slot x, branch;
  const AddNorm a =
      add_general_norm(Var(normal_tensor({2, 9}, 1), &x), Var(normal_tensor({2, 9}, 2), &branch),
                       {}, {}, {.x_factor = 2}, DType::kF32);
  const Tensor dy = normal_tensor({2, 9}, 4);
  backward(a.sum, dy);
  EXPECT_TRUE(same_bits(branch.grad, dy));
  for (int i = 0; i < 18; ++i) EXPECT_EQ(x.grad.data<float>()[i], 2 * dy.data<float>()[i]);
}

// Without any of its options it has the bits of the two norms that it generalises.
TEST(GeneralNorm, PlainFormsAreLayerNormAndRmsNorm) {
  const Tensor x = normal_tensor({5, 37}, 1), branch = normal_tensor({5, 37}, 2);
  const Tensor gain = normal_tensor({37}, 3, 1, 1), bias = normal_tensor({37}, 4);
  const NormForm rms, layer{.centred = true};
  EXPECT_TRUE(same_bits(general_norm(x, gain, bias, rms, DType::kF32).t,
                        rms_norm(x, gain, bias, 1e-5f, DType::kF32).t));
  EXPECT_TRUE(same_bits(general_norm(x, gain, bias, layer, DType::kF32).t,
                        layer_norm(x, gain, bias, 1e-5f, DType::kF32).t));
  EXPECT_TRUE(same_bits(add_general_norm(x, branch, gain, bias, rms, DType::kF32).y.t,
                        add_rms_norm(x, branch, gain, bias, 1e-5f, DType::kF32).y.t));
}

// A row of zeros: no NaN, and the gradient that the formula has at the floor.
TEST(GeneralNorm, RowsOfZeros) {
  for (const Epsilon e : {Epsilon::kOutside, Epsilon::kFloor}) {
    Slot slot;
    const Var y = general_norm(Var(from_host({1, 5}, std::vector<float>(5)), &slot), {}, {},
                               {.eps = 0.5f, .epsilon = e}, DType::kF32);
    for (const float v : to_host(y.t)) EXPECT_EQ(v, 0);
    backward(y, from_host({1, 5}, std::vector<float>{1, 2, 3, 4, 5}));
    for (int i = 0; i < 5; ++i) EXPECT_FLOAT_EQ(slot.grad.data<float>()[i], 2.0f * float(i + 1));
  }
}

TEST(GeneralNorm, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1);
  expect_error<ShapeError>("general_norm: gain has 7 values, last axis of x has 8",
                           [&] { general_norm(x, normal_tensor({7}, 2), {}, {}, DType::kF32); });
  expect_error<ShapeError>("general_norm: the root mean square of 9 values, last axis of x has 8",
                           [&] { general_norm(x, {}, {}, {.first = 9}, DType::kF32); });
  expect_error<ShapeError>(
      "add_general_norm: a centred norm takes all values, not the first 2",
      [&] { add_general_norm(x, x, {}, {}, {.centred = true, .first = 2}, DType::kF32); });
}

}  // namespace
}  // namespace keel::test
