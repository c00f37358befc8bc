#include "lab/search/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "config/load.h"
#include "config/text.h"
#include "core/error.h"
#include "lab/sweep/plan.h"

namespace keel {
namespace {

constexpr double kMostRates = 1000;

std::string item(const char* list, size_t i) { return fmt::format("{}[{}]", list, i); }

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

const std::vector<std::string>& relations() {
  static const std::vector<std::string> r{">", "=", "-"};
  return r;
}

bool is_relation(const std::string& word) {
  return std::find(relations().begin(), relations().end(), word) != relations().end();
}

std::vector<std::string> names_of(const std::vector<ArmSpec>& arms) {
  std::vector<std::string> names;
  names.reserve(arms.size());
  for (const ArmSpec& a : arms) names.push_back(a.name);
  return names;
}

// Reads "A > B > C" as "A > B" and "B > C"; `error` says what is wrong with it.
class ContrastReader {
 public:
  explicit ContrastReader(const std::vector<ArmSpec>& arms) : arms_(names_of(arms)) {}

  std::vector<ContrastSpec> read(const TomlNode& node) {
    error.clear();
    if (const auto* text = std::get_if<std::string>(&node.value)) return chain(*text, kMeasures[0]);
    const auto* table = std::get_if<TomlNode::Table>(&node.value);
    if (!table) return fail("must be a text such as \"A > B\", or a table with name");
    std::string name, measure = kMeasures[0];
    for (const auto& [key, value] : *table) {
      if (key != "name" && key != "measure") {
        return fail(quote_text(key) + ": unknown key" + suggestion(key, {"name", "measure"}));
      }
      const auto* text = std::get_if<std::string>(&value.value);
      if (!text) return fail(key + ": must be a string");
      (key == "name" ? name : measure) = *text;
    }
    const std::vector<std::string> measures(std::begin(kMeasures), std::end(kMeasures));
    if (std::find(measures.begin(), measures.end(), measure) == measures.end()) {
      return fail("measure: must be " + one_of(measures).text() + ", is " + quote_text(measure) +
                  suggestion(measure, measures));
    }
    return chain(name, measure);
  }

  std::string error;

 private:
  std::vector<ContrastSpec> fail(const std::string& text) {
    error = text;
    return {};
  }

  std::vector<ContrastSpec> chain(const std::string& text, const std::string& measure) {
    const std::vector<std::string> words = words_of(text);
    bool good = words.size() >= 3 && words.size() % 2 == 1;
    for (size_t i = 1; i < words.size(); i += 2) good &= is_relation(words[i]);
    if (!good) {
      return fail(quote_text(text) +
                  " is not of the form \"A > B\", \"A = B\" or \"A - B\", with spaces between");
    }
    std::vector<ContrastSpec> out;
    for (size_t i = 0; i + 2 < words.size(); i += 2) {
      const std::optional<size_t> a = arm(words[i]), b = arm(words[i + 2]);
      if (!a || !b) return {};
      if (*a == *b) return fail(quote_text(words[i]) + " is compared with itself");
      const std::string& relation = words[i + 1];
      using Claim = ContrastSpec::Claim;
      const Claim claim = relation == ">"   ? Claim::kGreater
                          : relation == "=" ? Claim::kEqual
                                            : Claim::kNone;
      out.push_back(
          {fmt::format("{} {} {}", words[i], relation, words[i + 2]), *a, *b, claim, measure});
    }
    return out;
  }

  std::optional<size_t> arm(const std::string& name) {
    const auto it = std::find(arms_.begin(), arms_.end(), name);
    if (it != arms_.end()) return it - arms_.begin();
    error = "no arm is called " + quote_text(name) + suggestion(name, arms_);
    return {};
  }

