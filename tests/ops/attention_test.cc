#include "ops/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/arena.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "harness/check_op.h"
#include "harness/golden.h"

// b batch, i query, j key, h head, c element of a head
namespace keel::test {
namespace {

// The pieces of the formula that a case may replace.
struct Extras {
  std::function<Complex(Complex s, int64_t h, int64_t i, int64_t j)> score;
  std::function<double(int64_t b, int64_t h, int64_t i, int64_t j)> kept;
};

bool sees(const AttentionArgs& a, int64_t b, int64_t i, int64_t j) {
  const int64_t p = a.query_offset + i;
  if (a.causal && j > p) return false;
  if (a.window > 0 && std::abs(p - j) >= a.window) return false;
  const Tensor& start = a.segment_start;
  return !start || j >= start.data<int32_t>()[b * start.dim(1) + i];
}

// Weights of one row after the softmax; empty where no key is visible.
std::vector<Complex> softmax(const std::vector<Complex>& s) {
  double top = -INFINITY;
  for (Complex x : s) top = std::max(top, x.real());
  if (std::isinf(top)) return {};
  std::vector<Complex> p;
  Complex sum = 0;
  for (Complex x : s) sum += p.emplace_back(std::isinf(x.real()) ? 0.0 : std::exp(x - top));
  for (Complex& x : p) x /= sum;
  return p;
}

std::vector<Complex> scores(const Array& q, const Array& k, const AttentionArgs& a,
                            const Extras& extras, int64_t b, int64_t h, int64_t i) {
  const int64_t tq = q.dim(1), tk = k.dim(1), heads = q.dim(2), kv = k.dim(2), hd = q.dim(3);
  std::vector<Complex> s;
  for (int64_t j = 0; j < tk; ++j) {
    s.emplace_back(-INFINITY);
    if (!sees(a, b, i, j)) continue;
    const Complex* q_row = &q[((b * tq + i) * heads + h) * hd];
    const Complex* k_row = &k[((b * tk + j) * kv + h / (heads / kv)) * hd];
    Complex x = 0;
    for (int64_t c = 0; c < hd; ++c) x += q_row[c] * k_row[c];
    x *= static_cast<double>(a.scale);
    s.back() = extras.score ? extras.score(x, h, i, j) : x;
  }
  return s;
}

Array attention_ref(const std::vector<Array>& x, const AttentionArgs& a,
                    const Extras& extras = {}) {
  const Array &q = x[0], &k = x[1], &v = x[2];
  const int64_t tq = q.dim(1), tk = k.dim(1), heads = q.dim(2), kv = k.dim(2), hd = q.dim(3);
  Array o(q.shape);
  for (int64_t b = 0; b < q.dim(0); ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < tq; ++i) {
        const std::vector<Complex> p = softmax(scores(q, k, a, extras, b, h, i));
        for (int64_t j = 0; j < static_cast<int64_t>(p.size()); ++j) {
          Complex w = p[static_cast<size_t>(j)];
          if (w == 0.0) continue;
          if (extras.kept) w *= extras.kept(b, h, i, j);
          for (int64_t c = 0; c < hd; ++c) {
            o[((b * tq + i) * heads + h) * hd + c] +=
                w * v[((b * tk + j) * kv + h / (heads / kv)) * hd + c];
          }
        }
      }
    }
  }
  return o;
}

struct Sizes {
  int64_t b, tq, tk, heads, kv, hd;
  Shape q() const { return {b, tq, heads, hd}; }
  Shape k() const { return {b, tk, kv, hd}; }
};

AttentionArgs scaled(int64_t hd) {
  AttentionArgs a;
  a.scale = 1.0f / std::sqrt(static_cast<float>(hd));
  return a;
}

