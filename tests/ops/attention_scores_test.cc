// What changes the scores or the weights of attention: cap, learned scale, sink, bias of the
// distance, clip; each alone and together, against the formula, and by the identities of its paper.
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
  int64_t b, tq, tk, heads, kv, hd;
  bool cap = false, sink = false, theta = false, bias = false;
  float high = 1, low = 0;
  int64_t window = 0;
  std::vector<int32_t> segments = {};
  bool term = false;
  int64_t offset() const { return tk - tq; }
  int64_t row() const { return tk + 2 * kDistancePad; }
};

AttentionArgs args_of(const Case& s) {
  AttentionArgs a;
  a.scale = 1.0f / std::sqrt(static_cast<float>(s.hd));
  a.query_offset = s.offset();
  a.window = s.window;
  a.clip_high = s.high;
  a.clip_low = s.low;
  if (s.cap) a.passes[0] = soft_cap(&kCap);
  if (!s.segments.empty()) a.segment_start = from_host({s.b, s.tq}, s.segments);
  return a;
}

bool sees(const Case& s, int64_t b, int64_t i, int64_t j) {
  const int64_t p = s.offset() + i;
  if (j > p || (s.window > 0 && p - j >= s.window)) return false;
  return s.segments.empty() || j >= s.segments[static_cast<size_t>(b * s.tq + i)];
}

// Inputs in order: q, k, v and what is on of sink, theta and bias.
struct Inputs {
  const Array *q, *k, *v, *sink = nullptr, *theta = nullptr, *bias = nullptr, *dq = nullptr,
                          *dk = nullptr;
  Inputs(const std::vector<Array>& x, const Case& s) : q(&x[0]), k(&x[1]), v(&x[2]) {
    size_t next = 3;
    if (s.sink) sink = &x[next++];
    if (s.theta) theta = &x[next++];
    if (s.bias) bias = &x[next++];
    if (s.term) dq = &x[next++], dk = &x[next++];
  }
};

Complex score(const Inputs& x, const Case& s, int64_t b, int64_t h, int64_t i, int64_t j) {
  Complex sum = 0;
  for (int64_t c = 0; c < s.hd; ++c) {
    sum += (*x.q)[((b * s.tq + i) * s.heads + h) * s.hd + c] *
           (*x.k)[((b * s.tk + j) * s.kv + h / (s.heads / s.kv)) * s.hd + c];
  }
  for (int64_t c = 0; c < s.hd && x.dq; ++c) {
    sum += (*x.dq)[((b * s.tq + i) * s.heads + h) * s.hd + c] *
           (*x.dk)[((s.offset() + i - j) * s.heads + h) * s.hd + c];
  }
  sum /= std::sqrt(static_cast<double>(s.hd));
  if (x.theta) sum *= std::exp((*x.theta)[h]);
  if (s.cap) sum = static_cast<double>(kCap) * std::tanh(sum / static_cast<double>(kCap));
  if (x.bias) sum += (*x.bias)[h * s.row() + kDistancePad + s.offset() + i - j];
  return sum;
}

Complex clip(Complex p, const Case& s) {
  const Complex w = static_cast<double>(s.high - s.low) * p + static_cast<double>(s.low);
  return w.real() <= 0 ? Complex(0.0) : w.real() >= 1 ? Complex(1.0) : w;
}

Array reference(const std::vector<Array>& inputs, const Case& s) {
  const Inputs x(inputs, s);
  Array o(x.q->shape);
  for (int64_t row = 0; row < s.b * s.heads * s.tq; ++row) {
    const int64_t i = row % s.tq, h = row / s.tq % s.heads, b = row / s.tq / s.heads;
    std::vector<Complex> e(static_cast<size_t>(s.tk));
    Complex sum = x.sink ? std::exp((*x.sink)[h]) : 0.0;
    for (int64_t j = 0; j < s.tk; ++j) {
      if (sees(s, b, i, j)) sum += e[static_cast<size_t>(j)] = std::exp(score(x, s, b, h, i, j));
    }
    for (int64_t j = 0; j < s.tk; ++j) {
      const Complex w = e[static_cast<size_t>(j)];
      if (w == 0.0) continue;
      for (int64_t c = 0; c < s.hd; ++c) {
        o[((b * s.tq + i) * s.heads + h) * s.hd + c] +=
            clip(w / sum, s) * (*x.v)[((b * s.tk + j) * s.kv + h / (s.heads / s.kv)) * s.hd + c];
      }
    }
  }
  return o;
}

