// What the attention kernels of the CPU share. A tile is 64 queries by 64 keys of one head, its
// scores stored key by key, so that the lanes of a vector are queries: maxima and sums of a softmax
// are then plain vector operations, and every product reads keys and values as they lie.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backend/scalar_math.h"
#include "backend/vec.h"
#include "ops/attention.h"

namespace keel::tile {

constexpr int64_t kTile = kernel::kQueryTile;
constexpr int64_t kVecs = kTile / kLanes;
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.693147181f;
constexpr float kHidden = -1e30f;  // the score of a hidden pair
constexpr float kLowest = -1e29f;  // where a running maximum starts: above it, so that exp gives 0

inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// 2^x, 0 for x far below -126: a polynomial of degree 5 (relative error 1e-7), exact at integers.
inline Vec exp2(Vec x) {
  const Vec n = round(x), r = x - n;
  Vec p(1.3264727e-3f);
  p = fma(p, r, Vec(9.671513e-3f));
  p = fma(p, r, Vec(5.5507336e-2f));
  p = fma(p, r, Vec(2.4022242e-1f));
  p = fma(p, r, Vec(6.931470e-1f));
  p = fma(p, r, Vec(1.0f));
#ifdef __AVX512F__
  return (VecData)_mm512_scalef_ps((__m512)p.v, (__m512)n.v);
#else
  const Vec m = min(max(Vec(-126.0f), n), Vec(127.0f));
  return select(x < Vec(-126.0f), Vec(0.0f), p * exp2_int(m));
#endif
}

// ln x for normal x > 0: x = 2^e f, ln f = 2 atanh((f - 1) / (f + 1)).
inline Vec log(Vec x) {
  const VecInt bits = (VecInt)x.v, e = (bits - 0x3f3504f3) >> 23;  // f in [sqrt(1/2), sqrt(2))
  const Vec f((VecData)(bits - (e << 23)));
  const Vec y = (f - Vec(1.0f)) / (f + Vec(1.0f)), s = y * y;
  Vec p(2.0f / 9);
  p = fma(p, s, Vec(2.0f / 7));
  p = fma(p, s, Vec(2.0f / 5));
  p = fma(p, s, Vec(2.0f / 3));
  p = fma(p * s, y, Vec(2.0f) * y);
  return fma(Vec(__builtin_convertvector(e, VecData)), Vec(kLn2), p);
}

// Rows of one head: row i begins at p + i * stride.
template <class T>
struct Rows {
  T* p;
  int64_t stride;
  T* at(int64_t i) const { return p + i * stride; }
  Rows from(int64_t i) const { return {at(i), stride}; }
};
template <class T>
Rows<T> head_rows(const Tensor& x, int64_t batch, int64_t head) {
  return {x.data<T>() + batch * x.stride(0) + head * x.stride(2), x.stride(1)};
}

// The keys that each query of a tile sees: [lo, hi), an empty range as lo > hi.
struct Visible {
  alignas(64) int32_t lo[kTile];
  alignas(64) int32_t hi[kTile];
  int64_t vec_lo[kVecs], vec_hi[kVecs];  // seen by at least one query of a vector
  int64_t any_lo, any_hi;                // by at least one query
  int64_t all_lo, all_hi;                // by every query
  int64_t seen(int64_t query) const { return std::max(0, hi[query] - lo[query]); }
};
// Queries beyond `queries` are taken to see what the last one sees.
Visible visible_keys(const AttentionArgs& args, int64_t batch, int64_t first_query, int64_t queries,
                     int64_t tk);

// One tile of one head, and what of it is to be worked on.
struct Tile {
  const Visible* visible;
  int64_t first_query, queries;
  int64_t first_key, keys;

