#include "optim/adafactor.h"

#include <algorithm>

namespace keel {
namespace {

bool factored(const Param& p) { return p.weight.shape().axes() >= 2; }

int64_t columns(const Param& p) { return factored(p) ? p.weight.dim(-1) : p.weight.size(); }
int64_t rows(const Param& p) { return factored(p) ? p.weight.size() / columns(p) : 1; }

// Elements of a part: whole rows of a matrix.
int64_t part_size(const Param& p) {
  if (!factored(p)) return kernel::kAdafactorPart;
  return columns(p) * std::max(kernel::kAdafactorLeastRows, kernel::kAdafactorPart / columns(p));
}
int64_t parts(const Param& p) { return (p.weight.size() + part_size(p) - 1) / part_size(p); }

}  // namespace

void Adafactor::Config::fields(Fields& f) {
  f("lr", lr, "peak learning rate", at_least(0));
  f("beta1", beta1, "decay rate of the first moment; 0: none is kept", at_least(0).below(1));
  f("beta2_power", beta2_power, "the second moment's decay rate in step t is 1 - t^-beta2_power",
    above(0));
  update_clip_field(f, update_clip);
  f("scale_parameter", scale_parameter,
    "multiply the rate by the root mean square of the tensor, at least 1e-3");
  f("relative_step", relative_step, "hold the rate at or below 1 / sqrt(step)");
  f("weight_decay", weight_decay, "strength of the decay, on tensors of two or more axes",
    at_least(0));
  decay_field(f, decay);
}

Adafactor::Adafactor(const Config& config, const Params& params)
    : config_(config), params_(params) {
  check_params(params);
  const DeviceKind device = params.empty() ? DeviceKind::kCpu : params[0].weight.device();
  const auto zeroed = [&](int64_t n, const char* what) {
    return persistent({std::max<int64_t>(n, 1)}, DType::kF32, device, what);
  };
  const Sizes all = sizes();
  int64_t size = 0;
  for (const Param& p : params) size += p.weight.size();
  moments_ = zeroed(all.state, "the optimizer's second moments");
  if (config.beta1 > 0) momentum_ = zeroed(size, "the optimizer's first moments");
  working_ = zeroed(all.working, "the optimizer's column sums");
  updates_ = persistent({1}, DType::kI32, device, "the optimizer's counter");
  partial_ = zeroed(2 * all.parts, "partial sums of the optimizer");
  scale_ = zeroed(3 * static_cast<int64_t>(params.size()), "scales of the optimizer");
  Sizes at;
  int64_t momentum_at = 0;
  for (const Param& p : params) {
    const int64_t n = p.weight.size();
    place(p, at);
    if (momentum_) {
      const Tensor m = momentum_.slice(0, momentum_at, momentum_at + n);
      if (m.raw()) tensors_.back().m = m.data<float>();
      state_.push_back({"m/" + p.name, m.view(p.weight.shape())});
    }
    momentum_at += n;
  }
  state_.push_back({"updates", updates_});
}

Adafactor::Sizes Adafactor::sizes() const {
  Sizes s;
  for (const Param& p : params_) {
    s.state += factored(p) ? rows(p) + columns(p) : p.weight.size();
    if (factored(p)) s.working += (1 + parts(p)) * columns(p);
    s.parts += parts(p);
  }
  return s;
}

void Adafactor::place(const Param& p, Sizes& at) {
  const auto state = [&](const char* what, int64_t n) {
    const Tensor t = moments_.slice(0, at.state, at.state + n);
    state_.push_back({what + p.name, t});
    at.state += n;
    return t.data<float>();
  };
  kernel::AdafactorTensor t{};
  t.rows = rows(p);
  t.columns = columns(p);
  if (factored(p)) {
    t.row = state("row/", t.rows);
    t.column = state("column/", t.columns);
  } else {
    t.full = state("v/", t.columns);
  }
  if (!p.weight.raw()) return;  // kMeta
  t.weight = p.weight.data<float>();
  t.grad = p.grad.data<float>();
  t.copy = p.copy ? p.copy.data<bf16>() : nullptr;
  t.first_part = static_cast<int64_t>(parts_.size());
  t.parts = parts(p);
  t.decay = static_cast<float>(p.decay);
  t.rate = static_cast<float>(p.rate);
  const auto working = [&] {
    float* w = factored(p) ? working_.data<float>() + at.working : nullptr;
    if (w) at.working += t.columns;
    return w;
  };
  t.columns_root = working();
  const auto index = static_cast<int64_t>(tensors_.size());
  for (int64_t i = 0; i < p.weight.size(); i += part_size(p)) {
    parts_.push_back({index, i, std::min(p.weight.size(), i + part_size(p)), working()});
  }
  tensors_.push_back(t);
}

void Adafactor::step(const StepState* state) {
  on_device(updates_, [&](auto& dev) {
    kernel::adafactor(
        dev, {tensors_, parts_, config_.beta1, config_.beta2_power, config_.update_clip,
              config_.weight_decay, config_.decay == "independent", config_.scale_parameter,
              config_.relative_step, state, updates_, partial_, scale_});
  });
}

std::vector<StateTensor> Adafactor::state() const { return state_; }

}  // namespace keel
