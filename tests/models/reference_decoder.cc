#include "reference_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "config/load.h"
#include "harness/check_op.h"
#include "nn/init/mup.h"
#include "nn/norm/batch.h"
#include "nn/norm/dynamic_tanh.h"
#include "nn/norm/layer.h"
#include "nn/norm/partial_rms.h"
#include "nn/norm/rms.h"
#include "nn/norm/unit.h"
#include "nn/placement/parallel.h"
#include "nn/placement/residual_dual.h"
#include "nn/position/sinusoidal.h"
#include "ops/activation_cases.h"
#include "ops/add.h"
#include "ops/cross_entropy.h"
#include "ops/reshape.h"

namespace keel::test {
namespace {

using C = ReferenceDecoder::C;
using Row = ReferenceDecoder::Row;
using Rows = ReferenceDecoder::Rows;

constexpr double kStep = 1e-30;  // of the complex step

Rows sum(const Rows& a, const Rows& b, double fa = 1, double fb = 1) {
  Rows y = a;
  for (size_t t = 0; t < y.size(); ++t) {
    for (size_t i = 0; i < y[t].size(); ++i) y[t][i] = fa * a[t][i] + fb * b[t][i];
  }
  return y;
}

// x W^T + b, the bias where there is one.
Rows product(const Rows& x, const Row& w, const Row* bias) {
  const size_t in = x[0].size(), out = w.size() / in;
  Rows y(x.size(), bias ? *bias : Row(out));
  for (size_t t = 0; t < x.size(); ++t) {
    for (size_t o = 0; o < out; ++o) {
      for (size_t i = 0; i < in; ++i) y[t][o] += w[o * in + i] * x[t][i];
    }
  }
  return y;
}

void make_unit(std::vector<double>& x) {
  double square = 0;
  for (const double v : x) square += v * v;
  for (double& v : x) v /= std::sqrt(square);
}

// sigma = v W u' by one power iteration from u; v and u' are constants to the gradient (arXiv
// 2303.06296), so they are made of real parts.
C sigma(const Row& w, const std::vector<double>& u) {
  const size_t in = u.size(), out = w.size() / in;
  std::vector<double> v(out), next(in);
  for (size_t i = 0; i < w.size(); ++i) v[i / in] += w[i].real() * u[i % in];
  make_unit(v);
  for (size_t i = 0; i < w.size(); ++i) next[i % in] += w[i].real() * v[i / in];
  make_unit(next);
  C s = 0;
  for (size_t i = 0; i < w.size(); ++i) s += v[i / in] * w[i] * next[i % in];
  return s;
}

// Each row over its length, times its gain.
void weight_normalise(Row& w, const Row& gain) {
  const size_t in = w.size() / gain.size();
  for (size_t r = 0; r < gain.size(); ++r) {
    C square = 0;
    for (size_t i = 0; i < in; ++i) square += w[r * in + i] * w[r * in + i];
    for (size_t i = 0; i < in; ++i) w[r * in + i] *= gain[r] / std::sqrt(square);
  }
}

Activation activation_of(const std::string& ffn) {
  static const std::map<std::string, Activation> kinds{
      {"swiglu", Activation::kSilu},       {"silu", Activation::kSilu},
      {"geglu", Activation::kGelu},        {"gelu", Activation::kGelu},
      {"geglu_erf", Activation::kGeluErf}, {"gelu_erf", Activation::kGeluErf},
      {"reglu", Activation::kRelu},        {"relu", Activation::kRelu},
      {"gated_elu", Activation::kElu},     {"elu", Activation::kElu},
      {"bilinear", Activation::kIdentity}, {"relu2", Activation::kRelu2},
      {"glu", Activation::kSigmoid}};
  const auto found = kinds.find(ffn);
  if (found != kinds.end()) return found->second;
  ADD_FAILURE() << "feed-forward layer \"" << ffn << "\" has no formula here: write it above";
  return Activation::kIdentity;
}

void expect_known(const Choice& choice, const std::vector<std::string>& kinds) {
  EXPECT_TRUE(std::count(kinds.begin(), kinds.end(), choice.kind()))
      << choice.registry().family() << " \"" << choice.kind()
      << "\" has no formula in the reference: write it";
}

}  // namespace

Rows plus(Rows a, const Row& b) {
  for (Row& row : a) {
    for (size_t i = 0; i < row.size(); ++i) row[i] += b[i];
  }
  return a;
}

Row sinusoid(size_t p, size_t dim, bool concatenated) {
  Row y(dim);
  const size_t pairs = dim / 2;
  for (size_t i = 0; i < pairs; ++i) {
    const double power =
        concatenated ? double(i) / std::max(1.0, double(pairs) - 1) : double(i) / double(pairs);
    const double angle = double(p) / std::pow(10000.0, power);
    y[concatenated ? i : 2 * i] = std::sin(angle);
    y[concatenated ? pairs + i : 2 * i + 1] = std::cos(angle);
  }
  return y;
}

ReferenceDecoder::ReferenceDecoder(const Decoder& model, std::vector<int32_t> tokens,
                                   std::vector<int32_t> targets, const LossTerms& terms)
    : config_(model.config()),
      tokens_(std::move(tokens)),
      targets_(std::move(targets)),
      terms_(terms) {
  expect_known(config_.attention, {"softmax"});
  expect_known(config_.linear, {"plain", "sigma_reparam", "weight_norm"});
  expect_known(config_.position,
               {"none", "rope", "learned", "sinusoidal", "t5", "alibi", "transformer_xl"});
  for (const Parameter& p : model.parameters().list()) {
    const std::vector<float> v = to_host(p.weight);
    values_[p.name].assign(v.begin(), v.end());
  }
  for (const Parameters::Buffer& b : model.parameters().buffers()) {
    if (!b.name.ends_with(".u")) continue;
    const std::vector<float> v = to_host(b.tensor);
    singular_[b.name].assign(v.begin(), v.end());
  }
}

const Row* ReferenceDecoder::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

Row ReferenceDecoder::weight(const std::string& name) const {
  Row w = values_.at(name + ".weight");
  if (const Row* gamma = find(name + ".gamma")) {
    const C factor = (*gamma)[0] / sigma(w, singular_.at(name + ".u"));
    for (C& x : w) x *= factor;
  }
  if (const Row* gain = find(name + ".weight_gain")) weight_normalise(w, *gain);
  return w;
}

Rows ReferenceDecoder::linear(const Rows& x, const std::string& name) const {
  return product(x, weight(name), find(name + ".bias"));
}

Rows ReferenceDecoder::ffn(const Rows& x, const std::string& name) const {
  const Activation activation = activation_of(config_.ffn.kind());
  const bool gated = find(name + ".gate.weight") != nullptr;
  Rows y = linear(x, name + (gated ? ".gate" : ".up"));
  const Rows up = gated ? linear(x, name + ".up") : Rows();
  for (size_t t = 0; t < y.size(); ++t) {
    for (size_t i = 0; i < y[t].size(); ++i) {
      y[t][i] = activation_ref(activation, y[t][i]) * (gated ? up[t][i] : 1.0);
    }
  }
  return linear(y, name + ".down");
}

void ReferenceDecoder::scale_and_shift(Row& x, const std::string& name, double base) const {
  const Row *gain = find(name + ".gain"), *bias = find(name + ".bias");
  for (size_t i = 0; i < x.size(); ++i) {
    if (gain) x[i] *= base + (*gain)[i % gain->size()];
    if (bias) x[i] += (*bias)[i % bias->size()];
  }
}

Row ReferenceDecoder::normed_row(const Row& x, const std::string& name) const {
  const Config& o = config_.norm.options();
  const double n = double(x.size());
  Row y = x;
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
    for (Row& row : y) row = normed_row(row, name);
  }
  const double base = config_.norm.options_as<NormOptions>().zero_centred ? 1 : 0;
  for (Row& row : y) {
    scale_and_shift(row, name, base);
    for (C& v : row) v *= scale;
  }
  return y;
}

