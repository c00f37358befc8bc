#include "lab/techniques/technique.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <type_traits>

#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"
#include "train/config.h"

namespace keel {
namespace {

Json json_of(const Leaf& value) {
  return std::visit(
      [](const auto* v) -> Json {
        using T = std::remove_cvref_t<decltype(*v)>;
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
          return Json(*v);
        } else {
          return Json::array_of(*v);
        }
      },
      value);
}

// Every key under every kind.
class KeyFacts final : public KeyWalk {
 public:
  std::vector<KeyFact> facts;

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}

  KeyFact fact(const Field& field) const {
    KeyFact f;
    f.key = join_key(prefix_, field.key);
    f.doc = field.doc;
    f.range = field.range.text();
    f.values = field.range.values;
    f.choice = choice_;
    f.kind = kind_;
    f.in_force = in_force_;
    return f;
  }

  void leaf(const Field& field, Leaf v) override {
    KeyFact f = fact(field);
    f.text = leaf_text(v);
    f.value = json_of(v);
    facts.push_back(std::move(f));
  }

  void choice(const Field& field, Choice& v) override {
    KeyFact f = fact(field);
    f.text = quote_text(v.kind());
    f.value = v.kind();
    f.registry = &v.registry();
    f.values = v.kinds();
    f.range = one_of(f.values).text();
    facts.push_back(f);
    const auto outer = std::tuple(choice_, kind_, in_force_);
    for (const std::string& kind : v.kinds()) {
      choice_ = f.key;
      kind_ = kind;
      in_force_ = std::get<bool>(outer) && kind == v.kind();
      walk(*v.defaults(kind), *this);
    }
    std::tie(choice_, kind_, in_force_) = outer;
  }

  void tables(const Field&, Tables&) override {}  // no technique is a list

  std::string choice_, kind_;
  bool in_force_ = true;
};

// The facts of `key` that hold where `sets` do: under a kind that they choose, else under those of
// the defaults, else the first.
const KeyFact* find_key(const std::string& key, const std::vector<std::string>& sets) {
  const KeyFact* best = nullptr;
  int best_rank = -1;
  for (const KeyFact& f : config_keys()) {
    if (f.key != key) continue;
    const bool chosen = std::find(sets.begin(), sets.end(), f.choice + "=" + f.kind) != sets.end();
    const int rank = chosen ? 2 : f.in_force ? 1 : 0;
    if (rank <= best_rank) continue;
    best = &f;
    best_rank = rank;
  }
  return best;
}

}  // namespace

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(' ', at), list.size());
    if (end > at) words.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

const std::vector<KeyFact>& config_keys() {
  static const std::vector<KeyFact> all = [] {
    KeyFacts visitor;
    walk(RunConfig(), visitor);
    return std::move(visitor.facts);
  }();
  return all;
}

std::vector<KeyFact> keys_of(const Technique& t) {
  const std::vector<std::string> sets = words_of(t.on);
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  for (const std::string& set : sets) add(set.substr(0, set.find('=')));
  for (const KeyFact& f : config_keys()) {
    // A mixer's keys are techniques of their own.
    if (f.choice != "model.attention.kind" && sets[0] == f.choice + "=" + f.kind) add(f.key);
  }
  for (const std::string& key : words_of(t.more)) add(key);
  std::vector<KeyFact> facts;
  for (const std::string& key : keys) {
    const KeyFact* f = find_key(key, sets);
    if (!f) throw ConfigError(fmt::format("technique {}: no config key {}", t.name, key));
    facts.push_back(*f);
  }
  return facts;
}

const std::vector<TechniqueFamily>& techniques() {
  static const std::vector<TechniqueFamily> all{
      placement_techniques(), residual_techniques(), norm_techniques(),      attention_techniques(),
      score_techniques(),     position_techniques(), ffn_techniques(),       linear_techniques(),
      init_techniques(),      head_techniques(),     optimizer_techniques(), schedule_techniques(),
      clip_techniques(),      method_techniques()};
  return all;
}

namespace {

// "qknorm" of "QK-Norm" and of "qk_norm".
std::string squeezed(std::string_view name) {
  std::string s = folded(name);
  std::erase(s, '_');
  return s;
}

}  // namespace

const Technique& find_technique(std::string_view name) {
  std::vector<std::string> names, holding;
  for (const TechniqueFamily& family : techniques()) {
    for (const Technique& t : family.rows) {
      if (t.name == name) return t;
      names.emplace_back(t.name);
      if (!name.empty() && squeezed(t.name).find(squeezed(name)) != std::string::npos) {
        holding.emplace_back(t.name);
      }
    }
  }
  std::string hint = suggestion(name, names);
  constexpr size_t kMostHints = 8;
  if (!holding.empty() && holding.size() <= kMostHints) {
    hint = fmt::format(", did you mean \"{}\"?", fmt::join(holding, "\" or \""));
  }
  throw ConfigError(
      fmt::format("unknown technique \"{}\"{} (keel techniques lists them)", name, hint));
}

}  // namespace keel
