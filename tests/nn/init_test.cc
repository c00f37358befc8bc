#include "nn/init/init.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"
#include "harness/check_op.h"

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
