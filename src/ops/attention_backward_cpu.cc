#include <algorithm>
#include <utility>

#include "backend/cpu/panel.h"
#include "backend/cpu/scratch.h"
#include "core/parallel.h"
#include "ops/attention_tile.h"

namespace keel::kernel {
namespace {

using namespace tile;

struct Scratch {
  float *q, *q_columns, *dy, *dy_columns, *dq, *k, *v, *weights, *gradients, *slope, *keep;
  float *distance_q, *distance_columns, *distance_dq, *distance_k, *by_distance;
  float *dk, *dv;        // sums of this unit, where they cannot go straight to their place
  unsigned char* begun;  // of each tile of keys: its sums hold something
  int64_t width;

  static int64_t flags(int64_t tk) { return round_up((tk + kTile - 1) / kTile, 64); }
  static size_t floats(int64_t width, int64_t tk, int64_t sum_rows, bool distances) {
    const int64_t term = distances ? (3 * kTile + kDistances) * width + kDistances * kTile : 0;
    return static_cast<size_t>(term + 7 * kTile * width + 4 * kTile * kTile + 2 * sum_rows * width +
                               flags(tk) / 4);
  }
  Scratch(float* p, int64_t w, int64_t tk, int64_t sum_rows, bool distances) : width(w) {
    const auto take = [&p](int64_t n) { return std::exchange(p, p + n); };
    for (float** x : {&q, &q_columns, &dy, &dy_columns, &dq, &k, &v}) *x = take(kTile * w);
    for (float** x : {&weights, &gradients, &slope, &keep}) *x = take(kTile * kTile);
    for (float** x : {&distance_q, &distance_columns, &distance_dq}) {
      *x = take(distances ? kTile * w : 0);
    }
    distance_k = take(distances ? kDistances * w : 0);
    by_distance = take(distances ? kDistances * kTile : 0);
    dk = take(sum_rows * w);
    dv = take(sum_rows * w);
    begun = reinterpret_cast<unsigned char*>(take(flags(tk) / 4));
    std::fill_n(begun, flags(tk), static_cast<unsigned char>(0));
  }
};

// Of each query of a tile: lse (0 where no key is visible), and -scale * sum(dy * o). With an
// entropy penalty of factor g / ln n in this row, dot has scale g H / ln n in it and pull is scale
// g ln 2 / ln n: of the logarithm to base 2 of a weight.
struct RowTerms {
  alignas(64) float lse[kTile];
  alignas(64) float dot[kTile];
  alignas(64) float pull[kTile];
};

// Scores become weights, gradients of weights become gradients of scores (times scale):
// p = exp(s - lse), ds = scale p (dp - dot). Dropped weights end as 0 but keep their -dot.
// With slopes the gradient goes on to the scores before the passes. distances: where the gradient
// after them is added for each distance (times scale), or null. Entropy: + p pull log2 p.
template <bool Whole, bool Drop, bool Entropy>
void score_gradients(const Tile& t, int64_t j, const RowTerms& rows, float scale, const Scratch& s,
                     bool slopes, float* distances) {
  const int64_t at = j * kLanes;
  const int64_t begin = Whole ? 0 : t.begin(j), end = Whole ? t.keys : t.end(j);
  const Vec lse = load(rows.lse + at), dot = load(rows.dot + at);
  Vec pull(0.0f);
  if constexpr (Entropy) pull = load(rows.pull + at);
  const auto clear = [&](int64_t k) {
    store(s.weights + k * kTile + at, Vec(0.0f));
    store(s.gradients + k * kTile + at, Vec(0.0f));
  };
  for (int64_t k = 0; k < begin; ++k) clear(k);
  for (int64_t k = begin; k < end; ++k) {
    const int64_t i = k * kTile + at;
    Vec p = load(s.weights + i);
    if constexpr (!Whole) p = select(t.sees(j, k), p, Vec(kHidden));
    const Vec log2_p = (p - lse) * Vec(kLog2E);
    p = exp2(log2_p);
    Vec dp = load(s.gradients + i), kept = p;
    if constexpr (Drop) {
      const VecInt keep = load(s.keep + i) > Vec(0.0f);
      kept = select(keep, p, Vec(0.0f));
      dp = select(keep, dp, Vec(0.0f));
    }
    Vec all = fma(dp, Vec(scale), dot);
    // p is 0 long before the bound, which keeps the product finite for hidden pairs.
    if constexpr (Entropy) all = fma(pull, max(log2_p, Vec(-256.0f)), all);
    Vec ds = p * all;
    if (distances) store(distances - k, load(distances - k) + ds);
    if (slopes) ds = ds * load(s.slope + i);
    store(s.weights + i, kept);
    store(s.gradients + i, ds);
  }
  for (int64_t k = end; k < t.keys; ++k) clear(k);
}

template <bool Entropy>
void score_gradients(const Tile& t, const RowTerms& rows, const AttentionArgs& args, float scale,
                     const Scratch& s, float* distance_row) {
  const bool whole = t.whole(), slopes = has_passes(args), drop = args.dropout > 0;
  for (int64_t j = 0; j < t.vecs(); ++j) {
    float* distances = distance_row ? distance_row + distance_at(args, t, j) : nullptr;
    if (whole && drop)
      score_gradients<true, true, Entropy>(t, j, rows, scale, s, slopes, distances);
    else if (whole)
      score_gradients<true, false, Entropy>(t, j, rows, scale, s, slopes, distances);
    else if (drop)
      score_gradients<false, true, Entropy>(t, j, rows, scale, s, slopes, distances);
    else
      score_gradients<false, false, Entropy>(t, j, rows, scale, s, slopes, distances);
  }
}

// For clipped weights w = clip(a p + low, 0, 1): p of every pair, and a dp where w is not cut,
// which takes the place of dp. Dropped weights pass no gradient either.
void clipped_gradients(const AttentionArgs& args, const Tile& t, const RowTerms& rows,
                       const Scratch& s) {
  const Vec span(args.clip_high - args.clip_low), zero(0.0f), one(1.0f);
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const Vec lse = load(rows.lse + j * kLanes);
    for (int64_t k = t.begin(j); k < t.end(j); ++k) {
      const int64_t i = k * kTile + j * kLanes;
      const Vec x = select(t.sees(j, k), load(s.weights + i), Vec(kHidden));
      const Vec p = exp2((x - lse) * Vec(kLog2E)), w = clipped(args, p);
      VecInt passes = (w > zero) & (w < one);
      if (args.dropout > 0) passes &= load(s.keep + i) > zero;
      store(s.weights + i, p);
      store(s.gradients + i, select(passes, span * load(s.gradients + i), zero));
    }
  }
}

// -scale times the sum over keys of p dp, added to dot.
void add_row_dots(const Tile& t, float scale, const Scratch& s, RowTerms* rows) {
  for (int64_t j = 0; j < t.vecs(); ++j) {
    Vec sum(0.0f);
    for (int64_t k = t.begin(j); k < t.end(j); ++k) {
      const int64_t i = k * kTile + j * kLanes;
      sum = fma(load(s.weights + i), load(s.gradients + i), sum);
    }
    float* dot = rows->dot + j * kLanes;
    store(dot, fma(Vec(-scale), sum, load(dot)));
  }
}

// As score_gradients, from what clipped_gradients left.
void clipped_score_gradients(const AttentionArgs& args, const Tile& t, const RowTerms& rows,
                             float scale, const Scratch& s, float* distance_row) {
  const bool slopes = has_passes(args), drop = args.dropout > 0;
  for (int64_t j = 0; j < t.vecs(); ++j) {
    const Vec dot = load(rows.dot + j * kLanes);
    float* distances = distance_row ? distance_row + distance_at(args, t, j) : nullptr;
    for (int64_t k = 0; k < t.keys; ++k) {
      const int64_t i = k * kTile + j * kLanes;
      Vec w(0.0f), ds(0.0f);
      if (k >= t.begin(j) && k < t.end(j)) {
        const Vec p = load(s.weights + i);
        ds = p * fma(load(s.gradients + i), Vec(scale), dot);
        w = min(Vec(1.0f), max(Vec(0.0f), clipped(args, p)));
        if (drop) w = select(load(s.keep + i) > Vec(0.0f), w, Vec(0.0f));
        if (distances) store(distances - k, load(distances - k) + ds);
        if (slopes) ds = ds * load(s.slope + i);
      }
      store(s.weights + i, w);
      store(s.gradients + i, ds);
    }
  }
}

template <class T>
void write_rows(const float* x, int64_t rows, int64_t columns, int64_t width, bool add,
                Rows<T> out) {
  for (int64_t i = 0; i < rows; ++i) {
    T* to = out.at(i);
    for_lanes(columns, [&](int64_t c, int n) {
      const Vec v = load(x + i * width + c);
      store_n(to + c, add ? v + load_n(to + c, n) : v, n);
    });
  }
}

void add_rows(float* sum, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) store(sum + i, load(sum + i) + load(x + i));
}