// Where a softmax is nearly one-hot (scale 3: scores of 9), the gradient of its scores is a
// difference of nearly equal numbers, in bf16 one of them rounded to bf16: so wider bounds there.
void check(const Sizes& s, const AttentionArgs& a, const Extras& extras = {}, bool sharp = true) {
  OpCheck c{.in = {{"q", s.q()}, {"k", s.k()}, {"v", s.k()}},
            .op = [&](auto& v) { return attention(v[0], v[1], v[2], a).o; },
            .ref = [&](auto& v) { return attention_ref(v, a, extras); },
            .scales = {1e-3, 1},
            .difference_scales = {1},
            .bf16_bound = 1e-2};
  check_op(c);
  if (!sharp) return;
  c.scales = c.difference_scales = {3};
  c.bound = 5e-5;
  c.bf16 = false;
  check_op(c);
}

TEST(Attention, Causal) {
  for (const Sizes& s : std::vector<Sizes>{{1, 1, 1, 1, 1, 1},
                                           {2, 7, 7, 2, 2, 12},
                                           {1, 65, 65, 2, 1, 20},
                                           {1, 17, 17, 6, 2, 16},
                                           {1, 129, 129, 1, 1, 3},
                                           {4, 5, 5, 3, 3, 16},
                                           {12, 3, 3, 1, 1, 4}}) {
    check(s, scaled(s.hd));
  }
}

TEST(Attention, NotCausal) {
  for (const Sizes& s :
       std::vector<Sizes>{{2, 5, 9, 2, 1, 8}, {1, 3, 67, 1, 1, 16}, {1, 66, 2, 1, 1, 32}}) {
    AttentionArgs a = scaled(s.hd);
    a.causal = false;
    check(s, a);
    a.window = 3;  // some rows of the last case see no key
    check(s, a, {}, false);
  }
}

TEST(Attention, QueriesThatStandLaterThanTheKeys) {
  for (int64_t offset : {1, 64, 100}) {
    AttentionArgs a = scaled(5);
    a.query_offset = offset;
    check({1, 9, offset + 9, 2, 1, 5}, a);
  }
}

TEST(Attention, Window) {
  for (int64_t window : {1, 2, 16, 50, 1000}) {
    AttentionArgs a = scaled(4);
    a.window = window;
    check({1, 71, 71, 1, 1, 4}, a, {}, window > 2);
  }
}

TEST(Attention, KeysThatNoQuerySees) {
  AttentionArgs a = scaled(16);
  a.window = 3;
  a.query_offset = 100;
  check({1, 5, 200, 1, 1, 16}, a, {}, false);
  check({12, 2, 140, 1, 1, 16}, a, {}, false);
}

TEST(Attention, SegmentsOfEachRow) {
  AttentionArgs a = scaled(6);
  std::vector<int32_t> start;
  for (int32_t i = 0; i < 71; ++i) start.push_back(i < 5 ? 0 : i < 40 ? 5 : i < 70 ? 40 : 70);
  for (int32_t i = 0; i < 71; ++i) start.push_back(i / 3 * 3);
  a.segment_start = from_host({2, 71}, start);
  check({2, 71, 71, 1, 1, 6}, a);
  a.window = 7;
  check({2, 71, 71, 1, 1, 6}, a, {}, false);
}

TEST(Attention, OneQuery) {
  AttentionArgs a = scaled(20);
  a.query_offset = 76;
  check({2, 1, 77, 4, 2, 20}, a);
  a.query_offset = 200;
  a.window = 150;
  check({1, 1, 77, 2, 1, 16}, a);
  a.segment_start = from_host({1, 1}, std::vector<int32_t>{60});
  check({1, 1, 77, 1, 1, 3}, a);
}

// The tiled kernel, which a probe asks for, against the one for a single query.
TEST(Attention, OneQueryAgreesWithMany) {
  const Tensor q = normal_tensor({2, 1, 6, 64}, 1), k = normal_tensor({2, 300, 2, 64}, 2),
               v = normal_tensor({2, 300, 2, 64}, 3);
  AttentionArgs a = scaled(64);
  a.query_offset = 299;
  const Attention one = attention(q, k, v, a);
  AttentionProbe probe;
  a.probe = &probe;
  const Attention many = attention(q, k, v, a);
  EXPECT_LT(relative_error(one.o.t, many.o.t), 1e-6);
  EXPECT_LT(relative_error(one.lse, many.lse), 1e-6);
}

