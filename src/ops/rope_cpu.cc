#include <algorithm>

#include "ops/norm_row.h"
#include "ops/rope.h"

namespace keel::kernel {
namespace {

// Where the heads of a token lie, and the rows of the tables for its position.
template <class T>
struct Heads {
  T* x;
  int64_t t, batch_stride, token_stride, head_stride;

  explicit Heads(const Tensor& a)
      : x(a.data<T>()),
        t(a.dim(1)),
        batch_stride(a.stride(0)),
        token_stride(a.stride(1)),
        head_stride(a.stride(2)) {}
  T* token(int64_t i) const { return x + i / t * batch_stride + i % t * token_stride; }
};

struct Turn {
  const float *cos, *sin;
  const int32_t* segments;
  int64_t t, half, offset;

  explicit Turn(const HeadNormRope& a)
      : cos(a.cos.data<float>()),
        sin(a.sin.data<float>()),
        segments(a.segments.data<int32_t>()),
        t(a.x.dim(1)),
        half(a.x.dim(3) / 2),
        offset(a.offset) {}
  int64_t row(int64_t token) const {
    return (offset + token % t - (segments ? segments[token] : 0)) * half;
  }
};

// f(first index, n, cos, sin) over the pairs (i, i + half) of a head.
template <class F>
void for_pairs(const Turn& turn, int64_t row, int64_t half, F&& f) {
  for_lanes(half, [&](int64_t i, int n) {
    f(i, n, load_n(turn.cos + row + i, n), load_n(turn.sin + row + i, n));
  });
}

int64_t grain_tokens(const Tensor& x) {
  return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, x.dim(2) * x.dim(3)));
}

// A value of the head in front of the rotation.
template <QkNorm kNorm, class T>
Vec before_turn(const T* x, RowStats s, const float* gain, const float* bias, int64_t i, int n) {
  if constexpr (kNorm == QkNorm::kNone)
    return load_n(x + i, n);
  else
    return norm_row_value<kNorm == QkNorm::kLayer>(x, s, gain, bias, i, n);
}

// The rotation of a head that fills one vector: y = x cos + halves(x) sin, where halves() makes the
// two halves change places and sin is negative in the first.
struct WholeTurn {
  Vec cos{0.0f}, sin{0.0f};
  bool fits;  // false: the head has another size, or is not turned

  WholeTurn(const Turn& turn, int64_t row) : fits(turn.cos && 2 * turn.half == kLanes) {
    if (!fits) return;
    float c[kLanes], s[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      c[i] = c[i + kLanes / 2] = turn.cos[row + i];
      s[i + kLanes / 2] = turn.sin[row + i];
      s[i] = -s[i + kLanes / 2];
    }
    cos = load(c);
    sin = load(s);
  }
  static Vec halves(Vec x) {
#ifdef __AVX512F__
    return (VecData)_mm512_shuffle_f32x4((__m512)x.v, (__m512)x.v, 0x4e);
#else
    return (VecData)_mm256_permute2f128_ps((__m256)x.v, (__m256)x.v, 1);
#endif
  }
  Vec there(Vec x) const { return fma(halves(x), sin, x * cos); }
  Vec back(Vec x) const { return fma(-halves(x), sin, x * cos); }
};

// Statistics of row r, made now or kept from the first time.
template <QkNorm kNorm, class T>
RowStats stats_of(const HeadNormRopeFwd& a, const T* x, int64_t r, int64_t c) {
  if constexpr (kNorm == QkNorm::kNone) {
    return {0.0f, 1.0f};
  } else {
    constexpr bool kCentred = kNorm == QkNorm::kLayer;
    float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
    if (a.again) return {kCentred ? mean[r] : 0.0f, rstd[r]};
    const RowStats s = row_stats<kCentred>(x, c, a.in.eps);
    if (kCentred) mean[r] = s.mean;
    rstd[r] = s.rstd;
    return s;
  }
}

