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

bool sees(const AttentionArgs& a, const std::vector<float>& segment, int64_t b, int64_t tq,
          int64_t i, int64_t j) {
  const int64_t p = a.query_offset + i;
  if (a.causal && j > p) return false;
  if (a.window > 0 && std::abs(p - j) >= a.window) return false;
  return segment.empty() || j >= static_cast<int64_t>(segment[static_cast<size_t>(b * tq + i)]);
}

// Weights of one row after the softmax; empty where no key is visible.
std::vector<Complex> softmax(const std::vector<Complex>& s) {
  double top = -INFINITY;
  for (Complex x : s) top = std::max(top, x.real());
  std::vector<Complex> p;
  Complex sum = 0;
  for (Complex x : s) sum += std::isinf(x.real()) ? 0.0 : std::exp(x - top);
  if (std::isinf(top)) return {};
  for (Complex x : s) p.push_back(std::isinf(x.real()) ? 0.0 : std::exp(x - top) / sum);
  return p;
}

std::vector<Complex> scores(const Array& q, const Array& k, const AttentionArgs& a,
                            const Extras& extras, int64_t b, int64_t h, int64_t i) {
  const int64_t tq = q.dim(1), tk = k.dim(1), heads = q.dim(2), kv = k.dim(2), hd = q.dim(3);
  const std::vector<float> segment =
      a.segment_start ? to_host(a.segment_start) : std::vector<float>();
  std::vector<Complex> s;
  for (int64_t j = 0; j < tk; ++j) {
    Complex x = 0;
    for (int64_t c = 0; c < hd; ++c) {
      x += q[((b * tq + i) * heads + h) * hd + c] *
           k[((b * tk + j) * kv + h / (heads / kv)) * hd + c];
    }
    x *= static_cast<double>(a.scale);
    if (extras.score) x = extras.score(x, h, i, j);
    s.push_back(sees(a, segment, b, tq, i, j) ? x : Complex(-INFINITY));
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
          const Complex w =
              p[static_cast<size_t>(j)] * (extras.kept ? extras.kept(b, h, i, j) : 1.0);
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
                                           {1, 129, 129, 1, 1, 3}}) {
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
  for (int64_t offset : {1, 30, 64, 100}) {
    AttentionArgs a = scaled(5);
    a.query_offset = offset;
    check({1, 9, offset + 9, 2, 1, 5}, a);
  }
}

TEST(Attention, Window) {
  for (int64_t window : {1, 2, 16, 50, 1000}) {
    AttentionArgs a = scaled(4);
    a.window = window;
    check({1, 83, 83, 1, 1, 4}, a, {}, window > 2);
  }
}

TEST(Attention, SegmentsOfEachRow) {
  AttentionArgs a = scaled(6);
  std::vector<int32_t> start;
  for (int32_t i = 0; i < 71; ++i) start.push_back(i < 5 ? 0 : i < 40 ? 5 : i < 70 ? 40 : 70);
  for (int32_t i = 0; i < 71; ++i) start.push_back(i / 3 * 3);
  a.segment_start = from_host({2, 71}, start);
  check({2, 71, 71, 2, 1, 6}, a);
  a.window = 7;
  check({2, 71, 71, 1, 1, 6}, a);
}

}  // namespace
}  // namespace keel::test