// Numbers of a row are drawn by key, rows are numbered over the global batch.
double kept(const StepState& step, const AttentionArgs& a, const Sizes& s, int64_t b, int64_t h,
            int64_t i, int64_t j) {
  const int64_t row = ((step.first_row + b) * s.heads + h) * s.tq + i;
  const auto key = philox_key(step.seed_dropout, a.stream, step.micro_step);
  const uint32_t r = philox_block(key, row, j / 4)[j % 4];
  return r < a.dropout * 0x1p32 ? 0.0 : 1.0 / (1.0 - a.dropout);
}

TEST(Attention, Dropout) {
  StepState step;
  step.seed_dropout = 5;
  step.micro_step = 11;
  step.first_row = 0x5'0000'0000 / 7;  // so that row numbers pass 2^32 within a tile
  for (const Sizes& s :
       std::vector<Sizes>{{2, 67, 67, 2, 1, 4}, {1, 3, 131, 1, 1, 16}, {7, 5, 5, 1, 1, 3}}) {
    AttentionArgs a = scaled(s.hd);
    a.causal = s.tq == s.tk;
    a.dropout = 0.25f;
    a.step = &step;
    a.stream = stream_of("layer 0");
    Extras extras;
    extras.kept = [&](auto... at) { return kept(step, a, s, at...); };
    check(s, a, extras, false);
  }
}

TEST(Attention, DropoutOfNothingIsNothing) {
  const Tensor q = normal_tensor({1, 70, 2, 16}, 1);
  AttentionArgs a = scaled(16);
  const Tensor plain = attention(q, q, q, a).o.t;
  StepState step;
  a.step = &step;
  a.stream = 4;
  EXPECT_TRUE(same_bits(attention(q, q, q, a).o.t, plain));
}

// A bias that falls with the distance, each head at its own rate (a linear bias).
void add_distance(const void* context, const ScoreTile& t, float*) {
  const float rate = *static_cast<const float*>(context) / static_cast<float>(t.head + 1);
  for (int64_t j = 0; j < t.keys; ++j) {
    for (int64_t i = 0; i < t.queries; ++i) {
      t.s[j * t.stride + i] -= rate * static_cast<float>(t.first_query + i - t.first_key - j);
    }
  }
}

// A score that cannot pass 2.
void cap(const void*, const ScoreTile& t, float* slope) {
  for (int64_t j = 0; j < t.keys; ++j) {
    for (int64_t i = 0; i < t.queries; ++i) {
      float& s = t.s[j * t.stride + i];
      s = 2.0f * std::tanh(s / 2.0f);
      if (slope) slope[j * t.stride + i] *= 1.0f - s * s / 4.0f;
    }
  }
}

void hide_even(const void*, const ScoreTile& t, float*) {
  for (int64_t j = 0; j < t.keys; ++j) {
    for (int64_t i = 0; i < t.queries && (t.first_key + j) % 2 == 0; ++i) {
      t.s[j * t.stride + i] = -INFINITY;
    }
  }
}

TEST(Attention, PassesChangeTheScores) {
  const float rate = 0.3f;
  AttentionArgs a = scaled(8);
  a.query_offset = 2;
  a.passes[0] = {add_distance, &rate};
  Extras extras;
  extras.score = [&](Complex s, int64_t h, int64_t i, int64_t j) {
    return s - static_cast<double>(rate) / (h + 1) * static_cast<double>(i + 2 - j);
  };
  check({2, 67, 69, 2, 1, 8}, a, extras);
  a.passes[1] = {cap, nullptr};
  const auto biased = extras.score;
  extras.score = [&](Complex s, int64_t h, int64_t i, int64_t j) {
    return 2.0 * std::tanh(biased(s, h, i, j) / 2.0);
  };
  check({2, 67, 69, 2, 1, 8}, a, extras);
}

TEST(Attention, PassesMayHidePairs) {
  AttentionArgs a = scaled(4);
  a.passes[0] = {hide_even, nullptr, true};
  Extras extras;
  extras.score = [](Complex s, int64_t, int64_t, int64_t j) {
    return j % 2 == 0 ? Complex(-INFINITY) : s;
  };
  check({1, 9, 9, 1, 1, 4}, a, extras, false);  // the first row sees nothing
}