Var run(const std::vector<Var>& x, const Case& s) {
  AttentionArgs a = args_of(s);
  size_t next = 3;
  if (s.sink) a.sink = x[next++];
  if (s.theta) a.log_scale = x[next++];
  if (s.bias) a.distance_bias = x[next++];
  if (s.term) a.distance_query = x[next++], a.distance_key = x[next++];
  return attention(x[0], x[1], x[2], a).o;
}

// A cut weight has no derivative at its ends; the finite difference steps over them.
void check(const Case& s) {
  OpCheck c{.in = {{"q", {s.b, s.tq, s.heads, s.hd}},
                   {"k", {s.b, s.tk, s.kv, s.hd}},
                   {"v", {s.b, s.tk, s.kv, s.hd}}},
            .op = [&](auto& v) { return run(v, s); },
            .ref = [&](auto& v) { return reference(v, s); },
            .scales = {1e-3, 1},
            .difference_scales = {1},
            .bf16_bound = 1e-2};
  if (s.sink) c.in.push_back({"sink", {s.heads}, kParameter});
  if (s.theta) c.in.push_back({"log_scale", {s.heads}, kParameter});
  if (s.bias) c.in.push_back({"distance_bias", {s.heads, s.row()}, kParameter});
  if (s.term) {
    c.in.push_back({"distance_query", {s.b, s.tq, s.heads, s.hd}});
    c.in.push_back({"distance_key", {s.tk, s.heads, s.hd}});
  }
  if (s.high != 1.0f || s.low != 0.0f) {
    c.difference_scales = {};
    c.bf16 = false;  // rounding moves weights over the edge
  }
  check_op(c);
}

std::vector<Case> shapes() {
  return {{1, 1, 1, 1, 1, 1},
          {2, 7, 7, 2, 1, 12},
          {1, 67, 67, 4, 2, 20},
          {1, 3, 70, 3, 1, 16},
          {1, 19, 19, 2, 2, 16, false, false, false, false, 1, 0, 5},
          {2, 5, 5, 2, 1, 3, false, false, false, false, 1, 0, 0, {0, 0, 2, 2, 2, 0, 1, 2, 3, 3}},
          {12, 3, 3, 1, 1, 4}};
}

template <class F>
void for_shapes(F&& change) {
  for (Case s : shapes()) {
    change(s);
    check(s);
  }
}

TEST(SoftCap, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.cap = true; });
}
TEST(Sink, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.sink = true; });
}
TEST(LearnedScale, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.theta = true; });
}
TEST(DistanceBias, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.bias = true; });
}
TEST(DistanceTerm, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.term = true; });
  for (Case s : shapes()) {
    if (s.tk == 1) continue;  // gradients of single values that cancel, up to bf16's last bit
    s.cap = s.sink = s.theta = s.bias = s.term = true;
    check(s);
  }
}
TEST(SoftClip, AgreesWithTheFormula) {
  for_shapes([](Case& s) { s.high = 1.03f, s.low = -0.03f; });
  for_shapes([](Case& s) { s.high = 1.5f, s.low = -0.2f, s.sink = true; });
}
TEST(AttentionScores, AgreeWithTheFormulaTogether) {
  for_shapes([](Case& s) { s.cap = s.sink = s.theta = s.bias = true; });
  for_shapes([](Case& s) {
    s.cap = s.sink = s.theta = s.bias = true;
    s.high = 1.03f, s.low = -0.03f;
  });
}

// q, k, v of 2 x 70 tokens and a parameter for each of 2 heads.
struct Fixture {
  Tensor q = normal_tensor({2, 70, 2, 16}, 1), k = normal_tensor({2, 70, 2, 16}, 2),
         v = normal_tensor({2, 70, 2, 16}, 3);
  AttentionArgs a;
  Fixture() { a.scale = 0.25f; }
  Attention run(const AttentionArgs& args) const { return attention(q, k, v, args); }
  Tensor plain() const { return run(a).o.t; }
};

TEST(SoftCap, IsTheIdentityForALargeCap) {
  const Fixture f;
  AttentionArgs a = f.a;
  const float cap = 1e4f;
  a.passes[0] = soft_cap(&cap);
  EXPECT_LT(relative_error(f.run(a).o.t, f.plain()), 1e-6);
}

