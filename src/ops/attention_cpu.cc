#include <algorithm>

#include "backend/cpu/scratch.h"
#include "core/parallel.h"
#include "ops/attention_tile.h"

namespace keel::kernel {
namespace {

using namespace tile;

// Queries that one unit of work takes together, so that a tile of values is packed once for all of
// them; fewer where that would leave too few units.
int64_t block_tiles(const Tensor& q) {
  const int64_t tiles = (q.dim(1) + kTile - 1) / kTile;
  const int64_t units = q.dim(0) * q.dim(2) * ((tiles + 3) / 4);
  return units >= 32 ? 4 : 1;
}

// The running softmax of a tile of queries.
struct State {
  alignas(64) float top[kTile];     // largest score so far
  alignas(64) float sum[kTile];     // of exp(score - top)
  alignas(64) float spread[kTile];  // of exp(score - top) (score - top), base 2; for the entropy
  alignas(64) float shrink[kTile];  // what the last tile multiplied the earlier sums by
  Vec largest;                      // |score|
  bool started;
};

struct Scratch {
  float *queries, *values, *keys, *scores, *keep, *out;
  State* states;
  int64_t width;

  static size_t floats(int64_t tiles, int64_t width) {
    return static_cast<size_t>(tiles * (2 * kTile * width + round_up(sizeof(State) / 4, 16)) +
                               2 * kTile * width + 2 * kTile * kTile);
  }
  Scratch(float* p, int64_t tiles, int64_t w) : width(w) {
    const auto take = [&p](int64_t n) { return std::exchange(p, p + n); };
    values = take(kTile * w);
    keys = take(kTile * w);
    scores = take(kTile * kTile);
    keep = take(kTile * kTile);
    queries = take(tiles * w * kTile);
    out = take(tiles * kTile * w);
    states = reinterpret_cast<State*>(p);
  }
};

// Scores of hidden pairs become kHidden; returns the maxima of vector j over the tile, and of |s|.
template <bool Whole, bool Probe>
Vec maxima(const Tile& t, int64_t j, float* s, Vec top, Vec* largest) {
  const int64_t begin = Whole ? 0 : t.begin(j), end = Whole ? t.keys : t.end(j);
  Vec m[4] = {top, top, top, top}, a = *largest;
  const auto step = [&](int64_t k, Vec& to) {
    float* p = s + k * kTile + j * kLanes;
    Vec x = load(p);
    if constexpr (!Whole) {
      const VecInt sees = t.sees(j, k);
      if constexpr (Probe) a = max(select(sees, abs(x), a), a);
      x = select(sees, x, Vec(kHidden));
      store(p, x);
    } else if constexpr (Probe) {
      a = max(abs(x), a);
    }
    to = max(x, to);
  };
  int64_t k = begin;
  for (; k + 4 <= end; k += 4) {
    for (int i = 0; i < 4; ++i) step(k + i, m[i]);
  }
  for (; k < end; ++k) step(k, m[0]);
  *largest = a;
  return max(max(m[0], m[1]), max(m[2], m[3]));
}

// s = exp(s - top) where the pair is visible, 0 elsewhere in the tile; adds to sum and spread.
template <bool Probe>
void exponentials(const Tile& t, int64_t begin, int64_t end, float* s, Vec top, Vec* sum,
                  Vec* spread) {
  Vec a[2] = {*sum, Vec(0.0f)}, b = *spread;
  for (int64_t k = 0; k < begin; ++k) store(s + k * kTile, Vec(0.0f));
  const auto step = [&](int64_t k, Vec& to) {
    const Vec x = (load(s + k * kTile) - top) * Vec(kLog2E), p = exp2(x);
    store(s + k * kTile, p);
    to += p;
    if constexpr (Probe) b = fma(p, x, b);
  };
  int64_t k = begin;
  for (; k + 2 <= end; k += 2) {
    step(k, a[0]);
    step(k + 1, a[1]);
  }
  if (k < end) step(k++, a[0]);
  for (; k < t.keys; ++k) store(s + k * kTile, Vec(0.0f));
  *sum = a[0] + a[1];
  *spread = b;
}

template <bool Probe>
void softmax_tile(const Tile& t, float* s, State* state) {
  const bool whole = t.whole();
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const int64_t at = j * kLanes;
    const Vec before = load(state->top + at);
    const Vec top = whole ? maxima<true, Probe>(t, j, s, before, &state->largest)
                          : maxima<false, Probe>(t, j, s, before, &state->largest);
    const Vec drop = (before - top) * Vec(kLog2E), shrink = exp2(drop);
    Vec sum = load(state->sum + at) * shrink, spread(0.0f);
    if constexpr (Probe) spread = fma(load(state->spread + at), shrink, sum * drop);
    exponentials<Probe>(t, whole ? 0 : t.begin(j), whole ? t.keys : t.end(j), s + at, top, &sum,
                        &spread);
    store(state->top + at, top);
    store(state->sum + at, sum);
    store(state->spread + at, spread);
    store(state->shrink + at, shrink);
  }
}

// Largest |score| over the visible pairs, for scores that passes are about to change.
void scan_largest(const Tile& t, const float* s, Vec* largest) {
  for (int64_t j = 0; j < t.vecs(); ++j) {
    for (int64_t k = t.begin(j); k < t.end(j); ++k) {
      const Vec x = abs(load(s + k * kTile + j * kLanes));
      *largest = max(select(t.sees(j, k), x, Vec(0.0f)), *largest);
    }
  }
}

void shrink_rows(const State& state, int64_t queries, int64_t width, float* out) {
  for (int64_t i = 0; i < queries; ++i) {
    if (state.shrink[i] == 1.0f) continue;
    const Vec f(state.shrink[i]);
    for (int64_t c = 0; c < width; c += kLanes) {
      store(out + i * width + c, load(out + i * width + c) * f);
    }
  }
}

// o = out / sum, lse = top + ln sum; a row that saw no key: 0 and -inf.
template <class T>
void finish(const AttentionFwd& a, const Tile& t, int64_t b, int64_t h, State* state,
            const float* out, int64_t width) {
  const Rows<T> o = head_rows<T>(a.o, b, h);
  float* lse = a.lse.data<float>() + (b * a.q.dim(2) + h) * a.q.dim(1) + t.first_query;
  const float kept = 1.0f / (1.0f - a.args.dropout);
  for (int64_t i = 0; i < t.queries; i += kLanes) {
    const int n = static_cast<int>(std::min<int64_t>(kLanes, t.queries - i));
    const Vec sum = load(state->sum + i);
    const VecInt none = (VecInt)(sum.v == VecData{});
    store_n(lse + i, select(none, Vec(-INFINITY), load(state->top + i) + log(sum)), n);
    store(state->shrink + i, select(none, Vec(0.0f), Vec(kept) / sum));
  }
  for (int64_t i = 0; i < t.queries; ++i) {
    const Vec f(state->shrink[i]);
    T* row = o.at(t.first_query + i);
    for_lanes(a.q.dim(3),
              [&](int64_t c, int n) { store_n(row + c, load(out + i * width + c) * f, n); });
  }
}

// Of one tile of queries: largest |score|, sum of the rows' entropies, rows that see a key.
void write_stats(const Tile& t, const State& state, float* stats) {
  float largest = 0, entropy = 0, rows = 0;
  for (int i = 0; i < kLanes; ++i) largest = std::max(largest, state.largest.v[i]);
  for (int64_t i = 0; i < t.queries; ++i) {
    if (state.sum[i] == 0.0f) continue;
    entropy += std::log(state.sum[i]) - kLn2 * state.spread[i] / state.sum[i];
    rows += 1.0f;
  }
  stats[0] = largest;
  stats[1] = entropy;
  stats[2] = rows;
}

template <class T>
class Unit {
 public:
  Unit(const AttentionFwd& a, int64_t batch, int64_t head, int64_t first_tile, int64_t tiles,
       const Scratch& s)
      : a_(a), s_(s), batch_(batch), head_(head), tiles_(tiles), first_tile_(first_tile) {
    for (int64_t i = 0; i < tiles; ++i) open(i);
  }