  bool whole() const { return first_key >= visible->all_lo && first_key + keys <= visible->all_hi; }
  int64_t vecs() const { return (queries + kLanes - 1) / kLanes; }
  // The keys, counted in the tile, that vector j of queries sees: 0 <= begin <= end <= keys.
  int64_t begin(int64_t j) const {
    return std::clamp<int64_t>(visible->vec_lo[j] - first_key, 0, keys);
  }
  int64_t end(int64_t j) const {
    return std::clamp<int64_t>(visible->vec_hi[j] - first_key, begin(j), keys);
  }
  VecInt sees(int64_t j, int64_t key) const {
    VecInt lo, hi;
    __builtin_memcpy(&lo, visible->lo + j * kLanes, sizeof lo);
    __builtin_memcpy(&hi, visible->hi + j * kLanes, sizeof hi);
    const auto k = static_cast<int32_t>(first_key + key);
    return (lo <= k) & (hi > k);
  }
};

// out[kTile, width] = the rows, 0 beyond columns; width is a multiple of kLanes, maybe of more.
template <class T>
void pack(Rows<const T> x, int64_t rows, int64_t columns, int64_t width, float scale, float* out) {
  const int64_t written = round_up(columns, kLanes);
  for (int64_t i = 0; i < rows; ++i, out += width) {
    for_lanes(columns,
              [&](int64_t c, int n) { store(out + c, load_n(x.at(i) + c, n) * Vec(scale)); });
    std::fill_n(out + written, width - written, 0.0f);
  }
}
// out[width, kTile] = scale times the transpose of x[rows, width]; 0 for rows up to the next
// vector.
void transpose(const float* x, int64_t rows, int64_t width, float scale, float* out);

// s[key][query] = rows of a times the columns of b, where a query of the vector sees the key.
// a: one row of `depth` values a key; b[depth, kTile].
void key_by_query(const Tile& t, bool whole, Rows<const float> a, const float* b, int64_t depth,
                  float* s);
// c[query] += sum over keys of s[key][query] b[key]; b[keys, width]. Unless add, c[query] = it.
void sum_over_keys(const Tile& t, const float* s, const float* b, int64_t width, float* c,
                   bool add);
// c[key] += sum over queries of s[key][query] b[query]; b[queries, width]. Unless add, c[key] = it.
void sum_over_queries(const Tile& t, const float* s, const float* b, int64_t width, Rows<float> c,
                      bool add);

// Applies the passes; slope may be null, else it becomes their derivative.
void apply_passes(const AttentionArgs& args, const Tile& t, int64_t batch, int64_t head, float* s,
                  float* slope);
inline bool has_passes(const AttentionArgs& args) { return args.passes[0].apply != nullptr; }

// The scores of a tile as the softmax reads them, after the passes: the bias of the distances added
// where a pair may be seen.
void add_distance_bias(const AttentionArgs& args, const Tile& t, int64_t head, float* s);
// Where the row of distance_bias (or of its gradient) of a head holds the distance of query
// j * kLanes of the tile to its key 0; key k stands k before.
inline int64_t distance_at(const AttentionArgs& args, const Tile& t, int64_t j) {
  return kDistancePad + args.query_offset + t.first_query + j * kLanes - t.first_key;
}
// Distances of the pairs of a tile for which there is a key: count from the first on.
struct Distances {
  int64_t first, count;
};
Distances distances_of(const AttentionArgs& args, const Tile& t);
// Their keys for one head as rows of floats, in `to` where they are not so already.
template <class T>
Rows<const float> distance_rows(const AttentionArgs& args, const Distances& d, int64_t head,
                                int64_t width, float* to) {
  const Tensor& keys = args.distance_key.t;
  const Rows<const T> rows{keys.data<T>() + head * keys.dim(2), keys.dim(1) * keys.dim(2)};
  if constexpr (std::is_same_v<T, float>) {
    return rows.from(d.first);
  } else {
    pack(rows.from(d.first), d.count, keys.dim(2), width, 1.0f, to);
    return {to, width};
  }
}
// s += the distances' term. columns[width, kTile]: the scaled distance queries transposed;
// by_distance [kDistances, kTile] is working memory.
constexpr int64_t kDistances = 2 * kTile;
void add_distance_term(const AttentionArgs& args, const Tile& t, Rows<const float> keys,
                       const float* columns, float* by_distance, float* s);
// The gradients of scores, ordered by distance instead of key: [kDistances, kTile].
void by_distance(const AttentionArgs& args, const Tile& t, const float* gradients, float* out);

inline float head_scale(const AttentionArgs& args, int64_t head) {
  const Tensor& theta = args.log_scale.t;
  return theta ? args.scale * std::exp(theta.data<float>()[head % theta.size()]) : args.scale;
}
inline Vec clipped(const AttentionArgs& args, Vec p) {
  return fma(p, Vec(args.clip_high - args.clip_low), Vec(args.clip_low));
}

// What a row's max(0, floor - entropy) is multiplied by in the loss.
inline float entropy_factor(const AttentionArgs& args) {
  return args.entropy_weight * (args.step ? args.step->loss_scale : 1.0f);
}

// keep[key][query] = 1 where dropout keeps the weight, else 0. `row` numbers the tile's first query
// among the queries of all heads of the global batch; numbers of a row are drawn by key.
void draw_kept(const AttentionArgs& args, const Tile& t, uint64_t row, float* keep);
// That number, for the first query of a sequence's head.
uint64_t dropout_row(const AttentionArgs& args, const Tensor& q, int64_t batch, int64_t head);

// The forward of one query for each sequence, without dropout, statistics and what changes scores
// or weights one by one.
void decode(const kernel::AttentionFwd& a);

}  // namespace keel::tile
