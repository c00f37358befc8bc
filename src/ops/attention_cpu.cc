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
  alignas(64) float factor[kTile];  // what a finished row is multiplied by
  Vec largest;                      // |score|
  Vec squares;                      // sum of score^2, where wanted
  bool started;
};

struct Scratch {
  float *queries, *values, *keys, *scores, *keep, *out;
  float *distance_queries, *distance_keys,
      *by_distance;  // where scores have a term of the distance
  State* states;
  int64_t width;

  static size_t floats(int64_t tiles, int64_t width, bool distances) {
    const int64_t term = distances ? (tiles * kTile + kDistances) * width + kDistances * kTile : 0;
    return static_cast<size_t>(tiles * (2 * kTile * width + round_up(sizeof(State) / 4, 16)) +
                               2 * kTile * width + 2 * kTile * kTile + term);
  }
  Scratch(float* p, int64_t tiles, int64_t w, bool distances) : width(w) {
    const auto take = [&p](int64_t n) { return std::exchange(p, p + n); };
    values = take(kTile * w);
    keys = take(kTile * w);
    scores = take(kTile * kTile);
    keep = take(kTile * kTile);
    queries = take(tiles * w * kTile);
    out = take(tiles * kTile * w);
    distance_queries = take(distances ? tiles * w * kTile : 0);
    distance_keys = take(distances ? kDistances * w : 0);
    by_distance = take(distances ? kDistances * kTile : 0);
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

void add_squares(const Tile& t, const float* s, Vec* squares) {
  for (int64_t j = 0; j < t.vecs(); ++j) {
    for (int64_t k = t.begin(j); k < t.end(j); ++k) {
      const Vec x = select(t.sees(j, k), load(s + k * kTile + j * kLanes), Vec(0.0f));
      *squares = fma(x, x, *squares);
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

// lse = top + ln sum and factor = kept / sum; for a row that saw no key -inf and 0. A sink joins
// the sum under a maximum that has it in view.
void normalise(const AttentionFwd& a, const Tile& t, int64_t b, int64_t h, State* state) {
  float* lse = a.lse.data<float>() + (b * a.q.dim(2) + h) * a.q.dim(1) + t.first_query;
  const float kept = 1.0f / (1.0f - a.args.dropout);
  const Tensor& sink = a.args.sink.t;
  for (int64_t i = 0; i < t.queries; i += kLanes) {
    const int n = static_cast<int>(std::min<int64_t>(kLanes, t.queries - i));
    const Vec sum = load(state->sum + i), top = load(state->top + i);
    const VecInt none = (VecInt)(sum.v == VecData{});
    if (!sink) {
      store_n(lse + i, select(none, Vec(-INFINITY), top + log(sum)), n);
      store(state->factor + i, select(none, Vec(0.0f), Vec(kept) / sum));
      continue;
    }
    const Vec s(sink.data<float>()[h]), high = max(top, s);
    const Vec shrink = exp2((top - high) * Vec(kLog2E));
    const Vec all = fma(sum, shrink, exp2((s - high) * Vec(kLog2E)));
    store_n(lse + i, high + log(all), n);
    store(state->factor + i, select(none, Vec(0.0f), Vec(kept) * shrink / all));
  }
}

// o = out * factor.
template <class T>
void finish(const AttentionFwd& a, const Tile& t, int64_t b, int64_t h, const State& state,
            const float* out, int64_t width) {
  const Rows<T> o = head_rows<T>(a.o, b, h);
  for (int64_t i = 0; i < t.queries; ++i) {
    const Vec f(state.factor[i]);
    T* row = o.at(t.first_query + i);
    for_lanes(a.q.dim(3),
              [&](int64_t c, int n) { store_n(row + c, load(out + i * width + c) * f, n); });
  }
}

// s = clip(stretched exp(s - lse)), where lse is known already; 0 for hidden pairs.
void clip_tile(const AttentionArgs& args, const Tile& t, const float* lse, float* s) {
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const Vec row = load(lse + j * kLanes);
    for (int64_t k = 0; k < t.keys; ++k) {
      float* p = s + k * kTile + j * kLanes;
      if (k < t.begin(j) || k >= t.end(j)) {
        store(p, Vec(0.0f));
        continue;
      }
      const Vec x = select(t.sees(j, k), load(p), Vec(kHidden));
      const Vec w = clipped(args, exp2((x - row) * Vec(kLog2E)));
      store(p, min(Vec(1.0f), max(Vec(0.0f), w)));
    }
  }
}

float entropy_of(const State& state, int64_t i) {
  return std::log(state.sum[i]) - kLn2 * state.spread[i] / state.sum[i];
}

// Of one tile of queries, as AttentionFwd has them.
void write_stats(const Tile& t, const State& state, bool rms, float* stats) {
  float largest = 0, entropy = 0, rows = 0;
  for (int i = 0; i < kLanes; ++i) largest = std::max(largest, state.largest.v[i]);
  for (int64_t i = 0; i < t.queries; ++i) {
    if (state.sum[i] == 0.0f) continue;
    entropy += entropy_of(state, i);
    rows += 1.0f;
  }
  stats[0] = largest;
  stats[1] = entropy;
  stats[2] = rows;
  if (!rms) return;
  int64_t pairs = 0;
  for (int64_t i = 0; i < t.queries; ++i) {
    pairs += std::max(0, t.visible->hi[i] - t.visible->lo[i]);
  }
  stats[3] = reduce_add(state.squares);
  stats[4] = static_cast<float>(pairs);
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
    if (a_.args.clips()) {  // a weight can be cut once the whole sum of its row is known
      over_keys(Work::kSums);
      for (int64_t i = 0; i < tiles_; ++i) know_sums(i);
      over_keys(Work::kClipped);
    } else {
      over_keys(Work::kAll);
    }
    for (int64_t i = 0; i < tiles_; ++i) close(i);
  }

 private:
  enum class Work : uint8_t { kAll, kSums, kClipped };

  void over_keys(Work work) {
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
      if (work != Work::kSums) pack(v.from(key), keys, a_.v.dim(3), s_.width, 1.0f, s_.values);
      const Rows<const float> key_rows = as_floats(k, key, keys);
      for (int64_t i = 0; i < tiles_; ++i) {
        if (key >= visible_[i].any_hi || key + keys <= visible_[i].any_lo) continue;
        add_keys(i, tile(i, key, keys), key_rows, work);
      }
    }
  }

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
    transpose(rows, t.queries, s_.width, head_scale(a_.args, head_),
              s_.queries + i * s_.width * kTile);
    if (const Tensor& x = a_.args.distance_query.t) {
      pack(head_rows<const T>(x, batch_, head_).from(t.first_query), t.queries, x.dim(3), s_.width,
           1.0f, rows);
      transpose(rows, t.queries, s_.width, head_scale(a_.args, head_),
                s_.distance_queries + i * s_.width * kTile);
    }
    State& state = s_.states[i];
    std::fill_n(state.top, kTile, kLowest);
    std::fill_n(state.sum, kTile, 0.0f);
    std::fill_n(state.spread, kTile, 0.0f);
    state.largest = state.squares = Vec(0.0f);
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

  // The tile's scores as the softmax reads them, and, where asked for, their squares and, where
  // they are about to be changed, the largest as the probe reads them; returns whether the latter
  // is done.
  bool score(int64_t i, const Tile& t, Rows<const float> k, bool probe) {
    const bool passes = has_passes(a_.args);
    key_by_query(t, t.whole(), k, s_.queries + i * s_.width * kTile, a_.q.dim(3), s_.scores);
    if (a_.args.distance_key) {
      const Rows<const float> keys =
          distance_rows<T>(a_.args, distances_of(a_.args, t), head_, s_.width, s_.distance_keys);
      add_distance_term(a_.args, t, keys, s_.distance_queries + i * s_.width * kTile,
                        s_.by_distance, s_.scores);
    }
    if (probe && wants_rms()) add_squares(t, s_.scores, &s_.states[i].squares);
    const bool changes = passes || a_.args.distance_bias;
    if (changes && probe) scan_largest(t, s_.scores, &s_.states[i].largest);
    if (passes) apply_passes(a_.args, t, batch_, head_, s_.scores, nullptr);
    add_distance_bias(a_.args, t, head_, s_.scores);
    return changes;
  }

  void add_keys(int64_t i, const Tile& t, Rows<const float> k, Work work) {
    State& state = s_.states[i];
    const bool probe = (a_.stats || a_.row_entropy) && work != Work::kClipped;
    const bool scanned = score(i, t, k, probe);
    if (work == Work::kClipped) {
      clip_tile(a_.args, t, state.top, s_.scores);
    } else {
      const Vec largest = state.largest;
      if (probe)
        softmax_tile<true>(t, s_.scores, &state);
      else
        softmax_tile<false>(t, s_.scores, &state);
      if (scanned) state.largest = largest;
      if (work == Work::kSums) return;
    }
    if (a_.args.dropout > 0) drop(t);
    if (state.started && work == Work::kAll) shrink_rows(state, t.queries, s_.width, out(i));
    sum_over_keys(t, s_.scores, s_.values, s_.width, out(i), state.started);
    state.started = true;
  }

  // From here on top is the row's lse and factor is what clipped weights are multiplied by.
  void know_sums(int64_t i) {
    const Tile t = tile(i, 0, 0);
    State& state = s_.states[i];
    normalise(a_, t, batch_, head_, &state);
    const float* lse =
        a_.lse.data<float>() + (batch_ * a_.q.dim(2) + head_) * a_.q.dim(1) + t.first_query;
    std::fill_n(state.top, kTile, 0.0f);
    std::copy_n(lse, t.queries, state.top);
    for (int64_t r = 0; r < t.queries; ++r) {
      if (state.top[r] == -INFINITY) state.top[r] = 0.0f;
    }
    std::fill_n(state.factor, kTile, 1.0f / (1.0f - a_.args.dropout));
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
    if (!a_.args.clips()) normalise(a_, t, batch_, head_, &state);
    finish<T>(a_, t, batch_, head_, state, out(i), s_.width);
    if (a_.row_entropy) {
      float* to = a_.row_entropy.data<float>() + (batch_ * a_.q.dim(2) + head_) * a_.q.dim(1) +
                  t.first_query;
      for (int64_t r = 0; r < t.queries; ++r) {
        const int64_t seen = t.visible->seen(r);
        to[r] = seen < 2 ? INFINITY : entropy_of(state, r) / std::log(static_cast<float>(seen));
      }
    }
    if (!a_.stats) return;
    const int64_t n = a_.stats.dim(2), columns = a_.stats.dim(3);
    const int64_t at = (batch_ * a_.q.dim(2) + head_) * n + first_tile_ + i;
    write_stats(t, state, wants_rms(), a_.stats.data<float>() + at * columns);
  }
  bool wants_rms() const { return a_.stats && a_.stats.dim(3) == kStatsWithRms; }

  const AttentionFwd& a_;
  const Scratch& s_;
  int64_t batch_, head_, tiles_, first_tile_;
  Visible visible_[4];
};

// Reads the statistics of the tiles in their order.
void fill_probe(const AttentionFwd& a) {
  const int64_t batch = a.stats.dim(0), heads = a.stats.dim(1), tiles = a.stats.dim(2);
  const int64_t columns = a.stats.dim(3);
  const bool rms = columns == kStatsWithRms;
  a.args.probe->logit_max.resize(static_cast<size_t>(heads));
  a.args.probe->entropy.resize(static_cast<size_t>(heads));
  if (rms) a.args.probe->logit_rms.resize(static_cast<size_t>(heads));
  for (int64_t h = 0; h < heads; ++h) {
    float largest = 0;
    double entropy = 0, rows = 0, squares = 0, seen = 0;
    for (int64_t b = 0; b < batch; ++b) {
      const float* s = a.stats.data<float>() + (b * heads + h) * tiles * columns;
      for (int64_t i = 0; i < tiles; ++i, s += columns) {
        largest = std::max(largest, s[0]);
        entropy += s[1];
        rows += s[2];
        squares += rms ? s[3] : 0.0f;
        seen += rms ? s[4] : 0.0f;
      }
    }
    a.args.probe->logit_max[static_cast<size_t>(h)] = largest;
    a.args.probe->entropy[static_cast<size_t>(h)] =
        static_cast<float>(rows > 0 ? entropy / rows : 0);
    if (rms) {
      a.args.probe->logit_rms[static_cast<size_t>(h)] =
          static_cast<float>(seen > 0 ? std::sqrt(squares / seen) : 0);
    }
  }
}

template <class T>
void forward(const AttentionFwd& a) {
  const int64_t width = round_up(a.q.dim(3), kHeadPad), heads = a.q.dim(2);
  const int64_t tiles = (a.q.dim(1) + kTile - 1) / kTile, block = block_tiles(a.q);
  const int64_t blocks = (tiles + block - 1) / block, pairs = a.q.dim(0) * heads;
  const bool distances = static_cast<bool>(a.args.distance_key);
  const size_t floats = Scratch::floats(block, width, distances);
  reserve_worker_scratch(floats * sizeof(float));
  parallel_for(blocks * pairs, [&](int64_t unit) {
    const int64_t pair = unit % pairs, first = (blocks - 1 - unit / pairs) * block;  // long first
    const Scratch s(worker_floats(floats), block, width, distances);
    Unit<T>(a, pair / heads, pair % heads, first, std::min(block, tiles - first), s).run();
  });
}

}  // namespace

void attention_fwd(Cpu&, const AttentionFwd& a) {
  const bool plain =
      !has_passes(a.args) && !a.args.clips() && !a.args.distance_bias && !a.args.distance_key;
  if (a.q.dim(1) == 1 && a.args.dropout == 0 && plain && !a.stats && !a.row_entropy) {
    return decode(a);
  }
  with_dtype(a.q.dtype(), [&]<class T>() { forward<T>(a); });
  if (a.stats) fill_probe(a);
}

void entropy_penalty(Cpu&, const EntropyPenalty& a) {
  const float* entropy = a.row_entropy.data<float>();
  const float floor = a.args.entropy_floor;
  double sum = 0;
  for (int64_t i = 0; i < a.row_entropy.size(); ++i) {
    sum += static_cast<double>(std::max(0.0f, floor - entropy[i]));
  }
  a.y.data<float>()[0] = static_cast<float>(static_cast<double>(entropy_factor(a.args)) * sum);
}

}  // namespace keel::kernel
