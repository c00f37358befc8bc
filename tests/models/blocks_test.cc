// Whole decoders of every norm, placement and residual scheme against plain loops over complex
// numbers: loss and all gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <map>
#include <string>
#include <vector>

#include "config/load.h"
#include "harness/check_op.h"
#include "models/decoder.h"
#include "nn/norm/batch.h"
#include "nn/norm/dynamic_tanh.h"
#include "nn/norm/layer.h"
#include "nn/norm/partial_rms.h"
#include "nn/norm/rms.h"
#include "nn/norm/unit.h"
#include "nn/placement/parallel.h"
#include "nn/placement/residual_dual.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"
#include "variants.h"

namespace keel::test {
namespace {

// A decoder as plain loops over complex numbers, for every norm, placement and residual scheme:
// what Decoder computes, written once more from the papers' formulas, and by the complex step every
// gradient to the last digit. No positions, swiglu, one row of tokens.
class ReferenceDecoder {
 public:
  using C = std::complex<double>;
  using Rows = std::vector<std::vector<C>>;  // [time][channel]

  // Takes the parameters of `model` as they are. BatchNorm as in training.
  explicit ReferenceDecoder(const Decoder& model);

  // Sum of the losses of all targets, nats.
  C loss(const std::vector<int32_t>& tokens, const std::vector<int32_t>& targets) const;
  // d loss / d some values of a parameter, spread over it: their places and the derivatives.
  std::map<size_t, double> gradient(const std::string& name, const std::vector<int32_t>& tokens,
                                    const std::vector<int32_t>& targets);

 private:
  Rows linear(const Rows& x, const std::string& name) const;
  Rows attention(const Rows& x, const std::string& name) const;
  Rows ffn(const Rows& x, const std::string& name) const;
  Rows norm(const Rows& x, const std::string& name, double scale = 1) const;
  std::vector<C> normed_row(const std::vector<C>& x, const std::string& name) const;
  Rows batch_normed(const Rows& x) const;
  Rows residual(Rows branch, const std::string& name) const;
  void block(Rows& x, Rows& dual, int64_t layer) const;
  bool has(const std::string& name) const { return values_.count(name) > 0; }

