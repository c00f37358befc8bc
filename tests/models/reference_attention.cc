// Attention of the reference, and what positions do in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/position/distance.h"
#include "nn/position/rope_position.h"
#include "ops/activation_cases.h"
#include "reference_decoder.h"

namespace keel::test {
namespace {

using C = ReferenceDecoder::C;
using Row = ReferenceDecoder::Row;
using Rows = ReferenceDecoder::Rows;

// Pair i of each head turns by position * base^(-i / pairs).
void turn(Row& x, size_t head_dim, const RopePosition::Config& rope, size_t position) {
  const bool half = rope.layout == "half";
  const double turning = std::floor(rope.partial * double(head_dim) / 2 + 1e-9);
  const size_t pairs = std::max<size_t>(1, size_t(turning));
  for (size_t head = 0; head < x.size(); head += head_dim) {
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = double(position) * std::pow(rope.base, -double(i) / double(pairs));
      C& a = x[head + (half ? i : 2 * i)];
      C& b = x[head + (half ? i + pairs : 2 * i + 1)];
      const C u = a, v = b;
      a = u * std::cos(angle) - v * std::sin(angle);
      b = v * std::cos(angle) + u * std::sin(angle);
    }
  }
}

// x[0 .. n): one head of a token, or all of them.
void norm_values(C* x, size_t n, const Config& options) {
  const auto* rms = dynamic_cast<const RmsHeadNorm::Config*>(&options);
  const auto* layer = dynamic_cast<const LayerHeadNorm::Config*>(&options);
  const auto* part = dynamic_cast<const PartialRmsHeadNorm::Config*>(&options);
  const auto* l2 = dynamic_cast<const L2HeadNorm::Config*>(&options);
  const size_t first = part ? size_t(std::ceil(part->share * double(n) - 1e-9)) : n;
  C mean = 0, square = 0;
  for (size_t i = 0; i < n && layer; ++i) mean += x[i] / double(n);
  for (size_t i = 0; i < first; ++i) square += (x[i] - mean) * (x[i] - mean);
  C root = 1;
  if (l2) {
    root = std::sqrt(square);
    if (root.real() < l2->eps) root = l2->eps;
  } else if (rms || layer || part) {
    const double eps = rms ? rms->eps : layer ? layer->eps : part->eps;
    root = std::sqrt(square / double(first) + eps);
  } else {
    ADD_FAILURE() << "this QK-norm has no formula here: write it above";
  }
  for (size_t i = 0; i < n; ++i) x[i] = (x[i] - mean) / root;
}

// Of head h (from 0) among n: the slopes of the power of two below n, then every other one of the
// next.
double alibi_slope(size_t h, size_t n) {
  size_t power = 1;
  while (2 * power <= n) power *= 2;
  const double exponent =
      h < power ? double(h + 1) / double(power) : double(2 * (h - power) + 1) / double(2 * power);
  return std::pow(2.0, -8 * exponent);
}

// One bucket for each distance below half of them, then as many for log steps up to the largest.
size_t t5_bucket(size_t distance, const T5Position::Config& t5) {
  const double exact = std::floor(double(t5.buckets) / 2), grown = double(t5.buckets) - exact;
  if (double(distance) < exact) return distance;
  const double step =
      std::log(double(distance) / exact) / std::log(double(t5.max_distance) / exact);
  return size_t(std::min(double(t5.buckets) - 1, exact + std::floor(step * grown)));
}

// max(0, least - entropy / ln n) of a row's n weights; a row of one has none.
C missing_entropy(const Row& weights, double least) {
  C entropy = 0;
  double n = 0;
  for (const C& w : weights) {
    if (w == 0.0) continue;
    entropy -= w * std::log(w);
    ++n;
  }
  if (n < 2) return 0;
  const C missing = least - entropy / std::log(n);
  return missing.real() > 0 ? missing : 0;
}

C cut(C w) { return w.real() < 0 ? 0 : w.real() > 1 ? 1 : w; }

}  // namespace

const SoftmaxMixer::Config& ReferenceDecoder::softmax() const {
  return config_.attention.options_as<SoftmaxMixer::Config>();
}

void ReferenceDecoder::norm_heads(Row& x, const std::string& name) const {
  const Config& options = softmax().qk_norm.options();
  const bool width = dynamic_cast<const QkNormOptions&>(options).axis == "width";
  const size_t n = width ? x.size() : head_dim();
  if (dynamic_cast<const TanhHeadNorm::Config*>(&options)) {
    const Row& alpha = values_.at(name + ".alpha");
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = std::tanh(alpha[i / head_dim() % alpha.size()] * x[i]);
    }
  } else {
    for (size_t at = 0; at < x.size(); at += n) norm_values(&x[at], n, options);
  }
  scale_and_shift(x, name);
}

// `part`: "q", "k" or "v". Values are never normed behind a rotation.
Rows ReferenceDecoder::project_part(const Rows& x, const std::string& name,
                                    const std::string& part) const {
  const QkNormChoice& norm = softmax().qk_norm;
  const bool values = part == "v", normed = !norm.is_none() && (!values || softmax().v_norm);
  const bool norm_last =
      normed && !values && dynamic_cast<const QkNormOptions&>(norm.options()).after_rope;
  const auto* rope = dynamic_cast<const RopePosition::Config*>(&config_.position.options());
  if (rope && values && !rope->rotate_v) rope = nullptr;
  Rows y = linear(x, name + "." + part);
  for (size_t t = 0; t < y.size(); ++t) {
    if (rope && norm_last) turn(y[t], head_dim(), *rope, t);
    if (normed) norm_heads(y[t], name + "." + part + "_norm");
    if (rope && !norm_last) turn(y[t], head_dim(), *rope, t);
  }
  return y;
}

