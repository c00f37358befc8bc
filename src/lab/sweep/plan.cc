#include "lab/sweep/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "config/load.h"
#include "config/print.h"
#include "config/registry.h"
#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"
#include "io/hash.h"
#include "lab/sweep/external.h"

namespace keel {
namespace {

// Keys of a run's config that name files, whatever the kinds; list elements without their number.
class PathKeys final : public KeyWalk {
 public:
  std::set<std::string> keys;

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}
  void leaf(const Field& field, Leaf) override {
    if (field.path) keys.insert(join_key(prefix_, field.key));
  }
  void choice(const Field&, Choice& v) override {
    for (const RegistryBase::Row& row : v.registry().rows()) row.defaults()->fields(*this);
  }
  void tables(const Field& field, Tables& v) override {
    const std::string outer = prefix_;
    prefix_ = join_key(outer, field.key);
    v.element()->fields(*this);
    prefix_ = outer;
  }
};

const std::set<std::string>& path_keys() {
  static const std::set<std::string> keys = [] {
    PathKeys visitor;
    walk(RunConfig(), visitor);
    return visitor.keys;
  }();
  return keys;
}

std::string with_absolute_path(const std::string& key, const std::string& text,
                               const std::string& folder) {
  if (text.empty() || !path_keys().contains(key)) return text;
  return (std::filesystem::path(folder) / text).lexically_normal();
}

[[noreturn]] void refuse(const std::vector<std::string>& errors) {
  throw ConfigError(fmt::format("{}", fmt::join(errors, "\n")));
}

// Keys that are free to differ between trials of the same id.
bool cannot_matter(const std::string& key) {
  return key == "train.threads" || key == "log.every" || key.starts_with("checkpoint.") ||
         key.starts_with("sample.");
}

std::string own_id(const RunConfig& config) {
  Xxh3 hash;
  for (const KeyValue& kv : flatten(config)) {
    if (cannot_matter(kv.key)) continue;
    const std::string line = kv.key + "=" + kv.value + "\n";
    hash.update(line.data(), line.size());
  }
  return hash.hex();
}

std::string external_id(const TrialSetup& setup, const TrialPlan& plan) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\nseed={}\n", setup.command, setup.log,
                                 fmt::join(setup.columns, "\n"), plan.arm, plan.seed);
  for (const std::string& set : plan.sets) text += set + "\n";
  for (const auto& [key, value] : plan.values) text += key + "=" + value + "\n";
  return xxh3_hex(text);
}

bool names(const std::vector<Setting>& settings, std::string_view key) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& s) { return s.key == key; });
}

bool names(const WantedTrial& wanted, std::string_view key) {
  return names(wanted.sets, key) || names(wanted.values, key);
}

// Lowest layer first. What trials do not do stands above what a file may say.
std::vector<std::string> sets_of(const WantedTrial& wanted) {
  std::vector<std::string> sets;
  for (const char* key_value : {"train.threads=1", "checkpoint.every=0"}) {
    const std::string_view set = key_value;
    if (!names(wanted, set.substr(0, set.find('=')))) sets.emplace_back(set);
  }
  for (const auto* settings : {&wanted.sets, &wanted.values}) {
    for (const Setting& s : *settings) sets.push_back(s.key + "=" + s.value);
  }
  sets.emplace_back("sample.tokens=0");
  sets.push_back(fmt::format("train.seed={}", wanted.seed));
  return sets;
}

// Plans trial after trial; what is wrong is kept, each line once, with the trials it is about.
class Planner {
 public:
  Planner(const TrialSetup& setup, size_t trials) : setup_(setup), trials_(trials) {}

  void add(const WantedTrial& wanted) {
    TrialPlan plan;
    plan.arm = wanted.arm;
    plan.seed = wanted.seed;
    for (const Setting& s : wanted.values) plan.values.emplace_back(s.key, plain_value(s.value));
    name_ = trial_name(plan);
    if (setup_.command.empty()) {
      add_own(wanted, plan);
    } else {
      for (const Setting& s : wanted.sets) plan.sets.push_back(s.key + "=" + s.value);
      add_external(plan);
    }
    const auto [other, is_new] = names_.emplace(plan.id, name_);
    if (!is_new && !plan.id.empty()) {
      complain(fmt::format("two trials are the same: {} and {}", other->second, name_));
    }
    plans_.push_back(std::move(plan));
  }

  std::vector<TrialPlan> finish() {
    if (problems_.empty()) return std::move(plans_);
    std::vector<std::string> lines;
    for (const Problem& p : problems_) {
      std::string of = p.trial;
      if (p.trials == trials_ && trials_ > 1) {
        of = fmt::format("all {} trials", trials_);
      } else if (p.trials > 1) {
        of += fmt::format(" and {} more", p.trials - 1);
      }
      lines.push_back(fmt::format("{} ({})", p.text, of));
    }
    refuse(lines);
  }

 private:
  struct Problem {
    std::string text, trial;
    size_t trials = 1;
  };

