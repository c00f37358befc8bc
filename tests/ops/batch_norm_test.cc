#include "ops/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

RunningStats fresh(int64_t c) {
  return {from_host({c}, std::vector<float>(size_t(c), 0.0f)),
          from_host({c}, std::vector<float>(size_t(c), 1.0f))};
}

Array batch_ref(const Array& x, const Array* gain, const Array* bias) {
  Array y(x.shape);
  const int64_t c = x.dim(-1), rows = x.rows();
  for (int64_t i = 0; i < c; ++i) {
    Complex mean = 0, variance = 0;
    for (int64_t r = 0; r < rows; ++r) mean += x[r * c + i] / double(rows);
    for (int64_t r = 0; r < rows; ++r) {
      variance += (x[r * c + i] - mean) * (x[r * c + i] - mean) / double(rows);
    }
    const Complex rstd = 1.0 / std::sqrt(variance + 1e-5);
    for (int64_t r = 0; r < rows; ++r) {
      y[r * c + i] =
          (x[r * c + i] - mean) * rstd * (gain ? (*gain)[i] : 1.0) + (bias ? (*bias)[i] : 0.0);
    }
  }
  return y;
}

TEST(BatchNorm, Training) {
  for (const Shape& shape : {Shape{7, 1}, Shape{3, 7, 19}, Shape{131, 67}, Shape{200, 3}}) {
    const int64_t c = shape.dim(-1);
    const RunningStats running = fresh(c);
    check_op(
        {.in = {{"x", shape}, {"gain", {c}, kParameter, 1}, {"bias", {c}, kParameter}},
         .op = [&](auto& v) { return batch_norm(v[0], v[1], v[2], running, {}, v[0].t.dtype()); },
         .ref = [](auto& v) { return batch_ref(v[0], &v[1], &v[2]); }});
  }
}

TEST(BatchNorm, EvaluationReadsTheRunningAverages) {
  const int64_t c = 19;
  const Tensor mean = normal_tensor({c}, 1);
  Tensor variance = normal_tensor({c}, 2);
  for (float* v = variance.data<float>(); v != variance.data<float>() + c; ++v) *v = *v * *v + 0.1f;
  check_op({.in = {{"x", {7, c}}, {"gain", {c}, kParameter, 1}, {"bias", {c}, kParameter}},
            .op =
                [&](auto& v) {
                  return batch_norm(v[0], v[1], v[2], {mean, variance}, {.training = false},
                                    v[0].t.dtype());
                },
            .ref =
                [&](auto& v) {
                  Array y(v[0].shape);
                  for (int64_t i = 0; i < y.shape.size(); ++i) {
                    const auto at = [&](const Tensor& t) { return double(t.data<float>()[i % c]); };
                    y[i] = (v[0][i] - at(mean)) / std::sqrt(at(variance) + double(1e-5f)) *
                               v[1][i % c] +
                           v[2][i % c];
                  }
                  return y;
                }});
}

TEST(BatchNorm, RunningAverages) {
  const RunningStats running = fresh(2);
  const Tensor x = from_host({2, 2}, std::vector<float>{1, 10, 3, 20});
  batch_norm(x, {}, {}, running, {.momentum = 0.1f}, DType::kF32);
  EXPECT_FLOAT_EQ(running.mean.data<float>()[0], 0.2f);
  EXPECT_FLOAT_EQ(running.mean.data<float>()[1], 1.5f);
  EXPECT_FLOAT_EQ(running.variance.data<float>()[0], 0.9f + 0.1f * 2);
  EXPECT_FLOAT_EQ(running.variance.data<float>()[1], 0.9f + 0.1f * 50);
  const std::vector<float> before = to_host(running.mean);
  batch_norm(from_host({2, 2}, std::vector<float>{NAN, 1, 1, 1}), {}, {}, running, {}, DType::kF32);
  batch_norm(x, {}, {}, running, {.training = false}, DType::kF32);
  EXPECT_EQ(to_host(running.mean), before);
}

TEST(BatchNorm, Errors) {
  const Tensor x = normal_tensor({2, 8}, 1);
  expect_error<ShapeError>("batch_norm: gain has 7 values, last axis of x has 8", [&] {
    batch_norm(x, normal_tensor({7}, 2), {}, fresh(8), {}, DType::kF32);
  });
  expect_error<ShapeError>("batch_norm: running mean has 7 values, last axis of x has 8",
                           [&] { batch_norm(x, {}, {}, fresh(7), {}, DType::kF32); });
}

}  // namespace
}  // namespace keel::test