ReferenceDecoder::Projected ReferenceDecoder::project(const Rows& x,
                                                      const std::string& name) const {
  Projected p{project_part(x, name, "q"), project_part(x, name, "k"), project_part(x, name, "v")};
  if (config_.position.kind() != "transformer_xl") return p;
  Rows waves;
  for (size_t t = 0; t < x.size(); ++t) waves.push_back(sinusoid(t, size_t(config_.dim), true));
  p.distance_k = linear(waves, name + ".distance");
  p.distance_q = plus(p.q, values_.at(name + ".distance_bias"));
  p.q = plus(p.q, values_.at(name + ".content_bias"));
  return p;
}

C ReferenceDecoder::score_scale(const std::string& name, size_t head) const {
  const SoftmaxMixer::Config& c = softmax();
  const double d = double(head_dim());
  double scale = c.scale == "sqrt" ? 1 / std::sqrt(d) : c.scale == "mup" ? 1 / d : 1;
  if (const auto* l2 = dynamic_cast<const L2HeadNorm::Config*>(&c.qk_norm.options())) {
    scale = l2->scale;
  }
  const Row* theta = find(name + ".log_scale");
  return c.temperature * scale * (theta ? std::exp((*theta)[head % theta->size()]) : 1.0);
}

C ReferenceDecoder::distance_bias(size_t head, size_t distance) const {
  if (config_.position.kind() == "alibi") return -alibi_slope(head, heads()) * double(distance);
  if (const auto* t5 = dynamic_cast<const T5Position::Config*>(&config_.position.options())) {
    return values_.at("positions.weight")[head * size_t(t5->buckets) + t5_bucket(distance, *t5)];
  }
  return 0;
}

// Of the query at t and the key at j.
C ReferenceDecoder::score(const Projected& p, C scale, size_t head, size_t t, size_t j) const {
  const size_t d = head_dim(), queries_of_a_key = heads() / size_t(config_.kv_heads_in_force());
  const size_t q = head * d, k = head / queries_of_a_key * d;
  C s = 0;
  for (size_t i = 0; i < d; ++i) s += p.q[t][q + i] * p.k[j][k + i];
  for (size_t i = 0; i < d && !p.distance_k.empty(); ++i) {
    s += p.distance_q[t][q + i] * p.distance_k[t - j][q + i];
  }
  s *= scale;
  const double cap = softmax().softcap;
  if (cap > 0) s = cap * std::tanh(s / cap);
  return s + distance_bias(head, t - j);
}

// Of the keys 0 to t in one row; 0 where the window hides a key.
Row ReferenceDecoder::weights(const Projected& p, const std::string& name, size_t head,
                              size_t t) const {
  const SoftmaxMixer::Config& c = softmax();
  const C scale = score_scale(name, head);
  const size_t window = c.window > 0 ? size_t(c.window) : t + 1;
  const Row* sink = find(name + ".sink");
  C total = sink ? std::exp((*sink)[head]) : c.sink == "off_by_one" ? 1 : 0;
  Row w(t + 1);
  for (size_t j = t + 1 - std::min(window, t + 1); j <= t; ++j) {
    w[j] = std::exp(score(p, scale, head, t, j));
    total += w[j];
  }
  for (C& x : w) x /= total;
  return w;
}

// By head or by value.
void ReferenceDecoder::gate(Rows& o, const Rows& x, const std::string& name) const {
  const Rows g = linear(x, name + ".gate");
  const size_t values_of_a_gate = o[0].size() / g[0].size();
  for (size_t t = 0; t < o.size(); ++t) {
    for (size_t i = 0; i < o[t].size(); ++i) o[t][i] *= sigmoid_ref(g[t][i / values_of_a_gate]);
  }
}

Rows ReferenceDecoder::attention(const Rows& x, const std::string& name, C& penalty) const {
  const SoftmaxMixer::Config& c = softmax();
  const Projected p = project(x, name);
  const size_t d = head_dim(), queries_of_a_key = heads() / size_t(config_.kv_heads_in_force());
  const double rows = double(heads() * x.size());
  Rows o(x.size(), Row(heads() * d));
  for (size_t h = 0; h < heads(); ++h) {
    const size_t from = h / queries_of_a_key * d;
    for (size_t t = 0; t < x.size(); ++t) {
      const Row w = weights(p, name, h, t);
      if (c.entropy_weight > 0) {
        penalty += c.entropy_weight / rows * missing_entropy(w, c.entropy_floor);
      }
      for (size_t j = 0; j <= t; ++j) {
        const C stretched = cut((c.clip_zeta - c.clip_gamma) * w[j] + c.clip_gamma);
        for (size_t i = 0; i < d; ++i) o[t][h * d + i] += stretched * p.v[j][from + i];
      }
    }
  }
  if (c.gate != "none") gate(o, x, name);
  return linear(o, name + ".out");
}

}  // namespace keel::test
