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
  return out;
}

}  // namespace keel::test