Rows ReferenceDecoder::residual(Rows branch, const std::string& name) const {
  const Row* f = find(name + ".factor");
  if (!f) return branch;
  for (Row& row : branch) {
    for (size_t i = 0; i < row.size(); ++i) row[i] *= (*f)[f->size() == 1 ? 0 : i];
  }
  return branch;
}

void ReferenceDecoder::block(Rows& x, Rows& dual, C& penalty, int64_t layer) const {
  const std::string n = "blocks." + std::to_string(layer), kind = config_.placement.kind();
  const auto a = [&](const Rows& in) { return attention(in, n + ".attention", penalty); };
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

Rows ReferenceDecoder::embedded() const {
  const auto dim = static_cast<size_t>(config_.dim);
  const Row& table = values_.at("embedding.weight");
  const Row* learned = config_.position.kind() == "learned" ? find("positions.weight") : nullptr;
  const auto* waves = dynamic_cast<const SinusoidalPosition::Config*>(&config_.position.options());
  const double scale = waves && waves->scale_embedding ? std::sqrt(double(dim)) : 1;
  Rows x;
  for (size_t t = 0; t < tokens_.size(); ++t) {
    Row row(dim);
    if (waves) row = sinusoid(t, dim, waves->layout == "concatenated");
    for (size_t i = 0; i < dim; ++i) {
      row[i] += scale * table[size_t(tokens_[t]) * dim + i];
      if (learned) row[i] += (*learned)[t * dim + i];
    }
    x.push_back(row);
  }
  return x;
}

C ReferenceDecoder::target_loss(Row z, int32_t target) const {
  const double cap = config_.head.softcap, smoothing = terms_.smoothing;
  C total = 0, mean = 0;
  for (C& x : z) {
    if (const auto* mup = dynamic_cast<const MupInit::Config*>(&config_.init.options())) {
      x *= mup->output * double(mup->base_dim) / double(config_.dim);
    }
    if (cap > 0) x = cap * std::tanh(x / cap);
    total += std::exp(x);
    mean += x / double(z.size());
  }
  const C log_z = std::log(total);
  return (1 - smoothing) * (log_z - z[size_t(target)]) + smoothing * (log_z - mean) +
         terms_.z_loss * log_z * log_z;
}

C ReferenceDecoder::loss() const {
  Rows x = embedded(), dual;
  C penalty = 0, total = 0;
  if (!config_.embedding_norm.is_none()) x = norm(x, "embedding_norm");
  for (int64_t i = 0; i < config_.layers; ++i) block(x, dual, penalty, i);
  if (!dual.empty()) {
    x = sum(x, norm(dual, "final_norm"));
  } else if (config_.final_norm_in_force()) {
    x = norm(x, "final_norm");
  }
  const Row& head = values_.at(config_.tied ? "embedding.weight" : "head.weight");
  const Rows logits = product(x, head, find("head.bias"));
  for (size_t t = 0; t < logits.size(); ++t) total += target_loss(logits[t], targets_[t]);
  return penalty + total / double(logits.size());
}

std::map<size_t, double> ReferenceDecoder::gradient(const std::string& name) {
  constexpr size_t kPlaces = 12;
  Row& values = values_.at(name);
  std::map<size_t, double> g;
  // An odd stride, so that the places are in all columns of a matrix.
  for (size_t i = 0; i < values.size(); i += values.size() / kPlaces | 1) {
    const C was = values[i];
    values[i] += C(0, kStep);
    g[i] = loss().imag() / kStep;
    values[i] = was;
  }
  return g;
}

double ReferenceDecoder::slope(const std::string& name, const std::vector<float>& direction) {
  Row& values = values_.at(name);
  const Row was = values;
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] += C(0, kStep * static_cast<double>(direction[i]));
  }
  const double s = loss().imag() / kStep;
  values = was;
  return s;
}

