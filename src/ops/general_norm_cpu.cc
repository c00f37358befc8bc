#include <algorithm>

#include "ops/general_norm.h"
#include "ops/norm_row.h"

namespace keel::kernel {
namespace {

// As in norm_cpu.h: about 16 KiB of f32 in one piece of work.
int64_t grain(int64_t c) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(c, 1)); }

int64_t values_in_root(const NormForm& f, int64_t c) { return f.first ? f.first : c; }

// With dr/dm = -r^3 weight / 2.
struct RowRoot {
  RowStats stats;
  float weight;
};

template <bool kCentred, class X>
RowRoot row_root(const X* x, const NormForm& f, int64_t k) {
  if (f.epsilon == Epsilon::kInside) return {row_stats<kCentred>(x, k, f.eps), 1.0f};
  RowStats s = row_stats<kCentred>(x, k, 0.0f);
  const float root = 1.0f / s.rstd;  // 0 where rstd is infinite
  if (f.epsilon == Epsilon::kFloor) {
    s.rstd = 1.0f / max(root, f.eps);
    return {s, root > f.eps ? 1.0f : 0.0f};
  }
  s.rstd = 1.0f / (root + f.eps);
  return {s, root > 0.0f ? 1.0f / (s.rstd * root) : 0.0f};
}

// `rows(r)`: row r of what is normed, made first where it is a sum.
template <bool kCentred, class Y, class Rows>
void norm_rows(const GeneralNormFwd& a, Rows&& rows) {
  const int64_t c = a.x.dim(-1), k = values_in_root(a.form, c);
  const float *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  Y* y = a.y.data<Y>();
  float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  float* weight = a.weight.data<float>();
  parallel_ranges(a.x.rows(), grain(c), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const auto* x = rows(r);
      const RowRoot root = row_root<kCentred>(x, a.form, k);
      if (mean) mean[r] = root.stats.mean;
      rstd[r] = root.stats.rstd;
      weight[r] = root.weight;
      norm_row<kCentred>(x, root.stats, gain, bias, y + r * c, c);
    }
  });
}

template <bool kCentred, class Y>
void forward(const GeneralNormFwd& a) {
  const int64_t c = a.x.dim(-1);
  if (!a.branch) {
    with_dtype(a.x.dtype(), [&]<class X>() {
      const X* x = a.x.data<X>();
      norm_rows<kCentred, Y>(a, [&](int64_t r) { return x + r * c; });
    });
    return;
  }
  const float* x = a.x.data<float>();
  float* sum = a.sum.data<float>();
  const Vec factor(a.form.x_factor);
  with_dtype(a.branch.dtype(), [&]<class B>() {
    const B* branch = a.branch.data<B>();
    norm_rows<kCentred, Y>(a, [&](int64_t r) {
      for_lanes(c, [&](int64_t i, int n) {
        store_n(sum + r * c + i,
                fma(factor, load_n(x + r * c + i, n), load_n(branch + r * c + i, n)), n);
      });
      return sum + r * c;
    });
  });
}

// The gradient of one value, to x and to the branch, whose dtype is no template argument: with a
// branch and without one the same code runs, and has the same bits.
template <class X>
struct RowOut {
  const float* dsum;
  X* dx;
  Grad dbranch;
  bool add_x;
  Vec factor;

  template <class B>
  void to_branch(Vec g, int64_t at, int n) const {
    B* to = dbranch.t.data<B>() + at;
    store_n(to, dbranch.add ? g + load_n(to, n) : g, n);
  }
  void operator()(Vec g, int64_t at, int n) const {
    if (dsum) g = fma(g, Vec(1.0f), load_n(dsum + at, n));
    if (dx) store_n(dx + at, add_x ? fma(factor, g, load_n(dx + at, n)) : factor * g, n);
    if (!dbranch) return;
    if (dbranch.t.dtype() == DType::kBf16) return to_branch<bf16>(g, at, n);
    to_branch<float>(g, at, n);
  }
};