TEST(SoftCap, StaysBelowTheCap) {
  float s[kDistancePad], slope[kDistancePad];
  for (int i = 0; i < 64; ++i) {
    s[i] = static_cast<float>(i - 32) * 100.0f;
    slope[i] = 1.0f;
  }
  const float cap = 50;
  const ScorePass pass = soft_cap(&cap);
  pass.apply(pass.context, {s, 64, 0, 0, 0, 64, 0, 1}, slope);
  for (int i = 0; i < 64; ++i) {
    EXPECT_LE(std::abs(s[i]), cap);
    EXPECT_TRUE(slope[i] >= 0 && slope[i] <= 1);
  }
  EXPECT_EQ(s[32], 0.0f);
  EXPECT_EQ(slope[32], 1.0f);
}

TEST(SoftClip, OfNothingIsSoftmax) {
  const Fixture f;
  AttentionArgs a = f.a;
  a.clip_high = std::nextafter(1.0f, 2.0f);  // on, and changes the last bit at most
  EXPECT_LT(relative_error(f.run(a).o.t, f.plain()), 1e-6);
}

// gamma < 0 can give a weight of exactly 0, zeta > 1 one of exactly 1 (arXiv 2306.12929).
TEST(SoftClip, ReachesExactZeroAndOne) {
  Tensor q = from_host({1, 2, 1, 1}, std::vector<float>{4, 4});
  const Tensor v = from_host({1, 2, 1, 1}, std::vector<float>{3, 5});
  const Tensor k = from_host({1, 2, 1, 1}, std::vector<float>{0, 1});  // p = .018, .982
  AttentionArgs a;
  a.clip_high = 1.03f;
  a.clip_low = -0.03f;
  EXPECT_EQ(attention(q, k, v, a).o.t.data<float>()[1], 5.0f);
}

// Keys that are the queries: a row's own score is its square, which the scale makes large.
TEST(Sink, OffByOneIsSoftmaxWhereLogitsAreLarge) {
  Fixture f;
  f.k = f.q;
  double before = 1e30;
  for (const float scale : {0.0625f, 0.25f, 1.0f, 4.0f}) {
    AttentionArgs a = f.a;
    a.scale = scale;
    const Tensor plain = f.run(a).o.t;
    a.sink = Var(from_host({2}, std::vector<float>{0, 0}));
    const double apart = relative_error(f.run(a).o.t, plain);
    EXPECT_LT(apart, before) << scale;
    before = apart;
  }
  EXPECT_LT(before, 1e-6);
}

// softmax_1 = exp(s_i) / (1 + sum exp(s_j)): the weights sum to less than 1.
TEST(Sink, OffByOneIsALogitOfZero) {
  const Fixture f;
  AttentionArgs a = f.a;
  a.sink = Var(from_host({2}, std::vector<float>{0, 0}));
  const Attention plain = f.run(f.a), with = f.run(a);
  for (int64_t row = 0; row < 2 * 70 * 2; ++row) {
    const int64_t h = row % 2, i = row / 2 % 70, b = row / 140;
    const double lse = plain.lse.data<float>()[(b * 2 + h) * 70 + i];
    const double share = std::exp(lse) / (1 + std::exp(lse));
    EXPECT_LT(share, 1);
    for (int c = 0; c < 16; ++c) {
      EXPECT_NEAR(with.o.t.data<float>()[row * 16 + c],
                  share * plain.o.t.data<float>()[row * 16 + c], 1e-6);
    }
    EXPECT_NEAR(with.lse.data<float>()[(b * 2 + h) * 70 + i], std::log1p(std::exp(lse)), 1e-5);
  }
  a.sink = Var(from_host({2}, std::vector<float>{-100, -100}));
  EXPECT_LT(relative_error(f.run(a).o.t, f.plain()), 1e-6);
  a.sink = Var(from_host({2}, std::vector<float>{1e4f, 1e4f}));  // takes everything, no NaN
  for (float x : to_host(f.run(a).o.t)) EXPECT_EQ(x, 0.0f);
}

TEST(LearnedScale, OfZeroIsTheFixedScale) {
  const Fixture f;
  AttentionArgs a = f.a;
  a.log_scale = Var(from_host({2}, std::vector<float>{0, 0}));
  EXPECT_TRUE(same_bits(f.run(a).o.t, f.plain()));
}

