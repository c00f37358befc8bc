#include "core/version.h"

#include <fmt/format.h>

#include "core/cpu.h"
#include "core/device.h"

namespace keel {

std::string version() { return KEEL_VERSION; }
std::string build_id() { return KEEL_BUILD_ID; }
std::string build_type() { return KEEL_BUILD_TYPE; }
std::string libraries() { return KEEL_LIBRARIES; }

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string version_text(const std::string& onednn) {
  return fmt::format(
      "keel {} (build {})\n"
      "{} build, {}, CUDA {}\n"
      "instruction set: {}\n"
      "libraries: oneDNN {}, {}\n",
      version(), build_id(), build_type(), compiler(), kHasCuda ? "on" : "off",
      compiled_instruction_set(), onednn, libraries());
}

}  // namespace keel
