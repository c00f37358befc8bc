// Which levels of combinations.h exclude each other, and the covering array of the others.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "combinations.h"

namespace keel::test {

// Beginnings of labels, each of the first with each of the second.
struct Exclusion {
  std::vector<std::string_view> a, b;
};

inline const std::vector<Exclusion>& exclusions() {
  static const std::vector<Exclusion> all{
      {{"placement:post", "placement:deepnorm"}, {"final_norm:on"}},
      {{"placement:dual"}, {"final_norm:off"}},
      {{"attention_norm:false"},
       {"placement:post", "placement:reordered", "placement:dual", "placement:deepnorm",
        "placement:parallel", "placement:unnormed"}},
      {{"heads:odd"}, {"position:rope"}},
      {{"qk_norm:layer_late"},
       {"position:none", "position:learned", "position:sinusoidal", "position:t5", "position:alibi",
        "position:transformer_xl"}},
      {{"qk_norm:layer_late"}, {"heads:odd"}},  // by way of the position
      {{"qk_norm:l2"}, {"scale:mup", "scale:one"}},
      {{"qk_norm:l2|"}, {"learned_scale:head", "learned_scale:layer"}},
      {{"entropy:on"}, {"sink:off_by_one", "sink:learned", "clip_weights:on"}},
      {{"tied:true"}, {"init:mup_zero"}},
      {{"head_bias:true"}, {"init:mup"}},
      {{"init:mup"}, {"linear:sigma", "linear:weight_norm"}},
      {{"init:mup"},
       {"optimizer:adamw|", "optimizer:stable|", "optimizer:sgd", "optimizer:lion|",
        "optimizer:muon|", "optimizer:adafactor_m"}},
      {{"schedule:cycled_momentum"}, {"optimizer:adafactor", "optimizer:lion", "optimizer:muon"}},
      {{"qk_clip:0.02"}, {"position:transformer_xl"}},
      {{"qk_clip:0.02"}, {"linear:sigma", "linear:weight_norm"}},
      {{"qk_clip:0.02"},
       {"qk_norm:rms", "qk_norm:layer", "qk_norm:prms", "qk_norm:l2", "qk_norm:dyt",
        "qk_norm:qkv"}}};
  return all;
}

inline bool begins(const std::string& label, const std::vector<std::string_view>& with) {
  for (const std::string_view w : with) {
    if ((label + "|").starts_with(w)) return true;
  }
  return false;
}

// Whether validate() refuses the two together.
inline bool excluded(const std::string& x, const std::string& y) {
  for (const Exclusion& e : exclusions()) {
    if ((begins(x, e.a) && begins(y, e.b)) || (begins(y, e.a) && begins(x, e.b))) return true;
  }
  return false;
}

inline std::vector<PairRow> covering_rows_of(const std::vector<Factor>& factors) {
  std::vector<size_t> levels;
  for (const Factor& f : factors) levels.push_back(f.levels.size());
  return covering_rows(levels, [&](size_t f, size_t a, size_t g, size_t b) {
    return !excluded(label(factors[f], a), label(factors[g], b));
  });
}

inline const std::vector<PairRow>& combinations() {
  static const std::vector<PairRow> rows = covering_rows_of(factors());
  return rows;
}

inline std::string describe(const PairRow& row) {
  std::string out;
  for (size_t f = 0; f < row.size(); ++f) out += (f ? " " : "") + label(factors()[f], row[f]);
  return out;
}

}  // namespace keel::test
