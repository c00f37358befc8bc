// Loops of the update rules on the CPU.
#pragma once

#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/update.h"
#include "ops/update_math.h"

namespace keel::kernel {

// f(part) for each.
template <class F>
void for_parts(std::span<const UpdatePart> parts, F&& f) {
  const UpdatePart* p = parts.data();
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) { f(p[i]); });
}

// f(part, scale of its tensor) for each.
template <class F>
void for_scaled_parts(std::span<const UpdatePart> parts, const UpdateSums& sums, F&& f) {
  const UpdatePart* p = parts.data();
  const float* scale = sums.scale.data<float>();
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) {
    const auto after = std::upper_bound(sums.first.begin(), sums.first.end(), i);
    f(p[i], scale[after - sums.first.begin() - 1]);
  });
}

// Sum over [0, size) of what f(offset, n) gives in the first n lanes: f32 over a block, f64 over
// blocks.
template <class F>
double sum_lanes(int64_t size, F&& f) {
  constexpr int64_t kBlock = 1024;
  double sum = 0;
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    Vec block(0.0f);
    for_lanes(std::min(kBlock, size - begin), [&](int64_t i, int n) {
      const Vec x = f(begin + i, n);
      if (n == kLanes) {
        block += x;
      } else {
        float lanes[kLanes] = {};
        store_some(lanes, x, n);
        block += load(lanes);
      }
    });
    sum += static_cast<double>(reduce_add(block));
  }
  return sum;
}

// partial[part] = f(part), then scale[tensor] = finish(sum of its parts, elements of the tensor).
template <class F, class G>
void scale_tensors(std::span<const UpdatePart> parts, const UpdateSums& sums, F&& f, G&& finish) {
  double* partial = sums.partial.data<double>();
  float* scale = sums.scale.data<float>();
  const UpdatePart* p = parts.data();
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t i) { partial[i] = f(p[i]); });
  for (size_t t = 0; t + 1 < sums.first.size(); ++t) {
    double sum = 0;
    int64_t size = 0;
    for (int64_t i = sums.first[t]; i < sums.first[t + 1]; ++i) {
      sum += partial[i];
      size += p[i].size;
    }
    scale[t] = finish(sum, static_cast<double>(std::max<int64_t>(size, 1)));
  }
}

inline void store_weight(const UpdatePart& p, int64_t i, Vec w, int n) {
  store_n(p.weight + i, w, n);
  if (p.copy) store_n(p.copy + i, w, n);
}

}  // namespace keel::kernel
