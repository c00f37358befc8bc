// Checksums of files and tensors. xxh3-128 guards whole files and manifests (canonical big-endian
// hex, as the xxhsum program prints it); crc32c (Castagnoli) guards tensors and event records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace keel {

// Streaming xxh3-128.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  void update(const void* data, size_t bytes);
  // 32 lower-case hex digits of all bytes so far; more may follow.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string xxh3_hex(const void* data, size_t bytes);
inline std::string xxh3_hex(std::string_view text) { return xxh3_hex(text.data(), text.size()); }
// 64-bit xxh3, for keys and cheap comparisons.
uint64_t xxh3_64(const void* data, size_t bytes, uint64_t seed = 0);
inline uint64_t xxh3_64(std::string_view text) { return xxh3_64(text.data(), text.size()); }

// crc32c of `data` continued from `crc`, the value for the bytes before (0 at the start):
// crc32c("123456789") = 0xe3069283.
uint32_t crc32c(const void* data, size_t bytes, uint32_t crc = 0);
// 8 lower-case hex digits.
std::string crc_hex(uint32_t crc);

// Version of the xxHash library in use, as "0.8.1".
std::string xxhash_version();

}  // namespace keel
