#include "core/device.h"

#include "core/error.h"

namespace keel {

namespace {
int64_t flops_counted = 0;
}

Cpu& cpu() {
  static Cpu context;
  return context;
}

void throw_no_cuda() {
  throw DeviceError("tensor is on cuda but this binary was built with CUDA off");
}

void count_flops(int64_t flops) { flops_counted += flops; }
int64_t counted_flops() { return flops_counted; }
void reset_counted_flops() { flops_counted = 0; }

}  // namespace keel