// Scores are whole numbers up to 1e4, exact in f32.
TEST(Attention, LargeScores) {
  const int64_t t = 65, hd = 16;
  std::vector<float> q, k;
  for (int64_t i = 0; i < t * hd; ++i) {
    q.push_back(static_cast<float>(mix64(i) % 51) - 25.0f);
    k.push_back(static_cast<float>(mix64(i + 7000) % 51) - 25.0f);
  }
  const Shape shape{1, t, 1, hd};
  Slot slots[3];
  const Var x[] = {Var(from_host(shape, q), slots), Var(from_host(shape, k), slots + 1),
                   Var(normal_tensor(shape, 3), slots + 2)};
  std::vector<Array> ref;
  for (int i = 0; i < 3; ++i) {
    slots[i].parameter = true;
    ref.emplace_back(shape);
    const std::vector<float> values = to_host(x[i].t);
    std::copy(values.begin(), values.end(), ref[i].v.begin());
  }
  AttentionArgs a;
  AttentionProbe probe;
  a.probe = &probe;
  const Attention got = attention(x[0], x[1], x[2], a);
  EXPECT_GT(probe.logit_max[0], 2e3f);
  const Array want = attention_ref(ref, a);
  for (int64_t i = 0; i < t * hd; ++i) {
    EXPECT_NEAR(got.o.t.data<float>()[i], want[i].real(), 1e-5) << i;
  }
  backward(got.o, normal_tensor(shape, 4));
  for (Slot& s : slots) {
    for (float g : to_host(s.grad)) EXPECT_TRUE(std::isfinite(g));
  }
}

TEST(Attention, RowsThatSeeNothing) {
  AttentionArgs a;
  a.segment_start = from_host({1, 3}, std::vector<int32_t>{0, 3, 0});
  Slot slots[3];
  const Tensor x = normal_tensor({1, 3, 1, 4}, 1);
  const Attention got = attention(Var(x, slots), Var(x, slots + 1), Var(x, slots + 2), a);
  for (int c = 0; c < 4; ++c) EXPECT_EQ(got.o.t.data<float>()[4 + c], 0.0f);
  EXPECT_EQ(got.lse.data<float>()[1], -INFINITY);
  EXPECT_TRUE(std::isfinite(got.lse.data<float>()[2]));
  backward(got.o, normal_tensor({1, 3, 1, 4}, 2));
  for (int c = 0; c < 4; ++c) EXPECT_EQ(slots[0].grad.data<float>()[4 + c], 0.0f);
}

TEST(Attention, NanIsNotHidden) {
  Tensor x = normal_tensor({1, 4, 1, 16}, 1);
  x.data<float>()[2 * 16] = NAN;
  for (float offset : {0.0f, 1.0f}) {
    const Tensor q = offset == 0 ? x : x.slice(1, 3, 4);
    AttentionArgs a;
    a.query_offset = offset == 0 ? 0 : 3;
    const Tensor o = attention(q, x, normal_tensor({1, 4, 1, 16}, 2), a).o.t;
    EXPECT_TRUE(std::isnan(o.data<float>()[o.size() - 1]));
  }
}

TEST(Attention, WindowOfOneReturnsTheValue) {
  const Tensor q = normal_tensor({2, 70, 2, 16}, 1), v = normal_tensor({2, 70, 2, 16}, 2);
  AttentionArgs a;
  a.window = 1;
  EXPECT_TRUE(same_bits(attention(q, q, v, a).o.t, v));
}

TEST(Attention, GroupedIsTheSameAsRepeated) {
  const Tensor q = normal_tensor({2, 70, 4, 16}, 1), k = normal_tensor({2, 70, 2, 16}, 2),
               v = normal_tensor({2, 70, 2, 16}, 3);
  const auto repeated = [](const Tensor& x) {
    Tensor r = empty({2, 70, 4, 16});
    for (int64_t i = 0; i < r.size(); ++i) {
      r.data<float>()[i] = x.data<float>()[i / 64 * 32 + i % 64 / 32 * 16 + i % 16];
    }
    return r;
  };
  EXPECT_TRUE(same_bits(attention(q, k, v, scaled(16)).o.t,
                        attention(q, repeated(k), repeated(v), scaled(16)).o.t));
}

