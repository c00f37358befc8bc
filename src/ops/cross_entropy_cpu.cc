#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/cross_entropy.h"
#include "ops/softcap_math.h"

namespace keel::kernel {
namespace {

// Rows in one piece of parallel work: about 64 KiB of logits, fixed by the shape.
int64_t grain_rows(int64_t vocab) { return std::max<int64_t>(1, 16384 / vocab); }

float weight_of(const float* weights, int64_t row) { return weights ? weights[row] : 1.0f; }
float scale_of(const StepState* state) { return state ? state->loss_scale : 1.0f; }

float largest(const float* z, int64_t vocab) {
  Vec m0(-INFINITY), m1 = m0, m2 = m0, m3 = m0;
  int64_t i = 0;
  for (; i + 4 * kLanes <= vocab; i += 4 * kLanes) {
    m0 = max(m0, load(z + i));
    m1 = max(m1, load(z + i + kLanes));
    m2 = max(m2, load(z + i + 2 * kLanes));
    m3 = max(m3, load(z + i + 3 * kLanes));
  }
  for_lanes(vocab - i, [&](int64_t k, int n) { m0 = max(m0, load_n(z + i + k, n, -INFINITY)); });
  return reduce_max(max(max(m0, m1), max(m2, m3)));
}

// Sum of e^(z - shift), f32 within a block and f64 over blocks; the terms are stored if kKeep.
template <bool kKeep>
double sum_of_exp(float* z, int64_t vocab, float shift) {
  constexpr int64_t kBlock = 2048;
  double sum = 0;
  for (int64_t begin = 0; begin < vocab; begin += kBlock) {
    float* block = z + begin;
    Vec s(0.0f);
    for_lanes(std::min(kBlock, vocab - begin), [&](int64_t i, int n) {
      const Vec e = exp(load_n(block + i, n, -INFINITY) - Vec(shift));
      s += e;
      if constexpr (kKeep) store_n(block + i, e, n);
    });
    sum += reduce_add(s);
  }
  return sum;
}

// d = factor e - g onehot, e being where the logits were.
template <class T>
void gradient_row(const float* e, T* d, int64_t vocab, int32_t target, float factor, float g) {
  const float at_target = e[target] * factor - g;
  for_lanes(vocab, [&](int64_t i, int n) { store_n(d + i, load_n(e + i, n) * Vec(factor), n); });
  d[target] = static_cast<T>(at_target);
}

struct Rows {
  float *logits, *ce, *log_z, *stats;
  const int32_t* targets;
  const float* weights;
  int64_t vocab, stride;
  float scale;

  explicit Rows(const CrossEntropyFwd& a)
      : logits(a.logits.data<float>()),
        ce(a.rows.data<float>()),
        log_z(a.log_z.data<float>()),
        stats(a.stats ? a.stats.data<float>() : nullptr),
        targets(a.targets.data<int32_t>()),
        weights(a.weights ? a.weights.data<float>() : nullptr),
        vocab(a.logits.dim(1)),
        stride(a.logits.stride(0)),
        scale(scale_of(a.state)) {}

  template <bool kKeep>
  double statistics(int64_t r) const {
    float* z = logits + r * stride;
    const float m = largest(z, vocab), at_target = z[targets[r]];
    const double sum = sum_of_exp<kKeep>(z, vocab, m);
    const double log_sum = std::log(sum);
    ce[r] = static_cast<float>(log_sum - (static_cast<double>(at_target) - m));
    log_z[r] = static_cast<float>(m + log_sum);
    if (stats) {
      stats[2 * r] = m;
      stats[2 * r + 1] = static_cast<float>(sum);
    }
    return sum;
  }
};

void values_only(const Rows& a, int64_t rows) {
  parallel_ranges(rows, grain_rows(a.vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      if (weight_of(a.weights, r) != 0)
        a.statistics<false>(r);
      else
        a.ce[r] = a.log_z[r] = 0;
    }
  });
}

template <class T>
void with_gradient(const Rows& a, T* dlogits, int64_t d_stride, int64_t rows) {
  parallel_ranges(rows, grain_rows(a.vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* d = dlogits + r * d_stride;
      const float w = weight_of(a.weights, r);
      if (w == 0) {
        a.ce[r] = a.log_z[r] = 0;
        std::fill(d, d + a.vocab, T(0.0f));
        continue;
      }
      const double sum = a.statistics<true>(r);
      const float g = w * a.scale;
      gradient_row(a.logits + r * a.stride, d, a.vocab, a.targets[r], static_cast<float>(g / sum),
                   g);
    }
  });
}

