#include "nn/linear/sigma_reparam.h"

#include <cmath>

#include "core/device_memory.h"
#include "ops/copy.h"
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
  begun_ = persistent({1}, DType::kI32, p.device(), "a step's number");
  for (int i = 0; i < rows_.parts; ++i) {
    p.save_buffer(a.parts[static_cast<size_t>(i)].name + ".u", u_.slice(0, i, i + 1).view({a.in}));
  }
  p.after_start(*this);
}

Var SigmaReparamLinear::weight(const Pass& pass) const {
  if (!pass.step) return sigma_reparam(weight_.master(), gamma_.var(), {rows_, u_, {}, compute_});
  on_device(u_, [&](auto& dev) { kernel::spectral_begin(dev, {u_, begin_, begun_, pass.step}); });
  return sigma_reparam(weight_.master(), gamma_.var(), {rows_, begin_, u_, compute_});
}

void SigmaReparamLinear::loaded() {
  constexpr int32_t kNone = -1;
  write(begun_, &kNone);
}

void SigmaReparamLinear::start() {
  loaded();
  const float even = 1.0f / std::sqrt(static_cast<float>(u_.dim(1)));
  on_device(u_, [&](auto& dev) { kernel::fill(dev, {u_, even}); });
  const Tensor sigma = empty({rows_.parts}, DType::kF32, u_.device());
  const Tensor w = weight_.master().t;
  const auto parts = static_cast<size_t>(rows_.parts);
  std::vector<float> now(parts), last(parts);
  for (int i = 0; i < kMostIterations; ++i) {
    spectral_step(w, rows_, u_, u_, sigma);
    read(sigma, now.data());
    bool still = i > 0;
    for (size_t p = 0; p < parts; ++p) {
      const double change = static_cast<double>(now[p]) - static_cast<double>(last[p]);
      still &= std::abs(change) <= kStandsStill * static_cast<double>(now[p]);
    }
    last = now;
    if (still) break;
  }
  if (config_.gamma == "one") return;
  // What the first pass will divide by, to the bit.
  spectral_step(w, rows_, u_, begin_, sigma);
  on_device(sigma, [&](auto& dev) { kernel::copy(dev, {sigma, {gamma_.var().t}}); });
}

}  // namespace keel
