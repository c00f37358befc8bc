#include "nn/init/init.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"
#include "harness/check_op.h"
#include "nn/init/mup.h"
#include "nn/init/small.h"
#include "nn/init/standard.h"
#include "nn/init/xavier.h"

namespace keel::test {
namespace {

double deviation(const Tensor& t) {
  double square = 0;
  for (const float x : to_host(t)) square += double(x) * double(x) / double(t.size());
  return std::sqrt(square);
}

TEST(Init, Gpt2DeviationsByRole) {
  const auto init = inits().make("gpt2", InitArgs{8});
  for (const keel::Role r :
       {keel::Role::kEmbedding, keel::Role::kPosition, keel::Role::kLinear, keel::Role::kHead}) {
    const Start s = init->start(r, {4, 4});
    EXPECT_EQ(s.kind, Start::Kind::kNormal);
    EXPECT_EQ(s.value, 0.02);
  }
  EXPECT_DOUBLE_EQ(init->start(keel::Role::kResidualOutput, {4, 4}).value,
                   0.02 / 4);  // sqrt(2 * 8)
  EXPECT_EQ(init->start(keel::Role::kGain, {4}).kind, Start::Kind::kConstant);
  EXPECT_EQ(init->start(keel::Role::kGain, {4}).value, 1);
  EXPECT_EQ(init->start(keel::Role::kBias, {4}).value, 0);
}

// For 8 layers of width 512.
template <class I>
I made(typename I::Config config = {}) {
  return I(config, InitArgs{8, 512});
}
const Shape kTall{1536, 512};

TEST(Init, StandardKnowsNoDepth) {
  const auto init = made<StandardInit>();
  for (const keel::Role r : {keel::Role::kEmbedding, keel::Role::kLinear, keel::Role::kHead,
                             keel::Role::kResidualOutput}) {
    EXPECT_EQ(init.start(r, kTall).kind, Start::Kind::kNormal);
    EXPECT_EQ(init.start(r, kTall).value, 0.02);
  }
}

TEST(Init, SmallGoesWithTheWidth) {
  const double deviation = std::sqrt(2.0 / (5 * 512));
  EXPECT_DOUBLE_EQ(made<SmallInit>().start(keel::Role::kLinear, kTall).value, deviation);
  EXPECT_DOUBLE_EQ(made<SmallInit>().start(keel::Role::kEmbedding, kTall).value, deviation);
  EXPECT_DOUBLE_EQ(made<SmallInit>().start(keel::Role::kResidualOutput, kTall).value,
                   deviation / 4);
  SmallInit::Config flat;
  flat.depth_scaled = false;
  EXPECT_DOUBLE_EQ(made<SmallInit>(flat).start(keel::Role::kResidualOutput, kTall).value,
                   deviation);
}

TEST(Init, XavierByFanInAndFanOut) {
  const Start uniform = made<XavierInit>().start(keel::Role::kResidualOutput, kTall);
  EXPECT_EQ(uniform.kind, Start::Kind::kUniform);
  EXPECT_DOUBLE_EQ(uniform.value, std::sqrt(6.0 / 2048));
  XavierInit::Config c;
  c.distribution = "normal";
  const Start normal = made<XavierInit>(c).start(keel::Role::kLinear, kTall);
  EXPECT_EQ(normal.kind, Start::Kind::kNormal);
  EXPECT_DOUBLE_EQ(normal.value, std::sqrt(2.0 / 2048));
  EXPECT_EQ(made<XavierInit>().start(keel::Role::kEmbedding, kTall).value, 0.02);
  // Both have the same variance.
  const Tensor t = empty({100003});
  fill_start({Start::Kind::kUniform, 0.5}, 1, "a", t);
  EXPECT_NEAR(deviation(t), 0.5 / std::sqrt(3.0), 0.003);  // five standard errors
  for (const float x : to_host(t)) ASSERT_LT(std::abs(x), 0.5);
}

// Table 8 of arXiv 2203.03466 at four times the base width.
TEST(Init, MupGoesWithTheWidth) {
  const auto wide = made<MupInit>();
  const MupInit base({}, InitArgs{8, 128});
  const auto gpt2 = inits().make("gpt2", InitArgs{8, 128});
  for (const keel::Role r :
       {keel::Role::kEmbedding, keel::Role::kPosition, keel::Role::kLinear,
        keel::Role::kResidualOutput, keel::Role::kHead, keel::Role::kGain, keel::Role::kBias}) {
    const bool hidden = r == keel::Role::kLinear || r == keel::Role::kResidualOutput;
    EXPECT_EQ(base.start(r, kTall).kind, gpt2->start(r, kTall).kind);
    EXPECT_EQ(base.start(r, kTall).value, gpt2->start(r, kTall).value);
    EXPECT_EQ(base.rate_factor(r, kTall), 1);
    EXPECT_EQ(gpt2->rate_factor(r, kTall), 1);
    EXPECT_DOUBLE_EQ(wide.start(r, kTall).value, base.start(r, kTall).value * (hidden ? 0.5 : 1));
    EXPECT_DOUBLE_EQ(wide.rate_factor(r, kTall), hidden ? 0.25 : 1);
  }
  EXPECT_EQ(base.output_multiplier(), 1);
  EXPECT_EQ(gpt2->output_multiplier(), 1);
  EXPECT_DOUBLE_EQ(wide.output_multiplier(), 0.25);
  MupInit::Config c;
  c.zero_head = true;
  EXPECT_EQ(made<MupInit>(c).start(keel::Role::kHead, kTall).value, 0);
  EXPECT_EQ(made<MupInit>(c).start(keel::Role::kEmbedding, kTall).value, 0.02);
}

TEST(Init, NormalNumbers) {
  const Tensor t = empty({100003});
  fill_start({Start::Kind::kNormal, 0.5}, 1, "a", t);
  EXPECT_NEAR(deviation(t), 0.5, 0.005);  // four standard errors
  double mean = 0, fourth = 0;
  for (const float x : to_host(t)) {
    mean += double(x) / double(t.size());
    fourth += std::pow(double(x) / 0.5, 4) / double(t.size());
  }
  EXPECT_NEAR(mean, 0, 0.0065);
  EXPECT_NEAR(fourth, 3, 0.13);
}

// An element depends on seed, name and place alone.
TEST(Init, ElementsDoNotKnowTheSizeOrTheThreads) {
  const Start normal{Start::Kind::kNormal, 1};
  const Tensor large = empty({50001}), small = empty({33}), other = empty({33});
  fill_start(normal, 7, "x", large);
  fill_start(normal, 7, "x", small);
  EXPECT_TRUE(same_bits(large.slice(0, 0, 33), small));
  fill_start(normal, 7, "y", other);
  EXPECT_FALSE(same_bits(other, small));
  fill_start(normal, 8, "x", other);
  EXPECT_FALSE(same_bits(other, small));
  const int before = num_threads();
  set_num_threads(3);
  const Tensor again = empty({50001});
  fill_start(normal, 7, "x", again);
  set_num_threads(before);
  EXPECT_TRUE(same_bits(again, large));
}

}  // namespace
}  // namespace keel::test
