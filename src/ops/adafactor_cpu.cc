#include "ops/adafactor.h"
#include "ops/update_cpu.h"

namespace keel::kernel {
namespace {

constexpr float kEps1 = 1e-30f;
constexpr double kEps2 = 1e-3;

struct Scalars {
  float gradient, beta2, keep1;
  double rate;
};

double sum_of_squares(const float* x, int64_t n) {
  return sum_lanes(n, [&](int64_t i, int lanes) {
    const Vec v = load_n(x + i, lanes);
    return v * v;
  });
}

// The means of the rows, and the sums over this part's rows.
void factored_moments(const AdafactorTensor& t, const AdafactorPart& p, const Scalars& s) {
  const int64_t columns = t.columns;
  std::fill_n(p.column_sums, columns, 0.0f);
  for (int64_t r = p.begin / columns; r < p.end / columns; ++r) {
    const float* g = t.grad + r * columns;
    const double sum = sum_lanes(columns, [&](int64_t i, int n) {
      const Vec x = load_n(g + i, n) * Vec(s.gradient);
      const Vec square = x * x;
      store_n(p.column_sums + i, load_n(p.column_sums + i, n) + square, n);
      return square;
    });
    const float mean = static_cast<float>(sum / static_cast<double>(columns)) + kEps1;
    t.row[r] = s.beta2 * t.row[r] + (1 - s.beta2) * mean;
  }
}

void full_moments(const AdafactorTensor& t, const AdafactorPart& p, const Scalars& s) {
  for_lanes(p.end - p.begin, [&](int64_t i, int n) {
    const Vec x = load_n(t.grad + p.begin + i, n) * Vec(s.gradient);
    float* v = t.full + p.begin + i;
    store_n(v, fma(fma(x, x, Vec(kEps1)), Vec(1 - s.beta2), load_n(v, n) * Vec(s.beta2)), n);
  });
}

// The means of the columns from the sums of the parts, and 1 / mean(R).
float column_moments(const AdafactorTensor& t, const AdafactorPart* parts, const Scalars& s) {
  const Vec over_rows(1 / static_cast<float>(t.rows));
  for_lanes(t.columns, [&](int64_t i, int n) {
    Vec sum(0.0f);
    for (int64_t k = 0; k < t.parts; ++k) sum += load_n(parts[k].column_sums + i, n);
    const Vec mean = fma(sum, over_rows, Vec(kEps1));
    const Vec c = fma(mean, Vec(1 - s.beta2), load_n(t.column + i, n) * Vec(s.beta2));
    store_n(t.column + i, c, n);
    store_n(t.columns_root + i, Vec(1.0f) / sqrt(c), n);
  });
  double sum = 0;
  for (int64_t r = 0; r < t.rows; ++r) sum += static_cast<double>(t.row[r]);
  return static_cast<float>(static_cast<double>(t.rows) / sum);
}

// f(offset, lanes, u) over a part, u the update before it is clipped; where f returns a Vec, their
// sum.
template <class F>
void for_updates(const AdafactorTensor& t, const AdafactorPart& p, float over_mean,
                 const Scalars& s, F&& f) {
  if (t.full) {
    for_lanes(p.end - p.begin, [&](int64_t i, int n) {
      const int64_t at = p.begin + i;
      f(at, n, load_n(t.grad + at, n) * Vec(s.gradient) / sqrt(load_n(t.full + at, n, 1.0f)));
    });
    return;
  }
  for (int64_t r = p.begin / t.columns; r < p.end / t.columns; ++r) {
    const Vec row(s.gradient / std::sqrt(t.row[r] * over_mean));
    for_lanes(t.columns, [&](int64_t i, int n) {
      const int64_t at = r * t.columns + i;
      f(at, n, load_n(t.grad + at, n) * row * load_n(t.columns_root + i, n));
    });
  }
}

// Blocks of f32 sums are a row, or a few thousand elements of a vector.
double update_squares(const AdafactorTensor& t, const AdafactorPart& p, float over_mean,
                      const Scalars& s) {
  double total = 0;
  Vec block(0.0f);
  int64_t in_block = 0;
  for_updates(t, p, over_mean, s, [&](int64_t, int n, Vec u) {
    if (n == kLanes) {
      block += u * u;
    } else {
      float lanes[kLanes] = {};
      store_some(lanes, u, n);
      block += load(lanes) * load(lanes);
    }
    if (++in_block < 64) return;
    total += static_cast<double>(reduce_add(block));
    block = Vec(0.0f);
    in_block = 0;
  });
  return total + static_cast<double>(reduce_add(block));
}

void apply(const Adafactor& a, const AdafactorTensor& t, const AdafactorPart& p, const float* scale,
           const Scalars& s) {
  const double size = a.scale_parameter ? std::max(kEps2, static_cast<double>(scale[1])) : 1.0;
  const Vec shrink(kept_weight(*a.state, a.weight_decay, a.independent, t.rate, t.decay)),
      step(static_cast<float>(s.rate * static_cast<double>(t.rate) * size)), clip(scale[2]);
  for_updates(t, p, scale[0], s, [&](int64_t at, int n, Vec u) {
    u *= clip;
    if (t.m) {
      const Vec m = load_n(t.m + at, n);
      u = fma(u - m, Vec(s.keep1), m);
      store_n(t.m + at, u, n);
    }
    const Vec w = load_n(t.weight + at, n) * shrink - step * u;
    store_n(t.weight + at, w, n);
    if (t.copy) store_n(t.copy + at, w, n);
  });
}

// The root mean square of f over each tensor, from sums of squares over its parts.
template <class F, class G>
void root_means(const Adafactor& a, F&& squares, G&& take) {
  double* partial = a.partial.data<double>();
  const AdafactorPart* parts = a.parts.data();
  parallel_for(static_cast<int64_t>(a.parts.size()),
               [&](int64_t i) { partial[i] = squares(parts[i]); });
  for (size_t k = 0; k < a.tensors.size(); ++k) {
    const AdafactorTensor& t = a.tensors[k];
    double sum = 0;
    for (int64_t i = 0; i < t.parts; ++i) sum += partial[t.first_part + i];
    take(k, std::sqrt(sum / static_cast<double>(std::max<int64_t>(t.rows * t.columns, 1))));
  }
}

}  // namespace

void adafactor(Cpu&, const Adafactor& a) {
  if (a.state->skip) return;
  const double t = ++*a.updates.data<int32_t>();
  double rate = static_cast<double>(a.state->rate);
  if (a.relative_step) rate = std::min(rate, 1 / std::sqrt(t));
  const Scalars s{a.state->clip_coefficient, static_cast<float>(1 - std::pow(t, -a.beta2_power)),
                  static_cast<float>(1 - a.beta1), rate};
  const AdafactorTensor* tensors = a.tensors.data();
  const AdafactorPart* parts = a.parts.data();
  float* scale = a.scale.data<float>();
  const auto each_part = [&](auto&& f) {
    parallel_for(static_cast<int64_t>(a.parts.size()),
                 [&](int64_t i) { f(tensors[parts[i].tensor], parts[i]); });
  };
  each_part([&](const AdafactorTensor& x, const AdafactorPart& p) {
    x.full ? full_moments(x, p, s) : factored_moments(x, p, s);
  });
  parallel_for(static_cast<int64_t>(a.tensors.size()), [&](int64_t i) {
    const AdafactorTensor& x = tensors[i];
    scale[3 * i] = x.full ? 1.0f : column_moments(x, parts + x.first_part, s);
    scale[3 * i + 2] = 1;
  });
  if (a.scale_parameter) {
    root_means(
        a,
        [&](const AdafactorPart& p) {
          return sum_of_squares(tensors[p.tensor].weight + p.begin, p.end - p.begin);
        },
        [&](size_t k, double rms) { scale[3 * k + 1] = static_cast<float>(rms); });
  }
  if (a.update_clip > 0) {
    root_means(
        a,
        [&](const AdafactorPart& p) {
          return update_squares(tensors[p.tensor], p, scale[3 * p.tensor], s);
        },
        [&](size_t k, double rms) { scale[3 * k + 2] = update_clip(rms, a.update_clip); });
  }
  each_part([&](const AdafactorTensor& x, const AdafactorPart& p) {
    apply(a, x, p, scale + 3 * p.tensor, s);
  });
}

}  // namespace keel::kernel