  void run() {
    const int64_t tk = a_.k.dim(1), group = a_.q.dim(2) / a_.k.dim(2);
    const Rows<const T> k = head_rows<const T>(a_.k, batch_, head_ / group);
    const Rows<const T> v = head_rows<const T>(a_.v, batch_, head_ / group);
    int64_t begin = tk, end = 0;
    for (int64_t i = 0; i < tiles_; ++i) {
      begin = std::min(begin, visible_[i].any_lo);
      end = std::max(end, visible_[i].any_hi);
    }
    for (int64_t key = begin / kTile * kTile; key < end; key += kTile) {
      const int64_t keys = std::min(kTile, tk - key);
      pack(v.from(key), keys, a_.v.dim(3), s_.width, 1.0f, s_.values);
      const Rows<const float> key_rows = as_floats(k, key, keys);
      for (int64_t i = 0; i < tiles_; ++i) {
        if (key >= visible_[i].any_hi || key + keys <= visible_[i].any_lo) continue;
        add_keys(i, key, keys, key_rows);
      }
    }
    for (int64_t i = 0; i < tiles_; ++i) close(i);
  }

 private:
  Tile tile(int64_t i, int64_t key, int64_t keys) const {
    const int64_t first = (first_tile_ + i) * kTile;
    return {&visible_[i], first, std::min(kTile, a_.q.dim(1) - first), key, keys};
  }
  float* out(int64_t i) const { return s_.out + i * kTile * s_.width; }

  void open(int64_t i) {
    const Tile t = tile(i, 0, 0);
    visible_[i] = visible_keys(a_.args, batch_, t.first_query, t.queries, a_.k.dim(1));
    const Rows<const T> q = head_rows<const T>(a_.q, batch_, head_);
    float* rows = out(i);  // free until the first tile of keys
    pack(q.from(t.first_query), t.queries, a_.q.dim(3), s_.width, 1.0f, rows);
    transpose(rows, t.queries, s_.width, a_.args.scale, s_.queries + i * s_.width * kTile);
    State& state = s_.states[i];
    std::fill_n(state.top, kTile, kLowest);
    std::fill_n(state.sum, kTile, 0.0f);
    std::fill_n(state.spread, kTile, 0.0f);
    state.largest = Vec(0.0f);
    state.started = false;
  }

