#include "io/hash.h"

#include <gtest/gtest.h>

#include <string>

namespace keel {
namespace {

std::string some_bytes(size_t n) {
  std::string s(n, 0);
  for (size_t i = 0; i < n; ++i) s[i] = static_cast<char>(i * 131 + (i >> 8));
  return s;
}

// One bit at a time, from the polynomial.
uint32_t crc32c_by_bits(const std::string& s) {
  uint32_t c = 0xffffffff;
  for (const char b : s) {
    c ^= static_cast<unsigned char>(b);
    for (int i = 0; i < 8; ++i) c = (c >> 1) ^ ((c & 1) ? 0x82f63b78 : 0);
  }
  return ~c;
}

TEST(Hash, Crc32cVectors) {
  EXPECT_EQ(crc32c("123456789", 9), 0xe3069283u);
  EXPECT_EQ(crc32c("", 0), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0').data(), 32), 0x8a9136aau);
  for (const size_t n : {1, 7, 8, 9, 63, 1000}) {
    const std::string s = some_bytes(n);
    EXPECT_EQ(crc32c(s.data(), n), crc32c_by_bits(s)) << n;
  }
}

TEST(Hash, Crc32cContinues) {
  const std::string s = some_bytes(1000);
  for (const size_t cut : {0, 1, 13, 999, 1000}) {
    EXPECT_EQ(crc32c(s.data() + cut, s.size() - cut, crc32c(s.data(), cut)),
              crc32c(s.data(), s.size()));
  }
}

TEST(Hash, Xxh3Vectors) {
  EXPECT_EQ(xxh3_hex(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(xxh3_64(""), 0x2d06800538d394c2u);
  EXPECT_NE(xxh3_64("a", 1, 0), xxh3_64("a", 1, 1));
}

TEST(Hash, StreamingEqualsOneCall) {
  const std::string s = some_bytes(100'000);
  Xxh3 hash;
  EXPECT_EQ(hash.hex(), xxh3_hex(""));
  for (size_t at = 0, n = 1; at < s.size(); at += n, n = n * 2 + 1) {
    hash.update(s.data() + at, std::min(n, s.size() - at));
  }
  EXPECT_EQ(hash.hex(), xxh3_hex(s));
}

TEST(Hash, HexHasEightDigits) { EXPECT_EQ(crc_hex(0xab), "000000ab"); }

}  // namespace
}  // namespace keel
