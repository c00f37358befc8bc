// CPU kernels of layer_norm and rms_norm as templates over their argument structs: those with a
// `mean` are centred. For layer_norm_cpu.cc and rms_norm_cpu.cc. The loops over rows are flattened:
// a row is short, calls inside it would cost as much as its arithmetic.
#pragma once

#include <algorithm>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/norm.h"
#include "ops/norm_row.h"

namespace keel::kernel {

template <class Args>
constexpr bool kCentred = requires(const Args& a) {
  a.mean;
};

template <class Args>
float* mean_of(const Args& a) {
  if constexpr (kCentred<Args>)
    return a.mean.template data<float>();
  else
    return nullptr;
}

// Rows in one piece of parallel work: about 16 KiB of f32, fixed by the shape.
inline int64_t norm_grain(int64_t c) {
  return std::max<int64_t>(1, 4096 / std::max<int64_t>(c, 1));
}

template <class X, class Y, class Args>
void norm_forward(const Args& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.template data<X>();
  const float *gain = a.gain.template data<float>(), *bias = a.bias.template data<float>();
  Y* y = a.y.template data<Y>();
  float *mean = mean_of(a), *rstd = a.rstd.template data<float>();
  parallel_ranges(
      a.x.rows(), norm_grain(c), [&](int64_t begin, int64_t end) __attribute__((flatten)) {
        for (int64_t r = begin; r < end; ++r) {
          const RowStats s = row_stats<kCentred<Args>>(x + r * c, c, a.eps);
          if (mean) mean[r] = s.mean;
          rstd[r] = s.rstd;
          norm_row<kCentred<Args>>(x + r * c, s, gain, bias, y + r * c, c);
        }
      });
}

template <class B, class Y, class Args>
void add_norm_forward(const Args& a) {
  const int64_t c = a.x.dim(-1);
  const float* x = a.x.template data<float>();
  const float *gain = a.gain.template data<float>(), *bias = a.bias.template data<float>();
  const B* branch = a.branch.template data<B>();
  Y* y = a.y.template data<Y>();
  float *sum = a.sum.template data<float>(), *mean = mean_of(a);
  float* rstd = a.rstd.template data<float>();
  parallel_ranges(
      a.x.rows(), norm_grain(c), [&](int64_t begin, int64_t end) __attribute__((flatten)) {
        for (int64_t r = begin; r < end; ++r) {
          for_lanes(c, [&](int64_t i, int n) {
            store_n(sum + r * c + i, load_n(x + r * c + i, n) + load_n(branch + r * c + i, n), n);
          });
          const RowStats s = row_stats<kCentred<Args>>(sum + r * c, c, a.eps);
          if (mean) mean[r] = s.mean;
          rstd[r] = s.rstd;
          norm_row<kCentred<Args>>(sum + r * c, s, gain, bias, y + r * c, c);
        }
      });
}

template <class Args>
void norm_fwd(const Args& a) {
  with_dtype(a.y.dtype(), [&]<class Y>() {
    if (a.branch) {
      with_dtype(a.branch.dtype(), [&]<class B>() { add_norm_forward<B, Y>(a); });
    } else {
      with_dtype(a.x.dtype(), [&]<class X>() { norm_forward<X, Y>(a); });
    }
  });
}

template <class Args>
void norm_again(const Args& a) {
  const int64_t c = a.x.dim(-1);
  const float *gain = a.gain.template data<float>(), *bias = a.bias.template data<float>();
  const float *mean = mean_of(a), *rstd = a.rstd.template data<float>();
  with_dtype(a.y.dtype(), [&]<class Y>() {
    with_dtype(a.x.dtype(), [&]<class X>() {
      const X* x = a.x.template data<X>();
      Y* y = a.y.template data<Y>();
      parallel_ranges(
          a.x.rows(), norm_grain(c), [&](int64_t begin, int64_t end) __attribute__((flatten)) {
            for (int64_t r = begin; r < end; ++r) {
              norm_row<kCentred<Args>>(x + r * c, {mean ? mean[r] : 0.0f, rstd[r]}, gain, bias,
                                       y + r * c, c);
            }
          });
    });
  });
}

template <class X, class Y, class B, class Args>
void norm_backward(const Args& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.template data<X>();
  const Y* dy = a.dy.template data<Y>();
  const float *dsum = a.dsum.template data<float>(), *gain = a.gain.template data<float>();
  const float *mean = mean_of(a), *rstd = a.rstd.template data<float>();
  X* dx = a.dx.t.template data<X>();
  B* dbranch = a.dbranch.t.template data<B>();
  float* partial = a.partial.template data<float>();
  parallel_ranges(
      a.x.rows(), kNormRows, [&](int64_t begin, int64_t end) __attribute__((flatten)) {
        float* mine = partial ? partial + begin / kNormRows * 2 * c : nullptr;
        if (mine) std::fill(mine, mine + 2 * c, 0.0f);
        float *dgain = a.dgain ? mine : nullptr, *dbias = a.dbias ? mine + c : nullptr;
        for (int64_t r = begin; r < end; ++r) {
          const int64_t at = r * c;
          const RowStats s{mean ? mean[r] : 0.0f, rstd[r]};
          const RowDots dots =
              norm_row_dots<kCentred<Args>>(x + at, dy + at, s, gain, dgain, dbias, c);
          if (!dx && !dbranch) continue;
          for_lanes(c, [&](int64_t i, int n) {
            Vec g = norm_row_dx<kCentred<Args>>(x + at, dy + at, s, gain, dots, i, n);
            if (dsum) g += load_n(dsum + at + i, n);
            if (dx) store_n(dx + at + i, a.dx.add ? g + load_n(dx + at + i, n) : g, n);
            if (!dbranch) return;
            store_n(dbranch + at + i, a.dbranch.add ? g + load_n(dbranch + at + i, n) : g, n);
          });
        }
      });
}

template <class Args>
void norm_bwd(const Args& a) {
  with_dtype(a.dy.dtype(), [&]<class Y>() {
    if (!a.dbranch) {
      with_dtype(a.x.dtype(), [&]<class X>() { norm_backward<X, Y, float>(a); });
    } else {
      with_dtype(a.dbranch.t.dtype(), [&]<class B>() { norm_backward<float, Y, B>(a); });
    }
  });
  const float* partial = a.partial.template data<float>();
  if (a.partial) sum_partials(partial, a.partial.dim(0), a.x.dim(-1), a.dgain, a.dbias);
}

}  // namespace keel::kernel