// The sums over queries go straight to the gradients if these are f32 in whole vectors, and no two
// gradients are one (one value passed as q and k).
bool sums_in_place(const AttentionBwd& a) {
  if (a.splits > 1 || a.q.dtype() != DType::kF32 || a.q.dim(3) % kHeadPad != 0) return false;
  const void *dq = a.dq.t.raw(), *dk = a.dk.t.raw(), *dv = a.dv.t.raw();
  const void* term = a.ddistance_query.t.raw();
  return !(dq && (dq == dk || dq == dv)) && !(dk && dk == dv) &&
         !(term && (term == dk || term == dv));
}

// Where a unit gathers dk or dv. add: what was there before counts.
struct Sums {
  Rows<float> rows{nullptr, 0};
  bool add = false;
};

template <class T>
class Unit {
 public:
  Unit(const AttentionBwd& a, int64_t batch, int64_t kv_head, int64_t split, int64_t splits,
       const Scratch& s)
      : a_(a),
        s_(s),
        batch_(batch),
        kv_(kv_head),
        split_(split),
        splits_(splits),
        dk_(sums_of(a.dk, s.dk, 0)),
        dv_(sums_of(a.dv, s.dv, 1)) {}

  void run() {
    const int64_t group = a_.q.dim(2) / a_.k.dim(2), tiles = (a_.q.dim(1) + kTile - 1) / kTile;
    if (a_.bias_partial) {
      std::fill_n(bias_sums(kv_ * group), group * a_.bias_partial.dim(2), 0.0f);
    }
    if (a_.key_partial) {
      const int64_t rows = a_.key_partial.dim(2);
      std::fill_n(distance_key_sums(kv_ * group), group * rows * s_.width, 0.0f);
    }
    for (int64_t i = split_; i < group * tiles; i += splits_) {
      run_queries(kv_ * group + i / tiles, i % tiles * kTile);
    }
    clear_unseen(dk_);
    clear_unseen(dv_);
    if (a_.partial || sums_in_place(a_)) return;
    const int64_t tk = a_.k.dim(1), hd = a_.k.dim(3);
    for (const auto& [g, sums] : {std::pair(&a_.dk, &dk_), std::pair(&a_.dv, &dv_)}) {
      if (!*g) continue;
      write_rows(sums->rows.p, tk, hd, s_.width, g->add, head_rows<T>(g->t, batch_, kv_));
    }
  }

