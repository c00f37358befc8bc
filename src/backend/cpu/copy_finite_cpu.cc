#include <algorithm>
#include <cstring>

#include "backend/cpu/copy_finite.h"

namespace keel {
namespace {

// Of what is copied before it is looked at: it is then still in the nearest cache.
constexpr int64_t kBlockBytes = 16 * 1024;

// Of two finite numbers without sign the larger has the larger bits; infinity and NaN lie above.
template <class Bits, Bits kExponent>
bool all_finite(const Bits* from, int64_t count) {
  constexpr Bits kWithoutSign = static_cast<Bits>(~Bits{0}) >> 1;
  Bits largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, static_cast<Bits>(from[i] & kWithoutSign));
  }
  return largest < kExponent;
}

// memcpy, as no loop of ours would do: it knows how this processor writes without reading first.
template <class Bits, Bits kExponent>
bool copy_and_look(Bits* to, const Bits* from, int64_t count) {
  constexpr int64_t kBlock = kBlockBytes / static_cast<int64_t>(sizeof(Bits));
  bool finite = true;
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t n = std::min(kBlock, count - i);
    if (to != nullptr) std::memcpy(to + i, from + i, static_cast<size_t>(n) * sizeof(Bits));
    finite &= all_finite<Bits, kExponent>(from + i, n);
  }
  return finite;
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