// q, k, v as they lie beside each other in the output of one product.
TEST(Attention, ReadsAndWritesViews) {
  for (int64_t hd : {16, 20}) {
    const int64_t t = 70, row = 4 * hd;
    const Tensor packed = normal_tensor({1, t, row}, 1),
                 packed_grad = normal_tensor({1, t, row}, 2);
    const Tensor dy = normal_tensor({1, t, 2, hd}, 3);
    const auto part = [&](const Tensor& x, int64_t heads, int64_t at) {
      return x.strided({1, t, heads, hd}, {t * row, row, hd, 1}, at * hd);
    };
    const int64_t heads[] = {2, 1, 1}, at[] = {0, 2, 3};
    Tensor grads[2][3], o[2];
    for (int views = 0; views < 2; ++views) {
      Slot slots[3];
      Var x[3];
      for (int i = 0; i < 3; ++i) {
        const Tensor view = part(packed, heads[i], at[i]);
        x[i] = Var(views ? view : from_host(view.shape(), to_host(view)), slots + i);
        if (views) slots[i].grad = part(packed_grad, heads[i], at[i]);
      }
      const Attention a = attention(x[0], x[1], x[2], scaled(hd));
      o[views] = a.o.t;
      backward(a.o, dy);
      for (int i = 0; i < 3; ++i) {
        grads[views][i] = from_host(slots[i].grad.shape(), to_host(slots[i].grad));
      }
    }
    EXPECT_TRUE(same_bits(o[0], o[1]));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(grads[0][i], grads[1][i])) << i;
  }
}

// Entropy of a row of weights, and the largest and the mean square of the scores that it sees.
TEST(Attention, Probe) {
  for (const Sizes& s :
       std::vector<Sizes>{{2, 67, 67, 4, 2, 12}, {1, 1, 9, 1, 1, 4}, {1, 200, 200, 2, 1, 8}}) {
    AttentionArgs a = scaled(s.hd);
    a.scale *= 3;
    a.query_offset = s.tk - s.tq;
    if (s.tq == 200) {
      a.window = 90;
      std::vector<int32_t> start(200);
      for (size_t i = 0; i < 200; ++i) start[i] = i < 70 ? 0 : 70;
      a.segment_start = from_host({1, 200}, std::span<const int32_t>(start));
    }
    const Tensor q = normal_tensor(s.q(), 1), k = normal_tensor(s.k(), 2);
    AttentionProbe probe;
    probe.rms_wanted = true;
    a.probe = &probe;
    attention(q, k, k, a);
    Array q_ref(s.q()), k_ref(s.k());
    std::copy_n(q.data<float>(), q.size(), q_ref.v.begin());
    std::copy_n(k.data<float>(), k.size(), k_ref.v.begin());
    ASSERT_EQ(probe.logit_max.size(), static_cast<size_t>(s.heads));
    for (int64_t h = 0; h < s.heads; ++h) {
      double largest = 0, entropy = 0, squares = 0, pairs = 0;
      for (int64_t row = 0; row < s.b * s.tq; ++row) {
        const auto score = scores(q_ref, k_ref, a, {}, row / s.tq, h, row % s.tq);
        for (Complex x : score) {
          if (std::isinf(x.real())) continue;
          largest = std::max(largest, std::abs(x.real()));
          squares += x.real() * x.real();
          pairs += 1;
        }
        for (Complex p : softmax(score)) {
          if (p.real() > 0) entropy -= p.real() * std::log(p.real());
        }
      }
      EXPECT_NEAR(probe.logit_max[h], largest, 1e-5 * largest);
      EXPECT_NEAR(probe.entropy[h], entropy / static_cast<double>(s.b * s.tq), 1e-5);
      const double rms = std::sqrt(squares / pairs);
      EXPECT_NEAR(probe.logit_rms[h], rms, 1e-5 * rms);
    }
  }
}

