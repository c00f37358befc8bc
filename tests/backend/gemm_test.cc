// Products of every form, shape and cut against a double sum; the same bits with 1 to 8 threads.
#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "core/philox.h"
#include "harness/expect_error.h"

namespace keel {
namespace {

using test::expect_error;

struct Case {
  int64_t m, n, k;
  bool a_transposed = false, b_transposed = false, accumulate = false, bias = false;
  DType in = DType::kF32, out = DType::kF32;
  int64_t gap = 0;  // elements between the rows of every operand
};

Tensor filled(const Shape& shape, uint64_t stream, DType type) {
  std::vector<float> v(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < v.size(); ++i) {
    const uint32_t x = philox_block(philox_key(1, stream, 0), 0, i)[0];
    v[i] = 2 * uniform_open(x) - 1;
  }
  return from_host(shape, v, type);
}

// [rows, columns] with `gap` elements behind each row.
Tensor matrix(int64_t rows, int64_t columns, int64_t gap, uint64_t stream, DType type) {
  return filled({rows, columns + gap}, stream, type).slice(1, 0, columns);
}

Gemm make(const Case& c) {
  Gemm g;
  g.a = c.a_transposed ? matrix(c.k, c.m, c.gap, 1, c.in) : matrix(c.m, c.k, c.gap, 1, c.in);
  g.b = c.b_transposed ? matrix(c.n, c.k, c.gap, 2, c.in) : matrix(c.k, c.n, c.gap, 2, c.in);
  g.c = matrix(c.m, c.n, c.gap, 3, c.out);
  g.a_transposed = c.a_transposed;
  g.b_transposed = c.b_transposed;
  g.accumulate = c.accumulate;
  if (c.bias) g.bias = filled({c.n}, 4, DType::kF32);
  return g;
}

std::vector<double> expected(const Case& c, const Gemm& g) {
  const std::vector<float> a = to_host(g.a), b = to_host(g.b), old = to_host(g.c);
  std::vector<double> y(static_cast<size_t>(c.m * c.n));
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < c.n; ++j) {
      double sum = c.bias ? g.bias.data<float>()[j] : 0.0;
      if (c.accumulate) sum += old[static_cast<size_t>(i * c.n + j)];
      for (int64_t k = 0; k < c.k; ++k) {
        sum += double(a[static_cast<size_t>(c.a_transposed ? k * c.m + i : i * c.k + k)]) *
               b[static_cast<size_t>(c.b_transposed ? j * c.k + k : k * c.n + j)];
      }
      y[static_cast<size_t>(i * c.n + j)] = sum;
    }
  }
  return y;
}

std::string name(const Case& c, const GemmCut& cut) {
  return Shape{c.m, c.n, c.k}.str() + (c.a_transposed ? " a^T" : "") +
         (c.b_transposed ? " b^T" : "") + (c.accumulate ? " +=" : "") + (c.bias ? " bias" : "") +
         " " + std::string(name_of(c.in)) + (c.gap ? " strided" : "") + " cut " +
         Shape{cut.rows, cut.columns}.str() + (cut.pack ? " packed" : "") +
         (cut.turn ? " turned" : "");
}

void expect_right(const Case& c, const GemmCut& cut) {
  const Gemm g = make(c);
  const std::vector<double> y = expected(c, g);
  // What lies between the rows of c stays as it was.
  const Tensor all = g.c.strided({c.m, c.n + c.gap}, {c.n + c.gap, 1});
  const std::vector<float> before = to_host(all);
  gemm_with_cut(cpu(), g, cut);
  const std::vector<float> got = to_host(g.c), after = to_host(all);
  const double rounding = c.out == DType::kBf16 ? 0x1p-8 : 0x1p-23;
  const double bound = 1e-6 * std::sqrt(double(c.k + 1)) * 4;
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(got[i], y[i], bound + rounding * std::abs(y[i])) << name(c, cut) << " at " << i;
  }
  for (int64_t i = 0; i < c.m * (c.n + c.gap); ++i) {
    if (i % (c.n + c.gap) < c.n) continue;
    ASSERT_EQ(after[static_cast<size_t>(i)], before[static_cast<size_t>(i)]) << name(c, cut);
  }
}

GemmCut chosen(const Case& c) {
  return gemm_cut(c.m, c.n, c.k, gemm_form(c.a_transposed, c.b_transposed), c.in);
}

constexpr DType kBf16 = DType::kBf16, kF32 = DType::kF32;

// Every form of a shape: transposes, accumulation, bias, strides, dtypes.
void expect_all_forms(int64_t m, int64_t n, int64_t k, const std::vector<GemmCut>& cuts) {
  for (int form = 0; form < 32; ++form) {
    Case c{m, n, k, bool(form & 1), bool(form & 2), bool(form & 4), bool(form & 8)};
    c.gap = form & 16 ? 5 : 0;
    for (const GemmCut& cut : cuts) expect_right(c, cut);
    expect_right(c, chosen(c));
    if (!cpu_has_bf16()) continue;
    c.in = kBf16;
    expect_right(c, chosen(c));
    c.out = kBf16;
    if (!c.accumulate) expect_right(c, chosen(c));
  }
}

