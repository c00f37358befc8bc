#include "ops/split_heads.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"

namespace keel::test {
namespace {

constexpr double kBase = 10000;

struct Setting {
  int64_t b, t, heads, kv, hd;
  HeadForm q = {}, k = {}, v = {};
  bool q_gain = false, own_gains = false, bias = false;  // gains of all normed parts, or of none
  int64_t turned = 0;                                    // channels of a head
  bool interleaved = false;
  int64_t offset = 0;
  std::vector<int32_t> segments = {};
  bool own_alphas = false;  // of kTanh
};

HeadForm form(HeadNormKind norm, bool width = false, bool last = false) {
  HeadForm f;
  f.norm = norm;
  f.width = width;
  f.norm_last = last;
  f.share = 0.4f;
  return f;
}

void norm_ref(Array& y, int64_t at, int64_t c, const HeadForm& f) {
  const HeadNormKind kind = f.norm;
  const bool part = kind == HeadNormKind::kPartialRms;
  const int64_t counted = part ? int64_t(std::ceil(double(f.share) * double(c) - 1e-6)) : c;
  const double n = static_cast<double>(counted);
  Complex mean = 0, square = 0;
  for (int64_t i = 0; i < c && kind == HeadNormKind::kLayer; ++i) mean += y[at + i] / n;
  for (int64_t i = 0; i < counted; ++i) square += (y[at + i] - mean) * (y[at + i] - mean);
  const Complex length =
      kind == HeadNormKind::kL2 ? std::sqrt(square) : std::sqrt(square / n + 1e-5);
  for (int64_t i = 0; i < c; ++i) {
    y[at + i] = (y[at + i] - mean) / (length.real() > 1e-5 ? length : Complex(1e-5));
  }
}

// The alphas of a part among all.
struct Alphas {
  const Array* all = nullptr;
  int64_t first = 0, count = 0;
};

// n heads of hd values; head h with alpha h or the only one.
void tanh_ref(Array& y, int64_t at, int64_t n, int64_t hd, const Alphas& alphas) {
  for (int64_t i = 0; i < n * hd; ++i) {
    y[at + i] = std::tanh((*alphas.all)[alphas.first + i / hd % alphas.count] * y[at + i]);
  }
}

void turn_ref(Array& y, int64_t at, const Setting& s, double position) {
  const int64_t half = s.turned / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double angle = position * std::pow(kBase, -2.0 * i / s.turned);
    const int64_t first = at + (s.interleaved ? 2 * i : i);
    const int64_t second = s.interleaved ? first + 1 : first + half;
    const Complex u = y[first], v = y[second];
    y[first] = u * std::cos(angle) - v * std::sin(angle);
    y[second] = v * std::cos(angle) + u * std::sin(angle);
  }
}

Array part_ref(const Array& qkv, const Setting& s, const HeadForm& f, int64_t first, int64_t n,
               const Array* gain, const Array* bias, const Alphas& alphas) {
  const int64_t width = (s.heads + 2 * s.kv) * s.hd, row = n * s.hd;
  Array y(Shape{s.b, s.t, n, s.hd});
  const int64_t groups = f.width ? 1 : n, c = row / groups;
  for (int64_t r = 0; r < s.b * s.t; ++r) {
    for (int64_t i = 0; i < row; ++i) y[r * row + i] = qkv[r * width + first * s.hd + i];
    const double at = static_cast<double>(
        s.offset + r % s.t - (s.segments.empty() ? 0 : s.segments[static_cast<size_t>(r)]));
    const auto turn = [&] {
      for (int64_t h = 0; h < n && f.turn; ++h) turn_ref(y, (r * n + h) * s.hd, s, at);
    };
    if (f.norm_last) turn();
    if (f.norm != HeadNormKind::kNone) {
      const bool tanh = f.norm == HeadNormKind::kTanh;
      if (tanh) tanh_ref(y, r * row, n, s.hd, alphas);
      for (int64_t g = 0; g < groups && !tanh; ++g) norm_ref(y, r * row + g * c, c, f);
      for (int64_t i = 0; i < row; ++i) {
        if (gain) y[r * row + i] *= (*gain)[i % gain->shape.size()];
        if (bias) y[r * row + i] += (*bias)[i % bias->shape.size()];
      }
    }
    if (!f.norm_last) turn();
  }
  return y;
}

void check(Setting s) {
  SplitHeads o{s.heads, s.kv, s.hd, s.q, s.k, s.v, {}, s.offset, {}};
  if (s.turned > 0) {
    o.rope = rope_tables(s.offset + s.t, s.turned, kBase);
    o.rope.interleaved = s.interleaved;
  }
  if (!s.segments.empty()) o.segments = from_host({s.b, s.t}, s.segments);
  OpCheck c;
  c.in.push_back({"qkv", {s.b, s.t, (s.heads + 2 * s.kv) * s.hd}});
  HeadForm* forms[3] = {&o.q, &o.k, &o.v};
  size_t gain_at[3] = {}, bias_at[3] = {};
  for (int i = 0; i < 3; ++i) {
    if (forms[i]->norm == HeadNormKind::kNone) continue;
    const int64_t n = s.own_gains ? (i == 0 ? s.heads : s.kv) * s.hd : s.hd;
    if (s.q_gain) {
      gain_at[i] = c.in.size();
      c.in.push_back({"gain", {n}, kParameter, 1});
    }
    if (s.bias) {
      bias_at[i] = c.in.size();
      c.in.push_back({"bias", {n}, kParameter});
    }
  }
  std::vector<int64_t> alphas(4);  // where those of q, k, v begin among all
  for (int i = 0; i < 3; ++i) {
    const bool tanh = forms[i]->norm == HeadNormKind::kTanh;
    alphas[size_t(i) + 1] =
        alphas[size_t(i)] + (tanh ? (s.own_alphas ? (i == 0 ? s.heads : s.kv) : 1) : 0);
  }
  if (alphas[3] > 0) c.in.push_back({"alphas", {alphas[3]}, kParameter, 1});
  c.op = [&](auto& v) -> OneOrMore<Var> {
    SplitHeads with = o;
    if (alphas[3] > 0) with.alphas = v.back();
    HeadForm* f[3] = {&with.q, &with.k, &with.v};
    for (int i = 0; i < 3; ++i) {
      if (gain_at[i]) f[i]->gain = v[gain_at[i]];
      if (bias_at[i]) f[i]->bias = v[bias_at[i]];
    }
    const Qkv r = split_heads(v[0], with);
    return {r.q, r.k, r.v};
  };
  c.ref = [&](auto& v) -> OneOrMore<Array> {
    OneOrMore<Array> out{Array(), Array(), Array()};
    const int64_t first[3] = {0, s.heads, s.heads + s.kv}, n[3] = {s.heads, s.kv, s.kv};
    for (int i = 0; i < 3; ++i) {
      const auto given = [&](size_t at) { return at ? &v[at] : nullptr; };
      out.v[i] =
          part_ref(v[0], s, *forms[i], first[i], n[i], given(gain_at[i]), given(bias_at[i]),
                   {&v.back(), alphas[size_t(i)], alphas[size_t(i) + 1] - alphas[size_t(i)]});
    }
    return out;
  };
  // A tanh is flat far from 0.
  c.scales = alphas[3] > 0 ? std::vector<double>{1e-3, 1} : std::vector<double>{1, 1e3};
  if (alphas[3] > 0) c.difference_scales = c.scales;
  check_op(c);
}

const HeadNormKind kKinds[] = {HeadNormKind::kRms, HeadNormKind::kLayer, HeadNormKind::kL2,
                               HeadNormKind::kPartialRms};

TEST(SplitHeads, NormsOfEveryKind) {
  for (HeadNormKind kind : kKinds) {
    for (bool width : {false, true}) {
      for (bool own : {false, true}) {
        const HeadForm f = form(kind, width);
        check({.b = 2,
               .t = 3,
               .heads = 4,
               .kv = 2,
               .hd = 7,
               .q = f,
               .k = f,
               .v = f,
               .q_gain = true,
               .own_gains = own,
               .bias = own});
        check({.b = 1,
               .t = 67,
               .heads = 3,
               .kv = 1,
               .hd = 18,
               .q = f,
               .k = f,
               .q_gain = own,
               .own_gains = own});
      }
    }
  }
  const HeadForm f = form(HeadNormKind::kRms);
  check({.b = 0, .t = 3, .heads = 2, .kv = 1, .hd = 4, .q = f, .k = f, .v = f, .q_gain = true});
}

// With alphas for each head or one, gains or none; no rows; the rotation before it or behind it.
TEST(SplitHeads, TanhInANormsPlace) {
  for (bool own : {false, true}) {
    for (bool affine : {false, true}) {
      HeadForm f = form(HeadNormKind::kTanh);
      check({.b = 2,
             .t = 3,
             .heads = 4,
             .kv = 2,
             .hd = 7,
             .q = f,
             .k = f,
             .v = f,
             .q_gain = affine,
             .own_gains = own,
             .bias = affine,
             .own_alphas = own});
      f.turn = true;
      f.norm_last = affine;
      check({.b = 1,
             .t = 67,
             .heads = 3,
             .kv = 1,
             .hd = 18,
             .q = f,
             .k = f,
             .q_gain = own,
             .own_gains = affine,
             .turned = 18,
             .own_alphas = own});
      check({.b = 0, .t = 3, .heads = 2, .kv = 1, .hd = 4, .q = f, .q_gain = true, .turned = 4});
    }
  }
}

TEST(SplitHeads, NormsBeforeAndAfterTheRotation) {
  for (HeadNormKind kind : kKinds) {
    for (bool last : {false, true}) {
      HeadForm f = form(kind, false, last);
      f.turn = true;
      check({.b = 2,
             .t = 5,
             .heads = 4,
             .kv = 2,
             .hd = 8,
             .q = f,
             .k = f,
             .v = form(kind),
             .q_gain = true,
             .turned = 8});
      f.width = true;
      check({.b = 1,
             .t = 3,
             .heads = 2,
             .kv = 1,
             .hd = 36,
             .q = f,
             .k = f,
             .q_gain = true,
             .own_gains = true,
             .turned = 36,
             .offset = 3});
    }
  }
}

TEST(SplitHeads, RotationOfAPartInBothLayouts) {
  HeadForm f;
  f.turn = true;
  for (bool interleaved : {false, true}) {
    for (int64_t turned : {2, 6, 20}) {
      check({.b = 2,
             .t = 3,
             .heads = 4,
             .kv = 2,
             .hd = 20,
             .q = f,
             .k = f,
             .turned = turned,
             .interleaved = interleaved});
      check({.b = 2,
             .t = 4,
             .heads = 2,
             .kv = 1,
             .hd = 20,
             .q = f,
             .k = f,
             .v = f,
             .turned = turned,
             .interleaved = interleaved,
             .offset = 2,
             .segments = {0, 0, 2, 2, 0, 1, 1, 1}});
    }
  }
}

// f32, full rotation and norm before it: what the fused kernel gives.
TEST(SplitHeads, AgreesWithTheFusedForm) {
  const Tensor qkv = normal_tensor({2, 5, 4 * 20}, 1), gain = normal_tensor({20}, 2, 0.5, 1);
  const RopeTables rope = rope_tables(5, 20, kBase);
  SplitHeads o{2, 1, 20, form(HeadNormKind::kRms), form(HeadNormKind::kRms), {}, rope, 0, {}};
  o.q.turn = o.k.turn = true;
  o.q.gain = o.k.gain = Var(gain);
  const Qkv a = split_heads(qkv, o);
  const Qkv b = split_qkv(qkv, {Var(gain), Var(gain), {}, {}},
                          {.heads = 2,
                           .kv_heads = 1,
                           .head_dim = 20,
                           .norm = QkNorm::kRms,
                           .eps = 1e-5f,
                           .rope = rope,
                           .offset = 0,
                           .segments = {}});
  EXPECT_LT(relative_error(a.q.t, b.q.t), 1e-6);
  EXPECT_LT(relative_error(a.k.t, b.k.t), 1e-6);
  EXPECT_EQ(a.v.t.raw(), b.v.t.raw());
}

// The layouts differ by a permutation of the channels alone (techniques: RoPE).
TEST(Rope, InterleavedIsAPermutationOfHalfSplit) {
  const int64_t hd = 12;
  const Tensor half = normal_tensor({1, 6, 3 * hd}, 1);
  Tensor inter = like(half);
  for (int64_t i = 0; i < half.size(); ++i) {
    const int64_t c = i % hd, from = c % 2 == 0 ? c / 2 : hd / 2 + c / 2;
    inter.data<float>()[i] = half.data<float>()[i - c + from];
  }
  SplitHeads o{1, 1, hd, {}, {}, {}, rope_tables(6, hd, kBase), 0, {}};
  o.q.turn = o.k.turn = true;
  const Qkv a = split_heads(half, o);
  o.rope.interleaved = true;
  const Qkv b = split_heads(inter, o);
  for (int64_t i = 0; i < 6 * hd; ++i) {
    const int64_t c = i % hd, from = c % 2 == 0 ? c / 2 : hd / 2 + c / 2;
    EXPECT_EQ(b.q.t.data<float>()[i], a.q.t.data<float>()[i - c + from]);
  }
}

TEST(Rope, KeepsLengths) {
  const Tensor qkv = normal_tensor({1, 6, 3 * 16}, 1);
  for (const bool interleaved : {false, true}) {
    for (const int64_t turned : {4, 16}) {
      SplitHeads o{1, 1, 16, {}, {}, {}, rope_tables(40, turned, kBase), 17, {}};
      o.rope.interleaved = interleaved;
      o.q.turn = o.k.turn = true;
      const Qkv r = split_heads(qkv, o);
      for (int64_t t = 0; t < 6; ++t) {
        double before = 0, after = 0;
        for (int64_t c = 0; c < 16; ++c) {
          before += std::pow(double(qkv.data<float>()[t * 48 + c]), 2);
          after += std::pow(double(r.q.t.data<float>()[t * 16 + c]), 2);
        }
        EXPECT_NEAR(after / before, 1, 1e-6);
      }
    }
  }
}

// <R_m q, R_n k> depends on m - n alone: layouts, partial rotation.
TEST(Rope, EveryFormDependsOnDistanceOnly) {
  const Tensor qkv = normal_tensor({1, 6, 3 * 16}, 1);
  for (const bool interleaved : {false, true}) {
    for (const int64_t turned : {4, 16}) {
      const auto scores = [&](int64_t offset) {
        SplitHeads o{1, 1, 16, {}, {}, {}, rope_tables(40, turned, kBase), offset, {}};
        o.rope.interleaved = interleaved;
        o.q.turn = o.k.turn = true;
        const Qkv r = split_heads(qkv, o);
        std::vector<float> s;
        for (int64_t i = 0; i < 6; ++i) {
          for (int64_t j = 0; j < 6; ++j) {
            double dot = 0;
            for (int64_t c = 0; c < 16; ++c) {
              dot += r.q.t.data<float>()[i * 16 + c] * r.k.t.data<float>()[j * 16 + c];
            }
            s.push_back(static_cast<float>(dot));
          }
        }
        return from_host({36}, s);
      };
      EXPECT_LT(relative_error(scores(17), scores(0)), 1e-5);
    }
  }
}

// A head of length sqrt(d) or 1, whatever the weights: logits do not change with W_Q -> a W_Q.
TEST(QkNorm, ForgetsTheLength) {
  const Tensor x = normal_tensor({1, 4, 3 * 16}, 1);
  Tensor longer = like(x);
  for (int64_t i = 0; i < x.size(); ++i) longer.data<float>()[i] = 8 * x.data<float>()[i];
  for (HeadNormKind kind : kKinds) {
    SplitHeads o{1, 1, 16, form(kind), form(kind), {}, {}, 0, {}};
    o.q.eps = o.k.eps = 1e-12f;
    const Qkv a = split_heads(x, o), b = split_heads(longer, o);
    EXPECT_LT(relative_error(b.q.t, a.q.t), 1e-6);
    if (kind == HeadNormKind::kPartialRms) continue;  // the size of its part alone is known
    double square = 0;
    for (int c = 0; c < 16; ++c) square += std::pow(double(a.k.t.data<float>()[c]), 2);
    EXPECT_NEAR(square, kind == HeadNormKind::kL2 ? 1.0 : 16.0, 1e-4);
  }
}

TEST(SplitHeads, ShapesThatDoNotFit) {
  const auto with = [](auto change) {
    return [change] {
      SplitHeads o{2, 1, 4, {}, {}, {}, {}, 0, {}};
      change(o);
      split_heads(Var(empty({1, 3, 16})), o);
    };
  };
  expect_error<ShapeError>(
      "split_heads: qkv is [1, 3, 16], its last axis must have 12 values: 2 + 2 x 1 heads of 3",
      with([](auto& o) { o.head_dim = 3; }));
  expect_error<ShapeError>("split_heads: k_gain is f32 [8], must be f32 [4] or [4]",
                           with([](auto& o) { o.k.gain = Var(empty({8})); }));
  expect_error<ShapeError>("split_heads: alphas is missing, must be f32 [1] or [2]",
                           with([](auto& o) { o.q.norm = HeadNormKind::kTanh; }));
  expect_error<ShapeError>("split_heads: alphas is f32 [4], must be f32 [2] or [3]",
                           with([](auto& o) {
                             o.q.norm = o.k.norm = HeadNormKind::kTanh;
                             o.alphas = Var(empty({4}));
                           }));
  expect_error<ShapeError>("split_heads: a rotation is asked for, but there are no tables",
                           with([](auto& o) { o.v.turn = true; }));
  expect_error<ShapeError>("split_heads: rope tables are [3, 3] and [3, 3], head_dim is 4",
                           with([](auto& o) { o.rope = rope_tables(3, 6, kBase); }));
  expect_error<ShapeError>("split_heads: positions 2 to 4 are outside the 3 of the tables",
                           with([](auto& o) {
                             o.rope = rope_tables(3, 4, kBase);
                             o.offset = 2;
                           }));
  expect_error<ShapeError>("split_heads: segments is i32 [3], must be i32 [1, 3]",
                           with([](auto& o) { o.segments = empty({3}, DType::kI32); }));
}

}  // namespace
}  // namespace keel::test