TEST(Attention, ProbeChangesNothing) {
  const Tensor q = normal_tensor({2, 150, 2, 16}, 1);
  AttentionArgs a = scaled(16);
  const Attention without = attention(q, q, q, a);
  AttentionProbe probe;
  a.probe = &probe;
  const Attention with = attention(q, q, q, a);
  EXPECT_TRUE(same_bits(with.o.t, without.o.t));
  EXPECT_TRUE(same_bits(with.lse, without.lse));
  EXPECT_TRUE(probe.logit_rms.empty());
  probe.rms_wanted = true;
  const Attention with_rms = attention(q, q, q, a);
  EXPECT_TRUE(same_bits(with_rms.o.t, without.o.t));
  const std::vector<float> before = probe.logit_max, rms = probe.logit_rms;
  a.passes[0] = {cap, nullptr};
  attention(q, q, q, a);
  EXPECT_EQ(probe.logit_max, before);  // the score as it was before the passes
  EXPECT_EQ(probe.logit_rms, rms);
}

TEST(Attention, SameBitsOnAnyNumberOfThreads) {
  const int before = num_threads();
  for (const Sizes& s : std::vector<Sizes>{{1, 700, 700, 1, 1, 16}, {3, 150, 150, 4, 4, 32}}) {
    const Tensor q = normal_tensor(s.q(), 1), dy = normal_tensor(s.q(), 2);
    Tensor first[4];
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      Slot slots[3];
      AttentionArgs a = scaled(s.hd);
      const Attention got = attention(Var(q, slots), Var(q, slots + 1), Var(q, slots + 2), a);
      backward(got.o, dy);
      const Tensor now[] = {got.o.t, slots[0].grad, slots[1].grad, slots[2].grad};
      for (int i = 0; i < 4; ++i) {
        if (threads == 1) first[i] = now[i];
        EXPECT_TRUE(same_bits(first[i], now[i])) << threads << " threads, result " << i;
      }
    }
  }
  set_num_threads(before);
}

size_t step_bytes(int64_t t) {
  const Shape shape{1, t, 1, 16};
  const Tensor q = normal_tensor(shape, 1), dy = normal_tensor(shape, 2);
  Arena arena(DeviceKind::kCpu);
  {
    ArenaScope scope(arena, 1);
    Slot slots[3];
    const Attention a =
        attention(Var(q, slots), Var(q, slots + 1), Var(q, slots + 2), AttentionArgs());
    backward(a.o, dy);
  }
  return arena.bytes();
}

TEST(Attention, MemoryIsLinearInTheContext) {
  const size_t at_2048 = step_bytes(2048), at_8192 = step_bytes(8192);
  EXPECT_LT(at_8192, 4 * at_2048 + 4096);
  EXPECT_LT(at_8192, size_t{8192} * 8192);  // a quarter of one T x T matrix
}

TEST(Attention, CountsItsWorkOnMeta) {
  const Shape shape{2, 5, 3, 8};
  const Tensor x = empty(shape, DType::kF32, DeviceKind::kMeta);
  Slot slots[3];
  reset_counted_flops();
  AttentionArgs args;
  const Attention a = attention(Var(x, slots), Var(x, slots + 1), Var(x, slots + 2), args);
  EXPECT_EQ(counted_flops(), 4 * 2 * 3 * 8 * 15);
  backward(a.o, empty(shape, DType::kF32, DeviceKind::kMeta));
  EXPECT_EQ(counted_flops(), 3 * 4 * 2 * 3 * 8 * 15);
  reset_counted_flops();
  args.window = 2;
  attention(x, x, x, args);
  EXPECT_EQ(counted_flops(), 4 * 2 * 3 * 8 * 9);
}

