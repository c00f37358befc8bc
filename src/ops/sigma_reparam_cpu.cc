#include <algorithm>
#include <cmath>

#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/sigma_reparam.h"

namespace keel::kernel {
namespace {

int64_t grain_rows(int64_t columns) { return std::max<int64_t>(1, 16384 / columns); }

// Four sums side by side, then a fixed tree.
float dot(const float* a, const float* b, int64_t n) {
  Vec s0(0.0f), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    s0 = fma(load(a + i), load(b + i), s0);
    s1 = fma(load(a + i + kLanes), load(b + i + kLanes), s1);
    s2 = fma(load(a + i + 2 * kLanes), load(b + i + 2 * kLanes), s2);
    s3 = fma(load(a + i + 3 * kLanes), load(b + i + 3 * kLanes), s3);
  }
  for_lanes(n - i,
            [&](int64_t k, int m) { s0 = fma(load_n(a + i + k, m), load_n(b + i + k, m), s0); });
  return reduce_add((s0 + s1) + (s2 + s3));
}

double length(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::sqrt(sum);
}

// x / length, and zeros stay zeros.
void divide(float* x, int64_t n, double by) {
  const double factor = by > 0 ? 1 / by : 0;
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) * factor);
}

int64_t pieces_of(int64_t rows) { return (rows + kSpectralRows - 1) / kSpectralRows; }

// f(part, first row, end row, piece) for each piece of each part; pieces never cross parts.
template <class F>
void for_pieces(const StackedRows& rows, F&& f) {
  parallel_for(spectral_pieces(rows), [&](int64_t piece) {
    int64_t begin = 0, before = 0;
    for (int p = 0; p < rows.parts; ++p) {
      const int64_t of_part = rows.rows[static_cast<size_t>(p)];
      if (piece < before + pieces_of(of_part)) {
        const int64_t first = begin + (piece - before) * kSpectralRows;
        return f(p, first, std::min(first + kSpectralRows, begin + of_part), piece);
      }
      before += pieces_of(of_part);
      begin += of_part;
    }
  });
}

// f(part, row) for all rows, in parallel.
template <class F>
void for_rows(const StackedRows& rows, int64_t columns, F&& f) {
  int64_t begin = 0;
  for (int p = 0; p < rows.parts; ++p) {
    const int64_t n = rows.rows[static_cast<size_t>(p)];
    parallel_ranges(n, grain_rows(columns), [&](int64_t from, int64_t to) {
      for (int64_t r = from; r < to; ++r) f(p, begin + r);
    });
    begin += n;
  }
}

double ratio(double a, double sigma) { return sigma > 0 ? a / sigma : 0; }

}  // namespace

int64_t spectral_pieces(const StackedRows& rows) {
  int64_t n = 0;
  for (int p = 0; p < rows.parts; ++p) n += pieces_of(rows.rows[static_cast<size_t>(p)]);
  return n;
}

// W is read once: W^T (W u) is summed up while a row is in the cache, and divided by ||W u|| later.
void spectral_begin(Cpu&, const SpectralBegin& a) {
  int32_t& begun = *a.begun.data<int32_t>();
  const auto step = static_cast<int32_t>(a.state->step & 0x7fffffff);
  if (begun == step) return;
  std::copy_n(a.u.data<float>(), a.u.size(), a.begin.data<float>());
  begun = step;
}

void spectral_step(Cpu&, const SpectralStep& a) {
  const int64_t columns = a.weight.dim(1);
  const float *w = a.weight.data<float>(), *u = a.u.data<float>();
  float *v = a.v.data<float>(), *partial = a.partial.data<float>();
  for_pieces(a.rows, [&](int p, int64_t begin, int64_t end, int64_t piece) {
    float* sum = partial + piece * columns;
    std::fill(sum, sum + columns, 0.0f);
    for (int64_t r = begin; r < end; ++r) {
      const float* row = w + r * columns;
      v[r] = dot(row, u + p * columns, columns);
      const Vec factor(v[r]);
      for_lanes(columns, [&](int64_t i, int n) {
        store_n(sum + i, fma(load_n(row + i, n), factor, load_n(sum + i, n)), n);
      });
    }
  });
  float *next = a.next.data<float>(), *sigma = a.sigma.data<float>();
  int64_t begin = 0, piece = 0;
  for (int p = 0; p < a.rows.parts; ++p) {
    const int64_t n = a.rows.rows[static_cast<size_t>(p)];
    float* t = next + p * columns;
    for (int64_t i = 0; i < columns; ++i) {
      double sum = 0;
      for (int64_t k = piece; k < piece + pieces_of(n); ++k) {
        sum += static_cast<double>(partial[k * columns + i]);
      }
      t[i] = static_cast<float>(sum);
    }
    const double of_v = length(v + begin, n), of_t = length(t, columns);
    divide(v + begin, n, of_v);
    divide(t, columns, of_t);
    sigma[p] = static_cast<float>(ratio(of_t, of_v));
    begin += n;
    piece += pieces_of(n);
  }
}

void sigma_reparam_fwd(Cpu&, const SigmaReparamFwd& a) {
  const int64_t columns = a.weight.dim(1);
  const float *w = a.weight.data<float>(), *gamma = a.gamma.data<float>();
  const float* sigma = a.sigma.data<float>();
  with_dtype(a.y.dtype(), [&]<class T>() {
    T* y = a.y.data<T>();
    for_rows(a.rows, columns, [&](int p, int64_t r) {
      const Vec factor(static_cast<float>(ratio(gamma[p], sigma[p])));
      for_lanes(columns, [&](int64_t i, int n) {
        store_n(y + r * columns + i, load_n(w + r * columns + i, n) * factor, n);
      });
    });
  });
}

void sigma_reparam_bwd(Cpu&, const SigmaReparamBwd& a) {
  const int64_t columns = a.weight.dim(1);
  const float *dy = a.dy.data<float>(), *w = a.weight.data<float>(), *v = a.v.data<float>();
  const float *gamma = a.gamma.data<float>(), *sigma = a.sigma.data<float>();
  float* inner = a.inner.data<float>();
  for_rows(a.rows, columns,
           [&](int, int64_t r) { inner[r] = dot(dy + r * columns, w + r * columns, columns); });
  double products[StackedRows::kMost] = {};
  int64_t begin = 0;
  for (int p = 0; p < a.rows.parts; ++p) {
    const int64_t end = begin + a.rows.rows[static_cast<size_t>(p)];
    for (int64_t r = begin; r < end; ++r) products[p] += static_cast<double>(inner[r]);
    begin = end;
    if (!a.dgamma) continue;
    float& out = a.dgamma.t.data<float>()[p];
    out = static_cast<float>(ratio(products[p], sigma[p])) + (a.dgamma.add ? out : 0.0f);
  }
  if (!a.dweight) return;
  float* dw = a.dweight.t.data<float>();
  const bool add = a.dweight.add;
  for_rows(a.rows, columns, [&](int p, int64_t r) {
    const double factor = ratio(gamma[p], sigma[p]);
    const Vec scale(static_cast<float>(factor));
    const Vec along(
        static_cast<float>(-factor * ratio(products[p], sigma[p]) * static_cast<double>(v[r])));
    const float* u = a.u.data<float>() + p * columns;
    for_lanes(columns, [&](int64_t i, int n) {
      float* out = dw + r * columns + i;
      Vec g = fma(load_n(dy + r * columns + i, n), scale, load_n(u + i, n) * along);
      if (add) g += load_n(out, n);
      store_n(out, g, n);
    });
  });
}

}  // namespace keel::kernel