  std::vector<std::string> arms_;
};

// A number of either type, or none.
std::optional<double> number_of(const TomlNode& node) {
  if (const auto* v = std::get_if<int64_t>(&node.value)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<double>(&node.value)) return *v;
  return {};
}

bool is_table(const Written& w) {
  return !w.given || std::holds_alternative<TomlNode::Table>(w.node.value);
}

std::vector<std::string> assignments(const Written& set) {
  std::vector<std::string> out;
  for (const Setting& s : settings_of(set)) out.push_back(s.key + "=" + s.value);
  std::sort(out.begin(), out.end());
  return out;
}

// The items of `contrasts`; none where it is not given, or no list.
const TomlNode::List& items_of(const Written& w) {
  static const TomlNode::List none;
  const auto* list = std::get_if<TomlNode::List>(&w.node.value);
  return list ? *list : none;
}

}  // namespace

void ArmSpec::fields(Fields& f) {
  f("name", name, "what the arm is called, without spaces");
  f("set", set, "keys of the base config that it changes, dotted");
}

void RegimeSpec::fields(Fields& f) {
  f("below_bigram", below_bigram,
    "nats by which the best arm's loss must be below the bigram entropy of the data; 0: not asked",
    at_least(0));
  f("fails", fails, "the arm that must fail inside the grid; empty: not asked");
}

void FrontierSpec::fields(Fields& f) {
  f("title", title, "of the report; empty: the name of the file");
  f.path("base", base, "the config that all trials start from");
  f("set", set, "keys of the base config for all arms, dotted");
  f("seeds", seeds, "how many (1 to n), or a list of them");
  f("arms", arms, "the recipes that are compared");
  f("key", key, "the scalar whose frontier is looked for");
  f("from", from, "which values fail: large ones or small ones", one_of({"above", "below"}));
  f("start", start, "first value of the grid", above(0));
  f("ratio", ratio, "between neighbours of the grid", above(1).at_most(100));
  f("cap", cap, "no value above it; 0: none", at_least(0));
  f("floor", floor, "no value below it; 0: none", at_least(0));
  f("max_rates", max_rates, "values of an arm, those that refine included", between(1, kMostRates));
  f("max_trials", max_trials, "beyond so many trials --yes is asked for", at_least(1));
  f("level", level, "of the intervals", above(0).below(1));
  f("margin", margin, "factor within which two frontiers are a tie; 0: ratio", at_least(0));
  f("loss_margin", loss_margin, "nats within which two losses are a tie", above(0));
  f("early_stop", early_stop, "stop runs that are lost, by loss alone");
  f("check_early_stop", check_early_stop,
    "run stopped trials near the frontier to their end as well, to measure the agreement");
  f("contrasts", contrasts,
    "comparisons fixed beforehand: \"A > B\" and \"A = B\" are claims, \"A - B\" is none");
  f("published", published, "a value for each of some arms, shown beside the measured one");
  f("published_label", published_label, "what the published values are and whose");
  f("axis", axis, "a key of the base config against which the frontier is measured; empty: none");
  f("axis_values", axis_values, "values of axis; arms and contrasts are shown for the first",
    above(0));
  f("regime", regime, "what must be true for the claims to be tested");
  f("trial", trial, "a trainer that is not ours, instead of base");
  f("rule", rule, "what diverged and does not train mean");
}

double FrontierSpec::log_margin() const { return std::log(margin > 0 ? margin : ratio); }

std::vector<int64_t> FrontierSpec::seed_list() const { return seeds_of(seeds); }

std::vector<ContrastSpec> FrontierSpec::contrast_list() const {
  std::vector<ContrastSpec> list;
  ContrastReader reader(arms);
  for (const TomlNode& node : items_of(contrasts)) {
    for (ContrastSpec& c : reader.read(node)) list.push_back(std::move(c));
  }
  return list;
}

std::map<std::string, double> FrontierSpec::published_values() const {
  std::map<std::string, double> values;
  for (const auto& [arm, node] : entries_of(published)) {
    values[arm] = number_of(*node).value_or(std::nan(""));
  }
  return values;
}

int64_t FrontierSpec::most_trials() const {
  const int64_t tables = axis.empty() ? 1 : std::ssize(axis_values);
  const int64_t cells = std::ssize(arms) * std::ssize(seed_list()) * max_rates * tables;
  return check_early_stop ? 2 * cells : cells;
}

void FrontierSpec::validate_arms(Errors& errors) const {
  if (arms.empty()) errors.add("arms", "must name at least one arm", {});
  std::set<std::string> seen;
  for (size_t i = 0; i < arms.size(); ++i) {
    const std::string& name = arms[i].name;
    const std::string at = item("arms", i);
    const std::vector<std::string> words = words_of(name);
    if (words.size() != 1 || words[0] != name || is_relation(name)) {
      errors.add(at + ".name", "must be a word, is " + quote_text(name), {});
    } else if (!seen.insert(name).second) {
      errors.add(at + ".name", "a second arm is called " + quote_text(name), {});
    }
    if (!is_table(arms[i].set)) errors.add(at + ".set", "must be a table", {});
    for (size_t j = 0; j < i; ++j) {
      if (name == arms[j].name || assignments(arms[i].set) != assignments(arms[j].set)) continue;
      errors.add(at + ".set", "sets the same as arm " + quote_text(arms[j].name), {});
      break;
    }
  }
  if (!is_table(set)) errors.add("set", "must be a table", {});
}

void FrontierSpec::validate_names(Errors& errors) const {
  const std::vector<std::string> names = names_of(arms);
  const auto known = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!is_table(published)) errors.add("published", "must be a table of arms and numbers", {});
  for (const auto& [arm, node] : entries_of(published)) {
    const std::string at = "published." + arm;
    if (!known(arm)) errors.add(at, "no arm is called so" + suggestion(arm, names), {"arms"});
    if (!number_of(*node)) errors.add(at, "must be a number", {});
  }
  if (!regime.fails.empty() && !known(regime.fails)) {
    errors.add("regime.fails",
               "no arm is called " + quote_text(regime.fails) + suggestion(regime.fails, names),
               {"arms"});
  }
}

