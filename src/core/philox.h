// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011, section 3.3). A number is a
// pure function of (seed, stream, step, row, element): nothing to save, the same on any number of
// threads or ranks. A stream is the hash of a parameter's or a site's name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace keel {

constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                             std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// splitmix64's finaliser: spreads one 64-bit value.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// FNV-1a, then mixed: the stream number of a name.
constexpr uint64_t stream_of(std::string_view name) {
  uint64_t h = 0xCBF29CE484222325ull;
  for (char c : name) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
  return mix64(h);
}

// Key of all numbers of one (seed, stream, step).
constexpr std::array<uint32_t, 2> philox_key(uint64_t seed, uint64_t stream, uint64_t step) {
  const uint64_t k = mix64(mix64(mix64(seed + 0x9E3779B97F4A7C15ull) ^ stream) + step);
  return {static_cast<uint32_t>(k), static_cast<uint32_t>(k >> 32)};
}

// Four numbers for elements 4 * block .. 4 * block + 3 of a row.
constexpr std::array<uint32_t, 4> philox_block(std::array<uint32_t, 2> key, uint64_t row,
                                               uint64_t block) {
  return philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                     static_cast<uint32_t>(row), static_cast<uint32_t>(row >> 32)},
                    key);
}

// (0, 1], 24 bits: safe under a logarithm.
constexpr float uniform_open(uint32_t x) { return (static_cast<float>(x >> 8) + 1.0f) * 0x1p-24f; }

}  // namespace keel