 private:
  Sums sums_of(const Grad& g, float* scratch, int64_t which) {
    if (!g) return {};
    if (a_.partial) {
      const int64_t heads = a_.k.dim(0) * a_.k.dim(2), at = batch_ * a_.k.dim(2) + kv_;
      const int64_t copy = (which * heads + at) * splits_ + split_;
      return {{a_.partial.template data<float>() + copy * a_.k.dim(1) * s_.width, s_.width}};
    }
    if (sums_in_place(a_)) return {head_rows<float>(g.t, batch_, kv_), g.add};
    return {{scratch, s_.width}};
  }

  void add_sums(const Tile& t, const float* s, const float* rows, const Sums& to) const {
    if (!to.rows.p) return;
    sum_over_queries(t, s, rows, s_.width, to.rows.from(t.first_key),
                     to.add || s_.begun[t.first_key / kTile]);
  }

  void clear_unseen(const Sums& sums) const {
    if (!sums.rows.p || sums.add) return;
    for (int64_t i = 0; i < a_.k.dim(1); ++i) {
      if (!s_.begun[i / kTile]) std::fill_n(sums.rows.at(i), s_.width, 0.0f);
    }
  }

  // Where this unit sums the gradients of a head's distances, or null.
  float* bias_sums(int64_t head) const {
    if (!a_.bias_partial) return nullptr;
    const int64_t row = (batch_ * splits_ + split_) * a_.q.dim(2) + head;
    return a_.bias_partial.template data<float>() + row * a_.bias_partial.dim(2);
  }

