// One SIMD interface for CPU kernels: Vec is kLanes floats in a register (AVX-512: 16, else 8).
// Formulas written as templates over the number type (scalar_math.h) take a Vec or a float.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace keel {

#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

using VecData = float __attribute__((vector_size(kLanes * 4)));
using VecInt = int32_t __attribute__((vector_size(kLanes * 4)));

struct Vec {
  VecData v;

  Vec() = default;
  explicit(false) Vec(float x) : v(x - VecData{}) {}
  explicit(false) Vec(VecData x) : v(x) {}
  Vec& operator+=(Vec o) {
    v += o.v;
    return *this;
  }
  Vec& operator*=(Vec o) {
    v *= o.v;
    return *this;
  }
};
inline Vec operator+(Vec a, Vec b) { return a.v + b.v; }
inline Vec operator-(Vec a, Vec b) { return a.v - b.v; }
inline Vec operator*(Vec a, Vec b) { return a.v * b.v; }
inline Vec operator/(Vec a, Vec b) { return a.v / b.v; }
inline Vec operator-(Vec a) { return -a.v; }
// All ones where the comparison holds.
inline VecInt operator<(Vec a, Vec b) { return a.v < b.v; }
inline VecInt operator>(Vec a, Vec b) { return a.v > b.v; }

inline Vec select(VecInt mask, Vec yes, Vec no) { return mask ? yes.v : no.v; }
inline Vec max(Vec a, Vec b) { return a.v > b.v ? a.v : b.v; }
inline Vec min(Vec a, Vec b) { return a.v < b.v ? a.v : b.v; }

inline Vec sqrt(Vec a) {
#ifdef __AVX512F__
  return (VecData)_mm512_sqrt_ps((__m512)a.v);
#else
  return (VecData)_mm256_sqrt_ps((__m256)a.v);
#endif
}
inline Vec abs(Vec a) { return (VecData)((VecInt)a.v & 0x7fffffff); }
// a * b + c, rounded once.
inline Vec fma(Vec a, Vec b, Vec c) {
#ifdef __AVX512F__
  return (VecData)_mm512_fmadd_ps((__m512)a.v, (__m512)b.v, (__m512)c.v);
#else
  return (VecData)_mm256_fmadd_ps((__m256)a.v, (__m256)b.v, (__m256)c.v);
#endif
}
// 1 / a within 2 ulp where that is a normal number, 0 for infinity.
inline Vec reciprocal(Vec a) {
#ifdef __AVX512F__
  const Vec y = (VecData)_mm512_rcp14_ps((__m512)a.v);  // good to 14 bits: one step of Newton
  const Vec error = (VecData)_mm512_fnmadd_ps((__m512)a.v, (__m512)y.v, (__m512)Vec(1.0f).v);
  return fma(y, max(error, Vec(-1.0f)), y);  // inf x 0 is no error
#else
  return 1.0f / a.v;
#endif
}
// To the nearest integer, ties to even.
inline Vec round(Vec a) {
#ifdef __AVX512F__
  return (VecData)_mm512_roundscale_ps((__m512)a.v, 8);
#else
  return (VecData)_mm256_round_ps((__m256)a.v, 8);
#endif
}
// 2^n for integral n in [-126, 127].
inline Vec exp2_int(Vec n) {
  const VecInt i = __builtin_convertvector(n.v, VecInt);
  return (VecData)((i + 127) << 23);
}
// p 2^n for integral n in [-150, 129].
inline Vec scale2(Vec p, Vec n) {
#ifdef __AVX512F__
  return (VecData)_mm512_scalef_ps((__m512)p.v, (__m512)n.v);
#else
  const Vec half = round(n * Vec(0.5f));
  return p * exp2_int(half) * exp2_int(n - half);
#endif
}
// Sums and maxima over the lanes, in a fixed tree.
inline float reduce_add(Vec a) {
#ifdef __AVX512F__
  const __m256 x =
      _mm256_add_ps(_mm512_castps512_ps256((__m512)a.v), _mm512_extractf32x8_ps((__m512)a.v, 1));
#else
  const __m256 x = (__m256)a.v;
#endif
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
  return _mm_cvtss_f32(s);
}
inline float reduce_max(Vec a) {
  float m = a.v[0];
  for (int i = 1; i < kLanes; ++i) m = a.v[i] > m ? a.v[i] : m;
  return m;
}

inline Vec load(const float* p) {
  Vec r;
  std::memcpy(&r.v, p, sizeof r.v);
  return r;
}
inline void store(float* p, Vec a) { std::memcpy(p, &a.v, sizeof a.v); }

inline Vec load(const bf16* p) {
#ifdef __AVX512F__
  const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (VecData)_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
#else
  const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return (VecData)_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
#endif
}
// The bf16 of each lane, in the lower half of 32 bits: to nearest even, a NaN stays one.
inline VecInt bf16_bits(Vec a) {
  const VecInt u = (VecInt)a.v;
  const VecInt nan = a.v != a.v;
  const VecInt rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  return (nan ? ((u >> 16) | 0x40) : rounded) & 0xffff;
}
inline void store(bf16* p, Vec a) {
#ifdef __AVX512F__
  const __m256i h = _mm512_cvtepi32_epi16((__m512i)bf16_bits(a));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), h);
#else
  const __m256i w = (__m256i)bf16_bits(a);
  const __m128i h = _mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), h);
#endif
}

// The first n < kLanes elements; the other lanes are `fill`.
inline Vec load_some(const float* p, int n, float fill = 0.0f) {
#ifdef __AVX512F__
  const auto mask = static_cast<__mmask16>((1u << n) - 1);
  return (VecData)_mm512_mask_loadu_ps((__m512)Vec(fill).v, mask, p);
#else
  const __m256i mask =
      _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  const __m256 x = _mm256_maskload_ps(p, mask);
  return (VecData)_mm256_blendv_ps((__m256)Vec(fill).v, x, _mm256_castsi256_ps(mask));
#endif
}
inline void store_some(float* p, Vec a, int n) {
#ifdef __AVX512F__
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)a.v);
#else
  const __m256i mask =
      _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  _mm256_maskstore_ps(p, mask, (__m256)a.v);
#endif
}
inline Vec load_some(const bf16* p, int n, float fill = 0.0f) {
  float x[kLanes];
  for (int i = 0; i < kLanes; ++i) x[i] = i < n ? static_cast<float>(p[i]) : fill;
  return load(x);
}
inline void store_some(bf16* p, Vec a, int n) {
  bf16 x[kLanes];
  store(x, a);
  std::memcpy(p, x, static_cast<size_t>(n) * sizeof(bf16));
}

// f(offset, n) over [0, size) in steps of kLanes; n < kLanes only in the last call.
template <class F>
void for_lanes(int64_t size, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) f(i, kLanes);
  if (i < size) f(i, static_cast<int>(size - i));
}
template <class T>
Vec load_n(const T* p, int n, float fill = 0.0f) {
  return n == kLanes ? load(p) : load_some(p, n, fill);
}
template <class T>
void store_n(T* p, Vec a, int n) {
  n == kLanes ? store(p, a) : store_some(p, a, n);
}

}  // namespace keel
