#include <algorithm>
#include <cmath>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/batch_norm.h"

namespace keel::kernel {
namespace {

// The sum over chunks in their order, of channels i .. i + n.
Vec over_chunks(const Tensor& partial, int64_t stride, int64_t i, int n) {
  const float* p = partial.data<float>();
  Vec s(0.0f);
  for (int64_t k = 0; k < partial.dim(0); ++k) s += load_n(p + k * stride + i, n);
  return s;
}

// out[channel] = mean over rows of f(row value, channel).
template <class X, class F>
void column_means(const BatchNormStats& a, float* out, F&& f) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>();
  float* partial = a.partial.data<float>();
  parallel_ranges(a.x.rows(), kBatchRows, [&](int64_t begin, int64_t end) {
    float* mine = partial + begin / kBatchRows * c;
    std::fill(mine, mine + c, 0.0f);
    for (int64_t r = begin; r < end; ++r) {
      for_lanes(c, [&](int64_t i, int n) {
        store_n(mine + i, load_n(mine + i, n) + f(load_n(x + r * c + i, n), i, n), n);
      });
    }
  });
  const Vec rows(static_cast<float>(a.x.rows()));
  for_lanes(c,
            [&](int64_t i, int n) { store_n(out + i, over_chunks(a.partial, c, i, n) / rows, n); });
}

void update_running(const BatchNormStats& a, const float* variance) {
  const int64_t c = a.x.dim(-1), rows = a.x.rows();
  const float* mean = a.mean.data<float>();
  for (int64_t i = 0; i < c; ++i) {
    if (!std::isfinite(mean[i]) || !std::isfinite(variance[i])) return;
  }
  float *running_mean = a.running.mean.data<float>(), *running = a.running.variance.data<float>();
  const float m = a.form.momentum;
  const float unbiased = rows > 1 ? static_cast<float>(rows) / static_cast<float>(rows - 1) : 1.0f;
  for (int64_t i = 0; i < c; ++i) {
    running_mean[i] = (1.0f - m) * running_mean[i] + m * mean[i];
    running[i] = (1.0f - m) * running[i] + m * variance[i] * unbiased;
  }
}

template <class X>
void batch_stats(const BatchNormStats& a) {
  float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  column_means<X>(a, mean, [](Vec v, int64_t, int) { return v; });
  // Through rstd's memory: the variance first.
  column_means<X>(a, rstd, [&](Vec v, int64_t i, int n) {
    const Vec d = v - load_n(mean + i, n);
    return d * d;
  });
  update_running(a, rstd);
}

Vec xhat_of(Vec x, const float* mean, const float* rstd, int64_t i, int n) {
  return (x - load_n(mean + i, n)) * load_n(rstd + i, n);
}

template <class X, class Y>
void rows(const BatchNormRows& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>();
  const float *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  Y* y = a.y.data<Y>();
  parallel_ranges(a.x.rows(), kBatchRows, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * c; at < end * c; at += c) {
      for_lanes(c, [&](int64_t i, int n) {
        const Vec v = xhat_of(load_n(x + at + i, n), mean, rstd, i, n);
        const Vec g = gain ? load_n(gain + i, n) : Vec(1.0f);
        store_n(y + at + i, bias ? fma(v, g, load_n(bias + i, n)) : v * g, n);
      });
    }
  });
}

// sums: of dy xhat and of dy over all rows.
template <class X, class Y>
void channel_sums(const BatchNormBwd& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>();
  const Y* dy = a.dy.data<Y>();
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  float* partial = a.partial.data<float>();
  parallel_ranges(a.x.rows(), kBatchRows, [&](int64_t begin, int64_t end) {
    float* mine = partial + begin / kBatchRows * 2 * c;
    std::fill(mine, mine + 2 * c, 0.0f);
    for (int64_t at = begin * c; at < end * c; at += c) {
      for_lanes(c, [&](int64_t i, int n) {
        const Vec d = load_n(dy + at + i, n);
        const Vec v = xhat_of(load_n(x + at + i, n), mean, rstd, i, n);
        store_n(mine + i, fma(d, v, load_n(mine + i, n)), n);
        store_n(mine + c + i, d + load_n(mine + c + i, n), n);
      });
    }
  });
  float* sums = a.sums.data<float>();
  for_lanes(2 * c,
            [&](int64_t i, int n) { store_n(sums + i, over_chunks(a.partial, 2 * c, i, n), n); });
}

template <class X, class Y>
void gradient_of_x(const BatchNormBwd& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>();
  const Y* dy = a.dy.data<Y>();
  const float *gain = a.gain.data<float>(), *sums = a.sums.data<float>();
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  X* dx = a.dx.t.data<X>();
  const Vec share(1.0f / static_cast<float>(a.x.rows()));
  parallel_ranges(a.x.rows(), kBatchRows, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * c; at < end * c; at += c) {
      for_lanes(c, [&](int64_t i, int n) {
        Vec g = load_n(dy + at + i, n);
        if (a.training) {
          const Vec v = xhat_of(load_n(x + at + i, n), mean, rstd, i, n);
          g = g - share * fma(v, load_n(sums + i, n), load_n(sums + c + i, n));
        }
        g *= load_n(rstd + i, n);
        if (gain) g *= load_n(gain + i, n);
        store_n(dx + at + i, a.dx.add ? g + load_n(dx + at + i, n) : g, n);
      });
    }
  });
}

void put(const Grad& to, const float* from, int64_t c) {
  float* out = to.t.data<float>();
  if (!out) return;
  for (int64_t i = 0; i < c; ++i) out[i] = to.add ? out[i] + from[i] : from[i];
}

}  // namespace

void batch_norm_stats(Cpu&, const BatchNormStats& a) {
  const int64_t c = a.x.dim(-1);
  float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  if (a.form.training && a.x.rows() > 0) {
    with_dtype(a.x.dtype(), [&]<class X>() { batch_stats<X>(a); });
  } else {
    std::copy_n(a.running.mean.data<float>(), c, mean);
    std::copy_n(a.running.variance.data<float>(), c, rstd);
  }
  for (int64_t i = 0; i < c; ++i) rstd[i] = 1.0f / sqrt(rstd[i] + a.form.eps);
}

void batch_norm_rows(Cpu&, const BatchNormRows& a) {
  with_dtype(a.y.dtype(),
             [&]<class Y>() { with_dtype(a.x.dtype(), [&]<class X>() { rows<X, Y>(a); }); });
}

void batch_norm_bwd(Cpu&, const BatchNormBwd& a) {
  const int64_t c = a.x.dim(-1);
  with_dtype(a.dy.dtype(), [&]<class Y>() {
    with_dtype(a.x.dtype(), [&]<class X>() {
      channel_sums<X, Y>(a);
      if (a.dx) gradient_of_x<X, Y>(a);
    });
  });
  put(a.dgain, a.sums.data<float>(), c);
  put(a.dbias, a.sums.data<float>() + c, c);
}

}  // namespace keel::kernel