  // The same for the head's keys of distances; never null where it is called.
  float* distance_key_sums(int64_t head) const {
    const int64_t row = (batch_ * splits_ + split_) * a_.q.dim(2) + head;
    return a_.key_partial.template data<float>() + row * a_.key_partial.dim(2) * s_.width;
  }

  // Packs q and dy of one tile of queries and computes its row terms.
  void open(int64_t head, const Tile& t) {
    const float kept = 1.0f / (1.0f - a_.args.dropout);
    const int64_t hd = a_.q.dim(3);
    const auto rows = [&](const Tensor& x) {
      return head_rows<const T>(x, batch_, head).from(t.first_query);
    };
    scale_ = head_scale(a_.args, head);
    pack(rows(a_.q), t.queries, hd, s_.width, 1.0f, s_.q);
    pack(rows(a_.dy), t.queries, hd, s_.width, kept, s_.dy);
    transpose(s_.q, t.queries, s_.width, scale_, s_.q_columns);
    transpose(s_.dy, t.queries, s_.width, 1.0f, s_.dy_columns);
    if (a_.args.distance_key) {
      pack(rows(a_.args.distance_query.t), t.queries, hd, s_.width, 1.0f, s_.distance_q);
      transpose(s_.distance_q, t.queries, s_.width, scale_, s_.distance_columns);
      std::fill_n(s_.distance_dq, t.queries * s_.width, 0.0f);
    }
    const float* lse =
        a_.lse.data<float>() + (batch_ * a_.q.dim(2) + head) * a_.q.dim(1) + t.first_query;
    const Rows<const T> o = rows(a_.o);
    std::fill_n(terms_.lse, kTile, -kHidden);  // weights of rows that are none: 0 under any bias
    std::fill_n(terms_.dot, kTile, 0.0f);
    for (int64_t i = 0; i < t.queries; ++i) {
      Vec sum(0.0f);
      for_lanes(hd, [&](int64_t c, int n) {
        sum = fma(load(s_.dy + i * s_.width + c), load_n(o.at(i) + c, n), sum);
      });
      terms_.dot[i] = a_.args.clips() ? 0.0f : -scale_ * reduce_add(sum) / kept;
      terms_.lse[i] = lse[i] == -INFINITY ? 0.0f : lse[i];
    }
    if (a_.row_entropy) add_entropy_terms(head, t);
  }

  void add_entropy_terms(int64_t head, const Tile& t) {
    const float* entropy = a_.row_entropy.template data<float>() +
                           (batch_ * a_.q.dim(2) + head) * a_.q.dim(1) + t.first_query;
    const float factor = scale_ * entropy_factor(a_.args) * a_.dpenalty.template data<float>()[0];
    std::fill_n(terms_.pull, kTile, 0.0f);
    for (int64_t i = 0; i < t.queries; ++i) {
      if (!(entropy[i] < a_.args.entropy_floor)) continue;
      terms_.dot[i] += factor * entropy[i];
      terms_.pull[i] = factor * kLn2 / std::log(static_cast<float>(t.visible->seen(i)));
    }
  }