namespace {

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

void add_noise(const Tensor& x, uint64_t seed) {
  const std::vector<float> noise = normal_values(x.size(), seed, 0.3);
  for (size_t i = 0; i < noise.size(); ++i) x.data<float>()[i] += noise[i];
}

// Gains, biases and factors are moved away from where they start, and singular vectors from where
// an iteration leaves them: there a gradient that went through u would be the same.
void move_vectors(Decoder& model) {
  uint64_t seed = 0;
  for (const Parameter& p : model.parameters().list()) {
    if (p.shape.axes() == 1) add_noise(p.weight, ++seed);
  }
  for (const Parameters::Buffer& b : model.parameters().buffers()) {
    if (b.name.ends_with(".u")) add_noise(b.tensor, ++seed);
  }
}

// As the task has it.
Var training_loss(const Decoder& model, const LossTerms& terms, const StepState& state) {
  const auto n = static_cast<int64_t>(kTokens.size());
  Pass pass;
  pass.tokens = from_host({1, n}, std::span<const int32_t>(kTokens));
  pass.step = &state;
  HeadOptions options = model.head_options();
  options.z_loss = static_cast<float>(terms.z_loss);
  options.smoothing = static_cast<float>(terms.smoothing);
  const Var hidden = reshape(model.hidden(pass), {n, model.config().dim});
  const CrossEntropy ce =
      head_loss(hidden, model.head(), from_host({n}, std::span<const int32_t>(kTargets)), {},
                &state, 0, options, model.head_bias());
  return pass.penalty ? add(ce.loss, pass.penalty) : ce.loss;
}

double norm_of(const std::vector<double>& v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

// Some places one by one, and all of them along one direction. `whole`: the length of the gradient
// of all parameters.
void check_gradient(ReferenceDecoder& reference, const Parameter& p, double whole) {
  const std::vector<float> g = to_host(p.grad), direction = normal_values(p.grad.size(), 11);
  std::vector<double> exact, error;
  for (const auto& [i, d] : reference.gradient(p.name)) {
    exact.push_back(d);
    error.push_back(d - static_cast<double>(g[i]));
  }
  EXPECT_LT(norm_of(error), 1e-4 * std::max(norm_of(exact), 1e-3 * whole)) << p.name;
  double along = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    along += static_cast<double>(g[i]) * static_cast<double>(direction[i]);
  }
  const double size = std::max(norm_of({g.begin(), g.end()}), 1e-3 * whole);
  EXPECT_NEAR(along, reference.slope(p.name, direction), 1e-4 * size) << p.name;
}

}  // namespace

void check_decoder(const std::vector<std::string>& sets, const LossTerms& terms) {
  SCOPED_TRACE(testing::PrintToString(sets));
  Decoder model(tiny(sets), kVocab, DeviceKind::kCpu, DType::kF32);
  model.initialise(3);
  move_vectors(model);
  Parameters& parameters = model.parameters();
  ReferenceDecoder reference(model, kTokens, kTargets, terms);
  StepState state;
  state.loss_scale = 1.0f / static_cast<float>(kTargets.size());
  parameters.want_gradients(true);
  parameters.begin_gradients();
  const Var loss = training_loss(model, terms, state);
  const double want = reference.loss().real();
  EXPECT_NEAR(static_cast<double>(to_host(loss.t)[0]), want, 1e-5 * want);
  backward(loss);
  parameters.finish_gradients();
  const std::vector<float> flat = to_host(parameters.flat_grads());
  const double whole = norm_of({flat.begin(), flat.end()});
  for (const Parameter& p : parameters.list()) check_gradient(reference, p, whole);
}

}  // namespace keel::test
