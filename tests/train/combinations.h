// Every family of techniques as a factor, its variants and switches as levels, which levels exclude
// each other, and the rows in which every two that do not meet at least once.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/pairwise.h"
#include "nn/ffn/ffn.h"

namespace keel::test {

inline const char* const kCombinationRun = R"(
[model]
dim = 16
layers = 2
context = 12
[data]
kind = "markov"
symbols = 12
successors = 3
order = 1
val_tokens = 48
[train]
batch = 2
steps = 6
[log]
probes = 0
)";

struct Level {
  std::string name;
  std::vector<std::string> sets;  // as --set arguments
};
struct Factor {
  std::string name;
  std::vector<Level> levels;
};

// A level for each value of one key.
inline Factor one_key(const std::string& name, const std::string& key,
                      const std::vector<std::string>& values) {
  Factor f{name, {}};
  for (const std::string& v : values) f.levels.push_back({v, {key + "=" + v}});
  return f;
}

// A level for each "NAME|SET|SET...".
inline Factor of(const std::string& name, const std::vector<std::string>& levels) {
  Factor f{name, {}};
  for (const std::string& text : levels) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
      if (c == '|') {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    f.levels.push_back({parts[0], {parts.begin() + 1, parts.end()}});
  }
  return f;
}

inline std::vector<Factor> model_factors() {
  const std::string m = "model.", a = "model.attention.", p = "model.position", n = "model.norm";
  return {
      of("norm", {"rms|" + n + ".kind=rms", "rms_bias|" + n + "={kind='rms', bias=true}",
                  "rms_outside|" + n + "={kind='rms', eps_inside=false}",
                  "layer|" + n + ".kind=layer", "layer_bare|" + n + "={kind='layer', bias=false}",
                  "prms|" + n + "={kind='prms', share=0.5}", "l2|" + n + ".kind=l2",
                  "l2_unit|" + n + "={kind='l2', scale_sqrt_dim=false}", "dyt|" + n + ".kind=dyt",
                  "batch|" + n + "={kind='batch', allow_leak=true}"}),
      of("gain", {"plain", "zero_centred|" + n + ".zero_centred=true", "off|" + n + ".gain=false"}),
      of("embedding_norm",
         {"none", "rms|" + m + "embedding_norm.kind=rms",
          "layer|" + m + "embedding_norm.kind=layer", "prms|" + m + "embedding_norm.kind=prms",
          "l2|" + m + "embedding_norm.kind=l2", "dyt|" + m + "embedding_norm.kind=dyt",
          "batch|" + m + "embedding_norm={kind='batch', allow_leak=true}"}),
      one_key("final_norm", m + "final_norm", {"auto", "on", "off"}),
      of("placement",
         {"pre", "post|" + m + "placement.kind=post", "sandwich|" + m + "placement.kind=sandwich",
          "reordered|" + m + "placement.kind=reordered",
          "dual|" + m + "placement.kind=residual_dual",
          "dual_scaled|" + m + "placement={kind='residual_dual', scale=0.5}",
          "deepnorm|" + m + "placement.kind=deepnorm", "scaled|" + m + "placement.kind=scaled",
          "parallel|" + m + "placement.kind=parallel",
          "two_parallel|" + m + "placement={kind='parallel', two_norms=true}",
          "unnormed|" + m + "placement.kind=unnormed"}),
      one_key("attention_norm", m + "attention_norm", {"true", "false"}),
      one_key("residual", m + "residual.kind", {"none", "layer_scale", "rezero"}),
      of("heads", {"mha", "gqa|" + m + "kv_heads=2", "mqa|" + m + "kv_heads=1",
                   "wide|" + m + "head_dim=6", "odd|" + m + "head_dim=5"}),
      of("qk_norm", {"none", "rms|" + a + "qk_norm.kind=rms", "layer|" + a + "qk_norm.kind=layer",
                     "prms|" + a + "qk_norm.kind=prms", "l2|" + a + "qk_norm.kind=l2",
                     "l2_fixed|" + a + "qk_norm={kind='l2', learned=false}",
                     "rms_width|" + a + "qk_norm={kind='rms', axis='width', gain='head'}",
                     "layer_heads|" + a + "qk_norm={kind='layer', gain='head'}",
                     "rms_bare|" + a + "qk_norm={kind='rms', gain='none'}",
                     "layer_late|" + a + "qk_norm={kind='layer', after_rope=true}",
                     "dyt|" + a + "qk_norm={kind='dyt', gain='head'}",
                     "qkv|" + a + "qk_norm.kind=layer|" + a + "v_norm=true"}),
      one_key("scale", a + "scale", {"sqrt", "mup", "one"}),
      one_key("temperature", a + "temperature", {"1", "0.5"}),
      one_key("learned_scale", a + "learned_scale", {"none", "head", "layer"}),
      of("attention_start", {"plain", "scaled|" + a + "start_qk=2|" + a + "start_out=0.5"}),
      one_key("softcap", a + "softcap", {"0", "5"}),
      of("clip_weights", {"off", "on|" + a + "clip_zeta=1.03|" + a + "clip_gamma=-0.03"}),
      one_key("sink", a + "sink", {"none", "off_by_one", "learned"}),
      of("entropy", {"off", "on|" + a + "entropy_weight=0.1|" + a + "entropy_floor=0.9"}),
      one_key("gate", a + "gate", {"none", "head", "element"}),
      one_key("window", a + "window", {"0", "5"}),
      of("position",
         {"none|" + p + ".kind=none", "rope", "rope_pairs|" + p + "={layout='interleaved'}",
          "rope_part|" + p + "={partial=0.5, base=100}", "rope_v|" + p + "={rotate_v=true}",
          "learned|" + p + ".kind=learned", "sinusoidal|" + p + ".kind=sinusoidal",
          "sinusoidal_t2t|" + p + "={kind='sinusoidal', layout='concatenated'}",
          "t5|" + p + "={kind='t5', buckets=4, max_distance=6}", "alibi|" + p + ".kind=alibi",
          "transformer_xl|" + p + ".kind=transformer_xl"}),
      one_key("ffn", m + "ffn.kind", ffns().names()),
      of("linear", {"plain", "sigma|" + m + "linear.kind=sigma_reparam",
                    "sigma_one|" + m + "linear={kind='sigma_reparam', gamma='one'}",
                    "weight_norm|" + m + "linear.kind=weight_norm"}),
      of("init", {"gpt2", "standard|" + m + "init.kind=standard", "small|" + m + "init.kind=small",
                  "xavier|" + m + "init.kind=xavier", "mup|" + m + "init={kind='mup', base_dim=8}",
                  "mup_zero|" + m + "init={kind='mup', base_dim=8, zero_head=true}"}),
      one_key("tied", m + "tied", {"true", "false"}),
      one_key("head_bias", m + "head.bias", {"false", "true"}),
      one_key("head_cap", m + "head.softcap", {"0", "3"}),
      of("biases", {"off", "on|" + m + "bias=true", "keys|" + m + "biases.k=on",
                    "mixed|" + m + "bias=true|" + m + "biases.q=off|" + m + "biases.ffn=off"}),
      one_key("dropout", m + "dropout", {"0", "0.2"})};
}