  ModelConfig config_;
  std::map<std::string, std::vector<C>> values_;
};

using C = ReferenceDecoder::C;
using Rows = ReferenceDecoder::Rows;

Rows sum(const Rows& a, const Rows& b, double fa = 1, double fb = 1) {
  Rows y = a;
  for (size_t t = 0; t < y.size(); ++t) {
    for (size_t i = 0; i < y[t].size(); ++i) y[t][i] = fa * a[t][i] + fb * b[t][i];
  }
  return y;
}

std::string block_name(int64_t layer) { return "blocks." + std::to_string(layer); }

ReferenceDecoder::ReferenceDecoder(const Decoder& model) : config_(model.config()) {
  for (const Parameter& p : model.parameters().list()) {
    const std::vector<float> v = to_host(p.weight);
    values_[p.name].assign(v.begin(), v.end());
  }
}

Rows ReferenceDecoder::linear(const Rows& x, const std::string& name) const {
  const std::vector<C>& w = values_.at(name + ".weight");
  const size_t in = x[0].size(), out = w.size() / in;
  Rows y(x.size(), std::vector<C>(out));
  for (size_t t = 0; t < x.size(); ++t) {
    for (size_t o = 0; o < out; ++o) {
      if (has(name + ".bias")) y[t][o] = values_.at(name + ".bias")[o];
      for (size_t i = 0; i < in; ++i) y[t][o] += w[o * in + i] * x[t][i];
    }
  }
  return y;
}

Rows ReferenceDecoder::attention(const Rows& x, const std::string& name) const {
  const Rows q = linear(x, name + ".q"), k = linear(x, name + ".k"), v = linear(x, name + ".v");
  const auto heads = static_cast<size_t>(config_.heads);
  const auto shared = heads / static_cast<size_t>(config_.kv_heads_in_force());
  const auto d = static_cast<size_t>(config_.head_dim_in_force());
  Rows o(x.size(), std::vector<C>(heads * d));
  for (size_t h = 0; h < heads; ++h) {
    const size_t qa = h * d, ka = h / shared * d;
    for (size_t t = 0; t < x.size(); ++t) {
      std::vector<C> weight(t + 1);
      C total = 0;
      for (size_t j = 0; j <= t; ++j) {
        C score = 0;
        for (size_t i = 0; i < d; ++i) score += q[t][qa + i] * k[j][ka + i];
        weight[j] = std::exp(score / std::sqrt(double(d)));
        total += weight[j];
      }
      for (size_t j = 0; j <= t; ++j) {
        for (size_t i = 0; i < d; ++i) o[t][qa + i] += weight[j] / total * v[j][ka + i];
      }
    }
  }
  return linear(o, name + ".out");
}

Rows ReferenceDecoder::ffn(const Rows& x, const std::string& name) const {
  Rows gate = linear(x, name + ".gate");
  const Rows up = linear(x, name + ".up");
  for (size_t t = 0; t < gate.size(); ++t) {
    for (size_t i = 0; i < gate[t].size(); ++i) {
      gate[t][i] = gate[t][i] / (1.0 + std::exp(-gate[t][i])) * up[t][i];
    }
  }
  return linear(gate, name + ".down");
}

std::vector<C> ReferenceDecoder::normed_row(const std::vector<C>& x,
                                            const std::string& name) const {
  const Config& o = config_.norm.options();
  const double n = double(x.size());
  std::vector<C> y = x;
  if (dynamic_cast<const DynamicTanh::Config*>(&o)) {
    for (C& v : y) v = std::tanh(values_.at(name + ".alpha")[0] * v);
    return y;
  }
  size_t first = x.size();
  if (const auto* p = dynamic_cast<const PartialRmsNorm::Config*>(&o)) {
    first = size_t(std::ceil(p->share * n - 1e-9));
  }
  C mean = 0, square = 0;
  if (dynamic_cast<const LayerNorm::Config*>(&o)) {
    for (const C& v : x) mean += v / n;
  }
  for (size_t i = 0; i < first; ++i) square += (x[i] - mean) * (x[i] - mean) / double(first);
  C root;
  if (const auto* r = dynamic_cast<const RowNormOptions*>(&o)) {
    root = r->eps_inside ? std::sqrt(square + r->eps) : std::sqrt(square) + r->eps;
  } else if (const auto* unit = dynamic_cast<const UnitNorm::Config*>(&o)) {
    root = std::sqrt(square) * (unit->scale_sqrt_dim ? 1.0 : std::sqrt(n));
  } else {
    ADD_FAILURE() << "norm \"" << config_.norm.kind() << "\" has no formula here: write it above";
    return x;
  }
  for (C& v : y) v = (v - mean) / root;
  return y;
}

Rows ReferenceDecoder::batch_normed(const Rows& x) const {
  Rows y = x;
  const double n = double(x.size());
  for (size_t i = 0; i < x[0].size(); ++i) {
    C mean = 0, square = 0;
    for (const auto& row : x) mean += row[i] / n;
    for (const auto& row : x) square += (row[i] - mean) * (row[i] - mean) / n;
    const double eps = config_.norm.options_as<BatchNorm::Config>().eps;
    for (auto& row : y) row[i] = (row[i] - mean) / std::sqrt(square + eps);
  }
  return y;
}

Rows ReferenceDecoder::norm(const Rows& x, const std::string& name, double scale) const {
  Rows y = x;
  if (dynamic_cast<const BatchNorm::Config*>(&config_.norm.options())) {
    y = batch_normed(x);
  } else {
    for (auto& row : y) row = normed_row(row, name);
  }
  const double base = config_.norm.options_as<NormOptions>().zero_centred ? 1 : 0;
  for (auto& row : y) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (has(name + ".gain")) row[i] *= base + values_.at(name + ".gain")[i];
      if (has(name + ".bias")) row[i] += values_.at(name + ".bias")[i];
      row[i] *= scale;
    }
  }
  return y;
}

Rows ReferenceDecoder::residual(Rows branch, const std::string& name) const {
  if (!has(name + ".factor")) return branch;
  const std::vector<C>& f = values_.at(name + ".factor");
  for (auto& row : branch) {
    for (size_t i = 0; i < row.size(); ++i) row[i] *= f[f.size() == 1 ? 0 : i];
  }
  return branch;
}

