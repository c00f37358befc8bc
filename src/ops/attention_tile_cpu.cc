#include <algorithm>
#include <limits>

#include "backend/cpu/panel.h"
#include "core/philox.h"
#include "ops/attention_tile.h"

namespace keel::tile {
namespace {

using Words = uint32_t __attribute__((vector_size(kLanes * 4)));
using Longs = uint64_t __attribute__((vector_size(kLanes * 4)));

constexpr int32_t kNone = std::numeric_limits<int32_t>::max();

// One stage of a transpose: lanes whose bit `Step` differs change places between two rows.
template <int Step, bool Second, int... I>
VecData exchange(VecData a, VecData b, std::integer_sequence<int, I...>) {
  if constexpr (Second) {
    return __builtin_shufflevector(a, b, ((I & Step) ? kLanes + I : I + Step)...);
  } else {
    return __builtin_shufflevector(a, b, ((I & Step) ? kLanes + I - Step : I)...);
  }
}

template <int Step>
inline __attribute__((always_inline)) void transpose_stage(VecData* r) {
  constexpr auto lanes = std::make_integer_sequence<int, kLanes>{};
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if (i & Step) continue;
    const VecData a = r[i], b = r[i + Step];
    r[i] = exchange<Step, false>(a, b, lanes);
    r[i + Step] = exchange<Step, true>(a, b, lanes);
  }
}

// Products of the low words of 64-bit lanes.
inline Longs multiply_low(Longs a, Longs b) {
#ifdef __AVX512F__
  return (Longs)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
#else
  return (Longs)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#endif
}

// The high and low words of 32 x 32 bit products.
void multiply_wide(Words a, uint32_t m, Words* high, Words* low) {
  const Longs x = (Longs)a, y = Longs{} + m;
  const Longs even = multiply_low(x, y) >> 32, odd = multiply_low(x >> 32, y);
  *low = a * m;
  *high = (Words)(even | (odd >> 32 << 32));
}

// philox4x32 of core/philox.h on a vector of counters.
void philox(Words c[4], std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    Words high0, low0, high2, low2;
    multiply_wide(c[0], 0xD2511F53u, &high0, &low0);
    multiply_wide(c[2], 0xCD9E8D57u, &high2, &low2);
    c[0] = high2 ^ c[1] ^ key[0];
    c[1] = low2;
    c[2] = high0 ^ c[3] ^ key[1];
    c[3] = low0;
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
}

}  // namespace

Visible visible_keys(const AttentionArgs& args, int64_t batch, int64_t first_query, int64_t queries,
                     int64_t tk) {
  Visible v;
  const auto keys = static_cast<int32_t>(tk), last = static_cast<int32_t>(queries - 1);
  const auto first = static_cast<int32_t>(args.query_offset + first_query);
  const auto window =
      static_cast<int32_t>(args.window > 0 ? std::min<int64_t>(args.window, kNone / 2) : kNone / 2);
  const int32_t ahead = args.causal ? 1 : window;
  for (int32_t i = 0; i < kTile; ++i) {
    const int32_t p = first + std::min(i, last);
    v.lo[i] = std::max(0, p - window + 1);
    v.hi[i] = std::min(keys, p + ahead);
  }
  if (const Tensor& start = args.segment_start) {
    const int32_t* row = start.data<int32_t>() + batch * start.stride(0) + first_query;
    for (int32_t i = 0; i < kTile; ++i) v.lo[i] = std::max(v.lo[i], row[std::min(i, last)]);
  }
  v.any_lo = v.all_hi = kNone;
  v.any_hi = v.all_lo = 0;
  for (int64_t j = 0; j < kVecs; ++j) {
    int32_t lo = kNone, hi = 0, inner_lo = 0, inner_hi = kNone;
    for (int64_t i = j * kLanes; i < (j + 1) * kLanes; ++i) {
      const bool none = v.lo[i] >= v.hi[i];
      v.lo[i] = none ? kNone : v.lo[i];
      v.hi[i] = none ? 0 : v.hi[i];
      lo = std::min(lo, v.lo[i]);
      hi = std::max(hi, v.hi[i]);
      inner_lo = std::max(inner_lo, v.lo[i]);
      inner_hi = std::min(inner_hi, v.hi[i]);
    }
    v.vec_lo[j] = lo;
    v.vec_hi[j] = hi;
    v.any_lo = std::min<int64_t>(v.any_lo, lo);
    v.any_hi = std::max<int64_t>(v.any_hi, hi);
    v.all_lo = std::max<int64_t>(v.all_lo, inner_lo);
    v.all_hi = std::min<int64_t>(v.all_hi, inner_hi);
  }
  return v;
}

