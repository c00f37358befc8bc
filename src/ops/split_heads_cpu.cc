// A token's heads are worked on as one row of floats in the worker's memory.
#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/cpu/scratch.h"
#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/parallel.h"
#include "ops/split_heads.h"

namespace keel::kernel {
namespace {

template <class T>
T* token_at(const Tensor& x, int64_t token) {
  const int64_t t = x.dim(1);
  return x.data<T>() + token / t * x.stride(0) + token % t * x.stride(1);
}

// f(first channel of the row, of the strided tensor) for each head.
template <class T>
void load_row(const Tensor& x, int64_t token, float* row) {
  const T* from = token_at<T>(x, token);
  const int64_t hd = x.dim(3);
  for (int64_t h = 0; h < x.dim(2); ++h, row += hd) {
    for_lanes(
        hd, [&](int64_t i, int n) { store_n(row + i, load_n(from + h * x.stride(2) + i, n), n); });
  }
}
template <class T>
void store_row(const float* row, const Tensor& x, bool add, int64_t token) {
  T* to = token_at<T>(x, token);
  const int64_t hd = x.dim(3);
  for (int64_t h = 0; h < x.dim(2); ++h, row += hd) {
    T* head = to + h * x.stride(2);
    for_lanes(hd, [&](int64_t i, int n) {
      const Vec v = load_n(row + i, n);
      store_n(head + i, add ? v + load_n(head + i, n) : v, n);
    });
  }
}

// Turns the heads of a row by the token's position (back by it for sign = -1).
void turn(const HeadsForm& a, int64_t token, float sign, float* row) {
  if (!a.cos) return;
  const int64_t half = a.cos.dim(1), t = a.x.dim(1), hd = a.x.dim(3);
  const int64_t start = a.segments ? a.segments.data<int32_t>()[token] : 0;
  const int64_t at = (a.offset + token % t - start) * half;
  const float *cos = a.cos.data<float>() + at, *sin = a.sin.data<float>() + at;
  for (int64_t h = 0; h < a.x.dim(2); ++h, row += hd) {
    if (a.interleaved) {
      for (int64_t i = 0; i < half; ++i) {
        const float u = row[2 * i], v = row[2 * i + 1], s = sign * sin[i];
        row[2 * i] = fma(-v, s, u * cos[i]);
        row[2 * i + 1] = fma(u, s, v * cos[i]);
      }
      continue;
    }
    for_lanes(half, [&](int64_t i, int n) {
      const Vec u = load_n(row + i, n), v = load_n(row + half + i, n);
      const Vec c = load_n(cos + i, n), s = Vec(sign) * load_n(sin + i, n);
      store_n(row + i, fma(-v, s, u * c), n);
      store_n(row + half + i, fma(u, s, v * c), n);
    });
  }
}

// xhat = (x - mean) rstd. `pull`: dx = rstd (g - mean(g) - xhat pull sum(g xhat)), the first mean
// for kLayer only; 0 where the length is below eps and does not scale. The pull is of the first
// `counted` values, of which the statistics are.
struct Stats {
  float mean = 0, rstd = 1, pull = 0;
  int64_t counted = 0;
};

// As PartialRmsNorm counts them.
int64_t partial_values(float share, int64_t c) {
  const auto n = static_cast<int64_t>(std::ceil(static_cast<double>(share) * double(c) - 1e-6));
  return std::clamp<int64_t>(n, 1, c);
}

Stats stats_of(const HeadsForm& a, const float* x, int64_t c) {
  Stats s;
  s.counted = a.norm == HeadNormKind::kPartialRms ? partial_values(a.share, c) : c;
  const float n_values = static_cast<float>(s.counted);
  Vec sum(0.0f), square(0.0f);
  if (a.norm == HeadNormKind::kLayer) {
    for_lanes(c, [&](int64_t i, int n) { sum += load_n(x + i, n); });
    s.mean = reduce_add(sum) / n_values;
  }
  for_lanes(s.counted, [&](int64_t i, int n) {
    const Vec d = load_n(x + i, n, s.mean) - Vec(s.mean);
    square = fma(d, d, square);
  });
  const float total = reduce_add(square);
  if (a.norm == HeadNormKind::kL2) {
    const float length = sqrt(total);
    s.rstd = 1.0f / std::max(length, a.eps);
    s.pull = length > a.eps ? 1.0f : 0.0f;
  } else {
    s.rstd = 1.0f / sqrt(total / n_values + a.eps);
    s.pull = 1.0f / n_values;
  }
  return s;
}

// The gains and biases of a whole row, whatever is shared; ones and zeros where there are none.
struct Affine {
  float *gain, *bias;