// A row whose logits are capped or whose loss has more terms. The exponentials are made twice: the
// slope of the cap needs the capped logits that they would overwrite.
struct ShapedRows : Rows {
  HeadOptions options;
  SoftcapFormula cap;
  float* objective;

  explicit ShapedRows(const CrossEntropyFwd& a)
      : Rows(a),
        options(a.options),
        cap{options.scale, options.softcap},
        objective(a.objective.data<float>()) {}

  // Leaves z where the logits were; returns the sum of z.
  double shape(float* z) const {
    constexpr int64_t kBlock = 2048;
    double sum = 0;
    for (int64_t begin = 0; begin < vocab; begin += kBlock) {
      Vec s(0.0f);
      for_lanes(std::min(kBlock, vocab - begin), [&](int64_t i, int n) {
        const Vec y = cap.value(load_n(z + begin + i, n));
        s += y;  // lanes beyond the row are 0, and so is the cap's value there
        store_n(z + begin + i, y, n);
      });
      sum += reduce_add(s);
    }
    return sum;
  }

  // d may be where the logits are; null: no gradient.
  template <class T>
  void row(int64_t r, float g, T* d) const {
    float* z = logits + r * stride;
    const double mean = shape(z) / static_cast<double>(vocab);
    const float shift = largest(z, vocab);
    const double sum = statistics<false>(r), eps = static_cast<double>(options.smoothing);
    const double log_sum = static_cast<double>(shift) + std::log(sum);
    objective[r] = static_cast<float>((1 - eps) * (log_sum - static_cast<double>(z[targets[r]])) +
                                      eps * (log_sum - mean) +
                                      static_cast<double>(options.z_loss) * log_sum * log_sum);
    if (d) gradient(z, d, targets[r], shift, sum, log_sum, g);
  }

  template <class T>
  void gradient(const float* z, T* d, int32_t target, float shift, double sum, double log_sum,
                float g) const {
    const double of_z_loss = 2 * static_cast<double>(options.z_loss) * log_sum;
    const double eps = static_cast<double>(options.smoothing), each = eps / double(vocab);
    const float factor = static_cast<float>(static_cast<double>(g) * (1 + of_z_loss) / sum);
    const float spread = static_cast<float>(static_cast<double>(g) * each), top = z[target];
    // In f64: where p is near 1, what is left is small.
    const double p = static_cast<double>(exp(top - shift)) / sum;
    const double left = p * (1 + of_z_loss) - each - (1 - eps);
    const float at_target = static_cast<float>(static_cast<double>(g) * left) * cap.slope(top);
    for_lanes(vocab, [&](int64_t i, int n) {
      const Vec y = load_n(z + i, n);
      store_n(d + i, fma(exp(y - Vec(shift)), Vec(factor), Vec(-spread)) * cap.slope(y), n);
    });
    d[target] = static_cast<T>(at_target);
  }
};

template <class T>
void shaped(const ShapedRows& a, T* dlogits, int64_t d_stride, int64_t rows) {
  parallel_ranges(rows, grain_rows(a.vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* d = dlogits ? dlogits + r * d_stride : nullptr;
      const float w = weight_of(a.weights, r);
      if (w != 0) {
        a.row(r, w * a.scale, d);
        continue;
      }
      a.ce[r] = a.log_z[r] = a.objective[r] = 0;
      if (d) std::fill(d, d + a.vocab, T(0.0f));
    }
  });
}

// Sum of f(i) over [begin, end) as a binary tree over fixed leaves of 64.
template <class F>
double tree_sum(int64_t begin, int64_t end, F&& f) {
  if (end - begin <= 64) {
    double s = 0;
    for (int64_t i = begin; i < end; ++i) s += f(i);
    return s;
  }
  const int64_t middle = begin + (end - begin + 127) / 128 * 64;
  return tree_sum(begin, middle, f) + tree_sum(middle, end, f);
}

}  // namespace

