// Philox (core/philox.h) for kLanes blocks at once.
#pragma once

#include <array>
#include <cstdint>

#include "backend/vec.h"
#include "core/philox.h"

namespace keel {

using VecUint = uint32_t __attribute__((vector_size(kLanes * 4)));

// Upper and lower halves of the 64-bit products x * factor, lane by lane.
struct VecProduct {
  VecUint high, low;
};
inline VecProduct multiply_wide(VecUint x, uint32_t factor) {
#ifdef __AVX512F__
  const __m512i f = _mm512_set1_epi64(factor), v = (__m512i)x;
  const __m512i even = _mm512_mul_epu32(v, f), odd = _mm512_mul_epu32(_mm512_srli_epi64(v, 32), f);
  return {(VecUint)_mm512_mask_mov_epi32(_mm512_srli_epi64(even, 32), 0xaaaa, odd),
          (VecUint)_mm512_mask_mov_epi32(even, 0xaaaa, _mm512_slli_epi64(odd, 32))};
#else
  const __m256i f = _mm256_set1_epi64x(factor), v = (__m256i)x;
  const __m256i even = _mm256_mul_epu32(v, f), odd = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), f);
  return {(VecUint)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa),
          (VecUint)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)};
#endif
}

// Lane i of number k is philox_block(key, row, block + i)[k]; all these blocks are below 2^32.
inline std::array<VecUint, 4> philox_blocks(std::array<uint32_t, 2> key, uint64_t row,
                                            uint64_t block) {
  VecUint c0, c1{}, c2, c3;
  for (int i = 0; i < kLanes; ++i) c0[i] = static_cast<uint32_t>(block) + i;
  c2 = static_cast<uint32_t>(row) - VecUint{};
  c3 = static_cast<uint32_t>(row >> 32) - VecUint{};
  for (int round = 0; round < 10; ++round) {
    const VecProduct a = multiply_wide(c0, 0xD2511F53u), b = multiply_wide(c2, 0xCD9E8D57u);
    c0 = b.high ^ c1 ^ key[0];
    c1 = b.low;
    c2 = a.high ^ c3 ^ key[1];
    c3 = a.low;
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

}  // namespace keel
