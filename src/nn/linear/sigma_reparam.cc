#include "nn/linear/sigma_reparam.h"

#include <cmath>
#include <cstring>

#include "ops/sigma_reparam.h"

namespace keel {
namespace {

constexpr int kMostIterations = 200;
constexpr double kStandsStill = 3e-7;  // relative change of every sigma

}  // namespace

SigmaReparamLinear::SigmaReparamLinear(const Config& config, const LinearArgs& a)
    : config_(config), compute_(a.parameters.compute()), weight_(add_weights(a)) {
  Parameters& p = a.parameters;
  std::vector<Parameters::Part> gammas;
  for (const LinearPart& part : a.parts) {
    gammas.push_back({part.name + ".gamma", {1}, Role::kGain});
    rows_.rows[static_cast<size_t>(rows_.parts++)] = part.out;
  }
  gamma_ = p.add_stack(gammas);
  const Shape shape{rows_.parts, a.in};
  u_ = p.add_buffer(shape);
  begin_ = p.add_buffer(shape);
  for (int i = 0; i < rows_.parts; ++i) {
    p.save_buffer(a.parts[static_cast<size_t>(i)].name + ".u", u_.slice(0, i, i + 1).view({a.in}));
  }
  p.after_start(*this);
}

Var SigmaReparamLinear::weight(const Pass& pass) const {
  if (!pass.step) return sigma_reparam(weight_.master(), gamma_.var(), {rows_, u_, {}, compute_});
  const auto step = static_cast<int64_t>(pass.step->step);
  if (step != step_ && u_.device() == DeviceKind::kCpu) {
    std::memcpy(begin_.raw(), u_.raw(), u_.bytes());
    step_ = step;
  }
  return sigma_reparam(weight_.master(), gamma_.var(), {rows_, begin_, u_, compute_});
}

void SigmaReparamLinear::start() {
  step_ = -1;
  if (u_.device() != DeviceKind::kCpu) return;
  const int64_t in = u_.dim(1);
  float* u = u_.data<float>();
  for (int64_t i = 0; i < u_.size(); ++i) u[i] = 1.0f / std::sqrt(static_cast<float>(in));
  const Tensor sigma = empty({rows_.parts}), before = empty({rows_.parts});
  const Tensor w = weight_.master().t;
  float *now = sigma.data<float>(), *last = before.data<float>();
  for (int i = 0; i < kMostIterations; ++i) {
    spectral_step(w, rows_, u_, u_, sigma);
    bool still = i > 0;
    for (int p = 0; p < rows_.parts; ++p) {
      const double change = static_cast<double>(now[p]) - static_cast<double>(last[p]);
      still &= std::abs(change) <= kStandsStill * static_cast<double>(now[p]);
      last[p] = now[p];
    }
    if (still) break;
  }
  if (config_.gamma == "one") return;
  // What the first pass will divide by, to the bit.
  spectral_step(w, rows_, u_, begin_, sigma);
  std::memcpy(gamma_.var().t.raw(), sigma.raw(), sigma.bytes());
}

}  // namespace keel