void transpose(const float* x, int64_t rows, int64_t width, float scale, float* out) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    const int n = static_cast<int>(std::min<int64_t>(kLanes, rows - i));
    for (int64_t c = 0; c < width; c += kLanes) {
      VecData r[kLanes];
#pragma GCC unroll 16
      for (int k = 0; k < kLanes; ++k) {
        r[k] = k < n ? (load(x + (i + k) * width + c) * Vec(scale)).v : VecData{};
      }
      transpose_stage<1>(r);
      transpose_stage<2>(r);
      transpose_stage<4>(r);
      if constexpr (kLanes == 16) transpose_stage<8>(r);
#pragma GCC unroll 16
      for (int k = 0; k < kLanes; ++k) store(out + (c + k) * kTile + i, r[k]);
    }
  }
}

namespace {

// Vectors of queries, first to last, of which one at least sees some of the keys [key, key + n).
struct Span {
  int64_t first, last;
};
Span vecs_that_see(const Tile& t, int64_t key, int64_t n) {
  Span s{t.vecs(), -1};
  for (int64_t j = 0; j < t.vecs(); ++j) {
    if (t.begin(j) >= key + n || t.end(j) <= key) continue;
    s.first = std::min(s.first, j);
    s.last = j;
  }
  return s;
}

}  // namespace

void key_by_query(const Tile& t, bool whole, Rows<const float> a, const float* b, int64_t depth,
                  float* s) {
  const int64_t block = whole ? t.keys : kLanes;
  for (int64_t key = 0; key < t.keys; key += block) {
    const int64_t n = std::min(block, t.keys - key);
    const Span see = whole ? Span{0, t.vecs() - 1} : vecs_that_see(t, key, n);
    const int64_t at = see.first * kLanes;
    multiply_panel({a.at(key), a.stride, false, b + at, kTile, s + key * kTile + at, kTile, false},
                   n, depth, see.last - see.first + 1);
  }
}

void sum_over_keys(const Tile& t, const float* s, const float* b, int64_t width, float* c,
                   bool add) {
  if (t.whole()) {
    multiply_panel({s, kTile, true, b, width, c, width, add}, t.queries, t.keys, width / kLanes);
    return;
  }
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const int64_t begin = t.begin(j), depth = t.end(j) - begin;
    if (depth == 0 && add) continue;
    multiply_panel({s + begin * kTile + j * kLanes, kTile, true, b + begin * width, width,
                    c + j * kLanes * width, width, add},
                   std::min<int64_t>(kLanes, t.queries - j * kLanes), depth, width / kLanes);
  }
}

void sum_over_queries(const Tile& t, const float* s, const float* b, int64_t width, Rows<float> c,
                      bool add) {
  const int64_t block = t.whole() ? t.keys : kLanes;
  for (int64_t key = 0; key < t.keys; key += block) {
    const int64_t n = std::min(block, t.keys - key);
    const Span see = t.whole() ? Span{0, t.vecs() - 1} : vecs_that_see(t, key, n);
    const int64_t begin = see.first * kLanes, end = std::min((see.last + 1) * kLanes, t.queries);
    const int64_t depth = std::max<int64_t>(end - begin, 0);
    if (depth == 0 && add) continue;
    multiply_panel(
        {s + key * kTile + begin, kTile, false, b + begin * width, width, c.at(key), c.stride, add},
        n, depth, width / kLanes);
  }
}

namespace {

void apply_passes(const AttentionArgs& args, const ScoreTile& tile, float* slope) {
  const auto each = [&](auto&& f) {
    for (int64_t k = 0; k < tile.keys; ++k) {
      for (int64_t i = 0; i < tile.queries; i += kLanes) f(k * kTile + i);
    }
  };
  if (slope) each([&](int64_t i) { store(slope + i, Vec(1.0f)); });
  for (const ScorePass& pass : args.passes) {
    if (!pass.apply) break;
    pass.apply(pass.context, tile, slope);
    if (!pass.hides) continue;
    each([&](int64_t i) {
      const Vec x = load(tile.s + i);
      store(tile.s + i, select(x < Vec(kHidden), Vec(kHidden), x));  // NaN stays NaN
    });
  }
}

}  // namespace