// One head of kSize values, or of any number of them if that is 0: with a known size its loops
// unroll and a row stays in registers.
template <int64_t kSize>
int64_t head_size(const HeadNormRope& in) {
  return kSize ? kSize : in.x.dim(3);
}

template <QkNorm kNorm, int64_t kSize, class T>
void forward_head(const HeadNormRopeFwd& a, const Turn& turn, const WholeTurn& whole, int64_t row,
                  const T* x, int64_t r) {
  const int64_t c = head_size<kSize>(a.in), half = c / 2;
  const float *gain = a.in.gain.data<float>(), *bias = a.in.bias.data<float>();
  T* to = a.y.template data<T>() + r * c;
  const RowStats s = stats_of<kNorm>(a, x, r, c);
  if (whole.fits) {
    store(to, whole.there(before_turn<kNorm>(x, s, gain, bias, 0, kLanes)));
  } else if (turn.cos) {
    for_pairs(turn, row, half, [&](int64_t i, int n, Vec cos, Vec sin) {
      const Vec u = before_turn<kNorm>(x, s, gain, bias, i, n);
      const Vec v = before_turn<kNorm>(x, s, gain, bias, half + i, n);
      store_n(to + i, fma(-v, sin, u * cos), n);
      store_n(to + half + i, fma(u, sin, v * cos), n);
    });
  } else if constexpr (kNorm != QkNorm::kNone) {
    norm_row<kNorm == QkNorm::kLayer>(x, s, gain, bias, to, c);
  }
}

template <QkNorm kNorm, int64_t kSize, class T>
void forward(const HeadNormRopeFwd& a) {
  const Heads<T> in(a.in.x);
  const Turn turn(a.in);
  const int64_t heads = a.in.x.dim(2);
  const auto tokens = [&](int64_t begin, int64_t end) __attribute__((flatten)) {
    for (int64_t token = begin; token < end; ++token) {
      const int64_t row = turn.cos ? turn.row(token) : 0;
      const WholeTurn whole(turn, row);
      const T* x = in.token(token);
      for (int64_t h = 0; h < heads; ++h) {
        forward_head<kNorm, kSize>(a, turn, whole, row, x + h * in.head_stride, token * heads + h);
      }
    }
  };
  parallel_ranges(a.in.x.dim(0) * a.in.x.dim(1), grain_tokens(a.in.x), tokens);
}

// Turns dy back: the gradient of the value in front of the rotation.
template <class T>
void turn_back(const Turn& turn, int64_t row, const T* dy, float* d, int64_t c) {
  if (!turn.cos) {
    for_lanes(c, [&](int64_t i, int n) { store_n(d + i, load_n(dy + i, n), n); });
    return;
  }
  const int64_t half = c / 2;
  for_pairs(turn, row, half, [&](int64_t i, int n, Vec cos, Vec sin) {
    const Vec u = load_n(dy + i, n), v = load_n(dy + half + i, n);
    store_n(d + i, fma(v, sin, u * cos), n);
    store_n(d + half + i, fma(-u, sin, v * cos), n);
  });
}

template <QkNorm kNorm, class T>
void head_gradient(const HeadNormRopeBwd& a, const T* x, const float* d, RowStats s, float* dgain,
                   float* dbias, T* dx, int64_t c) {
  const float* gain = a.in.gain.data<float>();
  RowDots dots{0.0f, 0.0f};
  constexpr bool kCentred = kNorm == QkNorm::kLayer;
  if constexpr (kNorm != QkNorm::kNone) {
    dots = norm_row_dots<kCentred>(x, d, s, gain, dgain, dbias, c);
  }
  if (!dx) return;
  for_lanes(c, [&](int64_t i, int n) {
    Vec g;
    if constexpr (kNorm == QkNorm::kNone)
      g = load_n(d + i, n);
    else
      g = norm_row_dx<kCentred>(x, d, s, gain, dots, i, n);
    store_n(dx + i, a.dx.add ? g + load_n(dx + i, n) : g, n);
  });
}

