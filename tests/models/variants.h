// Every kind of every registry that a model is put together from, as --set arguments under a prefix
// ("" for a ModelConfig, "model." for a run): a new kind is in all sweeps by being in its registry.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "nn/attention/qk_norm.h"

namespace keel::test {

// A kind with its default options, or, where a tiny model cannot do with them, with others.
inline std::string set(const std::string& key, const std::string& kind) {
  if (kind == "batch") return key + "={kind=\"batch\", allow_leak=true}";
  if (kind == "prms") return key + "={kind=\"prms\", share=0.5}";  // 6.25 % of 16 is one value
  return key + ".kind=" + kind;
}

// The switches of softmax attention and of positions that are no kind of a registry, each alone.
inline std::vector<std::string> attention_switches(const std::string& prefix) {
  std::vector<std::string> out;
  for (const char* s : {"softcap=0.5", "temperature=0.5", "window=3", "scale=mup", "scale=one",
                        "learned_scale=head", "learned_scale=layer", "sink=off_by_one",
                        "sink=learned", "gate=head", "gate=element"}) {
    out.push_back(prefix + "attention." + s);
  }
  out.push_back(prefix + "attention={clip_zeta=1.03, clip_gamma=-0.03}");
  for (const char* s :
       {"qk_norm={kind='rms', axis='width', gain='head'}", "qk_norm={kind='layer', gain='head'}",
        "qk_norm={kind='rms', gain='none'}", "qk_norm={kind='layer', after_rope=true}",
        "qk_norm={kind='l2', axis='width', gain='shared', scale=3, learned=false}",
        "qk_norm={kind='dyt', gain='head', after_rope=true}"}) {
    out.push_back(prefix + "attention." + s);
  }
  out.push_back(prefix + "attention={qk_norm.kind='layer', v_norm=true}");
  out.push_back(prefix + "attention={entropy_weight=0.5, entropy_floor=0.9}");
  out.push_back(prefix + "attention_norm=false");
  for (const char* s : {"layout='interleaved'", "partial=0.5", "rotate_v=true", "base=100"}) {
    out.push_back(prefix + "position={kind='rope', " + s + "}");
  }
  out.push_back(prefix + "position={kind='sinusoidal', layout='concatenated'}");
  out.push_back(prefix + "position={kind='t5', buckets=4, max_distance=6}");
  return out;
}

inline std::vector<std::string> model_kinds(const std::string& prefix) {
  std::vector<std::string> out;
  const auto add = [&](const char* key, const RegistryBase& family, bool none) {
    if (none) out.push_back(prefix + key + ".kind=none");
    for (const std::string& kind : family.names()) out.push_back(set(prefix + key, kind));
  };
  add("norm", norms(), false);
  add("embedding_norm", norms(), true);
  add("placement", placements(), false);
  add("residual", residuals(), true);
  add("attention", mixers(), false);
  add("attention.qk_norm", qk_norms(), true);
  add("position", positions(), true);
  add("ffn", ffns(), false);
  add("linear", linears(), false);
  add("init", inits(), false);
  for (std::string& s : attention_switches(prefix)) out.push_back(std::move(s));
  return out;
}

}  // namespace keel::test
