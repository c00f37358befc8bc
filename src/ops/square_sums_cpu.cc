#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/square_sums.h"

namespace keel::kernel {
namespace {

// Eight floats at a time: the same order of additions with any SIMD width.
constexpr int kWidth = 8;
using Floats = float __attribute__((vector_size(kWidth * 4)));
using Doubles = double __attribute__((vector_size(kWidth * 8)));
using Halves = uint16_t __attribute__((vector_size(kWidth * 2)));
using Words = uint32_t __attribute__((vector_size(kWidth * 4)));

// At most so many parts, so that their sums need no memory, and parts that are worth a thread.
constexpr int64_t kMostParts = 64, kLeastPart = 1 << 13;

int64_t part_size(int64_t size) {
  const int64_t part = (size + kMostParts - 1) / kMostParts;
  return std::max(kLeastPart, (part + 4 * kWidth - 1) / (4 * kWidth) * (4 * kWidth));
}

void load(const float* p, Doubles& to) {
  Floats f;
  std::memcpy(&f, p, sizeof f);
  to = __builtin_convertvector(f, Doubles);
}
void load(const bf16* p, Doubles& to) {
  Halves h;
  std::memcpy(&h, p, sizeof h);
  const Words w = __builtin_convertvector(h, Words) << 16;
  Floats f;
  std::memcpy(&f, &w, sizeof f);
  to = __builtin_convertvector(f, Doubles);
}

double total(const Doubles (&s)[4]) {
  const Doubles t = (s[0] + s[1]) + (s[2] + s[3]);
  return ((t[0] + t[1]) + (t[2] + t[3])) + ((t[4] + t[5]) + (t[6] + t[7]));
}

template <class T>
double squares_of(const T* x, int64_t size) {
  Doubles s[4] = {};
  int64_t i = 0;
  for (; i + 4 * kWidth <= size; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) {
      Doubles d;
      load(x + i + k * kWidth, d);
      s[k] += d * d;
    }
  }
  double tail = 0;
  for (; i < size; ++i)
    tail += static_cast<double>(static_cast<float>(x[i])) * static_cast<float>(x[i]);
  return total(s) + tail;
}

struct Pair {
  double before = 0, change = 0;
};

Pair changes_of(const float* before, const float* after, int64_t size) {
  Doubles s[4] = {}, c[4] = {};
  int64_t i = 0;
  for (; i + 4 * kWidth <= size; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) {
      Doubles b, d;
      load(before + i + k * kWidth, b);
      load(after + i + k * kWidth, d);
      d -= b;
      s[k] += b * b;
      c[k] += d * d;
    }
  }
  Pair tail;
  for (; i < size; ++i) {
    const double b = static_cast<double>(before[i]), d = static_cast<double>(after[i]) - b;
    tail.before += b * b;
    tail.change += d * d;
  }
  return {total(s) + tail.before, total(c) + tail.change};
}

}  // namespace

void square_sum(Cpu&, const SquareSum& a) {
  const int64_t size = a.x.size(), part = part_size(size);
  double sums[kMostParts] = {};
  with_dtype(a.x.dtype(), [&]<class T>() {
    const T* x = a.x.data<T>();
    parallel_ranges(size, part, [&](int64_t begin, int64_t end) {
      sums[begin / part] = squares_of(x + begin, end - begin);
    });
  });
  *a.sum = 0;
  for (const double s : sums) *a.sum += s;
}

void change_sums(Cpu&, const ChangeSums& a) {
  const int64_t size = a.before.size(), part = part_size(size);
  const float *before = a.before.data<float>(), *after = a.after.data<float>();
  Pair sums[kMostParts];
  parallel_ranges(size, part, [&](int64_t begin, int64_t end) {
    sums[begin / part] = changes_of(before + begin, after + begin, end - begin);
  });
  *a.before_sum = *a.change_sum = 0;
  for (const Pair& s : sums) {
    *a.before_sum += s.before;
    *a.change_sum += s.change;
  }
}

}  // namespace keel::kernel