void apply_passes(const AttentionArgs& args, const Tile& t, int64_t batch, int64_t head, float* s,
                  float* slope) {
  // Each vector of queries with the keys that it sees; all at once where all see all.
  const int64_t step = t.whole() ? kVecs : 1;
  for (int64_t j = 0; j < t.vecs(); j += step) {
    const int64_t begin = t.begin(j), keys = t.end(j) - begin, at = begin * kTile + j * kLanes;
    if (keys == 0) continue;
    const int64_t queries = std::min(step * kLanes, t.queries - j * kLanes);
    apply_passes(args,
                 {s + at, kTile, batch, head, args.query_offset + t.first_query + j * kLanes,
                  queries, t.first_key + begin, keys},
                 slope ? slope + at : nullptr);
  }
}

void add_distance_bias(const AttentionArgs& args, const Tile& t, int64_t head, float* s) {
  const Tensor& bias = args.distance_bias.t;
  if (!bias) return;
  const float* row = bias.data<float>() + head * bias.dim(1);
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const float* at = row + distance_at(args, t, j);
    for (int64_t k = t.begin(j); k < t.end(j); ++k) {
      float* p = s + k * kTile + j * kLanes;
      store(p, load(p) + load(at - k));
    }
  }
}

Distances distances_of(const AttentionArgs& args, const Tile& t) {
  const int64_t first = args.query_offset + t.first_query - t.first_key;
  const int64_t low = std::max<int64_t>(0, first - (t.keys - 1));
  return {low, std::max<int64_t>(0, first + t.queries - low)};
}

void add_distance_term(const AttentionArgs& args, const Tile& t, Rows<const float> keys,
                       const float* columns, float* by_distance, float* s) {
  const Distances d = distances_of(args, t);
  multiply_panel({keys.p, keys.stride, false, columns, kTile, by_distance, kTile, false}, d.count,
                 args.distance_key.t.dim(2), t.vecs());
  const int64_t first = args.query_offset + t.first_query - t.first_key - d.first;
  for (int64_t k = 0; k < t.keys; ++k) {
    const int64_t begin = std::max<int64_t>(0, k - first);
    const float* from = by_distance + (first - k) * kTile;  // a row on for each query
    for (int64_t i = begin; i < t.queries; ++i) s[k * kTile + i] += from[i * (kTile + 1)];
  }
}

void by_distance(const AttentionArgs& args, const Tile& t, const float* gradients, float* out) {
  const Distances d = distances_of(args, t);
  std::fill_n(out, d.count * kTile, 0.0f);
  const int64_t first = args.query_offset + t.first_query - t.first_key - d.first;
  for (int64_t k = 0; k < t.keys; ++k) {
    const int64_t begin = std::max<int64_t>(0, k - first);
    float* to = out + (first - k) * kTile;
    for (int64_t i = begin; i < t.queries; ++i) to[i * (kTile + 1)] = gradients[k * kTile + i];
  }
}

uint64_t dropout_row(const AttentionArgs& args, const Tensor& q, int64_t batch, int64_t head) {
  return static_cast<uint64_t>(((args.step->first_row + batch) * q.dim(2) + head) * q.dim(1));
}

void draw_kept(const AttentionArgs& args, const Tile& t, uint64_t row, float* keep) {
  const auto key = philox_key(args.step->seed_dropout, args.stream, args.step->micro_step);
  const auto threshold = static_cast<uint32_t>(static_cast<double>(args.dropout) * 0x1p32);
  Words lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<uint32_t>(i);
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const uint64_t first = row + static_cast<uint64_t>(t.first_query + j * kLanes);
    const auto low = static_cast<uint32_t>(first);
    const Words rows = lane + low;
    const Words high = (Words{} + static_cast<uint32_t>(first >> 32)) + ((rows < low) ? 1u : 0u);
    for (int64_t k = t.begin(j) / 4 * 4; k < t.end(j); k += 4) {
      Words c[4] = {Words{} + static_cast<uint32_t>((t.first_key + k) / 4), Words{}, rows, high};
      philox(c, key);
      for (int i = 0; i < 4 && k + i < t.keys; ++i) {
        const VecInt kept = (VecInt)(c[i] >= threshold);
        store(keep + (k + i) * kTile + j * kLanes, select(kept, Vec(1.0f), Vec(0.0f)));
      }
    }
  }
}

}  // namespace keel::tile
