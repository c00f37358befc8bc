#include "ops/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "harness/check_op.h"
#include "harness/expect_error.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace keel::test {
namespace {

constexpr double kBase = 10000;

// Head h of token r: normed, then turned in place.
void turn_ref(Array& y, int64_t at, int64_t hd, int64_t position) {
  for (int64_t i = 0; i < hd / 2; ++i) {
    const double angle = position * std::pow(kBase, -2.0 * i / hd);
    const Complex u = y[at + i], v = y[at + hd / 2 + i];
    y[at + i] = u * std::cos(angle) - v * std::sin(angle);
    y[at + hd / 2 + i] = v * std::cos(angle) + u * std::sin(angle);
  }
}

void norm_head_ref(Array& y, int64_t at, int64_t hd, QkNorm norm, double eps, const Array& gain,
                   const Array* bias) {
  if (norm == QkNorm::kNone) return;
  const double n = static_cast<double>(hd);
  Complex mean = 0, square = 0;
  for (int64_t i = 0; i < hd && norm == QkNorm::kLayer; ++i) mean += y[at + i] / n;
  for (int64_t i = 0; i < hd; ++i) square += (y[at + i] - mean) * (y[at + i] - mean) / n;
  for (int64_t i = 0; i < hd; ++i) {
    y[at + i] = (y[at + i] - mean) / std::sqrt(square + eps) * gain[i] + (bias ? (*bias)[i] : 0.0);
  }
}

struct Setting {
  int64_t b, t, heads, kv_heads, hd;
  QkNorm norm = QkNorm::kNone;
  bool rope = true;
  int64_t offset = 0;
  std::vector<int32_t> segments = {};
};

QkvOptions options(const Setting& s) {
  QkvOptions o{.heads = s.heads,
               .kv_heads = s.kv_heads,
               .head_dim = s.hd,
               .norm = s.norm,
               .eps = 1e-5f,
               .rope = {},
               .offset = s.offset,
               .segments = {}};
  if (s.rope) o.rope = rope_tables(s.offset + s.t, s.hd, kBase);
  if (!s.segments.empty()) o.segments = from_host({s.b, s.t}, s.segments);
  return o;
}

// v: qkv, then gains of q and k, then biases, as far as there are any.
OneOrMore<Array> reference(const std::vector<Array>& v, const Setting& s) {
  OneOrMore<Array> out{Array(), Array(), Array()};
  const int64_t width = (s.heads + 2 * s.kv_heads) * s.hd;
  for (int part = 0; part < 3; ++part) {
    const int64_t n = part == 0 ? s.heads : s.kv_heads;
    const int64_t first = part == 0 ? 0 : s.heads + (part - 1) * s.kv_heads;
    Array& y = out.v[part] = Array(Shape{s.b, s.t, n, s.hd});
    for (int64_t r = 0; r < s.b * s.t; ++r) {
      for (int64_t h = 0; h < n; ++h) {
        const int64_t at = (r * n + h) * s.hd;
        for (int64_t i = 0; i < s.hd; ++i) y[at + i] = v[0][r * width + (first + h) * s.hd + i];
        if (part == 2) continue;
        if (s.norm != QkNorm::kNone) {
          norm_head_ref(y, at, s.hd, s.norm, 1e-5, v[1 + part],
                        v.size() > 3 ? &v[3 + part] : nullptr);
        }
        const int64_t start = s.segments.empty() ? 0 : s.segments[r];
        if (s.rope) turn_ref(y, at, s.hd, s.offset + r % s.t - start);
      }
    }
  }
  return out;
}

void check(const Setting& s, bool bias = false) {
  const Shape head{s.hd};
  std::vector<OpInput> in{{"qkv", {s.b, s.t, (s.heads + 2 * s.kv_heads) * s.hd}}};
  if (s.norm != QkNorm::kNone) {
    in.push_back({"q_gain", head, kParameter, 1});
    in.push_back({"k_gain", head, kParameter, 1});
  }
  if (bias) {
    in.push_back({"q_bias", head, kParameter});
    in.push_back({"k_bias", head, kParameter});
  }
  const QkvOptions o = options(s);
  check_op({.in = in,
            .op = [&](auto& v) -> OneOrMore<Var> {
              QkNormParameters p;
              if (v.size() > 1) p.q_gain = v[1], p.k_gain = v[2];
              if (v.size() > 3) p.q_bias = v[3], p.k_bias = v[4];
              Qkv r = split_qkv(v[0], p, o);
              return {r.q, r.k, r.v};
            },
            .ref = [&](auto& v) { return reference(v, s); }});
}

TEST(Rope, AloneForManyShapes) {
  check({.b = 1, .t = 1, .heads = 1, .kv_heads = 1, .hd = 2});
  check({.b = 2, .t = 3, .heads = 4, .kv_heads = 2, .hd = 8});
  check({.b = 1, .t = 5, .heads = 3, .kv_heads = 1, .hd = 34});
  check({.b = 3, .t = 7, .heads = 2, .kv_heads = 2, .hd = 64});
  check({.b = 0, .t = 3, .heads = 2, .kv_heads = 1, .hd = 4});
  check({.b = 5, .t = 31, .heads = 2, .kv_heads = 1, .hd = 16});
}

TEST(Rope, WithQkNorm) {
  for (QkNorm norm : {QkNorm::kRms, QkNorm::kLayer}) {
    check({.b = 2, .t = 3, .heads = 4, .kv_heads = 2, .hd = 8, .norm = norm});
    check({.b = 1, .t = 67, .heads = 3, .kv_heads = 1, .hd = 34, .norm = norm});
    check({.b = 0, .t = 3, .heads = 2, .kv_heads = 1, .hd = 4, .norm = norm});
  }
  check({.b = 2, .t = 3, .heads = 2, .kv_heads = 2, .hd = 12, .norm = QkNorm::kLayer}, true);
}

TEST(Rope, NormWithoutRotation) {
  check({.b = 2, .t = 3, .heads = 4, .kv_heads = 2, .hd = 7, .norm = QkNorm::kRms, .rope = false});
  check({.b = 2, .t = 3, .heads = 2, .kv_heads = 2, .hd = 9, .norm = QkNorm::kLayer, .rope = false},
        true);
}

TEST(Rope, NeitherIsAView) {
  check({.b = 2, .t = 3, .heads = 4, .kv_heads = 2, .hd = 8, .rope = false});
  const Tensor qkv = normal_tensor({2, 3, 64}, 1);
  const Qkv r = split_qkv(qkv, {}, options({2, 3, 4, 2, 8, QkNorm::kNone, false}));
  EXPECT_EQ(r.q.t.raw(), qkv.raw());
  EXPECT_EQ(r.k.t.data<float>(), qkv.data<float>() + 32);
  EXPECT_EQ(r.v.t.data<float>(), qkv.data<float>() + 48);
}

TEST(Rope, PositionsFollowOffsetAndSegments) {
  check({.b = 1, .t = 3, .heads = 1, .kv_heads = 1, .hd = 8, .offset = 11});
  check({.b = 2, .t = 4, .heads = 2, .kv_heads = 1, .hd = 8, .segments = {0, 0, 2, 2, 0, 1, 1, 1}});
  check({.b = 1,
         .t = 4,
         .heads = 2,
         .kv_heads = 1,
         .hd = 8,
         .norm = QkNorm::kRms,
         .offset = 2,
         .segments = {0, 1, 1, 3}});
}

// f32: the bits of the norm and the rotation one after the other.
TEST(Rope, FusedIsTheSame) {
  const int64_t b = 2, t = 5, heads = 3, hd = 20;
  const Tensor qkv = normal_tensor({b, t, 3 * heads * hd}, 1);
  const Tensor gain = normal_tensor({hd}, 2, 0.5, 1), bias = normal_tensor({hd}, 3);
  for (QkNorm norm : {QkNorm::kRms, QkNorm::kLayer}) {
    const bool layer = norm == QkNorm::kLayer;
    const QkNormParameters p{gain, gain, layer ? bias : Tensor(), layer ? bias : Tensor()};
    const Qkv fused = split_qkv(qkv, p, options({b, t, heads, heads, hd, norm}));
    const Qkv parts = split_qkv(qkv, {}, options({b, t, heads, heads, hd, QkNorm::kNone, false}));
    Tensor next = like(qkv);
    for (int which = 0; which < 3; ++which) {
      const Tensor x = (which == 0 ? parts.q : which == 1 ? parts.k : parts.v).t;
      const Tensor flat = from_host({b * t * heads, hd}, to_host(x));
      const Tensor y = layer ? layer_norm(flat, gain, bias, 1e-5f, DType::kF32).t
                             : rms_norm(flat, gain, {}, 1e-5f, DType::kF32).t;
      for (int64_t r = 0; r < b * t; ++r) {
        std::copy_n(y.data<float>() + r * heads * hd, heads * hd,
                    next.data<float>() + (r * 3 + which) * heads * hd);
      }
    }
    const Qkv apart = split_qkv(next, {}, options({b, t, heads, heads, hd}));
    EXPECT_TRUE(same_bits(fused.q.t, apart.q.t));
    EXPECT_TRUE(same_bits(fused.k.t, apart.k.t));
  }
}

// <R_m q, R_n k> depends on m - n only.
TEST(Rope, DependsOnDistanceOnly) {
  const Tensor qkv = normal_tensor({1, 6, 3 * 16}, 1);
  auto scores = [&](int64_t offset) {
    const Qkv r = split_qkv(qkv, {}, options({1, 6, 1, 1, 16, QkNorm::kNone, true, offset}));
    const std::vector<float> q = to_host(r.q.t), k = to_host(r.k.t);
    std::vector<float> s;
    for (int i = 0; i < 6; ++i) {
      for (int j = 0; j < 6; ++j) {
        double dot = 0;
        for (int d = 0; d < 16; ++d) dot += q[i * 16 + d] * k[j * 16 + d];
        s.push_back(static_cast<float>(dot));
      }
    }
    return from_host({36}, s);
  };
  EXPECT_LT(relative_error(scores(17), scores(0)), 1e-5);
}

TEST(Rope, TablesAreRightFarOut) {
  const RopeTables r = rope_tables(100001, 4, 10000);
  EXPECT_EQ(r.cos.shape(), (Shape{100001, 2}));
  EXPECT_FLOAT_EQ(r.cos.data<float>()[200000], static_cast<float>(std::cos(1e5)));
  EXPECT_FLOAT_EQ(r.sin.data<float>()[200001], static_cast<float>(std::sin(1e3)));
}

TEST(Rope, Errors) {
  expect_error<ShapeError>("rope: head_dim is 7, it must be even",
                           [] { rope_tables(4, 7, kBase); });
  const Tensor qkv = normal_tensor({2, 4, 32}, 1);
  const QkvOptions right = options({2, 4, 2, 1, 8});
  QkvOptions o = right;
  o.kv_heads = 2;
  expect_error<ShapeError>(
      "split_qkv: qkv is [2, 4, 32], its last axis must have 48 values: 2 + 2 x 2 heads of 8",
      [&] { split_qkv(qkv, {}, o); });
  o = right;
  o.offset = 1;
  expect_error<ShapeError>("split_qkv: positions 1 to 4 are outside the 4 of the tables",
                           [&] { split_qkv(qkv, {}, o); });
  o = right;
  o.rope = rope_tables(4, 6, kBase);
  expect_error<ShapeError>("split_qkv: rope tables are [4, 3] and [4, 3], head_dim is 8",
                           [&] { split_qkv(qkv, {}, o); });
  o = right;
  o.segments = from_host({4, 2}, std::vector<int32_t>(8));
  expect_error<ShapeError>("split_qkv: segments is i32 [4, 2], must be i32 [2, 4]",
                           [&] { split_qkv(qkv, {}, o); });
  o = right;
  const Tensor gain = normal_tensor({7}, 1), fits = normal_tensor({8}, 1);
  expect_error<ShapeError>("split_qkv: gains or biases are given, but q and k are not normed", [&] {
    split_qkv(qkv, {fits, {}, {}, {}}, o);
  });
  o.norm = QkNorm::kRms;
  expect_error<ShapeError>("split_qkv: k_gain has 7 values, last axis of x has 8", [&] {
    split_qkv(qkv, {{}, gain, {}, {}}, o);
  });
  o = options({1, 1, 1, 0, 2048, QkNorm::kNone, false});
  expect_error<ShapeError>("split_qkv: head_dim 2048 is more than 1024", [&] {
    split_qkv(normal_tensor({1, 1, 2048}, 1), {}, o);
  });
}

}  // namespace
}  // namespace keel::test