  void run_queries(int64_t head, int64_t first_query) {
    const int64_t queries = std::min(kTile, a_.q.dim(1) - first_query), tk = a_.k.dim(1);
    const Visible visible = visible_keys(a_.args, batch_, first_query, queries, tk);
    Tile t{&visible, first_query, queries, 0, 0};
    open(head, t);
    const auto over_keys = [&](auto&& f) {
      for (int64_t key = visible.any_lo / kTile * kTile; key < visible.any_hi; key += kTile) {
        t.first_key = key;
        t.keys = std::min(kTile, tk - key);
        f();
      }
    };
    if (a_.args.clips()) {
      over_keys([&] {
        make_weights(head, t);
        clipped_gradients(a_.args, t, terms_, s_);
        add_row_dots(t, scale_, s_, &terms_);
      });
    }
    bool started = false;
    over_keys([&] {
      run_tile(head, t, started);
      started = true;
    });
    if (!started) std::fill_n(s_.dq, queries * s_.width, 0.0f);
    if (a_.row_partial) sum_rows(head, t);
    if (const Grad& g = a_.ddistance_query) {
      write_rows(s_.distance_dq, queries, a_.q.dim(3), s_.width, g.add,
                 head_rows<T>(g.t, batch_, head).from(first_query));
    }
    if (!a_.dq) return;
    write_rows(s_.dq, queries, a_.q.dim(3), s_.width, a_.dq.add,
               head_rows<T>(a_.dq.t, batch_, head).from(first_query));
  }

  // What this tile of queries adds to the gradients of the head's sink (whose weight is a row's
  // remainder, and whose value is 0) and of theta (d score / d theta is the score itself).
  void sum_rows(int64_t head, const Tile& t) const {
    const int64_t tiles = a_.row_partial.dim(3), heads = a_.q.dim(2);
    float* to = a_.row_partial.template data<float>() + (batch_ * heads + head) * tiles +
                t.first_query / kTile;
    float sink = 0.0f;
    if (a_.dsink) {
      const float logit = a_.args.sink.t.template data<float>()[head];
      for (int64_t i = 0; i < t.queries; ++i) {
        sink += std::exp(logit - terms_.lse[i]) * terms_.dot[i];
      }
    }
    Vec theta(0.0f);
    for (int64_t i = 0; i < t.queries * s_.width && a_.dlog_scale; i += kLanes) {
      theta = fma(load(s_.q + i), load(s_.dq + i), theta);
      if (a_.args.distance_key) {
        theta = fma(load(s_.distance_q + i), load(s_.distance_dq + i), theta);
      }
    }
    to[0] = sink / scale_;
    to[a_.q.dim(0) * heads * tiles] = reduce_add(theta);
  }

  Rows<const float> values(const Tile& t) const {
    const Rows<const T> v = head_rows<const T>(a_.v, batch_, kv_).from(t.first_key);
    if constexpr (std::is_same_v<T, float>) {
      return v;
    } else {
      pack(v, t.keys, a_.v.dim(3), s_.width, 1.0f, s_.v);
      return {s_.v, s_.width};
    }
  }

  // Scores, with the passes' slopes, and gradients of the weights: dy v.
  void make_weights(int64_t head, const Tile& t) {
    const int64_t hd = a_.q.dim(3);
    const bool passes = has_passes(a_.args);
    pack(head_rows<const T>(a_.k, batch_, kv_).from(t.first_key), t.keys, hd, s_.width, 1.0f, s_.k);
    key_by_query(t, t.whole(), {s_.k, s_.width}, s_.q_columns, hd, s_.weights);
    key_by_query(t, t.whole(), values(t), s_.dy_columns, hd, s_.gradients);
    if (a_.args.distance_key) {
      add_distance_term(a_.args, t, distance_keys(head, t), s_.distance_columns, s_.by_distance,
                        s_.weights);
    }
    if (passes) apply_passes(a_.args, t, batch_, head, s_.weights, s_.slope);
    add_distance_bias(a_.args, t, head, s_.weights);
    if (a_.args.dropout > 0) {
      draw_kept(a_.args, t, dropout_row(a_.args, a_.q, batch_, head), s_.keep);
    }
  }