template <QkNorm kNorm, int64_t kSize, class T>
void backward(const HeadNormRopeBwd& a) {
  const Tensor& dx_or_x = a.dx ? a.dx.t : a.in.x;
  const Heads<T> in(a.in.x), from(a.dy), out(dx_or_x);
  const Turn turn(a.in);
  const int64_t heads = a.in.x.dim(2), c = head_size<kSize>(a.in);
  const float *mean = a.mean.data<float>(), *rstd = a.rstd.data<float>();
  float* partial = a.partial.data<float>();
  const bool wants_x = static_cast<bool>(a.dx);
  const auto tokens = [&](int64_t begin, int64_t end) __attribute__((flatten)) {
    float d[kSize ? kSize : kMaxHeadDim];
    float* mine = partial ? partial + begin / kHeadTokens * 2 * c : nullptr;
    if (mine) std::fill(mine, mine + 2 * c, 0.0f);
    float *dgain = a.dgain ? mine : nullptr, *dbias = a.dbias ? mine + c : nullptr;
    for (int64_t token = begin; token < end; ++token) {
      const int64_t row = turn.cos ? turn.row(token) : 0;
      const WholeTurn whole(turn, row);
      const T *x = in.token(token), *dy = from.token(token);
      T* dx = wants_x ? out.token(token) : nullptr;
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t r = token * heads + h;
        const RowStats s{mean ? mean[r] : 0.0f, rstd ? rstd[r] : 1.0f};
        if (whole.fits)
          store(d, whole.back(load(dy + h * from.head_stride)));
        else
          turn_back(turn, row, dy + h * from.head_stride, d, c);
        head_gradient<kNorm>(a, x + h * in.head_stride, d, s, dgain, dbias,
                             dx ? dx + h * out.head_stride : nullptr, c);
      }
    }
  };
  parallel_ranges(a.in.x.dim(0) * a.in.x.dim(1), kHeadTokens, tokens);
}

template <class F>
void with_norm(QkNorm norm, F&& f) {
  switch (norm) {
    case QkNorm::kNone:
      return f.template operator()<QkNorm::kNone>();
    case QkNorm::kRms:
      return f.template operator()<QkNorm::kRms>();
    case QkNorm::kLayer:
      return f.template operator()<QkNorm::kLayer>();
  }
}

// f<norm, head size>, the size 0 where it is none of the usual ones.
template <class F>
void with_norm_and_size(const HeadNormRope& in, F&& f) {
  with_norm(in.norm, [&]<QkNorm kNorm>() {
    switch (in.x.dim(3)) {
      case 16:
        return f.template operator()<kNorm, 16>();
      case 32:
        return f.template operator()<kNorm, 32>();
      case 64:
        return f.template operator()<kNorm, 64>();
      case 128:
        return f.template operator()<kNorm, 128>();
      default:
        return f.template operator()<kNorm, 0>();
    }
  });
}

}  // namespace

void head_norm_rope_fwd(Cpu&, const HeadNormRopeFwd& a) {
  with_dtype(a.in.x.dtype(), [&]<class T>() {
    with_norm_and_size(a.in, [&]<QkNorm kNorm, int64_t kSize>() { forward<kNorm, kSize, T>(a); });
  });
}

void head_norm_rope_bwd(Cpu&, const HeadNormRopeBwd& a) {
  with_dtype(a.in.x.dtype(), [&]<class T>() {
    with_norm_and_size(a.in, [&]<QkNorm kNorm, int64_t kSize>() { backward<kNorm, kSize, T>(a); });
  });
  if (a.partial) {
    sum_partials(a.partial.data<float>(), a.partial.dim(0), a.in.x.dim(3), a.dgain, a.dbias);
  }
}

}  // namespace keel::kernel