void check_targets(Cpu&, const CheckTargets& a) {
  const int32_t* targets = a.targets.data<int32_t>();
  const float* weights = a.weights ? a.weights.data<float>() : nullptr;
  for (int64_t i = 0; i < a.targets.size(); ++i) {
    if (weight_of(weights, i) == 0 || (targets[i] >= 0 && targets[i] < a.vocab)) continue;
    throw DataError(fmt::format("{}: target {} of {} is token {}, the vocabulary has ids 0 to {}",
                                a.op, i, a.targets.size(), targets[i], a.vocab - 1));
  }
}

void cross_entropy_fwd(Cpu&, const CrossEntropyFwd& a) {
  const int64_t n = a.logits.dim(0);
  if (a.objective) {
    const ShapedRows rows(a);
    if (!a.dlogits) return shaped<float>(rows, nullptr, 0, n);
    return with_dtype(a.dlogits.dtype(), [&]<class T>() {
      shaped(rows, a.dlogits.data<T>(), a.dlogits.stride(0), n);
    });
  }
  const Rows rows(a);
  if (!a.dlogits) return values_only(rows, n);
  with_dtype(a.dlogits.dtype(),
             [&]<class T>() { with_gradient(rows, a.dlogits.data<T>(), a.dlogits.stride(0), n); });
}

void cross_entropy_bwd(Cpu&, const CrossEntropyBwd& a) {
  const int64_t vocab = a.logits.dim(-1);
  const float *logits = a.logits.data<float>(), *stats = a.stats.data<float>();
  const int32_t* targets = a.targets.data<int32_t>();
  const float* weights = a.weights ? a.weights.data<float>() : nullptr;
  const float scale = a.dy.data<float>()[0] * scale_of(a.state);
  float* out = a.dlogits.t.data<float>();
  const bool add = a.dlogits.add;
  parallel_ranges(a.logits.rows(), grain_rows(vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float *z = logits + r * vocab, w = weight_of(weights, r);
      float* d = out + r * vocab;
      if (w == 0) {
        if (!add) std::fill(d, d + vocab, 0.0f);
        continue;
      }
      const float g = w * scale;
      const Vec shift(stats[2 * r]), factor(g / stats[2 * r + 1]);
      for_lanes(vocab, [&](int64_t i, int n) {
        const Vec p = exp(load_n(z + i, n) - shift) * factor;
        store_n(d + i, add ? p + load_n(d + i, n) : p, n);
      });
      d[targets[r]] -= g;
    }
  });
}

void cross_entropy_sum(Cpu&, const CrossEntropySum& a) {
  const float *ce = a.rows.data<float>(), *log_z = a.log_z.data<float>();
  const float* weights = a.weights ? a.weights.data<float>() : nullptr;
  const int64_t n = a.rows.size();
  const auto w = [&](int64_t i) { return static_cast<double>(weight_of(weights, i)); };
  const double loss = tree_sum(0, n, [&](int64_t i) { return w(i) * ce[i]; });
  const double total = tree_sum(0, n, w);
  const double logs = tree_sum(0, n, [&](int64_t i) { return w(i) * log_z[i]; });
  a.loss.data<float>()[0] = static_cast<float>(loss * scale_of(a.state));
  a.mean_log_z.data<float>()[0] = static_cast<float>(total == 0 ? 0 : logs / total);
}

void scale_by(Cpu&, const ScaleBy& a) {
  const float factor = a.dy.data<float>()[0];
  if (factor == 1.0f) return;
  with_dtype(a.x.dtype(), [&]<class T>() {
    T* x = a.x.data<T>();
    parallel_ranges(a.x.size(), 1 << 14, [&](int64_t begin, int64_t end) {
      for_lanes(end - begin, [&](int64_t i, int n) {
        store_n(x + begin + i, load_n(x + begin + i, n) * Vec(factor), n);
      });
    });
  });
}

void require_one(Cpu&, const RequireOne& a) {
  const float dy = a.dy.data<float>()[0];
  if (dy == 1.0f) return;
  throw ShapeError(
      fmt::format("head_loss: in {} chunks of rows the gradient of the loss must be 1, it is {}; "
                  "multiply the weights of the targets instead",
                  a.chunks, dy));
}

}  // namespace keel::kernel