  Rows<const float> distance_keys(int64_t head, const Tile& t) const {
    return distance_rows<T>(a_.args, distances_of(a_.args, t), head, s_.width, s_.distance_k);
  }

  // What the scores' gradients mean for the term of the distances: for its queries here, for its
  // keys in the sums of this unit.
  void add_distance_gradients(int64_t head, const Tile& t) const {
    const Distances d = distances_of(a_.args, t);
    by_distance(a_.args, t, s_.gradients, s_.by_distance);
    if (a_.key_partial) {
      float* to = distance_key_sums(head) + d.first * s_.width;
      multiply_panel({s_.by_distance, kTile, false, s_.distance_q, s_.width, to, s_.width, true},
                     d.count, t.queries, s_.width / kLanes);
    }
    if (!a_.ddistance_query && !a_.dlog_scale) return;
    const Tensor& keys = a_.args.distance_key.t;
    const Rows<const T> rows{keys.template data<T>() + head * keys.dim(2),
                             keys.dim(1) * keys.dim(2)};
    pack(rows.from(d.first), d.count, keys.dim(2), s_.width, 1.0f, s_.distance_k);
    multiply_panel(
        {s_.by_distance, kTile, true, s_.distance_k, s_.width, s_.distance_dq, s_.width, true},
        t.queries, d.count, s_.width / kLanes);
  }

  void run_tile(int64_t head, const Tile& t, bool started) {
    make_weights(head, t);
    if (a_.args.clips()) {
      clipped_gradients(a_.args, t, terms_, s_);
      clipped_score_gradients(a_.args, t, terms_, scale_, s_, bias_sums(head));
    } else if (a_.row_entropy) {
      score_gradients<true>(t, terms_, a_.args, scale_, s_, bias_sums(head));
    } else {
      score_gradients<false>(t, terms_, a_.args, scale_, s_, bias_sums(head));
    }
    add_sums(t, s_.weights, s_.dy, dv_);
    add_sums(t, s_.gradients, s_.q, dk_);
    s_.begun[t.first_key / kTile] = 1;
    if (a_.args.distance_key) add_distance_gradients(head, t);
    if (a_.dq || a_.dlog_scale) sum_over_keys(t, s_.gradients, s_.k, s_.width, s_.dq, started);
  }

  const AttentionBwd& a_;
  const Scratch& s_;
  int64_t batch_, kv_, split_, splits_;
  Sums dk_, dv_;
  RowTerms terms_;
  float scale_ = 1.0f;  // of the head at hand
};

// The sums of all units that shared a key head, in their order. dk goes before dv: they may be one.
template <class T>
void add_partials(const AttentionBwd& a, int64_t width) {
  const int64_t heads = a.k.dim(2), tk = a.k.dim(1), pairs = a.k.dim(0) * heads;
  const int64_t blocks = (tk + kTile - 1) / kTile;
  parallel_for(pairs * blocks, [&](int64_t unit) {
    const int64_t pair = unit / blocks, first = unit % blocks * kTile;
    const int64_t rows = std::min(kTile, tk - first);
    float* sum = a.partial.data<float>() + (pair * a.splits * tk + first) * width;
    for (const Grad* g : {&a.dk, &a.dv}) {
      if (*g) {
        for (int64_t s = 1; s < a.splits; ++s) add_rows(sum, sum + s * tk * width, rows * width);
        write_rows(sum, rows, a.k.dim(3), width, g->add,
                   head_rows<T>(g->t, pair / heads, pair % heads).from(first));
      }
      sum += pairs * a.splits * tk * width;
    }
  });
}