  void add_own(const WantedTrial& wanted, TrialPlan& plan) {
    if (names(wanted, "train.seed")) {
      complain("train.seed: the seeds of a trial are named by `seeds`");
    }
    plan.sets = sets_of(wanted);
    try {
      RunConfig config;
      load_config(setup_.base, plan.sets, config);
      check_rules(config);
      plan.id = own_id(config);
    } catch (const ConfigError& e) {
      std::string_view rest = e.what();
      while (!rest.empty()) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        complain(with_place(rest.substr(0, end), wanted));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
  }

  void add_external(TrialPlan& plan) {
    plan.id = external_id(setup_, plan);
    try {
      fill_in(setup_.command, plan, "out");
    } catch (const ConfigError& e) {
      complain(e.what());
    }
  }

  void check_rules(const RunConfig& config) {
    if (config.train.dtype == "auto") {
      complain(
          "train.dtype: \"auto\" is decided anew on each machine; trials are compared, so name "
          "\"f32\" or \"bf16\"");
    }
    if (config.stop.patience > 0) {
      complain("stop.patience: must be 0 in trials: all are stopped early by one rule, of loss");
    }
  }

  // "--set: model.dmi: unknown key" with the place of the file that set it.
  static std::string with_place(std::string_view line, const WantedTrial& wanted) {
    constexpr std::string_view kSet = "--set: ";
    if (!line.starts_with(kSet)) return std::string(line);
    const std::string_view rest = line.substr(kSet.size());
    const std::string_view key = rest.substr(0, rest.find(':'));
    for (const auto* settings : {&wanted.values, &wanted.sets}) {
      for (const Setting& s : *settings) {
        const bool inside = s.key.starts_with(key) && s.key[key.size()] == '.';
        const bool around = key.starts_with(s.key);
        if ((inside || around) && !s.place.empty()) return fmt::format("{}: {}", s.place, rest);
      }
    }
    return std::string(line);
  }

  void complain(const std::string& text) {
    for (Problem& p : problems_) {
      if (p.text == text) {
        ++p.trials;
        return;
      }
    }
    problems_.push_back({text, name_});
  }

  const TrialSetup& setup_;
  size_t trials_;
  std::string name_;  // of the trial at hand
  std::vector<TrialPlan> plans_;
  std::map<std::string, std::string> names_;  // by id
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Setting> settings_of(const Written& table) {
  std::vector<Setting> out;
  for (const auto& [key, node] : entries_of(table)) {
    out.push_back({key, toml_of(table, key, *node, with_absolute_path), table.place_of_key(*node)});
  }
  return out;
}

std::vector<SettingList> setting_lists_of(const Written& table) {
  std::vector<SettingList> out;
  std::vector<std::string> errors;
  for (const auto& [key, node] : entries_of(table)) {
    const std::string place = fmt::format("{}: {}: ", table.place_of(*node), key);
    const auto* list = std::get_if<TomlNode::List>(&node->value);
    if (list == nullptr || list->empty()) {
      errors.push_back(place + "must be a list of values");
      continue;
    }
    SettingList s{key, {}, table.place_of_key(*node)};
    for (const TomlNode& item : *list) {
      std::string value = toml_of(table, key, item, with_absolute_path);
      if (std::find(s.values.begin(), s.values.end(), value) != s.values.end()) {
        errors.push_back(place + value + " is there twice");
      }
      s.values.push_back(std::move(value));
    }
    out.push_back(std::move(s));
  }
  if (!errors.empty()) refuse(errors);
  return out;
}

std::vector<int64_t> seeds_of(const Written& seeds) {
  if (!seeds.given) throw ConfigError("seeds: missing; a number n for 1 to n, or a list");
  const std::string wrong = fmt::format(
      "{}: seeds: must be a number n from 1 to {}, for the seeds 1 to n, or a list of different "
      "whole numbers from 0 on",
      seeds.place(), kMostSeeds);
  std::vector<int64_t> out;
  if (const auto* n = std::get_if<int64_t>(&seeds.node.value)) {
    if (*n < 1 || *n > kMostSeeds) throw ConfigError(wrong);
    for (int64_t seed = 1; seed <= *n; ++seed) out.push_back(seed);
    return out;
  }
  const auto* list = std::get_if<TomlNode::List>(&seeds.node.value);
  if (list == nullptr || list->empty()) throw ConfigError(wrong);
  for (const TomlNode& item : *list) {
    const auto* seed = std::get_if<int64_t>(&item.value);
    const bool good = seed != nullptr && *seed >= 0;
    if (!good || std::find(out.begin(), out.end(), *seed) != out.end()) throw ConfigError(wrong);
    out.push_back(*seed);
  }
  return out;
}

std::string plain_value(const std::string& toml) {
  if (toml.size() < 3 || toml.front() != '"' || std::isalpha(toml[1]) == 0) return toml;
  std::string word = toml.substr(1, toml.size() - 2);
  const bool plain = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '/';
  });
  const bool other = word == "true" || word == "false" || word == "inf" || word == "nan";
  return plain && !other ? word : toml;
}

std::vector<TrialPlan> plan_trials(const TrialSetup& setup,
                                   const std::vector<WantedTrial>& wanted) {
  Planner planner(setup, wanted.size());
  for (const WantedTrial& w : wanted) planner.add(w);
  return planner.finish();
}

TrialPlan plan_trial(const TrialSetup& setup, const std::vector<std::string>& sets,
                     const std::vector<std::pair<std::string, std::string>>& values,
                     const std::string& arm, int64_t seed) {
  WantedTrial wanted{arm, {}, {}, seed};
  for (const std::string& set : sets) {
    const size_t equals = std::min(set.find('='), set.size());
    wanted.sets.push_back(
        {set.substr(0, equals), set.substr(std::min(equals + 1, set.size())), ""});
  }
  for (const auto& [key, value] : values) wanted.values.push_back({key, value, ""});
  return plan_trials(setup, {wanted}).front();
}

RunConfig config_of(const TrialSetup& setup, const TrialPlan& plan) {
  RunConfig config;
  load_config(setup.base, plan.sets, config);
  return config;
}

std::string trial_name(const TrialPlan& plan) {
  std::string name = plan.arm;
  for (const auto& [key, value] : plan.values) {
    name += fmt::format("{}{}={}", name.empty() ? "" : " ", key, value);
  }
  return fmt::format("{}{}seed {}", name, name.empty() ? "" : " ", plan.seed);
}

}  // namespace keel
