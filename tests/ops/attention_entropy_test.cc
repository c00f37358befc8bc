// The entropy penalty of attention: value and gradient against the formula over complex numbers.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "ops/attention.h"
#include "ops/soft_cap.h"

// b batch, i query, j key, h head, c element of a head
namespace keel::test {
namespace {

constexpr float kCap = 1.5f;

struct Case {
  int64_t b, t, heads, kv, hd;
  int64_t window = 0;
  bool cap = false;
  std::vector<int32_t> segments = {};
  float floor = 9, weight = 0.3f;  // a floor above any entropy's share
};

bool sees(const Case& s, int64_t b, int64_t i, int64_t j) {
  if (j > i || (s.window > 0 && i - j >= s.window)) return false;
  return s.segments.empty() || j >= s.segments[static_cast<size_t>(b * s.t + i)];
}

// Weights of a row, 0 for keys that are hidden.
std::vector<Complex> weights(const std::vector<Array>& x, const Case& s, int64_t b, int64_t h,
                             int64_t i) {
  std::vector<Complex> p(static_cast<size_t>(s.t));
  Complex sum = 0;
  for (int64_t j = 0; j < s.t; ++j) {
    if (!sees(s, b, i, j)) continue;
    Complex score = 0;
    for (int64_t c = 0; c < s.hd; ++c) {
      score += x[0][((b * s.t + i) * s.heads + h) * s.hd + c] *
               x[1][((b * s.t + j) * s.kv + h / (s.heads / s.kv)) * s.hd + c];
    }
    score /= std::sqrt(static_cast<double>(s.hd));
    if (s.cap) score = double(kCap) * std::tanh(score / double(kCap));
    sum += p[static_cast<size_t>(j)] = std::exp(score);
  }
  for (Complex& w : p) w /= sum;
  return p;
}

std::vector<Array> reference(const std::vector<Array>& x, const Case& s) {
  Array o(x[0].shape), penalty(Shape{1});
  for (int64_t row = 0; row < s.b * s.heads * s.t; ++row) {
    const int64_t i = row % s.t, h = row / s.t % s.heads, b = row / s.t / s.heads;
    const std::vector<Complex> p = weights(x, s, b, h, i);
    Complex entropy = 0;
    double seen = 0;
    for (int64_t j = 0; j < s.t; ++j) {
      const Complex w = p[static_cast<size_t>(j)];
      if (w == 0.0) continue;
      ++seen;
      entropy -= w * std::log(w);
      for (int64_t c = 0; c < s.hd; ++c) {
        o[((b * s.t + i) * s.heads + h) * s.hd + c] +=
            w * x[2][((b * s.t + j) * s.kv + h / (s.heads / s.kv)) * s.hd + c];
      }
    }
    if (seen < 2) continue;
    const Complex missing = double(s.floor) - entropy / std::log(seen);
    if (missing.real() > 0) penalty[0] += double(s.weight) * missing;
  }
  return {o, penalty};
}

AttentionArgs args_of(const Case& s) {
  AttentionArgs a;
  a.scale = 1.0f / std::sqrt(static_cast<float>(s.hd));
  a.window = s.window;
  a.entropy_weight = s.weight;
  a.entropy_floor = s.floor;
  if (s.cap) a.passes[0] = soft_cap(&kCap);
  if (!s.segments.empty()) a.segment_start = from_host({s.b, s.t}, s.segments);
  return a;
}

void check(const Case& s) {
  OpCheck c{.in = {{"q", {s.b, s.t, s.heads, s.hd}},
                   {"k", {s.b, s.t, s.kv, s.hd}},
                   {"v", {s.b, s.t, s.kv, s.hd}}},
            .op = [&](auto& v) -> OneOrMore<Var> {
              const Attention a = attention(v[0], v[1], v[2], args_of(s));
              return {a.o, a.penalty};
            },
            .ref = [&](auto& v) -> OneOrMore<Array> {
              const std::vector<Array> y = reference(v, s);
              return {y[0], y[1]};
            },
            .scales = {1e-3, 1},
            .difference_scales = {1},
            .bf16_bound = 1e-2};
  if (s.floor < 9) {
    c.difference_scales = {};  // rows cross the floor within a step
    c.bf16 = false;            // and by rounding
  }
  check_op(c);
}

std::vector<Case> shapes() {
  return {{1, 1, 1, 1, 1},
          {2, 7, 2, 1, 12},
          {1, 67, 4, 2, 20},
          {1, 19, 2, 2, 16, 5},
          {1, 67, 2, 1, 16, 0, true},
          {2, 5, 2, 1, 3, 0, false, {0, 0, 2, 2, 2, 0, 1, 2, 3, 3}}};
}

TEST(EntropyPenalty, AgreesWithTheFormula) {
  for (Case s : shapes()) {
    check(s);
    s.floor = 0.8f;
    check(s);
  }
}

struct Result {
  std::vector<float> o, penalty, dq, dk, dv;
  bool operator==(const Result&) const = default;
};

// The gradient of sum(o dy) + penalty.
Result run(const AttentionArgs& args) {
  Slot q, k, v;
  const Attention a = attention(Var(normal_tensor({2, 150, 4, 16}, 1), &q),
                                Var(normal_tensor({2, 150, 2, 16}, 2), &k),
                                Var(normal_tensor({2, 150, 2, 16}, 3), &v), args);
  backward(a.penalty ? a.penalty : a.o, a.penalty ? Tensor() : normal_tensor({2, 150, 4, 16}, 7));
  return {to_host(a.o.t), a.penalty ? to_host(a.penalty.t) : std::vector<float>(), to_host(q.grad),
          to_host(k.grad), to_host(v.grad)};
}

AttentionArgs penalised(float floor) {
  AttentionArgs a;
  a.scale = 0.25f;
  a.entropy_weight = 0.01f;
  a.entropy_floor = floor;
  return a;
}

TEST(EntropyPenalty, SameBitsOnAnyNumberOfThreads) {
  const Result one = run(penalised(3));
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    EXPECT_TRUE(run(penalised(3)) == one);
  }
  set_num_threads(0);
}

// The output has the bits that it has without; a floor of 0 is below every row.
TEST(EntropyPenalty, LeavesTheOutputAlone) {
  AttentionArgs off;
  off.scale = 0.25f;
  EXPECT_EQ(run(penalised(3)).o, run(off).o);
  const Result none = run(penalised(0));
  EXPECT_NEAR(none.penalty[0], 0, 1e-6);
}

// A step against the gradient makes attention broader.
TEST(EntropyPenalty, PushesEntropyUp) {
  const Tensor q = normal_tensor({1, 30, 1, 8}, 1, 3), k = normal_tensor({1, 30, 1, 8}, 2, 3),
               v = normal_tensor({1, 30, 1, 8}, 3);
  AttentionArgs a = penalised(3);
  AttentionProbe before, after;
  a.probe = &before;
  Slot slot;
  backward(attention(Var(q, &slot), k, v, a).penalty);
  for (int64_t i = 0; i < q.size(); ++i) q.data<float>()[i] -= 10 * slot.grad.data<float>()[i];
  a.probe = &after;
  attention(q, k, v, a);
  EXPECT_GT(after.entropy[0], before.entropy[0] + 0.01f);
}

TEST(EntropyPenalty, DoesNotGoWithWeightsThatDoNotSumToOne) {
  expect_error<ConfigError>("attention: entropy_weight does not go with a sink", [] {
    AttentionArgs a = penalised(1);
    a.sink = Var(empty({4}));
    run(a);
  });
  expect_error<ConfigError>("attention: entropy_weight does not go with a clip", [] {
    AttentionArgs a = penalised(1);
    a.clip_low = -0.1f;
    run(a);
  });
  expect_error<ConfigError>("attention: entropy_floor is -1, must be at least 0",
                            [] { run(penalised(-1)); });
}

}  // namespace
}  // namespace keel::test
