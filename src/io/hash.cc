#include "io/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <cstring>
#include <new>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace keel {
namespace {

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  std::string text;
  for (const unsigned char b : bytes.digest) text += fmt::format("{:02x}", b);
  return text;
}

#ifndef __SSE4_2__
constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = c;
  }
  return table;
}();
#endif

}  // namespace

struct Xxh3::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) {
  if (state_->xxh == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh);
}

Xxh3::~Xxh3() = default;

void Xxh3::update(const void* data, size_t bytes) { XXH3_128bits_update(state_->xxh, data, bytes); }

std::string Xxh3::hex() const { return hex_of(XXH3_128bits_digest(state_->xxh)); }

std::string xxh3_hex(const void* data, size_t bytes) { return hex_of(XXH3_128bits(data, bytes)); }

uint64_t xxh3_64(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

uint32_t crc32c(const void* data, size_t bytes, uint32_t crc) {
  const auto* p = static_cast<const unsigned char*>(data);
#ifdef __SSE4_2__
  uint64_t c = ~crc;
  for (; bytes >= 8; p += 8, bytes -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  for (; bytes > 0; ++p, --bytes) c = _mm_crc32_u8(static_cast<uint32_t>(c), *p);
  return ~static_cast<uint32_t>(c);
#else
  uint32_t c = ~crc;
  for (; bytes > 0; ++p, --bytes) c = (c >> 8) ^ kCrcTable[(c ^ *p) & 0xff];
  return ~c;
#endif
}

std::string crc_hex(uint32_t crc) { return fmt::format("{:08x}", crc); }

std::string xxhash_version() {
  const unsigned v = XXH_versionNumber();
  return fmt::format("{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

}  // namespace keel
