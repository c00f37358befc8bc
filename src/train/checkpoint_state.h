// All that a checkpoint holds of a trainer, as it is between two steps: where it lies, or copied,
// so that it can be written while training goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "train/checkpoint_files.h"
#include "train/trainer.h"

namespace keel {

// Names of the format.
const char* safetensors_name(DType type);
std::vector<int64_t> extents(const Shape& shape);

struct StateParts {
  std::vector<StateTensor> model;  // parameters and buffers
  std::vector<StateTensor> state;  // what optimizer, clip and average keep
};
StateParts state_parts(const Trainer& trainer);

class CheckpointState {
 public:
  // Takes memory for a copy, unless the config wants none and all lies on the host: MemoryError.
  // The trainer must outlive this.
  explicit CheckpointState(const Trainer& trainer);
  // What that takes, in bytes; also of a trainer on kMeta.
  static int64_t copy_bytes(const Trainer& trainer);

  bool copies() const { return static_cast<bool>(copy_); }
  // Takes the state as it is now, on all threads. Returns the first tensor that is not finite and
  // where, "tensor \"x\" is not finite at element 3"; empty when all is finite.
  std::string take();
  // What was taken last. With a copy it stays until the next take(), else until the next step.
  const std::vector<CheckpointTensor>& model() const { return model_; }
  const std::vector<CheckpointTensor>& state() const { return state_; }

 private:
  std::vector<CheckpointTensor> place(const std::vector<StateTensor>& tensors, int64_t& at);
  std::optional<std::string> first_bad() const;

  struct Piece {
    void* to;  // null: stays where it is
    const void* from;
    int64_t count;
    DType type;
  };
  struct Remote {
    Tensor from;  // not on the host
    void* to;
  };
  Tensor copy_;       // on the host
  StateParts parts_;  // of the trainer; they stay where they are for as long as it lives
  std::vector<CheckpointTensor> model_, state_;
  std::vector<Remote> remote_;
  std::vector<Piece> pieces_;
};

}  // namespace keel
