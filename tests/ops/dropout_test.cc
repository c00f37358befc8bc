#include "ops/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "core/step_state.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

const uint64_t kStream = stream_of("block 3, residual");

// The definition, one element at a time.
bool kept(const StepState& s, float p, int64_t row, int64_t element) {
  const auto key = philox_key(s.seed_dropout, kStream, s.micro_step);
  const auto block = philox_block(key, s.first_row + row, element / 256 * 64 + element % 64);
  return block[element / 64 % 4] >= kernel::dropout_threshold(p);
}

TEST(Dropout, ValuesAndGradients) {
  StepState state;
  state.seed_dropout = 5;
  state.micro_step = 1000003;
  state.first_row = 12;
  for (float p : {0.0f, 0.1f, 0.9f}) {
    for (const Shape& shape :
         {Shape{1, 1}, Shape{3, 7}, Shape{2, 5, 67}, Shape{0, 9}, Shape{4, 1031}}) {
      check_op({.in = {{"x", shape}},
                .op =
                    [&](auto& v) {
                      return dropout(v[0], {p, kStream, &state});
                    },
                .ref =
                    [&](auto& v) {
                      Array y(shape);
                      const int64_t inner = shape[0] ? shape.size() / shape[0] : 0;
                      for (int64_t i = 0; i < shape.size(); ++i) {
                        const bool keep = kept(state, p, i / inner, i % inner);
                        y[i] = keep ? v[0][i] / (1 - static_cast<double>(p)) : 0;
                      }
                      return y;
                    }});
    }
  }
}

std::vector<float> mask(const StepState& state, float p, int64_t rows, int64_t columns,
                        uint64_t stream = kStream) {
  const Tensor ones = from_host({rows, columns}, std::vector<float>(rows * columns, 1));
  return to_host(dropout(ones, {p, stream, &state}).t);
}

TEST(Dropout, KeepsTheRightShare) {
  const StepState state;
  for (float p : {0.1f, 0.5f}) {
    const std::vector<float> m = mask(state, p, 100, 10007);
    const double n = static_cast<double>(m.size());
    const double dropped = static_cast<double>(std::count(m.begin(), m.end(), 0.0f)) / n;
    EXPECT_NEAR(dropped, p, 5 * std::sqrt(p * (1 - p) / n));
  }
}

TEST(Dropout, MaskIsAFunctionOfSeedStreamStepAndRow) {
  StepState state;
  const std::vector<float> m = mask(state, 0.5f, 4, 100);
  EXPECT_EQ(mask(state, 0.5f, 4, 100), m);
  EXPECT_NE(mask(state, 0.5f, 4, 100, stream_of("another")), m);
  // The second half of a batch draws what it draws as a batch of its own.
  state.first_row = 2;
  const std::vector<float> half = mask(state, 0.5f, 2, 100);
  EXPECT_TRUE(std::equal(half.begin(), half.end(), m.begin() + 200));
  state = {};
  state.micro_step = 1;
  EXPECT_NE(mask(state, 0.5f, 4, 100), m);
  state = {};
  state.seed_dropout = 1;
  EXPECT_NE(mask(state, 0.5f, 4, 100), m);
}

TEST(Dropout, ZeroIsTheInputItself) {
  const Tensor x = normal_tensor({2, 3}, 1);
  EXPECT_EQ(dropout(x, {}).t.raw(), x.raw());
}

// A dropped value is chosen away, not multiplied by 0.
TEST(Dropout, DroppedNanIsGone) {
  const StepState state;
  const Tensor x =
      from_host({1, 64}, std::vector<float>(64, std::numeric_limits<float>::quiet_NaN()));
  const std::vector<float> y = to_host(dropout(x, {0.5f, kStream, &state}).t);
  EXPECT_GT(std::count(y.begin(), y.end(), 0.0f), 10);
}

TEST(Dropout, Errors) {
  const StepState state;
  const Tensor x = normal_tensor({2, 3}, 1);
  expect_error<ConfigError>("dropout: p is 1, must be at least 0 and below 1", [&] {
    dropout(x, {1, 0, &state});
  });
  expect_error<ConfigError>("dropout: p is -0.5, must be at least 0 and below 1", [&] {
    dropout(x, {-0.5f, 0, &state});
  });
}

}  // namespace
}  // namespace keel::test
