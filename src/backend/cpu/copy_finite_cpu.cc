#include <algorithm>
#include <cstring>

#include "backend/cpu/copy_finite.h"

namespace keel {
namespace {

// Of two finite numbers without sign the larger has the larger bits; infinity and NaN lie above.
template <class Bits, Bits kExponent>
bool copy_and_look(Bits* to, const Bits* from, int64_t count) {
  constexpr Bits kWithoutSign = static_cast<Bits>(~Bits{0}) >> 1;
  Bits largest = 0;
  if (to == nullptr) {
    for (int64_t i = 0; i < count; ++i) {
      largest = std::max(largest, static_cast<Bits>(from[i] & kWithoutSign));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const Bits bits = from[i];
      to[i] = bits;
      largest = std::max(largest, static_cast<Bits>(bits & kWithoutSign));
    }
  }
  return largest < kExponent;
}

}  // namespace

bool copy_finite(void* to, const void* from, int64_t count, DType type) {
  switch (type) {
    case DType::kF32:
      return copy_and_look<uint32_t, 0x7f800000>(static_cast<uint32_t*>(to),
                                                 static_cast<const uint32_t*>(from), count);
    case DType::kBf16:
      return copy_and_look<uint16_t, 0x7f80>(static_cast<uint16_t*>(to),
                                             static_cast<const uint16_t*>(from), count);
    case DType::kI32:
      if (to != nullptr) std::memcpy(to, from, static_cast<size_t>(count) * sizeof(int32_t));
      return true;
  }
  return true;
}

}  // namespace keel