// One theta that all heads share: the sum of the gradients of one for each.
TEST(LearnedScale, MayBeShared) {
  const Fixture f;
  Slot one, each;
  AttentionArgs a = f.a, b = f.a;
  a.log_scale = Var(from_host({1}, std::vector<float>{0.3f}), &one);
  b.log_scale = Var(from_host({2}, std::vector<float>{0.3f, 0.3f}), &each);
  const Tensor dy = normal_tensor({2, 70, 2, 16}, 9);
  const Attention x = f.run(a);
  backward(x.o, dy);
  const Attention y = f.run(b);
  backward(y.o, dy);
  EXPECT_TRUE(same_bits(x.o.t, y.o.t));
  const float* g = each.grad.data<float>();
  EXPECT_NEAR(one.grad.data<float>()[0], g[0] + g[1], 1e-4);
}

// Heads that do not fill their working memory are padded with zeros, whatever lay there before.
TEST(LearnedScale, ItsGradientKnowsNothingOfWhatRanBefore) {
  const auto gradient = [](int64_t head_dim, float size) {
    Slot theta;
    AttentionArgs a;
    a.log_scale = Var(from_host({2}, std::vector<float>{0.1f, -0.1f}), &theta);
    std::vector<float> wide(static_cast<size_t>(2 * 70 * 2 * head_dim));
    for (size_t i = 0; i < wide.size(); ++i) wide[i] = size * std::sin(static_cast<float>(i));
    const Tensor x = from_host({2, 70, 2, head_dim}, wide);
    backward(attention(x, x, x, a).o, x);
    return to_host(theta.grad);
  };
  for (const int64_t head_dim : {4, 8, 12, 20, 24, 40}) {
    const std::vector<float> before = gradient(head_dim, 0.5f);
    gradient(64, 30.0f);
    EXPECT_EQ(gradient(head_dim, 0.5f), before) << head_dim;
  }
}

// The weights of a row do not change when all its scores move together.
TEST(DistanceBias, OfAConstantIsNothing) {
  const Fixture f;
  AttentionArgs a = f.a;
  const std::vector<float> three(2 * (70 + 2 * kDistancePad), 3.0f);
  a.distance_bias = Var(from_host({2, 70 + 2 * kDistancePad}, three));
  EXPECT_LT(relative_error(f.run(a).o.t, f.plain()), 1e-6);
}

// One query with a cache gives what the same query gives among all others.
TEST(AttentionScores, OneCachedQueryAgreesWithAll) {
  for (int on = 0; on < 64; ++on) {
    Case s{1, 70, 70, 4, 2, 16};
    s.cap = on & 1, s.sink = on & 2, s.theta = on & 4, s.bias = on & 8, s.term = on & 32;
    if (on & 16) s.high = 1.03f, s.low = -0.03f;
    std::vector<Var> x = {Var(normal_tensor({1, 70, 4, 16}, 1)),
                          Var(normal_tensor({1, 70, 2, 16}, 2)),
                          Var(normal_tensor({1, 70, 2, 16}, 3))};
    if (s.sink) x.emplace_back(normal_tensor({4}, 4));
    if (s.theta) x.emplace_back(normal_tensor({4}, 5));
    if (s.bias) x.emplace_back(normal_tensor({4, s.row()}, 6));
    if (s.term) {
      x.emplace_back(normal_tensor({1, 70, 4, 16}, 7));
      x.emplace_back(normal_tensor({70, 4, 16}, 8));
    }
    const Tensor all = run(x, s).t.slice(1, 69, 70);
    x[0] = Var(x[0].t.slice(1, 69, 70));
    if (s.term) x[x.size() - 2] = Var(x[x.size() - 2].t.slice(1, 69, 70));
    s.tq = 1;
    EXPECT_LT(relative_error(run(x, s).t, from_host({1, 1, 4, 16}, to_host(all))), 2e-6) << on;
  }
}

