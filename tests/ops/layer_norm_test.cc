#include "ops/layer_norm.h"

#include "ops/norm_cases.h"

namespace keel::test {
namespace {

const NormCases kLayer{layer_norm, add_layer_norm, "layer_norm", true};

TEST(LayerNorm, GainAndBias) { kLayer.gain_and_bias(); }
TEST(LayerNorm, Options) { kLayer.options(); }
TEST(LayerNorm, FusedWithAdd) { kLayer.fused_with_add(); }
TEST(LayerNorm, FusedIsTheSame) { kLayer.fused_is_the_same(); }
TEST(LayerNorm, OnlyTheSumIsUsed) { kLayer.only_the_sum_is_used(); }
TEST(LayerNorm, Errors) { kLayer.errors(); }

TEST(LayerNorm, ShiftsWithNothing) {
  Tensor x = normal_tensor({3, 33}, 1);
  const Tensor y = layer_norm(x, {}, {}, 1e-5f, DType::kF32).t;
  for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] += 100;
  EXPECT_LT(relative_error(layer_norm(x, {}, {}, 1e-5f, DType::kF32).t, y), 1e-5);
}

TEST(LayerNorm, OneValueIsTheBiasAndHasNoGradient) {
  Slot slot;
  const Tensor x = normal_tensor({5, 1}, 1), gain = normal_tensor({1}, 2),
               bias = normal_tensor({1}, 3);
  const Var y = layer_norm(Var(x, &slot), gain, bias, 1e-5f, DType::kF32);
  for (float v : to_host(y.t)) EXPECT_EQ(v, bias.data<float>()[0]);
  backward(y, normal_tensor({5, 1}, 4));
  for (float g : to_host(slot.grad)) EXPECT_LT(std::abs(g), 1e-4);
}

TEST(LayerNorm, EqualRowsHaveNoVariance) {
  const Tensor x = from_host({1, 37}, std::vector<float>(37, 1e4f));
  for (float y : to_host(layer_norm(x, {}, {}, 1e-5f, DType::kF32).t)) EXPECT_EQ(y, 0);
}

}  // namespace
}  // namespace keel::test
