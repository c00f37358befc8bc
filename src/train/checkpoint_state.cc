#include "train/checkpoint_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "backend/cpu/copy_finite.h"
#include "core/device_memory.h"
#include "core/parallel.h"

namespace keel {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kPieceBytes = int64_t{1} << 18;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool on_host(const Tensor& t) { return t.device() == DeviceKind::kCpu; }

}  // namespace

const char* safetensors_name(DType type) {
  return type == DType::kF32 ? "F32" : type == DType::kBf16 ? "BF16" : "I32";
}

std::vector<int64_t> extents(const Shape& shape) {
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(shape.axes()));
  for (int i = 0; i < shape.axes(); ++i) out.push_back(shape[i]);
  return out;
}

StateParts state_parts(const Trainer& trainer) {
  const Parameters& all = trainer.model().parameters();
  StateParts parts;
  parts.model.reserve(all.list().size() + all.buffers().size());
  for (const Parameter& p : all.list()) parts.model.push_back({p.name, p.weight});
  for (const Parameters::Buffer& b : all.buffers()) parts.model.push_back({b.name, b.tensor});
  parts.state = trainer.state();
  return parts;
}

int64_t CheckpointState::copy_bytes(const Trainer& trainer) {
  const StateParts parts = state_parts(trainer);
  const bool beside = trainer.config().checkpoint.writes_beside();
  int64_t bytes = 0;
  for (const auto* tensors : {&parts.model, &parts.state}) {
    for (const StateTensor& t : *tensors) {
      if (!beside && t.tensor.device() != DeviceKind::kCuda) continue;
      bytes += aligned(static_cast<int64_t>(t.tensor.bytes()));
    }
  }
  return bytes;
}

CheckpointState::CheckpointState(const Trainer& trainer) {
  const int64_t bytes = copy_bytes(trainer);
  if (bytes > 0) {
    copy_ = persistent(Shape{bytes / int64_t{sizeof(float)}}, DType::kF32, DeviceKind::kCpu,
                       "the copy that checkpoints are written from (checkpoint.async)");
  }
  parts_ = state_parts(trainer);
  int64_t at = 0;
  model_ = place(parts_.model, at);
  state_ = place(parts_.state, at);
}

// Gives each tensor its place in the copy and cuts what is to be copied or looked at into pieces.
std::vector<CheckpointTensor> CheckpointState::place(const std::vector<StateTensor>& tensors,
                                                     int64_t& at) {
  std::vector<CheckpointTensor> out;
  out.reserve(tensors.size());
  for (const StateTensor& s : tensors) {
    const Tensor& t = s.tensor;
    const auto bytes = static_cast<int64_t>(t.bytes());
    std::byte* to = copies() ? copy_.data<std::byte>() + at : nullptr;
    const auto* from = static_cast<const std::byte*>(t.raw());
    if (copies()) at += aligned(bytes);
    if (!on_host(t)) {
      remote_.push_back({t, to});
      from = std::exchange(to, nullptr);
    }
    out.push_back({s.name, safetensors_name(t.dtype()), extents(t.shape()),
                   to == nullptr ? from : to, t.bytes()});
    const auto size = static_cast<int64_t>(size_of(t.dtype()));
    for (int64_t i = 0; i < bytes; i += kPieceBytes) {
      pieces_.push_back({to == nullptr ? nullptr : to + i, from + i,
                         std::min(kPieceBytes, bytes - i) / size, t.dtype()});
    }
  }
  return out;
}

std::optional<std::string> CheckpointState::first_bad() const {
  for (const auto* tensors : {&model_, &state_}) {
    for (const CheckpointTensor& t : *tensors) {
      if (const auto element = first_nonfinite(t)) {
        return fmt::format("tensor \"{}\" is not finite at element {}", t.name, *element);
      }
    }
  }
  return std::nullopt;
}

std::string CheckpointState::take() {
  for (const Remote& r : remote_) read(r.from, r.to);
  std::atomic<bool> finite{true};
  parallel_for(static_cast<int64_t>(pieces_.size()), [&](int64_t i) {
    const Piece& p = pieces_[static_cast<size_t>(i)];
    if (!copy_finite(p.to, p.from, p.count, p.type)) finite.store(false);
  });
  return finite.load() ? "" : first_bad().value_or("");
}

}  // namespace keel
