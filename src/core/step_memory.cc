#include "core/step_memory.h"

#include <type_traits>

#include "core/device_memory.h"

namespace keel {

static_assert(std::is_trivially_copyable_v<StepState> && sizeof(StepState) % 4 == 0);

StepMemory::StepMemory(StepState& host, DeviceKind device) : host_(host) {
  if (device != DeviceKind::kCuda) return;
  there_ = persistent({sizeof(StepState) / 4}, DType::kI32, device, "the state of the step");
}

StepState* StepMemory::pointer() const {
  return there_ ? static_cast<StepState*>(there_.raw()) : &host_;
}

void StepMemory::push() const {
  if (there_) write(there_, &host_);
}

void StepMemory::pull() const {
  if (there_) read(there_, &host_);
}

}  // namespace keel