// The sums over batch, tiles and units, in their order.
void add_parameter_sums(const AttentionBwd& a) {
  const int64_t batch = a.q.dim(0), heads = a.q.dim(2);
  const Grad* grads[2] = {&a.dsink, &a.dlog_scale};
  for (int64_t which = 0; a.row_partial && which < 2; ++which) {
    if (!*grads[which]) continue;
    const int64_t tiles = a.row_partial.dim(3);
    const int64_t size = grads[which]->t.size();  // heads, or 1 that all of them share
    for (int64_t g = 0; g < size; ++g) {
      double sum = 0;
      for (int64_t row = g; row < batch * heads; row += size) {
        const float* p = a.row_partial.data<float>() + (which * batch * heads + row) * tiles;
        for (int64_t i = 0; i < tiles; ++i) sum += static_cast<double>(p[i]);
      }
      float& to = grads[which]->t.data<float>()[g];
      to = static_cast<float>(sum) + (grads[which]->add ? to : 0.0f);
    }
  }
  if (!a.bias_partial) return;
  const int64_t units = a.bias_partial.dim(0), row = a.bias_partial.dim(2);
  const float* p = a.bias_partial.data<float>();
  float* to = a.ddistance_bias.t.data<float>();
  parallel_for(heads, [&](int64_t h) {
    const Vec unscale(1.0f / head_scale(a.args, h));
    for_lanes(row, [&](int64_t c, int n) {
      Vec sum(0.0f);
      for (int64_t u = 0; u < units; ++u) sum += load_n(p + (u * heads + h) * row + c, n);
      sum = sum * unscale;
      float* at = to + h * row + c;
      store_n(at, a.ddistance_bias.add ? sum + load_n(at, n) : sum, n);
    });
  });
}

// The sums of all units for the keys of distances, in their order.
template <class T>
void add_distance_keys(const AttentionBwd& a) {
  const int64_t units = a.key_partial.dim(0), heads = a.key_partial.dim(1);
  const int64_t n = a.key_partial.dim(2), width = a.key_partial.dim(3), hd = a.q.dim(3);
  const Grad& g = a.ddistance_key;
  parallel_for(n, [&](int64_t d) {
    for (int64_t h = 0; h < heads; ++h) {
      const float* p = a.key_partial.data<float>() + (h * n + d) * width;
      T* to = g.t.data<T>() + (d * heads + h) * hd;
      for_lanes(hd, [&](int64_t c, int lanes) {
        Vec sum(0.0f);
        for (int64_t u = 0; u < units; ++u) sum += load(p + u * heads * n * width + c);
        store_n(to + c, g.add ? sum + load_n(to + c, lanes) : sum, lanes);
      });
    }
  });
}

template <class T>
void backward(const AttentionBwd& a) {
  const int64_t heads = a.k.dim(2), width = round_up(a.q.dim(3), kHeadPad);
  const int64_t splits = a.splits, pairs = a.k.dim(0) * heads;
  const int64_t sum_rows = a.partial || sums_in_place(a) ? 0 : a.k.dim(1);
  const bool distances = static_cast<bool>(a.args.distance_key);
  const size_t floats = Scratch::floats(width, a.k.dim(1), sum_rows, distances);
  reserve_worker_scratch(floats * sizeof(float));
  parallel_for(pairs * splits, [&](int64_t unit) {
    const Scratch s(worker_floats(floats), width, a.k.dim(1), sum_rows, distances);
    const int64_t pair = unit / splits;
    Unit<T>(a, pair / heads, pair % heads, unit % splits, splits, s).run();
  });
  if (a.partial) add_partials<T>(a, width);
  if (a.row_partial || a.bias_partial) add_parameter_sums(a);
  if (a.key_partial) add_distance_keys<T>(a);
}

}  // namespace

// Enough units for many threads, but no more than that: each split costs memory as large as the
// gradients of keys and values.
int64_t attention_splits(int64_t batch, int64_t kv_heads, int64_t group, int64_t tq) {
  const int64_t units = batch * kv_heads, pieces = group * ((tq + kTile - 1) / kTile);
  return units >= 12 ? 1 : std::min(pieces, (16 + units - 1) / units);
}

void attention_bwd(Cpu&, const AttentionBwd& a) {
  with_dtype(a.q.dtype(), [&]<class T>() { backward<T>(a); });
}

}  // namespace keel::kernel
