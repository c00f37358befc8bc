// Where kernels read the StepState: the host's own on the CPU, a copy of it on another device. The
// host writes before a micro-batch or an update (push) and reads after the update (pull).
#pragma once

#include "core/step_state.h"
#include "core/tensor.h"

namespace keel {

class StepMemory {
 public:
  // `host` must outlive this. Throws MemoryError.
  StepMemory(StepState& host, DeviceKind device);
  // For kernels; the same all along.
  StepState* pointer() const;
  void push() const;
  void pull() const;

 private:
  StepState& host_;
  Tensor there_;  // empty where the host's memory is read
};

}  // namespace keel
