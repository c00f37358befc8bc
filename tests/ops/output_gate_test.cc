#include "ops/output_gate.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

TEST(OutputGate, AgreesWithTheFormula) {
  for (const auto& [heads, hd] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {2, 34}}) {
    for (const int64_t t : {0, 1, 5}) {
      for (const bool each : {false, true}) {
        const Shape x{2, t, heads, hd}, gate{2, t, each ? heads * hd : heads};
        check_op({.in = {{"x", x}, {"gate", gate}},
                  .op = [](auto& v) { return output_gate(v[0], v[1]); },
                  .ref =
                      [&](auto& v) {
                        Array y(Shape{2, t, heads * hd});
                        for (int64_t i = 0; i < y.shape.size(); ++i) {
                          const Complex g = v[1][each ? i : i / hd];
                          y[i] = v[0][i] / (1.0 + std::exp(-g));
                        }
                        return y;
                      },
                  .scales = {1e-3, 1},
                  .difference_scales = {1}});
      }
    }
  }
}

// A gate of 0 halves the branch.
TEST(OutputGate, OfZeroHalves) {
  const Tensor x = normal_tensor({1, 3, 2, 4}, 1);
  const Tensor y = output_gate(x, from_host({1, 3, 2}, std::vector<float>(6, 0.0f))).t;
  for (int64_t i = 0; i < x.size(); ++i) EXPECT_EQ(y.data<float>()[i], x.data<float>()[i] / 2);
}

TEST(OutputGate, ShapesThatDoNotFit) {
  expect_error<ShapeError>(
      "output_gate: gate is f32 [1, 3, 4], x f32 [1, 3, 2, 4]; must be [1, 3, 2] or [1, 3, 8]", [] {
        output_gate(Var(empty({1, 3, 2, 4})), Var(empty({1, 3, 4})));
      });
}

}  // namespace
}  // namespace keel::test
