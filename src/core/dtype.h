// Storage types. Arithmetic is always f32 (gradient norms f64); bf16 is rounded once, at the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace keel {

enum class DType : uint8_t { kF32, kBf16, kI32 };

constexpr size_t size_of(DType t) { return t == DType::kBf16 ? 2 : 4; }
constexpr std::string_view name_of(DType t) {
  return t == DType::kF32 ? "f32" : t == DType::kBf16 ? "bf16" : "i32";
}

// The upper half of an f32. Conversion from f32 rounds to nearest even and keeps NaN a NaN.
struct bf16 {
  uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float f) {
    uint32_t u;
    std::memcpy(&u, &f, 4);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const {
    const uint32_t u = static_cast<uint32_t>(bits) << 16;
    float f;
    std::memcpy(&f, &u, 4);
    return f;
  }
};

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<bf16>() {
  return DType::kBf16;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::kI32;
}

// Calls f.template operator()<T>() with T = float or bf16: the one switch over storage types.
template <class F>
decltype(auto) with_dtype(DType t, F&& f) {
  if (t == DType::kBf16) return f.template operator()<bf16>();
  return f.template operator()<float>();
}

}  // namespace keel