// Scores of visible pairs after scale and learned scale, before cap, bias and sink; the probe
// changes no bits.
TEST(AttentionScores, TheRecordedLogit) {
  Case s{2, 67, 67, 2, 1, 12};
  const auto x = [&](const Case& c) {
    std::vector<Var> v = {Var(normal_tensor({2, 67, 2, 12}, 1)),
                          Var(normal_tensor({2, 67, 1, 12}, 2)),
                          Var(normal_tensor({2, 67, 1, 12}, 3))};
    if (c.sink) v.emplace_back(normal_tensor({2}, 4));
    if (c.theta) v.emplace_back(from_host({2}, std::vector<float>{0.5f, -0.5f}));
    if (c.bias) v.emplace_back(normal_tensor({2, c.row()}, 6, 10));
    return v;
  };
  const auto probe = [&](const Case& c, AttentionArgs a) {
    AttentionProbe p;
    p.rms_wanted = true;
    a.probe = &p;
    const auto v = x(c);
    size_t next = 3;
    if (c.sink) a.sink = v[next++];
    if (c.theta) a.log_scale = v[next++];
    if (c.bias) a.distance_bias = v[next++];
    EXPECT_TRUE(same_bits(attention(v[0], v[1], v[2], a).o.t, run(v, c).t));
    return p;
  };
  const AttentionProbe plain = probe(s, args_of(s));
  for (int on = 1; on < 32; ++on) {
    Case c = s;
    c.cap = on & 1, c.sink = on & 2, c.theta = on & 4, c.bias = on & 8;
    if (on & 16) c.high = 1.03f, c.low = -0.03f;
    const AttentionProbe p = probe(c, args_of(c));
    for (int h = 0; h < 2; ++h) {
      const float factor = c.theta ? std::exp(h == 0 ? 0.5f : -0.5f) : 1.0f;
      EXPECT_NEAR(p.logit_max[h], plain.logit_max[h] * factor, 1e-5 * plain.logit_max[h]) << on;
      EXPECT_NEAR(p.logit_rms[h], plain.logit_rms[h] * factor, 1e-5 * plain.logit_rms[h]) << on;
      EXPECT_TRUE(p.entropy[h] > 0 && p.entropy[h] < std::log(67.0f)) << on;
    }
    if (!(on & 13)) {
      EXPECT_EQ(p.entropy, plain.entropy) << on;
    }
  }
}

TEST(AttentionScores, SameBitsOnAnyNumberOfThreads) {
  const int before = num_threads();
  Case s{3, 150, 150, 4, 2, 16};
  s.cap = s.sink = s.theta = s.bias = true;
  Tensor first[6];
  for (int threads : {1, 2, 8}) {
    set_num_threads(threads);
    Slot slots[6];
    const Tensor values[6] = {normal_tensor({3, 150, 4, 16}, 1),
                              normal_tensor({3, 150, 2, 16}, 2),
                              normal_tensor({3, 150, 2, 16}, 3),
                              normal_tensor({4}, 4),
                              normal_tensor({4}, 5),
                              normal_tensor({4, s.row()}, 6)};
    std::vector<Var> x;
    for (int i = 0; i < 6; ++i) x.emplace_back(values[i], slots + i);
    backward(run(x, s), normal_tensor({3, 150, 4, 16}, 7));
    for (int i = 0; i < 6; ++i) {
      if (threads == 1) first[i] = slots[i].grad;
      EXPECT_TRUE(same_bits(first[i], slots[i].grad)) << threads << " threads, input " << i;
    }
  }
  set_num_threads(before);
}

TEST(AttentionScores, ArgumentsThatDoNotFit) {
  const Fixture f;
  const auto with = [&](auto change) {
    return [&f, change] {
      AttentionArgs a = f.a;
      change(a);
      f.run(a);
    };
  };
  expect_error<ShapeError>("attention: sink is f32 [3], must be f32 [2]",
                           with([](auto& a) { a.sink = Var(empty({3})); }));
  expect_error<ShapeError>("attention: log_scale is i32 [2], must be f32 [2]",
                           with([](auto& a) { a.log_scale = Var(empty({2}, DType::kI32)); }));
  expect_error<ShapeError>(
      "attention: distance_bias is f32 [2, 70], must be f32 [2, at least 198]: 70 distances and 2 "
      "x 64",
      with([](auto& a) {
        a.distance_bias = Var(empty({2, 70}));
      }));
  expect_error<ConfigError>("attention: a distance_bias needs causal = true", with([](auto& a) {
                              a.causal = false;
                              a.distance_bias = Var(empty({2, 198}));
                            }));
  expect_error<ConfigError>("attention: a distance_query needs causal = true", with([](auto& a) {
                              a.causal = false;
                              a.distance_query = Var(empty({2, 70, 2, 16}));
                            }));
  expect_error<ShapeError>(
      "attention: distance_key is f32 [69, 2, 16], must be f32 [at least 70, 2, 16], as "
      "distance_query is",
      with([](auto& a) {
        a.distance_query = Var(empty({2, 70, 2, 16}));
        a.distance_key = Var(empty({69, 2, 16}));
      }));
  expect_error<ConfigError>("attention: clip_high is 0.5, must be at least 1",
                            with([](auto& a) { a.clip_high = 0.5f; }));
  expect_error<ConfigError>("attention: clip_low is 0.5, must be at most 0",
                            with([](auto& a) { a.clip_low = 0.5f; }));
}

}  // namespace
}  // namespace keel::test