  void fill(const HeadsForm& a) const {
    const int64_t row = a.x.dim(2) * a.x.dim(3);
    for (int64_t i = 0; i < row; ++i) {
      gain[i] = a.gain ? a.gain.data<float>()[i % a.gain.size()] : 1.0f;
      bias[i] = a.bias ? a.bias.data<float>()[i % a.bias.size()] : 0.0f;
    }
  }
};

Vec alpha_of(const HeadsForm& a, int64_t head) {
  return Vec(a.alpha.data<float>()[head % a.alpha.size()]);
}

void tanh_heads(const HeadsForm& a, const Affine& affine, float* row) {
  const int64_t c = a.x.dim(3);
  for (int64_t h = 0; h < a.x.dim(2); ++h) {
    const Vec alpha = alpha_of(a, h);
    for_lanes(c, [&](int64_t offset, int n) {
      const int64_t i = h * c + offset;
      const Vec t = tanh(alpha * load_n(row + i, n));
      store_n(row + i, fma(t, load_n(affine.gain + i, n), load_n(affine.bias + i, n)), n);
    });
  }
}

void norm(const HeadsForm& a, const Affine& affine, float* row) {
  if (a.norm == HeadNormKind::kTanh) return tanh_heads(a, affine, row);
  const int64_t all = a.x.dim(2) * a.x.dim(3), c = a.width ? all : a.x.dim(3);
  for (int64_t at = 0; at < all && a.norm != HeadNormKind::kNone; at += c) {
    const Stats s = stats_of(a, row + at, c);
    for_lanes(c, [&](int64_t i, int n) {
      const Vec xhat = (load_n(row + at + i, n) - Vec(s.mean)) * Vec(s.rstd);
      store_n(row + at + i,
              fma(xhat, load_n(affine.gain + at + i, n), load_n(affine.bias + at + i, n)), n);
    });
  }
}

// What a chunk of tokens adds up: of the whole row, or null where nobody asks.
struct Sums {
  float *gain = nullptr, *bias = nullptr;  // both or neither
  float* alpha = nullptr;                  // by head
};

void tanh_back(const HeadsForm& a, const Affine& affine, const float* x, float* d, Sums to) {
  const int64_t c = a.x.dim(3);
  for (int64_t h = 0; h < a.x.dim(2); ++h) {
    const Vec alpha = alpha_of(a, h);
    Vec sum(0.0f);
    for_lanes(c, [&](int64_t offset, int n) {
      const int64_t i = h * c + offset;
      const Vec v = load_n(x + i, n), dy = load_n(d + i, n), t = tanh(alpha * v);
      const Vec slope = fma(-t, t, Vec(1.0f)) * dy * load_n(affine.gain + i, n);
      sum = fma(slope, v, sum);
      store_n(d + i, alpha * slope, n);
      if (!to.gain) return;
      store_n(to.gain + i, fma(dy, t, load_n(to.gain + i, n)), n);
      store_n(to.bias + i, dy + load_n(to.bias + i, n), n);
    });
    if (to.alpha) to.alpha[h] += reduce_add(sum);
  }
}

// d: the gradient of norm(x), which becomes that of x.
void norm_back(const HeadsForm& a, const Affine& affine, const float* x, float* d, Sums to) {
  if (a.norm == HeadNormKind::kTanh) return tanh_back(a, affine, x, d, to);
  const int64_t all = a.x.dim(2) * a.x.dim(3), c = a.width ? all : a.x.dim(3);
  for (int64_t at = 0; at < all && a.norm != HeadNormKind::kNone; at += c) {
    const Stats s = stats_of(a, x + at, c);
    const auto xhat = [&](int64_t i, int n) {
      return (load_n(x + i, n) - Vec(s.mean)) * Vec(s.rstd);
    };
    Vec sum(0.0f), dot(0.0f);
    for_lanes(c, [&](int64_t offset, int n) {
      const int64_t i = at + offset;
      const Vec dy = load_n(d + i, n), g = dy * load_n(affine.gain + i, n), h = xhat(i, n);
      sum += g;
      dot = fma(g, h, dot);
      if (!to.gain) return;
      store_n(to.gain + i, fma(dy, h, load_n(to.gain + i, n)), n);
      store_n(to.bias + i, dy + load_n(to.bias + i, n), n);
    });
    const bool centred = a.norm == HeadNormKind::kLayer;
    const Vec mean(centred ? reduce_add(sum) / static_cast<float>(c) : 0.0f);
    const Vec pull(s.pull * reduce_add(dot));
    for_lanes(s.counted, [&](int64_t offset, int n) {
      const int64_t i = at + offset;
      const Vec g = load_n(d + i, n) * load_n(affine.gain + i, n) - mean;
      store_n(d + i, Vec(s.rstd) * fma(-xhat(i, n), pull, g), n);
    });
    for_lanes(c - s.counted, [&](int64_t offset, int n) {
      const int64_t i = at + s.counted + offset;
      store_n(d + i, Vec(s.rstd) * load_n(d + i, n) * load_n(affine.gain + i, n), n);
    });
  }
}

int64_t padded(const Tensor& x) { return (x.dim(2) * x.dim(3) + 15) / 16 * 16; }

template <class T>
void forward(const HeadsFwd& a) {
  const int64_t row = padded(a.in.x);
  const auto floats = static_cast<size_t>(3 * row);
  reserve_worker_scratch(floats * sizeof(float));
  parallel_ranges(a.in.x.dim(0) * a.in.x.dim(1), kHeadTokens, [&](int64_t begin, int64_t end) {
    float* p = worker_floats(floats);
    const Affine affine{p + row, p + 2 * row};
    affine.fill(a.in);
    for (int64_t token = begin; token < end; ++token) {
      load_row<T>(a.in.x, token, p);
      if (a.in.norm_last) turn(a.in, token, 1.0f, p);
      norm(a.in, affine, p);
      if (!a.in.norm_last) turn(a.in, token, 1.0f, p);
      store_row<T>(p, a.y, false, token);
    }
  });
}

// Zeros at first.
Sums sums_of(const HeadsBwd& a, int64_t chunk) {
  const int64_t heads = a.in.x.dim(2), width = heads * a.in.x.dim(3);
  Sums s;
  if (a.partial) {
    s.gain = a.partial.data<float>() + chunk * 2 * width;
    s.bias = s.gain + width;
    std::fill_n(s.gain, 2 * width, 0.0f);
  }
  if (a.alpha_partial) {
    s.alpha = a.alpha_partial.data<float>() + chunk * heads;
    std::fill_n(s.alpha, heads, 0.0f);
  }
  return s;
}

template <class T>
void backward(const HeadsBwd& a) {
  const int64_t row = padded(a.in.x);
  const auto floats = static_cast<size_t>(4 * row);
  reserve_worker_scratch(floats * sizeof(float));
  parallel_ranges(a.in.x.dim(0) * a.in.x.dim(1), kHeadTokens, [&](int64_t begin, int64_t end) {
    float *x = worker_floats(floats), *d = x + row;
    const Affine affine{x + 2 * row, x + 3 * row};
    affine.fill(a.in);
    const Sums to = sums_of(a, begin / kHeadTokens);
    for (int64_t token = begin; token < end; ++token) {
      load_row<T>(a.in.x, token, x);
      load_row<T>(a.dy, token, d);
      if (a.in.norm_last) {
        turn(a.in, token, 1.0f, x);
      } else {
        turn(a.in, token, -1.0f, d);
      }
      norm_back(a.in, affine, x, d, to);
      if (a.in.norm_last) turn(a.in, token, -1.0f, d);
      if (a.dx) store_row<T>(d, a.dx.t, a.dx.add, token);
    }
  });
}

// Over the chunks, then over the heads that share a value.
void sum_affine(const Tensor& partial, int64_t which, const Grad& to) {
  if (!to) return;
  const int64_t chunks = partial.dim(0), width = partial.dim(2), size = to.t.size();
  const int64_t step = partial.dim(1) * width;
  const float* p = partial.data<float>() + which * width;
  float* out = to.t.data<float>();
  parallel_ranges(size, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float sum = 0.0f;
      for (int64_t at = i; at < width; at += size) {
        for (int64_t k = 0; k < chunks; ++k) sum += p[k * step + at];
      }
      out[i] = to.add ? out[i] + sum : sum;
    }
  });
}

}  // namespace

void heads_fwd(Cpu&, const HeadsFwd& a) {
  with_dtype(a.in.x.dtype(), [&]<class T>() { forward<T>(a); });
}

void heads_bwd(Cpu&, const HeadsBwd& a) {
  with_dtype(a.in.x.dtype(), [&]<class T>() { backward<T>(a); });
  if (a.partial) {
    sum_affine(a.partial, 0, a.dgain);
    sum_affine(a.partial, 1, a.dbias);
  }
  sum_affine(a.alpha_partial, 0, a.dalpha);
}

}  // namespace keel::kernel