TEST(Gemm, EveryFormOfOddShapes) {
  for (const int64_t m : {1, 7, 33}) {
    for (const int64_t n : {1, 17, 48}) {
      for (const int64_t k : {1, 31}) expect_all_forms(m, n, k, {});
    }
  }
}

TEST(Gemm, EveryCutOfAShape) {
  const std::vector<GemmCut> cuts = {
      {1, 1, false},  {1, 1, true},  {4, 1, false},       {4, 1, true},      {1, 3, false},
      {1, 3, true},   {3, 2, false}, {3, 2, true},        {8, 8, false},     {8, 8, true},
      {64, 1, false}, {1, 64, true}, {1, 1, false, true}, {3, 2, true, true}};
  expect_all_forms(67, 83, 40, cuts);
}

TEST(Gemm, RowsOfAMultipleOf8KiBAreTurned) {
  EXPECT_TRUE(chosen({2048, 256, 256, true}).turn);
  for (const Case& c : {Case{2048, 256, 256}, Case{2048, 256, 256, false, true},
                        Case{2064, 256, 256, true}, Case{2048, 96, 256, true}}) {
    EXPECT_FALSE(chosen(c).turn) << name(c, chosen(c));
  }
  expect_right({2048, 256, 256, true, false, true}, chosen({2048, 256, 256, true}));
}

TEST(Gemm, LongSums) {
  for (const int64_t k : {1000, 4099, 16384}) {
    for (const bool transposed : {false, true}) {
      expect_right({8, 24, k, transposed, false, true}, {1, 1, false});
      Case c{48, 33, k, transposed, !transposed};
      expect_right(c, chosen(c));
    }
  }
}

TEST(Gemm, NoRowsAndNoTerms) {
  for (const Case& c : {Case{0, 5, 3}, Case{5, 0, 3}, Case{0, 0, 0}}) expect_right(c, chosen(c));
  for (int form = 0; form < 8; ++form) {
    Case c{5, 7, 0, false, true, bool(form & 1), bool(form & 2)};
    c.gap = form & 4 ? 3 : 0;
    expect_right(c, chosen(c));
  }
}

class GemmBits : public ::testing::TestWithParam<DType> {
  void SetUp() override {
    if (GetParam() == kBf16 && !cpu_has_bf16()) {
      GTEST_SKIP() << "no bf16 products here: oneDNN may use " << onednn_isa();
    }
  }
  void TearDown() override { set_num_threads(0); }
};

TEST_P(GemmBits, AreThoseOfOneThread) {
  const std::vector<Case> cases = {{512, 384, 128, false, true}, {512, 128, 384},
                                   {96, 64, 16384, true},        {8, 8, 4096, true},
                                   {257, 1000, 64, false, true}, {1000, 48, 2048, true}};
  for (Case c : cases) {
    c.in = GetParam();
    c.accumulate = true;
    GemmCut packed = chosen(c);
    packed.pack = true;
    for (const GemmCut& cut :
         {chosen(c), packed, GemmCut{8, 1, true}, GemmCut{4, 2, false, true}}) {
      std::vector<float> one;
      for (int threads = 1; threads <= 8; ++threads) {
        set_num_threads(threads);
        const Gemm g = make(c);
        gemm_with_cut(cpu(), g, cut);
        if (threads == 1) one = to_host(g.c);
        EXPECT_TRUE(to_host(g.c) == one) << name(c, cut) << ", " << threads << " threads";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backend, GemmBits, ::testing::Values(kF32, kBf16),
                         [](const auto& p) { return std::string(name_of(p.param)); });

TEST(Gemm, Errors) {
  const Tensor x = filled({2, 3}, 1, kF32), y = filled({4, 5}, 2, kF32);
  const Tensor c = filled({2, 5}, 3, kF32);
  expect_error<ShapeError>("gemm: a [2, 3] (f32) times b [4, 5] (f32) does not make c [2, 5]",
                           [&] { gemm(cpu(), {.a = x, .b = y, .c = c, .bias = {}}); });
  const Tensor b = filled({3, 5}, 2, kF32);
  expect_error<ShapeError>("gemm: bias is [4] (f32), c [2, 5] needs f32 [5]", [&] {
    gemm(cpu(), {.a = x, .b = b, .c = c, .bias = filled({4}, 4, kF32)});
  });
  const Tensor columns = filled({5, 3}, 2, kF32).strided({3, 5}, {1, 3});
  expect_error<ShapeError>("gemm: the rows of a, b and c must be contiguous",
                           [&] { gemm(cpu(), {.a = x, .b = columns, .c = c, .bias = {}}); });
}

}  // namespace
}  // namespace keel