  Rows<const float> as_floats(Rows<const T> k, int64_t key, int64_t keys) const {
    if constexpr (std::is_same_v<T, float>) {
      return k.from(key);
    } else {
      pack(k.from(key), keys, a_.k.dim(3), s_.width, 1.0f, s_.keys);
      return {s_.keys, s_.width};
    }
  }

  void add_keys(int64_t i, int64_t key, int64_t keys, Rows<const float> k) {
    const Tile t = tile(i, key, keys);
    State& state = s_.states[i];
    const bool passes = has_passes(a_.args);
    key_by_query(t, t.whole() || passes, k, s_.queries + i * s_.width * kTile, a_.q.dim(3),
                 s_.scores);
    if (passes) {
      if (a_.stats) scan_largest(t, s_.scores, &state.largest);
      apply_passes(a_.args, t, batch_, head_, s_.scores, nullptr);
    }
    const Vec largest = state.largest;
    if (a_.stats)
      softmax_tile<true>(t, s_.scores, &state);
    else
      softmax_tile<false>(t, s_.scores, &state);
    if (passes) state.largest = largest;
    if (a_.args.dropout > 0) drop(t);
    if (state.started) shrink_rows(state, t.queries, s_.width, out(i));
    sum_over_keys(t, s_.scores, s_.values, s_.width, out(i), state.started);
    state.started = true;
  }

  void drop(const Tile& t) const {
    draw_kept(a_.args, t, dropout_row(a_.args, a_.q, batch_, head_), s_.keep);
    for (int64_t j = 0; j < t.vecs(); ++j) {
      for (int64_t k = t.begin(j); k < t.end(j); ++k) {
        const int64_t at = k * kTile + j * kLanes;
        const Vec keep = load(s_.keep + at);
        store(s_.scores + at, select(keep > Vec(0.0f), load(s_.scores + at), Vec(0.0f)));
      }
    }
  }

  void close(int64_t i) {
    const Tile t = tile(i, 0, 0);
    State& state = s_.states[i];
    if (!state.started) std::fill_n(out(i), t.queries * s_.width, 0.0f);
    finish<T>(a_, t, batch_, head_, &state, out(i), s_.width);
    if (!a_.stats) return;
    const int64_t n = a_.stats.dim(2);
    write_stats(
        t, state,
        a_.stats.data<float>() + ((batch_ * a_.q.dim(2) + head_) * n + first_tile_ + i) * 3);
  }

  const AttentionFwd& a_;
  const Scratch& s_;
  int64_t batch_, head_, tiles_, first_tile_;
  Visible visible_[4];
};

// Reads the statistics of the tiles in their order.
void fill_probe(const AttentionFwd& a) {
  const int64_t batch = a.stats.dim(0), heads = a.stats.dim(1), tiles = a.stats.dim(2);
  a.args.probe->logit_max.resize(static_cast<size_t>(heads));
  a.args.probe->entropy.resize(static_cast<size_t>(heads));
  for (int64_t h = 0; h < heads; ++h) {
    float largest = 0;
    double entropy = 0, rows = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const float* s = a.stats.data<float>() + (b * heads + h) * tiles * 3;
      for (int64_t i = 0; i < tiles; ++i, s += 3) {
        largest = std::max(largest, s[0]);
        entropy += s[1];
        rows += s[2];
      }
    }
    a.args.probe->logit_max[static_cast<size_t>(h)] = largest;
    a.args.probe->entropy[static_cast<size_t>(h)] =
        static_cast<float>(rows > 0 ? entropy / rows : 0);
  }
}

template <class T>
void forward(const AttentionFwd& a) {
  const int64_t width = round_up(a.q.dim(3), kHeadPad), heads = a.q.dim(2);
  const int64_t tiles = (a.q.dim(1) + kTile - 1) / kTile, block = block_tiles(a.q);
  const int64_t blocks = (tiles + block - 1) / block, pairs = a.q.dim(0) * heads;
  const size_t floats = Scratch::floats(block, width);
  reserve_worker_scratch(floats * sizeof(float));
  parallel_for(blocks * pairs, [&](int64_t unit) {
    const int64_t pair = unit % pairs, first = (blocks - 1 - unit / pairs) * block;  // long first
    const Scratch s(worker_floats(floats), block, width);
    Unit<T>(a, pair / heads, pair % heads, first, std::min(block, tiles - first), s).run();
  });
}

}  // namespace

void attention_fwd(Cpu&, const AttentionFwd& a) {
  if (a.q.dim(1) == 1 && a.args.dropout == 0 && !has_passes(a.args) && !a.stats) return decode(a);
  with_dtype(a.q.dtype(), [&]<class T>() { forward<T>(a); });
  if (a.stats) fill_probe(a);
}

}  // namespace keel::kernel
