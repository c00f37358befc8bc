#include "nn/parameters.h"

#include <fmt/format.h>

#include "core/error.h"
#include "ops/copy.h"

namespace keel {
namespace {

constexpr int64_t kAlignElements = 16;  // a cache line of f32

Shape stacked(const std::vector<Parameter>& list, size_t first, size_t parts) {
  const Shape& s = list[first].shape;
  if (parts == 1) return s;
  int64_t rows = 0;
  for (size_t i = first; i < first + parts; ++i) rows += list[i].shape[0];
  return s.axes() == 1 ? Shape{rows} : Shape{rows, s[1]};
}

}  // namespace

Parameters::Parameters(DeviceKind device, DType compute) : device_(device), compute_(compute) {}

ParameterRef Parameters::add(std::string name, const Shape& shape, Role role,
                             std::optional<double> start) {
  return add_stack({{std::move(name), shape, role, start}});
}

ParameterRef Parameters::add_stack(const std::vector<Part>& parts) {
  const size_t first = list_.size();
  for (const Part& p : parts) {
    list_.push_back({p.name, p.shape, p.role, {}, {}, {}, p.start, p.factor});
    if (p.shape.axes() != list_[first].shape.axes() || p.shape.dim(-1) == 0) {
      throw ShapeError(fmt::format("{}: {} cannot be stacked on {}", p.name, p.shape.str(),
                                   list_[first].shape.str()));
    }
  }
  stacks_.push_back({first, parts.size(), 0, {}, {}, {}});
  return ParameterRef(&stacks_.back().var, &stacks_.back().master);
}

Tensor Parameters::add_buffer(const Shape& shape, double start) {
  Tensor t = persistent(shape, DType::kF32, device_, "state beside the weights");
  on_device(t, [&](auto& dev) { kernel::fill(dev, {t, static_cast<float>(start)}); });
  buffer_bytes_ += static_cast<int64_t>(t.bytes());
  return t;
}

void Parameters::save_buffer(std::string name, Tensor part) {
  buffers_.push_back({std::move(name), std::move(part)});
}

void Parameters::allocate() {
  int64_t size = 0;
  for (Stack& s : stacks_) {
    s.at = size;
    for (size_t i = s.first; i < s.first + s.parts; ++i) size += list_[i].shape.size();
    size = (size + kAlignElements - 1) / kAlignElements * kAlignElements;
  }
  weights_ = persistent({size}, DType::kF32, device_, "the weights");
  grads_ = persistent({size}, DType::kF32, device_, "the gradients");
  if (compute_ != DType::kF32) {
    copies_ = persistent({size}, compute_, device_, "the working copies of the weights");
  }
  for (Stack& s : stacks_) {
    const Shape shape = stacked(list_, s.first, s.parts);
    const bool copied = copies_ && shape.axes() > 1;
    const auto whole = [&](const Tensor& flat) {
      return flat.slice(0, s.at, s.at + shape.size()).view(shape);
    };
    s.master = whole(weights_);
    s.var = Var(whole(copied ? copies_ : weights_), &s.slot);
    s.slot.grad = whole(grads_);
    s.slot.parameter = true;
    int64_t at = s.at;
    for (size_t i = s.first; i < s.first + s.parts; ++i) {
      Parameter& p = list_[i];
      const auto part = [&](const Tensor& flat) {
        return flat.slice(0, at, at + p.shape.size()).view(p.shape);
      };
      p.weight = part(weights_);
      p.grad = part(grads_);
      if (copied) p.copy = part(copies_);
      at += p.shape.size();
    }
  }
}

void Parameters::fill(const Init& init, uint64_t seed, double branch_factor) {
  for (const Parameter& p : list_) {
    Start start = init.start(p.role, p.shape);
    if (p.start) start = {Start::Kind::kConstant, *p.start};
    if (sizes_branch(p.role)) start.value *= branch_factor;
    start.value *= p.factor;
    fill_start(start, seed, p.name, p.weight);
  }
  for (AfterStart* module : after_start_) module->start();
  refresh_copies();
}

void Parameters::refresh_copies() {
  for (AfterStart* module : after_start_) module->loaded();
  if (!copies_) return;
  on_device(weights_, [&](auto& dev) { kernel::copy(dev, {weights_, {copies_}}); });
}

int64_t Parameters::count() const {
  int64_t n = 0;
  for (const Parameter& p : list_) n += p.shape.size();
  return n;
}

void Parameters::begin_gradients() {
  for (Stack& s : stacks_) s.slot.written = false;
}

void Parameters::finish_gradients() {
  for (Stack& s : stacks_) {
    if (s.slot.written) continue;
    on_device(s.slot.grad, [&](auto& dev) { kernel::fill(dev, {s.slot.grad, 0.0f}); });
  }
}

void Parameters::want_gradients(bool wanted) {
  for (Stack& s : stacks_) s.var.slot = wanted ? &s.slot : nullptr;
}

}  // namespace keel
