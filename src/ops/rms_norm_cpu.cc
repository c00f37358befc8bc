#include <algorithm>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/rms_norm.h"

namespace keel::kernel {
namespace {

// Rows in one piece of parallel work: about 16 KiB of f32, fixed by the shape.
int64_t grain_rows(int64_t c) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(c, 1)); }

template <class B>
float add_and_square(const float* x, const B* branch, float* sum, int64_t c) {
  Vec s(0.0f);
  for_lanes(c, [&](int64_t i, int n) {
    const Vec v = load_n(x + i, n) + load_n(branch + i, n);
    store_n(sum + i, v, n);
    s = fma(v, v, s);
  });
  return reduce_add(s);
}

template <class T>
float square(const T* x, int64_t c) {
  Vec s(0.0f);
  for_lanes(c, [&](int64_t i, int n) {
    const Vec v = load_n(x + i, n);
    s = fma(v, v, s);
  });
  return reduce_add(s);
}

template <class T, class Y>
void scale_row(const T* x, float rstd, const float* gain, const float* bias, Y* y, int64_t c) {
  for_lanes(c, [&](int64_t i, int n) {
    Vec v = load_n(x + i, n) * Vec(rstd);
    if (gain) v = v * load_n(gain + i, n);
    if (bias) v = v + load_n(bias + i, n);
    store_n(y + i, v, n);
  });
}

template <class X, class Y>
void forward(const RmsNormFwd& a) {
  const int64_t c = a.x.dim(-1), rows = a.x.rows();
  const X* x = a.x.data<X>();
  const float *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  Y* y = a.y.data<Y>();
  float* rstd = a.rstd.data<float>();
  parallel_ranges(rows, grain_rows(c), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float rs = 1.0f / sqrt(square(x + r * c, c) / static_cast<float>(c) + a.eps);
      rstd[r] = rs;
      scale_row(x + r * c, rs, gain, bias, y + r * c, c);
    }
  });
}

template <class B, class Y>
void forward_add(const RmsNormFwd& a) {
  const int64_t c = a.x.dim(-1), rows = a.x.rows();
  const float *x = a.x.data<float>(), *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  const B* branch = a.branch.data<B>();
  float *sum = a.sum.data<float>(), *rstd = a.rstd.data<float>();
  Y* y = a.y.data<Y>();
  parallel_ranges(rows, grain_rows(c), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float ss = add_and_square(x + r * c, branch + r * c, sum + r * c, c);
      rstd[r] = 1.0f / sqrt(ss / static_cast<float>(c) + a.eps);
      scale_row(sum + r * c, rstd[r], gain, bias, y + r * c, c);
    }
  });
}

// dx = rstd (g dy - xhat mean(g dy xhat)), xhat = x rstd.
template <class X, class Y, class B>
void backward_row(const RmsNormBwd& a, int64_t r, float* dgain, float* dbias) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>() + r * c;
  const Y* dy = a.dy.data<Y>() + r * c;
  const float* dsum = a.dsum ? a.dsum.data<float>() + r * c : nullptr;
  const float* gain = a.gain.data<float>();
  X* dx = a.dx ? a.dx.t.data<X>() + r * c : nullptr;
  B* dbranch = a.dbranch ? a.dbranch.t.data<B>() + r * c : nullptr;
  const Vec rs(a.rstd.data<float>()[r]);
  Vec dot(0.0f);
  for_lanes(c, [&](int64_t i, int n) {
    const Vec d = load_n(dy + i, n), xhat = load_n(x + i, n) * rs;
    const Vec gd = gain ? d * load_n(gain + i, n) : d;
    dot = fma(gd, xhat, dot);
    if (dgain) store_n(dgain + i, fma(d, xhat, load_n(dgain + i, n)), n);
    if (dbias) store_n(dbias + i, d + load_n(dbias + i, n), n);
  });
  if (!dx && !dbranch) return;
  const Vec mean(reduce_add(dot) / static_cast<float>(c));
  for_lanes(c, [&](int64_t i, int n) {
    const Vec d = load_n(dy + i, n), xhat = load_n(x + i, n) * rs;
    const Vec gd = gain ? d * load_n(gain + i, n) : d;
    Vec g = rs * (gd - xhat * mean);
    if (dsum) g = g + load_n(dsum + i, n);
    if (dx) store_n(dx + i, a.dx.add ? g + load_n(dx + i, n) : g, n);
    if (dbranch) store_n(dbranch + i, a.dbranch.add ? g + load_n(dbranch + i, n) : g, n);
  });
}

template <class X, class Y, class B>
void backward(const RmsNormBwd& a) {
  const int64_t c = a.x.dim(-1), rows = a.x.rows();
  float* partial = a.partial ? a.partial.data<float>() : nullptr;
  parallel_ranges(rows, kNormRows, [&](int64_t begin, int64_t end) {
    float* mine = partial ? partial + begin / kNormRows * 2 * c : nullptr;
    if (mine) std::fill(mine, mine + 2 * c, 0.0f);
    float* dgain = a.dgain ? mine : nullptr;
    float* dbias = a.dbias ? mine + c : nullptr;
    for (int64_t r = begin; r < end; ++r) backward_row<X, Y, B>(a, r, dgain, dbias);
  });
  if (!partial) return;
  const int64_t chunks = a.partial.dim(0);
  parallel_ranges(c, 256, [&](int64_t begin, int64_t end) {
    for (int which = 0; which < 2; ++which) {
      const Grad& to = which == 0 ? a.dgain : a.dbias;
      if (!to) continue;
      float* out = to.t.data<float>();
      for (int64_t i = begin; i < end; ++i) {
        float s = to.add ? out[i] : 0.0f;
        for (int64_t k = 0; k < chunks; ++k) s += partial[(k * 2 + which) * c + i];
        out[i] = s;
      }
    }
  });
}

}  // namespace

void rms_norm_fwd(Cpu&, const RmsNormFwd& a) {
  with_dtype(a.y.dtype(), [&]<class Y>() {
    if (a.branch) {
      with_dtype(a.branch.dtype(), [&]<class B>() { forward_add<B, Y>(a); });
    } else {
      with_dtype(a.x.dtype(), [&]<class X>() { forward<X, Y>(a); });
    }
  });
}

void rms_norm_bwd(Cpu&, const RmsNormBwd& a) {
  with_dtype(a.dy.dtype(), [&]<class Y>() {
    with_dtype(a.x.dtype(), [&]<class X>() {
      const DType b = a.dbranch ? a.dbranch.t.dtype() : DType::kF32;
      with_dtype(b, [&]<class B>() { backward<X, Y, B>(a); });
    });
  });
}

void rms_norm_again(Cpu&, const RmsNormAgain& a) {
  const int64_t c = a.x.dim(-1);
  with_dtype(a.y.dtype(), [&]<class Y>() {
    with_dtype(a.x.dtype(), [&]<class X>() {
      parallel_ranges(a.x.rows(), grain_rows(c), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          scale_row(a.x.data<X>() + r * c, a.rstd.data<float>()[r], a.gain.data<float>(),
                    a.bias.data<float>(), a.y.data<Y>() + r * c, c);
        }
      });
    });
  });
}

}  // namespace keel::kernel
