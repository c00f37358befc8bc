#include "optim/muon.h"

#include <algorithm>
#include <cmath>

#include "ops/muon.h"
#include "ops/newton_schulz.h"
#include "ops/update.h"

namespace keel {
namespace {

bool takes(const Param& p) { return p.group == Group::kMatrix && p.weight.shape().axes() == 2; }

Params matrices_of(const Params& all) {
  Params out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out), takes);
  return out;
}

// What AdamW gets, its rate relative to Muon's, so that the schedule moves both.
Params rest_of(const Params& all, const Muon::Config& config) {
  Params out;
  for (const Param& p : all) {
    if (takes(p)) continue;
    out.push_back(p);
    out.back().rate *= config.adamw.lr / config.lr;
  }
  return out;
}

double scale_of(const std::string& kind, const Tensor& w) {
  const auto rows = static_cast<double>(w.dim(0)), columns = static_cast<double>(w.dim(1));
  if (kind == "match_rms") return 0.2 * std::sqrt(std::max(rows, columns));
  return std::sqrt(std::max(1.0, rows / columns));
}

}  // namespace

Muon::Config::Config() {
  adamw.lr = 3e-4;
  adamw.weight_decay = 0.01;
}

void Muon::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate of the matrices", above(0));
  f("momentum", momentum, "decay rate of the momentum", at_least(0).below(1));
  f("nesterov", nesterov, "Nesterov's update: the momentum, looked at one gradient ahead");
  f("iterations", iterations, "of Newton and Schulz", between(1, 20));
  f("scale", scale,
    "an update's factor: \"original\": sqrt(max(1, rows / columns)); \"match_rms\": 0.2 * "
    "sqrt(max(rows, columns)), for rates and decays of AdamW",
    one_of({"original", "match_rms"}));
  f("weight_decay", weight_decay, "strength of the decay of the matrices", at_least(0));
  decay_field(f, decay);
  f("adamw", adamw, "embeddings, head and vectors; lr is their own peak rate");
}

Muon::Muon(const Config& config, const Params& params)
    : config_(config),
      matrices_(matrices_of(params)),
      rest_(config.adamw, rest_of(params, config)) {
  check_params(params);
  const DeviceKind device = params.empty() ? DeviceKind::kCpu : params[0].weight.device();
  int64_t size = 0, largest = 1, square = 1;
  for (const Param& p : matrices_) {
    const int64_t k = std::min(p.weight.dim(0), p.weight.dim(1));
    size += p.weight.size();
    largest = std::max(largest, p.weight.size());
    square = std::max(square, k * k);
  }
  const auto zeroed = [&](int64_t n, const char* what) {
    return persistent({n}, DType::kF32, device, what);
  };
  momentum_ = zeroed(std::max<int64_t>(size, 1), "the optimizer's first moments");
  x_ = zeroed(largest, "Muon's iterations");
  next_ = zeroed(largest, "Muon's iterations");
  gram_ = zeroed(square, "Muon's iterations");
  poly_ = zeroed(square, "Muon's iterations");
  const int64_t parts = (largest + kernel::kUpdatePart - 1) / kernel::kUpdatePart;
  partial_ = zeroed(2 * parts, "partial sums of the optimizer");
  int64_t at = 0;
  for (const Param& p : matrices_) {
    momenta_.push_back(momentum_.slice(0, at, at + p.weight.size()).view(p.weight.shape()));
    at += p.weight.size();
  }
}

void Muon::update(const Param& p, const Tensor& momentum, const StepState* state) {
  const Shape& shape = p.weight.shape();
  const int64_t k = std::min(shape[0], shape[1]);
  const auto part = [](const Tensor& t, const Shape& s) { return t.slice(0, 0, s.size()).view(s); };
  const Tensor x = part(x_, shape);
  on_device(x, [&](auto& dev) {
    kernel::muon_momentum(
        dev, {p.grad, momentum, x, config_.momentum, config_.nesterov, state, partial_});
  });
  // A skipped step leaves the last matrix here: finite, and unused below.
  const Tensor u = newton_schulz({x, part(next_, shape), part(gram_, {k, k}), part(poly_, {k, k}),
                                  static_cast<int>(config_.iterations)});
  on_device(x, [&](auto& dev) {
    kernel::muon_apply(
        dev, {p.weight, p.copy, u, scale_of(config_.scale, p.weight), config_.weight_decay, p.rate,
              p.decay, config_.decay == "independent", state});
  });
}

void Muon::step(const StepState* state) {
  for (size_t i = 0; i < matrices_.size(); ++i) update(matrices_[i], momenta_[i], state);
  rest_.step(state);
}

std::vector<StateTensor> Muon::state() const {
  std::vector<StateTensor> out;
  for (size_t i = 0; i < matrices_.size(); ++i) {
    out.push_back({"m/" + matrices_[i].name, momenta_[i]});
  }
  for (StateTensor& t : rest_.state()) out.push_back(std::move(t));
  return out;
}

int64_t Muon::working_bytes() const {
  return static_cast<int64_t>(x_.bytes() + next_.bytes() + gram_.bytes() + poly_.bytes());
}

}  // namespace keel
