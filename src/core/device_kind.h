// The three kinds of device. kMeta launches nothing: it lays out memory and counts work.
#pragma once

#include <cstdint>

namespace keel {

enum class DeviceKind : uint8_t { kCpu, kCuda, kMeta };

}  // namespace keel