template <bool kCentred, class X, class Y>
void backward(const GeneralNormBwd& a) {
  const int64_t c = a.x.dim(-1), k = values_in_root(a.form, c);
  const X* x = a.x.data<X>();
  const Y* dy = a.dy.data<Y>();
  const float *gain = a.gain.data<float>(), *mean = a.mean.data<float>();
  const float *rstd = a.rstd.data<float>(), *weight = a.weight.data<float>();
  float* partial = a.partial.data<float>();
  const RowOut<X> out{a.dsum.data<float>(), a.dx.t.data<X>(), a.dbranch, a.dx.add,
                      Vec(a.form.x_factor)};
  const float share = static_cast<float>(c) / static_cast<float>(k);
  parallel_ranges(a.x.rows(), kNormRows, [&](int64_t begin, int64_t end) {
    float* mine = partial ? partial + begin / kNormRows * 2 * c : nullptr;
    if (mine) std::fill(mine, mine + 2 * c, 0.0f);
    float *dgain = a.dgain ? mine : nullptr, *dbias = a.dbias ? mine + c : nullptr;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * c;
      const RowStats s{mean ? mean[r] : 0.0f, rstd[r]};
      RowDots dots = norm_row_dots<kCentred>(x + at, dy + at, s, gain, dgain, dbias, c);
      dots.mean_gx *= weight[r] * share;
      if (!out.dx && !out.dbranch) continue;
      for_lanes(k, [&](int64_t i, int n) {
        out(norm_row_dx<kCentred>(x + at, dy + at, s, gain, dots, i, n), at + i, n);
      });
      // What is not in the root mean square is scaled by it, no more.
      dots.mean_gx = 0;
      for_lanes(c - k, [&](int64_t offset, int n) {
        const int64_t i = k + offset;
        out(norm_row_dx<kCentred>(x + at, dy + at, s, gain, dots, i, n), at + i, n);
      });
    }
  });
}

template <bool kCentred>
void backward_of(const GeneralNormBwd& a) {
  with_dtype(a.dy.dtype(), [&]<class Y>() {
    with_dtype(a.x.dtype(), [&]<class X>() { backward<kCentred, X, Y>(a); });
  });
}

template <bool kCentred, class X, class Y>
void again(const GeneralNormAgain& a) {
  const int64_t c = a.x.dim(-1);
  const X* x = a.x.data<X>();
  const float *gain = a.gain.data<float>(), *bias = a.bias.data<float>();
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  Y* y = a.y.data<Y>();
  parallel_ranges(a.x.rows(), grain(c), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      norm_row<kCentred>(x + r * c, {mean ? mean[r] : 0.0f, rstd[r]}, gain, bias, y + r * c, c);
    }
  });
}

template <class F>
void with_centred(bool centred, F&& f) {
  if (centred) return f.template operator()<true>();
  f.template operator()<false>();
}

}  // namespace

void general_norm_fwd(Cpu&, const GeneralNormFwd& a) {
  with_centred(a.form.centred, [&]<bool kCentred>() {
    with_dtype(a.y.dtype(), [&]<class Y>() { forward<kCentred, Y>(a); });
  });
}

void general_norm_bwd(Cpu&, const GeneralNormBwd& a) {
  with_centred(a.form.centred, [&]<bool kCentred>() { backward_of<kCentred>(a); });
  const float* partial = a.partial.data<float>();
  if (a.partial) sum_partials(partial, a.partial.dim(0), a.x.dim(-1), a.dgain, a.dbias);
}

void general_norm_again(Cpu&, const GeneralNormAgain& a) {
  with_centred(static_cast<bool>(a.mean), [&]<bool kCentred>() {
    with_dtype(a.y.dtype(), [&]<class Y>() {
      with_dtype(a.x.dtype(), [&]<class X>() { again<kCentred, X, Y>(a); });
    });
  });
}

}  // namespace keel::kernel