void FrontierSpec::validate_seeds(Errors& errors) const {
  try {
    seeds_of(seeds);
  } catch (const ConfigError& e) {
    const std::string text = e.what(), prefix = "seeds: ";
    errors.add("seeds", text.substr(text.find(prefix) + prefix.size()), {});
  }
}

void FrontierSpec::validate_grid(Errors& errors) const {
  if (cap > 0 && cap < start) {
    errors.add("cap", fmt::format("must not be below start, {}, is {}", plain(start), plain(cap)),
               {"start"});
  }
  if (floor > start) {
    errors.add("floor",
               fmt::format("must not be above start, {}, is {}", plain(start), plain(floor)),
               {"start"});
  }
  if (margin != 0 && margin <= 1) {
    errors.add("margin",
               fmt::format("must be a factor above 1, or 0 for ratio; is {}", plain(margin)), {});
  }
}

void FrontierSpec::validate_contrasts(Errors& errors) const {
  if (contrasts.given && !std::holds_alternative<TomlNode::List>(contrasts.node.value)) {
    return errors.add("contrasts", "must be a list", {});
  }
  ContrastReader reader(arms);
  std::set<std::pair<std::string, std::string>> seen;
  const TomlNode::List& list = items_of(contrasts);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::vector<ContrastSpec> read = reader.read(list[i]);
    if (!reader.error.empty()) errors.add(item("contrasts", i), reader.error, {"arms"});
    for (const ContrastSpec& c : read) {
      if (seen.insert({c.name, c.measure}).second) continue;
      errors.add(item("contrasts", i), quote_text(c.name) + " is there twice", {"arms"});
    }
  }
}

void FrontierSpec::validate_axis(Errors& errors) const {
  if (axis.empty() != axis_values.empty()) {
    errors.add(axis.empty() ? "axis" : "axis_values",
               "is missing: axis and axis_values go together", {});
  }
  if (!axis.empty() && axis == key) errors.add("axis", "must be another key than key", {"key"});
  const std::set<double> different(axis_values.begin(), axis_values.end());
  if (different.size() != axis_values.size()) {
    errors.add("axis_values", "a value is there twice", {});
  }
}

void FrontierSpec::validate(Errors& errors) const {
  check_base(base, trial, errors);
  validate_arms(errors);
  validate_names(errors);
  validate_seeds(errors);
  validate_grid(errors);
  validate_contrasts(errors);
  validate_axis(errors);
}

FrontierSpec load_frontier_spec(const std::string& path) {
  FrontierSpec spec;
  load_plain(path, spec);
  if (spec.title.empty()) {
    const size_t slash = path.rfind('/');
    spec.title = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (spec.title.ends_with(".toml")) spec.title.resize(spec.title.size() - 5);
  }
  return spec;
}

void check_most_trials(const FrontierSpec& spec, bool allowed) {
  if (allowed || spec.most_trials() <= spec.max_trials) return;
  throw ConfigError(fmt::format(
      "{} arms with {} seeds and up to {} values may come to {} trials, max_trials is {}: --yes "
      "runs them, a smaller max_rates needs fewer",
      spec.arms.size(), spec.seed_list().size(), spec.max_rates, spec.most_trials(),
      spec.max_trials));
}

}  // namespace keel