TEST(Attention, AgreesWithPyTorch) {
  const Golden golden("attention.safetensors");
  for (const std::string name : {"causal", "grouped", "cached", "masked"}) {
    const auto at = [&](const char* key) { return golden.tensor(name + "." + key); };
    const char* inputs[] = {"q", "k", "v"};
    Slot slots[3];
    Var x[3];
    for (int i = 0; i < 3; ++i) x[i] = Var(at(inputs[i]), slots + i);
    AttentionArgs a = scaled(x[0].t.dim(3));
    if (name == "cached") a.query_offset = 65;
    if (name == "masked") {
      a.window = 9;
      a.segment_start = at("start");
    }
    const Attention got = attention(x[0], x[1], x[2], a);
    EXPECT_LT(relative_error(got.o.t, at("o")), 1e-6) << name;
    EXPECT_LT(relative_error(got.lse, at("lse")), 1e-6) << name;
    backward(got.o, at("dy"));
    EXPECT_LT(relative_error(slots[0].grad, at("dq")), 2e-6) << name;
    EXPECT_LT(relative_error(slots[1].grad, at("dk")), 2e-6) << name;
    EXPECT_LT(relative_error(slots[2].grad, at("dv")), 2e-6) << name;
  }
}

std::string refusal(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionArgs& a) {
  try {
    attention(q, k, v, a);
  } catch (const ShapeError& e) {
    return e.what();
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Attention, ShapesThatDoNotFit) {
  const AttentionArgs a;
  const Tensor q = empty({2, 3, 4, 8}), k = empty({2, 5, 2, 8});
  EXPECT_EQ(refusal(empty({6, 8}), k, k, a), "attention: q is [6, 8], must have 4 axes");
  EXPECT_EQ(refusal(q, k, empty({2, 4, 2, 8}), a),
            "attention: k is [2, 5, 2, 8], v is [2, 4, 2, 8]");
  EXPECT_EQ(refusal(q, empty({1, 5, 2, 8}), empty({1, 5, 2, 8}), a),
            "attention: q is [2, 3, 4, 8], k is [1, 5, 2, 8]: both must have the same batch "
            "(axis 0)");
  EXPECT_EQ(refusal(q, empty({2, 5, 2, 6}), empty({2, 5, 2, 6}), a),
            "attention: q is [2, 3, 4, 8], k is [2, 5, 2, 6]: both must have the same head_dim "
            "(axis 3)");
  EXPECT_EQ(refusal(q, empty({2, 5, 3, 8}), empty({2, 5, 3, 8}), a),
            "attention: q is [2, 3, 4, 8], k is [2, 5, 3, 8]: the key heads must divide the "
            "heads (axis 2)");
  EXPECT_EQ(refusal(q, empty({2, 0, 2, 8}), empty({2, 0, 2, 8}), a),
            "attention: q is [2, 3, 4, 8], k is [2, 0, 2, 8]: neither may be empty");
  EXPECT_EQ(refusal(q, empty(k.shape(), DType::kBf16), k, a),
            "attention: q is f32, k bf16, v f32; all must be f32 or all bf16");
  EXPECT_EQ(
      refusal(q.strided({2, 3, 4, 4}, {96, 32, 8, 2}), empty({2, 5, 2, 4}), empty({2, 5, 2, 4}), a),
      "attention: the last axis of q [2, 3, 4, 4] must be contiguous, its stride is 2");
}

TEST(Attention, ArgumentsOutOfRange) {
  const Tensor q = empty({2, 3, 4, 8});
  const auto with = [&](auto change) {
    AttentionArgs a;
    change(a);
    return refusal(q, q, q, a);
  };
  EXPECT_EQ(with([](auto& a) { a.dropout = 1.0f; }), "attention: dropout is 1, must be in [0, 1)");
  EXPECT_EQ(with([](auto& a) { a.dropout = 0.5f; }),
            "attention: step is null, must be given where dropout is not 0");
  EXPECT_EQ(with([](auto& a) { a.window = -1; }),
            "attention: window is -1, must be 0 (none) or positive");
  EXPECT_EQ(with([](auto& a) { a.query_offset = -2; }),
            "attention: query_offset is -2, must be 0 or positive");
  EXPECT_EQ(with([](auto& a) {
              a.segment_start = empty({2, 4}, DType::kI32);
            }),
            "attention: segment_start is i32 [2, 4], must be i32 [2, 3]");
}

}  // namespace
}  // namespace keel::test