void ReferenceDecoder::block(Rows& x, Rows& dual, int64_t layer) const {
  const std::string n = block_name(layer), kind = config_.placement.kind();
  const auto a = [&](const Rows& in) { return attention(in, n + ".attention"); };
  const auto f = [&](const Rows& in) { return ffn(in, n + ".ffn"); };
  const auto ra = [&](const Rows& in) { return residual(in, n + ".attention_residual"); };
  const auto rf = [&](const Rows& in) { return residual(in, n + ".ffn_residual"); };
  const std::string an = n + ".attention_norm", fn = n + ".ffn_norm";
  const std::string ao = n + ".attention_out_norm", fo = n + ".ffn_out_norm";
  if (kind == "pre" || kind == "scaled") {
    const double s = kind == "scaled" ? 1 / std::sqrt(double(layer + 1)) : 1;
    const bool bare = !config_.attention_norm;
    x = sum(x, ra(a(bare ? x : norm(x, an, s))));
    x = sum(x, rf(f(norm(x, fn, s))));
  } else if (kind == "post" || kind == "deepnorm") {
    const double alpha = kind == "deepnorm" ? std::pow(2.0 * double(config_.layers), 0.25) : 1;
    x = norm(sum(x, ra(a(x)), alpha), an);
    x = norm(sum(x, rf(f(x)), alpha), fn);
  } else if (kind == "sandwich") {
    x = sum(x, ra(norm(a(config_.attention_norm ? norm(x, an) : x), ao)));
    x = sum(x, rf(norm(f(norm(x, fn)), fo)));
  } else if (kind == "reordered") {
    x = sum(x, ra(norm(a(x), ao)));
    x = sum(x, rf(norm(f(x), fo)));
  } else if (kind == "residual_dual") {
    const double s = config_.placement.options_as<ResidualDualPlacement::Config>().scale;
    if (dual.empty()) dual = sum(x, x, s, 0);
    const Rows b = ra(a(x));
    dual = sum(dual, b, 1, s);
    x = norm(sum(x, b), an);
    const Rows c = rf(f(x));
    dual = sum(dual, c, 1, s);
    x = norm(sum(x, c), fn);
  } else if (kind == "parallel") {
    const bool two = config_.placement.options_as<ParallelPlacement::Config>().two_norms;
    const Rows in = config_.attention_norm ? norm(x, an) : x;
    x = sum(sum(x, ra(a(in))), rf(f(norm(x, two ? fn : an))));
  } else if (kind == "unnormed") {
    x = sum(x, ra(a(x)));
    x = sum(x, rf(f(x)));
  } else {
    ADD_FAILURE() << "placement \"" << kind << "\" has no formula here: write it above";
  }
}

C ReferenceDecoder::loss(const std::vector<int32_t>& tokens,
                         const std::vector<int32_t>& targets) const {
  const auto dim = static_cast<size_t>(config_.dim);
  const std::vector<C>& table = values_.at("embedding.weight");
  Rows x, dual;
  for (const int32_t token : tokens) {
    const auto at = table.begin() + token * config_.dim;
    x.emplace_back(at, at + config_.dim);
  }
  if (!config_.embedding_norm.is_none()) x = norm(x, "embedding_norm");
  for (int64_t i = 0; i < config_.layers; ++i) block(x, dual, i);
  if (!dual.empty()) {
    x = sum(x, norm(dual, "final_norm"));
  } else if (config_.final_norm_in_force()) {
    x = norm(x, "final_norm");
  }
  const std::vector<C>& head = config_.tied ? table : values_.at("head.weight");
  C total = 0;
  for (size_t t = 0; t < x.size(); ++t) {
    C z = 0, hit = 0;
    for (size_t v = 0; v < head.size() / dim; ++v) {
      C logit = 0;
      for (size_t i = 0; i < dim; ++i) logit += head[v * dim + i] * x[t][i];
      z += std::exp(logit);
      if (v == static_cast<size_t>(targets[t])) hit = logit;
    }
    total += std::log(z) - hit;
  }
  return total;
}

std::map<size_t, double> ReferenceDecoder::gradient(const std::string& name,
                                                    const std::vector<int32_t>& tokens,
                                                    const std::vector<int32_t>& targets) {
  constexpr double kStep = 1e-30;
  constexpr size_t kPlaces = 12;
  std::vector<C>& values = values_.at(name);
  std::map<size_t, double> g;
  for (size_t i = 0; i < values.size(); i += std::max<size_t>(1, values.size() / kPlaces)) {
    const C was = values[i];
    values[i] += C(0, kStep);
    g[i] = loss(tokens, targets).imag() / kStep;
    values[i] = was;
  }
  return g;
}

constexpr int64_t kVocab = 7;
const std::vector<int32_t> kTokens{3, 0, 6, 2, 5}, kTargets{0, 6, 2, 5, 1};

ModelConfig tiny(const std::vector<std::string>& sets) {
  ModelConfig config;
  load_config_text("tiny.toml",
                   "dim = 8\nlayers = 2\nheads = 2\nkv_heads = 1\ncontext = 8\n"
                   "[init]\ndeviation = 0.4\n[position]\nkind = \"none\"\n[ffn]\nhidden = 12\n",
                   sets, config);
  return config;
}