inline std::vector<Factor> training_factors() {
  const std::string o = "optim", decay = "|optim.decay=independent|optim.weight_decay=1e-3";
  return {
      one_key("z_loss", "task.z_loss", {"0", "1e-3"}),
      one_key("smoothing", "task.label_smoothing", {"0", "0.1"}),
      of("optimizer",
         {"adamw", "adamw_own" + decay + "|optim.update_clip=1", "stable|optim.kind=stable_adamw",
          "stable_own|optim.kind=stable_adamw" + decay, "adafactor|optim.kind=adafactor",
          "adafactor_m|optim={kind='adafactor', beta1=0.9, scale_parameter=true}" + decay,
          "sgd|optim.kind=sgd|optim.weight_decay=0.1",
          "sgd_bounded|optim={kind='sgd', momentum=0.9, update_clip=1}|optim.weight_decay=0",
          "sgd_nesterov|optim={kind='sgd', momentum=0.9, nesterov=true}|optim.weight_decay=0",
          "lion|optim.kind=lion", "lion_own|optim.kind=lion" + decay, "muon|optim.kind=muon",
          "muon_rms|optim={kind='muon', scale='match_rms'}" + decay}),
      one_key("qk_clip", "optim.qk_clip.tau", {"0", "0.02"}),
      of("groups", {"plain", "own|optim.groups={embedding={rate=0.5}, vector={decay=1}}"}),
      of("clip", {"none|clip.kind=none", "global|clip.norm=0.5",
                  "adagc|clip={kind='adagc', warmup=1}", "zclip|clip={kind='zclip', warmup=2}",
                  "zclip_mean|clip={kind='zclip', warmup=2, mode='mean', factor=0.5}"}),
      of("schedule",
         {"cosine|schedule.warmup=2", "constant|schedule.kind=constant",
          "linear|schedule.kind=linear", "wsd|schedule={kind='wsd', decay=0.5, warmup=1}",
          "inverse_sqrt|schedule.kind=inverse_sqrt", "noam|schedule={kind='noam', warmup=2}",
          "sgdr|schedule={kind='sgdr', t0=2}", "slanted|schedule.kind=slanted_triangular",
          "one_cycle|schedule.kind=one_cycle",
          "cycled_momentum|schedule={kind='one_cycle', cycle_momentum=true}"}),
      of("batch", {"one", "three|train.accumulate=3",
                   "grows|train.accumulate=3|train.batch_warmup={start=1, tokens=72}"}),
      one_key("ema", "train.ema", {"0", "0.9"}),
      one_key("dtype", "train.dtype", {"f32", "bf16"})};
}

inline const std::vector<Factor>& factors() {
  static const std::vector<Factor> all = [] {
    std::vector<Factor> f = model_factors();
    for (Factor& t : training_factors()) f.push_back(std::move(t));
    return f;
  }();
  return all;
}

// "placement:post"
inline std::string label(const Factor& factor, size_t level) {
  return factor.name + ":" + factor.levels[level].name;
}

inline std::vector<std::string> sets_of(const PairRow& row) {
  std::vector<std::string> out;
  for (size_t f = 0; f < row.size(); ++f) {
    const std::vector<std::string>& s = factors()[f].levels[row[f]].sets;
    out.insert(out.end(), s.begin(), s.end());
  }
  return out;
}

}  // namespace keel::test
