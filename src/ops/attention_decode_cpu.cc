// One query for each sequence (generation with a cache): lanes are elements of a head, so that
// each key and value is read once, as it lies.
#include <algorithm>

#include "backend/cpu/scratch.h"
#include "core/parallel.h"
#include "ops/attention_tile.h"

namespace keel::tile {
namespace {

// The running softmax of one head. out is not yet divided by sum.
struct Row {
  float top = kLowest, sum = 0;
  const float* q;
  float* out;
};

template <class T>
float dot(const float* q, const T* k, int64_t hd) {
  Vec sum(0.0f);
  for_lanes(hd, [&](int64_t c, int n) { sum = fma(load(q + c), load_n(k + c, n), sum); });
  return reduce_add(sum);
}

// out = out * shrink + sum over keys of p[key] v[key]; four sums at a time hide the latency.
template <class T>
void add_values(Rows<const T> v, int64_t keys, const float* p, float shrink, int64_t hd,
                float* out) {
  for_lanes(hd, [&](int64_t c, int n) {
    Vec sum[4] = {load(out + c) * Vec(shrink), Vec(0.0f), Vec(0.0f), Vec(0.0f)};
    int64_t j = 0;
    for (; j + 4 <= keys; j += 4) {
      for (int i = 0; i < 4; ++i) {
        sum[i] = fma(Vec(p[j + i]), load_n(v.at(j + i) + c, n), sum[i]);
      }
    }
    for (; j < keys; ++j) sum[0] = fma(Vec(p[j]), load_n(v.at(j) + c, n), sum[0]);
    store(out + c, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  });
}

template <class T>
void add_keys(Rows<const T> k, Rows<const T> v, int64_t keys, int64_t hd, Row* row) {
  alignas(64) float p[kTile];
  std::fill_n(p, kTile, kHidden);
  for (int64_t j = 0; j < keys; ++j) p[j] = dot(row->q, k.at(j), hd);
  Vec top(row->top), sum(0.0f);
  for (int64_t j = 0; j < kTile; j += kLanes) top = max(load(p + j), top);
  const float before = row->top;
  row->top = reduce_max(top);
  for (int64_t j = 0; j < kTile; j += kLanes) {
    const Vec e = exp2((load(p + j) - Vec(row->top)) * Vec(kLog2E));
    store(p + j, e);
    sum += e;
  }
  const float shrink = exp2(Vec((before - row->top) * kLog2E)).v[0];
  row->sum = row->sum * shrink + reduce_add(sum);
  add_values(v, keys, p, shrink, hd, row->out);
}

template <class T>
void finish(const kernel::AttentionFwd& a, int64_t b, int64_t h, const Row& row) {
  const bool none = row.sum == 0.0f;
  float f = none ? 0.0f : 1.0f / row.sum, lse = none ? -INFINITY : row.top + std::log(row.sum);
  if (const Tensor& sink = a.args.sink.t) {
    const float s = sink.data<float>()[h], high = std::max(row.top, s);
    const float shrink = std::exp(row.top - high), all = row.sum * shrink + std::exp(s - high);
    f = none ? 0.0f : shrink / all;
    lse = high + std::log(all);
  }
  a.lse.data<float>()[b * a.q.dim(2) + h] = lse;
  T* o = head_rows<T>(a.o, b, h).p;
  for_lanes(a.q.dim(3), [&](int64_t c, int n) { store_n(o + c, load(row.out + c) * Vec(f), n); });
}

// All heads that read one key head, tile by tile of keys.
template <class T>
void decode_group(const kernel::AttentionFwd& a, int64_t b, int64_t kv, float* scratch) {
  const int64_t group = a.q.dim(2) / a.k.dim(2), hd = a.q.dim(3), width = round_up(hd, kLanes);
  const Rows<const T> k = head_rows<const T>(a.k, b, kv), v = head_rows<const T>(a.v, b, kv);
  Row* rows = reinterpret_cast<Row*>(scratch + 2 * group * width);
  for (int64_t g = 0; g < group; ++g) {
    float* q = scratch + 2 * g * width;
    const int64_t h = kv * group + g;
    pack(head_rows<const T>(a.q, b, h), 1, hd, width, head_scale(a.args, h), q);
    std::fill_n(q + width, width, 0.0f);
    rows[g] = Row{.q = q, .out = q + width};
  }
  const Visible see = visible_keys(a.args, b, 0, 1, a.k.dim(1));
  for (int64_t key = see.any_lo; key < see.any_hi; key += kTile) {
    const int64_t keys = std::min(kTile, see.any_hi - key);
    for (int64_t g = 0; g < group; ++g) add_keys(k.from(key), v.from(key), keys, hd, rows + g);
  }
  for (int64_t g = 0; g < group; ++g) finish<T>(a, b, kv * group + g, rows[g]);
}

}  // namespace

void decode(const kernel::AttentionFwd& a) {
  const int64_t heads = a.k.dim(2), group = a.q.dim(2) / heads;
  const int64_t row = 2 * round_up(a.q.dim(3), kLanes) + round_up(sizeof(Row) / 4, 16);
  const auto floats = static_cast<size_t>(group * row);
  reserve_worker_scratch(floats * sizeof(float));
  with_dtype(a.q.dtype(), [&]<class T>() {
    parallel_for(a.q.dim(0) * heads, [&](int64_t unit) {
      decode_group<T>(a, unit / heads, unit % heads, worker_floats(floats));
    });
  });
}

}  // namespace keel::tile