// Gains, biases and factors are moved away from where they start.
void move_vectors(Decoder& model) {
  uint64_t seed = 0;
  for (const Parameter& p : model.parameters().list()) {
    if (p.shape.axes() > 1) continue;
    const std::vector<float> noise = normal_values(p.weight.size(), ++seed, 0.3);
    for (size_t i = 0; i < noise.size(); ++i) p.weight.data<float>()[i] += noise[i];
  }
}

double norm_of(const std::vector<double>& v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

void check(const std::vector<std::string>& sets) {
  SCOPED_TRACE(testing::PrintToString(sets));
  Decoder model(tiny(sets), kVocab, DeviceKind::kCpu, DType::kF32);
  model.initialise(3);
  move_vectors(model);
  Parameters& parameters = model.parameters();
  ReferenceDecoder reference(model);
  StepState state;
  state.loss_scale = 1;
  const int64_t n = static_cast<int64_t>(kTokens.size());
  Pass pass;
  pass.tokens = from_host({1, n}, std::span<const int32_t>(kTokens));
  pass.step = &state;
  parameters.want_gradients(true);
  parameters.begin_gradients();
  const CrossEntropy ce = head_loss(reshape(model.hidden(pass), {n, 8}), model.head(),
                                    from_host({n}, std::span<const int32_t>(kTargets)), {}, &state);
  const double want = reference.loss(kTokens, kTargets).real();
  EXPECT_NEAR(static_cast<double>(to_host(ce.loss.t)[0]), want, 1e-5 * want);
  backward(ce.loss);
  parameters.finish_gradients();
  const std::vector<float> flat = to_host(parameters.flat_grads());
  const double whole = norm_of({flat.begin(), flat.end()});
  for (const Parameter& p : parameters.list()) {
    const std::vector<float> g = to_host(p.grad);
    std::vector<double> exact, error;
    for (const auto& [i, d] : reference.gradient(p.name, kTokens, kTargets)) {
      exact.push_back(d);
      error.push_back(d - static_cast<double>(g[i]));
    }
    EXPECT_LT(norm_of(error), 1e-4 * std::max(norm_of(exact), 1e-3 * whole)) << p.name;
  }
}

TEST(Blocks, EveryNorm) {
  for (const std::string& kind : norms().names()) {
    check({set("norm", kind)});
    check({set("norm", kind), "placement.kind=post"});
    check({set("norm", kind), "placement.kind=deepnorm", "bias=true"});
    check({set("norm", kind), "placement.kind=sandwich"});
  }
}

TEST(Blocks, EveryNormOption) {
  for (const char* norm : {"rms", "layer"}) {
    const std::string kind = std::string("norm.kind=") + norm;
    for (const char* option : {"norm.bias=true", "norm.bias=false", "norm.eps_inside=false",
                               "norm.zero_centred=true", "norm.gain=false"}) {
      check({kind, option, "norm.eps=0.01"});
      check({kind, option, "norm.eps=0.01", "placement.kind=scaled"});
    }
  }
  check({"norm.kind=l2", "norm.scale_sqrt_dim=false", "norm.bias=true"});
  check({"norm.kind=l2", "norm.scale_sqrt_dim=false", "norm.gain=false"});
  check({"norm.kind=dyt", "norm.zero_centred=true", "norm.alpha=0.8"});
}

TEST(Blocks, EveryPlacement) {
  for (const std::string& kind : placements().names()) {
    const std::string placement = "placement.kind=" + kind;
    check({placement});
    check({placement, "norm.kind=layer", "bias=true", "tied=false"});
    check({placement, "embedding_norm.kind=rms"});
    for (const std::string& residual : residuals().names()) {
      check({placement, "residual.kind=" + residual});
    }
  }
}

TEST(Blocks, EveryPlacementOption) {
  for (const char* kind : {"pre", "scaled", "sandwich"}) {
    check({std::string("placement.kind=") + kind, "attention_norm=false"});
  }
  check({"placement={kind=\"parallel\", two_norms=true}", "attention_norm=false"});
  check({"placement.kind=parallel", "placement.two_norms=true"});
  check({"placement.kind=residual_dual", "placement.scale=0.25"});
  check({"placement.kind=pre", "final_norm=off"});
  check({"placement.kind=unnormed", "final_norm=on", "residual.kind=rezero"});
}

TEST(Blocks, EverySiteOfABias) {
  for (const char* site : {"q", "k", "v", "out", "ffn"}) {
    check({std::string("biases.") + site + "=on"});
    check({"bias=true", std::string("biases.") + site + "=off"});
  }
}

}  // namespace
}  // namespace keel::test
