// A key whose value stands for values of other keys, as `method = "qk_norm"` does. A layer that
// writes it gets a layer of its own just below: a preset overrides every lower layer, and what the
// same layer says itself overrides the preset. A config struct names its presets in presets().
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel {

struct Preset {
  struct Value {
    std::string key;    // dotted
    std::string value;  // as TOML
    std::string note;   // shown beside the origin of the value; or ""
  };
  std::string name, doc;
  std::vector<Value> values;
};

struct Presets {
  std::string key;  // at the top of the config
  std::vector<Preset> list;

  // Null if there is none of that name.
  const Preset* find(std::string_view name) const {
    for (const Preset& p : list) {
      if (p.name == name) return &p;
    }
    return nullptr;
  }
};

}  // namespace keel
