#include <algorithm>

#include "ops/dyt.h"
#include "ops/norm_row.h"

namespace keel::kernel {
namespace {

int64_t grain(int64_t c) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(c, 1)); }

template <class X, class Y>
void row_value(const X* x, Vec alpha, const float* gain, const float* bias, Y* y, int64_t c) {
  for_lanes(c, [&](int64_t i, int n) {
    const Vec t = tanh(alpha * load_n(x + i, n));
    const Vec g = gain ? load_n(gain + i, n) : Vec(1.0f);
    store_n(y + i, bias ? fma(t, g, load_n(bias + i, n)) : t * g, n);
  });
}

template <class Y>
void forward(const DytFwd& a) {
  const int64_t c = a.x.dim(-1);
  const float *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  const Vec alpha(a.alpha.data<float>()[0]);
  Y* y = a.y.data<Y>();
  if (!a.branch) {
    with_dtype(a.x.dtype(), [&]<class X>() {
      const X* x = a.x.data<X>();
      parallel_ranges(a.x.rows(), grain(c), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) row_value(x + r * c, alpha, gain, bias, y + r * c, c);
      });
    });
    return;
  }
  const float* x = a.x.data<float>();
  float* sum = a.sum.data<float>();
  with_dtype(a.branch.dtype(), [&]<class B>() {
    const B* branch = a.branch.data<B>();
    parallel_ranges(a.x.rows(), grain(c), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin * c; at < end * c; at += c) {
        for_lanes(c, [&](int64_t i, int n) {
          store_n(sum + at + i, load_n(x + at + i, n) + load_n(branch + at + i, n), n);
        });
        row_value(sum + at, alpha, gain, bias, y + at, c);
      }
    });
  });
}

// One row: gradients of x and branch out, those of the parameters added to dgain, dbias (may be
// null) and the return value.
template <class X, class Y, class B>
Vec row_gradient(const DytBwd& a, int64_t at, int64_t c, float* dgain, float* dbias) {
  const X* x = a.x.data<X>() + at;
  const Y* dy = a.dy.data<Y>() + at;
  const float *dsum = a.dsum.data<float>(), *gain = a.gain.data<float>();
  X* dx = a.dx.t.data<X>();
  B* dbranch = a.dbranch.t.data<B>();
  const Vec alpha(a.alpha.data<float>()[0]);
  Vec dalpha(0.0f);
  for_lanes(c, [&](int64_t i, int n) {
    const Vec v = load_n(x + i, n), d = load_n(dy + i, n), t = tanh(alpha * v);
    if (dgain) store_n(dgain + i, fma(d, t, load_n(dgain + i, n)), n);
    if (dbias) store_n(dbias + i, d + load_n(dbias + i, n), n);
    const Vec slope = fma(-t, t, Vec(1.0f)) * (gain ? d * load_n(gain + i, n) : d);
    dalpha = fma(slope, v, dalpha);
    const Vec g = dsum ? fma(alpha, slope, load_n(dsum + at + i, n)) : alpha * slope;
    if (dx) store_n(dx + at + i, a.dx.add ? g + load_n(dx + at + i, n) : g, n);
    if (!dbranch) return;
    store_n(dbranch + at + i, a.dbranch.add ? g + load_n(dbranch + at + i, n) : g, n);
  });
  return dalpha;
}

template <class X, class Y, class B>
void backward(const DytBwd& a) {
  const int64_t c = a.x.dim(-1);
  float *partial = a.partial.data<float>(), *alpha_partial = a.alpha_partial.data<float>();
  parallel_ranges(a.x.rows(), kNormRows, [&](int64_t begin, int64_t end) {
    const int64_t chunk = begin / kNormRows;
    float* mine = partial ? partial + chunk * 2 * c : nullptr;
    if (mine) std::fill(mine, mine + 2 * c, 0.0f);
    float *dgain = a.dgain ? mine : nullptr, *dbias = a.dbias ? mine + c : nullptr;
    Vec dalpha(0.0f);
    for (int64_t r = begin; r < end; ++r) {
      dalpha += row_gradient<X, Y, B>(a, r * c, c, dgain, dbias);
    }
    if (alpha_partial) alpha_partial[chunk] = reduce_add(dalpha);
  });
}

void write_dalpha(const DytBwd& a) {
  double sum = 0;
  const float* parts = a.alpha_partial.data<float>();
  for (int64_t i = 0; i < a.alpha_partial.size(); ++i) sum += static_cast<double>(parts[i]);
  float* out = a.dalpha.t.data<float>();
  out[0] = static_cast<float>(a.dalpha.add ? sum + static_cast<double>(out[0]) : sum);
}

}  // namespace

void dyt_fwd(Cpu&, const DytFwd& a) {
  with_dtype(a.y.dtype(), [&]<class Y>() { forward<Y>(a); });
}

void dyt_bwd(Cpu&, const DytBwd& a) {
  with_dtype(a.dy.dtype(), [&]<class Y>() {
    if (!a.dbranch) {
      with_dtype(a.x.dtype(), [&]<class X>() { backward<X, Y, float>(a); });
    } else {
      with_dtype(a.dbranch.t.dtype(), [&]<class B>() { backward<float, Y, B>(a); });
    }
  });
  // In the order of the node's inputs: a gradient that is added to may be one written here.
  if (a.dalpha) write_dalpha(a);
  if (a.partial) {
    sum_partials(a.partial.data<float>(), a.partial.dim(0), a.x.dim(-1), a.dgain, a.dbias);
  }
}

}  // namespace keel::kernel
