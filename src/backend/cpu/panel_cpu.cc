#include <algorithm>
#include <array>
#include <utility>

#include "backend/cpu/panel.h"
#include "backend/vec.h"

namespace keel {
namespace {

// A block keeps rows x vectors sums in registers: enough of them to cover the latency of an FMA
// (8 with two units), few enough to leave room for a row of b.
constexpr int kMaxVectors = kLanes == 16 ? 4 : 2;
constexpr std::array<int, 5> kMaxRows =
    kLanes == 16 ? std::array<int, 5>{0, 16, 12, 8, 6} : std::array<int, 5>{0, 8, 6, 0, 0};

template <int N, class F>
inline __attribute__((always_inline)) void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}

// Rows of a are reached from one pointer for every four of them, so that all fit the registers.
template <bool Transposed, int Rows>
struct Left {
  static constexpr int kPointers = Transposed ? 1 : (Rows + 3) / 4;
  const float* p[kPointers];
  int64_t stride;

  Left(const float* a, int64_t a_stride) : stride(a_stride) {
    for (int i = 0; i < kPointers; ++i) p[i] = a + 4 * i * a_stride;
  }
  template <int R>
  float at() const {
    if constexpr (Transposed)
      return p[0][R];
    else
      return p[R / 4][(R % 4) * stride];
  }
  void advance() {
    if constexpr (Transposed)
      p[0] += stride;
    else
      unroll<kPointers>([&](auto i) { ++p[i]; });
  }
};

template <bool Transposed, int Rows, int Vectors>
void block(const Panel& t, int64_t depth) {
  Vec sum[Rows][Vectors];
  unroll<Rows>([&](auto r) { unroll<Vectors>([&](auto v) { sum[r][v] = Vec(VecData{}); }); });
  Left<Transposed, Rows> a(t.a, t.a_stride);
  const float* b = t.b;
  for (int64_t k = 0; k < depth; ++k) {
    Vec row[Vectors];
    unroll<Vectors>([&](auto v) { row[v] = load(b + v * kLanes); });
    unroll<Rows>([&](auto r) {
      const Vec x(a.template at<r>());
      unroll<Vectors>([&](auto v) { sum[r][v] = fma(x, row[v], sum[r][v]); });
    });
    a.advance();
    b += t.b_stride;
  }
  unroll<Rows>([&](auto r) {
    unroll<Vectors>([&](auto v) {
      float* c = t.c + r * t.c_stride + v * kLanes;
      store(c, t.add ? load(c) + sum[r][v] : sum[r][v]);
    });
  });
}

using Block = void (*)(const Panel&, int64_t);

template <bool Transposed, int Vectors>
constexpr auto blocks_of() {
  return []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<Block, sizeof...(R)>{block<Transposed, R + 1, Vectors>...};
  }
  (std::make_integer_sequence<int, kMaxRows[Vectors]>{});
}

template <bool Transposed, int Vectors>
constexpr auto kBlocks = blocks_of<Transposed, Vectors>();

template <bool Transposed>
Block pick(int64_t rows, int64_t vectors) {
  if constexpr (kLanes == 16) {
    if (vectors == 4) return kBlocks<Transposed, 4>[rows - 1];
    if (vectors == 3) return kBlocks<Transposed, 3>[rows - 1];
  }
  return vectors == 2 ? kBlocks<Transposed, 2>[rows - 1] : kBlocks<Transposed, 1>[rows - 1];
}

}  // namespace

void multiply_panel(const Panel& p, int64_t rows, int64_t depth, int64_t vectors) {
  for (int64_t v = 0; v < vectors;) {
    const int64_t width = std::min<int64_t>(vectors - v, kMaxVectors);
    const int64_t n_blocks = (rows + kMaxRows[width] - 1) / kMaxRows[width];
    for (int64_t i = 0; i < n_blocks; ++i) {
      const int64_t begin = i * rows / n_blocks, n = (i + 1) * rows / n_blocks - begin;
      Panel t = p;
      t.a += begin * (p.a_transposed ? 1 : p.a_stride);
      t.b += v * kLanes;
      t.c += begin * p.c_stride + v * kLanes;
      (p.a_transposed ? pick<true>(n, width) : pick<false>(n, width))(t, depth);
    }
    v += width;
  }
}

}  // namespace keel
