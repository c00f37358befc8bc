// The table of techniques: what each switch of the config does, where it comes from, and what is
// not known about it. One file for each family; defaults, ranges and docs of keys are not written
// here but read from the config's own walk.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/registry.h"
#include "io/json.h"

namespace keel {

// One row. Texts are plain; empty ones are left out wherever the row is shown.
struct Technique {
  std::string_view name;       // unique in the whole table
  std::string_view on = {};    // what turns it on, as --set takes it, the switch first; by spaces
  std::string_view more = {};  // other keys that shape it, by spaces
  std::string_view line = {};  // what it is, one line
  std::string_view what = {};  // what else there is to say
  std::string_view formula = {};
  std::string_view source = {};  // paper, year, section
  std::string_view conflicts = {};
  std::string_view unknown = {};  // what nobody has shown
  std::string_view wrong = {};    // what popular texts say that the source does not
  std::string_view cost = {};     // why none is measured
};
// For `cost`: a step does the same work; or it is what others are measured against.
inline constexpr std::string_view kNoCost = "none: it changes values, not the work of a step";
inline constexpr std::string_view kReference = "others are measured against it";

struct TechniqueFamily {
  std::string_view name, title, doc;
  std::span<const Technique> rows;
};

TechniqueFamily norm_techniques();
TechniqueFamily placement_techniques();
TechniqueFamily residual_techniques();
TechniqueFamily attention_techniques();
TechniqueFamily score_techniques();
TechniqueFamily position_techniques();
TechniqueFamily ffn_techniques();
TechniqueFamily linear_techniques();
TechniqueFamily init_techniques();
TechniqueFamily head_techniques();
TechniqueFamily optimizer_techniques();
TechniqueFamily schedule_techniques();
TechniqueFamily clip_techniques();
TechniqueFamily method_techniques();

// THE list of families.
const std::vector<TechniqueFamily>& techniques();
// ConfigError for an unknown name: `unknown technique "rms_nrm", did you mean "rms_norm"?`
const Technique& find_technique(std::string_view name);
// The words of `on` or `more`.
std::vector<std::string> words_of(std::string_view list);

// What the config says of a key, under one kind of the table that it stands in.
struct KeyFact {
  std::string key, doc, range;
  std::string text;  // the default as TOML
  Json value;        // and as JSON
  // Of the innermost table with a `kind` around it: "model.norm.kind" and "rms"; or both empty.
  std::string choice, kind;
  bool in_force = true;                    // whether all kinds around it are those of the defaults
  const RegistryBase* registry = nullptr;  // of a key that is itself a `kind`
  std::vector<std::string> values;         // the only ones allowed, where they are named
};
// All of them, of all kinds, in the order of the walk.
const std::vector<KeyFact>& config_keys();

// The keys of a technique with the defaults that hold where it is on, its switch first; those of
// the variant that it chooses are among them. ConfigError for a key that the config does not have.
std::vector<KeyFact> keys_of(const Technique& t);

}  // namespace keel
