#include "backend/devices.h"

#include <fmt/format.h>

#include "core/device.h"
#include "core/error.h"

namespace keel {

DeviceKind device_named(std::string_view name) {
  if (name == "cpu") return DeviceKind::kCpu;
  if (name != "cuda")
    throw DeviceError(fmt::format("unknown device \"{}\" (known: cpu cuda)", name));
  const std::string problem = cuda_problem();
  if (!problem.empty()) throw DeviceError("device \"cuda\": " + problem);
  if constexpr (kHasCuda) cuda();  // makes the context, so that its errors come now
  return DeviceKind::kCuda;
}

#ifndef KEEL_CUDA
std::string cuda_problem() {
  return "this program was built without CUDA; `make cuda` builds keel-cuda, which has it";
}

std::string cuda_description() { return ""; }
#endif

}  // namespace keel
