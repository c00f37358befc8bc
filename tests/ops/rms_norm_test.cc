#include "ops/rms_norm.h"

#include "ops/layer_norm.h"
#include "ops/norm_cases.h"

namespace keel::test {
namespace {

const NormCases kRms{rms_norm, add_rms_norm, "rms_norm", false};

TEST(RmsNorm, GainAndBias) { kRms.gain_and_bias(); }
TEST(RmsNorm, Options) { kRms.options(); }
TEST(RmsNorm, FusedWithAdd) { kRms.fused_with_add(); }
TEST(RmsNorm, FusedIsTheSame) { kRms.fused_is_the_same(); }
TEST(RmsNorm, OnlyTheSumIsUsed) { kRms.only_the_sum_is_used(); }
TEST(RmsNorm, Errors) { kRms.errors(); }

TEST(RmsNorm, ScalesWithNothing) {
  const Tensor x = normal_tensor({3, 33}, 1), eight = normal_tensor({3, 33}, 1, 8);
  EXPECT_TRUE(
      same_bits(rms_norm(x, {}, {}, 0, DType::kF32).t, rms_norm(eight, {}, {}, 0, DType::kF32).t));
}

TEST(RmsNorm, IsLayerNormOfCentredRows) {
  Tensor x = normal_tensor({3, 64}, 1);
  for (int64_t i = 0; i < x.size(); i += 2) x.data<float>()[i + 1] = -x.data<float>()[i];
  EXPECT_LT(relative_error(rms_norm(x, {}, {}, 1e-5f, DType::kF32).t,
                           layer_norm(x, {}, {}, 1e-5f, DType::kF32).t),
            1e-6);
}

}  // namespace
}  // namespace keel::test
