#include "lab/search/frontier_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <filesystem>
#include <map>
#include <set>

#include "config/load.h"
#include "config/print.h"
#include "config/text.h"
#include "core/error.h"
#include "core/version.h"
#include "io/fs.h"
#include "lab/sweep/spec.h"
#include "lab/sweep/trial_run.h"
#include "lab/sweep/worker.h"
#include "train/environment.h"

namespace keel {
namespace {

using Settings = std::vector<Setting>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

bool is_number(const std::string& toml) {
  return !toml.empty() && (std::isdigit(static_cast<unsigned char>(toml[0])) || toml[0] == '-');
}
bool is_whole(const std::string& toml) {
  return is_number(toml) && std::all_of(toml.begin(), toml.end(), [](unsigned char c) {
           return std::isdigit(c) || c == '-';
         });
}

// A config as loaded, and what it says of a key.
struct Loaded {
  RunConfig config;
  Origins origins;
  std::map<std::string, std::string> values;

  std::string value(const std::string& key) const {
    const auto it = values.find(key);
    return it == values.end() ? "" : it->second;
  }
  bool is_default(const std::string& key) const {
    const auto it = origins.find(key);
    return it != origins.end() && it->second == "default";
  }
};

Loaded load_arm(const std::string& base, const Settings& sets) {
  std::vector<std::string> lines;
  for (const Setting& s : sets) lines.push_back(s.key + "=" + s.value);
  Loaded out;
  out.origins = load_config(base, lines, out.config).origins;
  for (KeyValue& kv : flatten(out.config)) out.values[kv.key] = kv.value;
  return out;
}

// " kjv.txt" of ["/data/kjv.txt"].
std::string file_names(const std::string& toml_paths) {
  std::string out;
  for (size_t at = 0; (at = toml_paths.find('"', at)) != toml_paths.npos;) {
    const size_t end = std::min(toml_paths.find('"', at + 1), toml_paths.size());
    out += " " + base_name(toml_paths.substr(at + 1, end - at - 1));
    at = std::min(end + 1, toml_paths.size());
  }
  return out;
}

// The config's own words on what its runs are, for the report.
Pairs conditions_of(const Loaded& arm, const std::string& key) {
  const RunConfig& c = arm.config;
  const int64_t tokens = c.sequences() * c.model.context;
  Pairs out{{"data", c.data.reader.kind() + file_names(arm.value("data.path"))},
            {"steps", std::to_string(c.train.steps)},
            {"tokens", fmt::format("{} ({} a step)", tokens * c.train.steps, tokens)},
            {"batch", fmt::format("{} x {} tokens", c.sequences(), c.model.context)},
            {"warm-up", fmt::format("{} steps", c.schedule.warmup)},
            {"schedule", c.schedule.kind.kind()},
            {"optimizer", c.optim.kind.kind()},
            {"decay", fmt::format("{} {}", plain_value(arm.value("optim.decay")),
                                  arm.value("optim.weight_decay"))},
            {"dtype", c.train.dtype},
            {"clip", c.clip.kind.kind() +
                         (arm.value("clip.norm").empty() ? "" : " " + arm.value("clip.norm"))},
            {"model", fmt::format("dim {}, {} layers, {} heads of size {}", c.model.dim,
                                  c.model.layers, c.model.heads, c.model.head_dim_in_force())}};
  if (key != "optim.lr") out.emplace_back("rate", arm.value("optim.lr"));
  return out;
}

// Of a trainer that is not ours: what the file says of it.
Pairs external_conditions(const ExternalConfig& trial) {
  const auto known = [](int64_t n) { return n > 0 ? std::to_string(n) : "not known"; };
  return {{"trainer", trial.command},
          {"steps", known(trial.steps)},
          {"warm-up", fmt::format("{} steps", trial.warmup)},
          {"tokens, batch, schedule, dtype, clip", "the trainer's, not known here"}};
}

// One list for all arms; where they differ each has its own words.
Pairs common_conditions(const std::vector<Pairs>& by_arm, const std::vector<ArmSpec>& arms) {
  Pairs out = by_arm.at(0);
  for (size_t i = 0; i < out.size(); ++i) {
    const bool same = std::all_of(by_arm.begin(), by_arm.end(),
                                  [&](const Pairs& p) { return p[i] == by_arm[0][i]; });
    if (same) continue;
    out[i].second.clear();
    for (size_t a = 0; a < arms.size(); ++a) {
      out[i].second +=
          fmt::format("{}{}: {}", a == 0 ? "" : "; ", arms[a].name, by_arm[a][i].second);
    }
  }
  return out;
}

class FileReader {
 public:
  FileReader(const std::string& path, bool many) {
    plan_.file = std::filesystem::absolute(path).lexically_normal();
    plan_.spec = load_frontier_spec(path);
    check_most_trials(plan_.spec, many);
  }

  FrontierPlan read() {
    const FrontierSpec& spec = plan_.spec;
    // A run is given up only where it is lost under every margin.
    const VerdictConfig wide = spec.rule.labelled(Labelling::kWide);
    const Settings common = settings_of(spec.set);
    plan_.setup = make_setup(plan_.file, spec.base, spec.trial, wide, spec.early_stop, common);
    plan_.stated =
        make_setup(plan_.file, spec.base, spec.trial, spec.rule, spec.early_stop, common);
    plan_.sets.resize(spec.axis.empty() ? 1 : spec.axis_values.size());
    for (const ArmSpec& arm : spec.arms) {
      Settings sets = common;
      const Settings own = settings_of(arm.set);
      sets.insert(sets.end(), own.begin(), own.end());
      for (auto& arms : plan_.sets) arms.push_back(sets);
      ArmFacts facts;
      for (const Setting& s : own) facts.sets.push_back(s.key + "=" + s.value);
      plan_.arms.push_back(std::move(facts));
    }
    check_sets();
    if (spec.key == "train.seed") fail("key: \"train.seed\" is what seeds are for");
    if (spec.trial.command.empty()) {
      read_own();
    } else {
      plan_.conditions = external_conditions(spec.trial);
    }
    for (size_t i = 0; i < plan_.sets.size(); ++i) set_axis(i);
    check_plans();
    return std::move(plan_);
  }

 private:
  [[noreturn]] void fail(const std::string& text) const {
    throw ConfigError(fmt::format("{}: {}", plan_.file, text));
  }

  // The key, the axis and the seed are the search's own to set.
  void check_sets() const {
    std::set<std::string> errors;
    for (const Settings& sets : plan_.sets[0]) {
      for (const Setting& s : sets) {
        if (s.key != plan_.spec.key && s.key != plan_.spec.axis) continue;
        errors.insert(fmt::format("{}: {}: is what the frontier is looked for along; leave it out",
                                  s.place, s.key));
      }
    }
    if (!errors.empty()) throw ConfigError(fmt::format("{}", fmt::join(errors, "\n")));
  }

  void check_number(const Loaded& arm, const char* what, const std::string& key,
                    const std::string& name) const {
    if (is_number(arm.value(key))) return;
    std::vector<std::string> numbers;
    for (const auto& [k, value] : arm.values) {
      if (is_number(value)) numbers.push_back(k);
    }
    fail(fmt::format("{}: {} is no number of the config of arm {}{}", what, quote_text(key), name,
                     suggestion(key, numbers)));
  }

  void read_own() {
    std::vector<Pairs> conditions;
    const FrontierSpec& spec = plan_.spec;
    plan_.whole = true;
    for (size_t a = 0; a < spec.arms.size(); ++a) {
      Loaded arm = load_or_plan(a);
      check_number(arm, "key", spec.key, spec.arms[a].name);
      if (!spec.axis.empty()) check_number(arm, "axis", spec.axis, spec.arms[a].name);
      plan_.whole = plan_.whole && is_whole(arm.value(spec.key));
      if (free_decay(arm, a)) arm = load_arm(spec.base, plan_.sets[0][a]);
      if (spec.key == "optim.lr") {
        plan_.arms[a].scale = arm.config.optim.kind.kind() + ", " + arm.config.model.init.kind();
      }
      conditions.push_back(conditions_of(arm, spec.key));
      configs_.push_back(std::move(arm));
    }
    if (plan_.whole && (spec.start != std::round(spec.start))) {
      fail(fmt::format("start: must be a whole number, as {} is; is {}", spec.key,
                       plain(spec.start)));
    }
    plan_.conditions = common_conditions(conditions, spec.arms);
    add_what_varies();
  }

  // The others are the base config's, which is not what these runs had.
  void add_what_varies() {
    const FrontierSpec& spec = plan_.spec;
    if (spec.key != "optim.lr") {
      plan_.conditions.emplace_back("in place of the above", spec.key + " as searched");
    }
    if (spec.axis.empty()) return;
    std::vector<std::string> values;
    for (const double v : spec.axis_values) values.push_back(plain(v));
    plan_.conditions.emplace_back("in place of the above",
                                  fmt::format("{} = {}", spec.axis, fmt::join(values, " | ")));
  }

  // Errors of an arm are told with those of all others, at their places.
  Loaded load_or_plan(size_t arm) const {
    try {
      return load_arm(plan_.spec.base, plan_.sets[0][arm]);
    } catch (const ConfigError&) {
      check_plans();
      throw;
    }
  }

  // A decay that goes with the rate would make each rate another decay: it is turned into the same
  // decay a step that it is at the base config's rate. True where it was.
  bool free_decay(const Loaded& arm, size_t a) {
    const bool free = plan_.spec.key == "optim.lr" && arm.is_default("optim.decay") &&
                      arm.value("optim.decay") == "\"rate\"";
    if (!free || arm.value("optim.weight_decay").empty()) return false;
    const std::string per_step =
        fmt::format("{:.6g}", std::strtod(arm.value("optim.weight_decay").c_str(), nullptr) *
                                  std::strtod(arm.value("optim.lr").c_str(), nullptr));
    if (per_step == "0") return false;
    for (auto& arms : plan_.sets) {
      arms[a].push_back({"optim.decay", "\"independent\"", ""});
      arms[a].push_back({"optim.weight_decay", per_step, ""});
    }
    const std::string note = fmt::format(
        "Weight decay does not go with the peak rate: a step at the schedule's height takes {} off "
        "a weight, as it does at the base config's rate, {}.",
        per_step, arm.value("optim.lr"));
    if (std::find(plan_.notes.begin(), plan_.notes.end(), note) == plan_.notes.end()) {
      plan_.notes.push_back(note);
    }
    return true;
  }

  void set_axis(size_t value) {
    const FrontierSpec& spec = plan_.spec;
    if (spec.axis.empty()) return;
    const double at = spec.axis_values[value];
    for (size_t a = 0; a < spec.arms.size(); ++a) {
      Settings& sets = plan_.sets[value][a];
      sets.push_back({spec.axis, plain(at), ""});
      if (configs_.empty()) continue;
      const ModelConfig& model = configs_[a].config.model;
      if (spec.axis == "model.dim" && model.head_dim == 0) keep_head_size(sets, at, model);
    }
    if (value == 0 && !configs_.empty()) add_held_fixed();
  }

  void keep_head_size(Settings& sets, double dim, const ModelConfig& model) const {
    const int64_t size = model.head_dim_in_force();
    const double heads = dim / static_cast<double>(size);
    if (heads != std::round(heads)) {
      fail(fmt::format("axis_values: {} is no multiple of the head size {}, which is held fixed",
                       plain(dim), size));
    }
    sets.push_back({"model.heads", plain(heads), ""});
  }

  void add_held_fixed() {
    const RunConfig& c = configs_[0].config;
    const std::pair<const char*, std::string> all[] = {
        {"model.dim", fmt::format("width {}", c.model.dim)},
        {"model.heads", fmt::format("head size {}", c.model.head_dim_in_force())},
        {"model.layers", fmt::format("{} layers", c.model.layers)},
        {"model.context", fmt::format("context {}", c.model.context)},
        {"train.batch", fmt::format("batch {}", c.sequences())},
        {"train.steps", fmt::format("{} steps", c.train.steps)},
        {"schedule.warmup", fmt::format("warm-up {} steps", c.schedule.warmup)}};
    for (const auto& [key, text] : all) {
      if (key != plan_.spec.axis) plan_.held_fixed.push_back(text);
    }
  }

  // Every arm at every value of the axis, so that all errors are told at once.
  void check_plans() const {
    const FrontierSpec& spec = plan_.spec;
    std::vector<WantedTrial> wanted;
    for (const auto& arms : plan_.sets) {
      for (size_t a = 0; a < spec.arms.size(); ++a) {
        wanted.push_back({spec.arms[a].name,
                          arms[a],
                          {{spec.key, plain(spec.start), ""}},
                          spec.seed_list().front()});
      }
    }
    plan_trials(plan_.setup, wanted);
  }

  FrontierPlan plan_;
  std::vector<Loaded> configs_;  // of the arms, without the axis; none of a trainer not ours
};

std::string today() {
  const auto now = static_cast<std::time_t>(unix_time());
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

bool is_over(const TrialRow& row) {
  return row.state == TrialState::kDone || row.state == TrialState::kFailed;
}

}  // namespace

FrontierPlan read_frontier(const std::string& path, bool many) {
  return FileReader(path, many).read();
}

SearchOptions search_options(const FrontierPlan& plan) {
  const FrontierSpec& s = plan.spec;
  SearchOptions o;
  o.arms = s.arms.size();
  o.seeds = s.seed_list();
  o.start = s.start;
  o.ratio = s.ratio;
  o.cap = s.cap;
  o.floor = s.floor;
  o.max_rates = s.max_rates;
  o.direction = s.direction();
  o.whole = plan.whole;
  o.early_stop = s.early_stop;
  o.check_early_stop = s.check_early_stop;
  o.rule = s.rule;
  return o;
}

TrialPlan frontier_trial(const FrontierPlan& plan, size_t axis, size_t arm, double value,
                         int64_t seed) {
  const FrontierSpec& spec = plan.spec;
  WantedTrial wanted{spec.arms[arm].name, plan.sets[axis][arm], {}, seed};
  if (!spec.axis.empty()) {
    // The sets hold it too: here it is for names and for a trainer that is not ours.
    wanted.values.push_back({spec.axis, plain(spec.axis_values[axis]), ""});
  }
  wanted.values.push_back({spec.key, plain(value), ""});
  return plan_trials(plan.setup, {wanted}).front();
}

namespace {

// What may not change between two searches in one folder, beside base, rule and trainer: the grid's
// numbers; and what may only be added to: arms and seeds.
Json identity_of(const FrontierPlan& plan) {
  const FrontierSpec& s = plan.spec;
  std::vector<std::string> common;
  for (const Setting& set : settings_of(s.set)) common.push_back(set.key + "=" + set.value);
  Json arms = Json::object();
  for (size_t i = 0; i < s.arms.size(); ++i) {
    arms.set(s.arms[i].name, fmt::format("{}", fmt::join(plan.arms[i].sets, " ")));
  }
  return Json::object()
      .set("key", s.key)
      .set("from", s.from)
      .set("axis", s.axis)
      .set("start", plain(s.start))
      .set("ratio", plain(s.ratio))
      .set("set", fmt::format("{}", fmt::join(common, " ")))
      .set("arms", std::move(arms))
      .set("seeds", Json::array_of(s.seed_list()));
}

// What of the search that was begun is another or missing in this one; or "".
std::string other_search(const Json& begun, const Json& now) {
  for (const char* key : {"key", "from", "axis", "start", "ratio", "set"}) {
    const std::string &was = begun.at(key).as_string(), &is = now.at(key).as_string();
    if (was != is) return fmt::format("{} was {}, is {}", key, was, is);
  }
  for (const JsonMember& arm : begun.at("arms").as_object()) {
    const Json* same = now.at("arms").find(arm.key);
    if (!same) return fmt::format("arm {} is gone", arm.key);
    if (same->as_string() == arm.value.as_string()) continue;
    return fmt::format("arm {} was \"{}\", is \"{}\"", arm.key, arm.value.as_string(),
                       same->as_string());
  }
  for (const Json& seed : begun.at("seeds").as_array()) {
    const auto& seeds = now.at("seeds").as_array();
    const bool there = std::any_of(seeds.begin(), seeds.end(),
                                   [&](const Json& s) { return s.as_int() == seed.as_int(); });
    if (!there) return fmt::format("seed {} is gone", seed.as_int());
  }
  return "";
}

}  // namespace

void enter_frontier(TrialStore& store, const FrontierPlan& plan, bool early_stop) {
  const Json now = identity_of(plan);
  const std::map<std::string, std::string> meta = store.meta();
  if (const auto it = meta.find("search"); it != meta.end()) {
    const std::string other = other_search(parse_json(it->second, "the store of trials"), now);
    if (!other.empty()) {
      throw ConfigError(
          fmt::format("{}: this is not the search that was begun here: {}; choose another --out",
                      plan.file, other));
    }
  }
  Sweep sweep;
  sweep.file = plan.file;
  sweep.setup = plan.setup;
  sweep.setup.early_stop = early_stop;
  for (TrialRow& row : store.rows(false)) sweep.trials.push_back(std::move(row.plan));
  enter_sweep(store, sweep);
  store.set_meta("search", now.dump());
  store.set_meta("stated", setup_text(plan.stated));
}

std::string StoredTrials::refusal(double value) {
  try {
    for (size_t arm = 0; arm < plan_.spec.arms.size(); ++arm) {
      plan(arm, value, plan_.spec.seed_list().front());
    }
  } catch (const ConfigError& e) {
    const std::string text = e.what();
    return text.substr(0, text.find('\n'));
  }
  return "";
}

bool StoredTrials::run(const std::vector<TrialPlan>& plans, bool early_stop) {
  TrialSetup setup = plan_.setup;
  RunnerOptions options = options_;
  if (early_stop != setup.early_stop) {
    setup.early_stop = early_stop;
    options.out = join_path(options_.out, "full");
    real_fs().make_dirs(options.out);
    full_ = std::make_unique<TrialStore>(options.out, "frontier");
    enter_frontier(*full_, plan_, early_stop);
  }
  TrialStore& store = full_ ? *full_ : store_;
  store.add(plans);
  std::set<std::string> left;
  for (const TrialPlan& p : plans) left.insert(p.id);
  for (const TrialRow& row : store.rows(false)) {
    if (is_over(row)) left.erase(row.plan.id);
  }
  if (left.empty()) return true;
  const RunnerEnd end =
      run_trials(store, setup, options, requests_, [&](const TrialCounts& c) { tick_(store, c); });
  return !end.stopped;
}

std::vector<TrialRow> StoredTrials::rows(const std::vector<TrialPlan>& plans) {
  TrialStore& store = full_ ? *full_ : store_;
  std::vector<TrialRow> out;
  out.reserve(plans.size());
  for (const TrialPlan& p : plans) out.push_back(store.row(p.id).value());
  return out;
}

std::optional<FrontierResult> run_frontier(const FrontierPlan& plan, TrialStore& store,
                                           const RunnerOptions& options, StopRequests& requests,
                                           const StoredTrials::Tick& tick) {
  SearchReport report;
  report.spec = plan.spec;
  report.arms = plan.arms;
  report.held_fixed = plan.held_fixed;
  report.conditions = plan.conditions;
  report.notes = plan.notes;
  if (plan.setup.command.empty()) {  // first, so that data that cannot be read fails no trial
    const TrialPlan first =
        frontier_trial(plan, 0, 0, plan.spec.start, plan.spec.seed_list().front());
    report.bigram_entropy = data_entropy(store, config_of(plan.setup, first)).bigram;
    report.conditions.emplace_back("data's fingerprint",
                                   data_fingerprint(store, config_of(plan.setup, first)));
  }
  const SearchOptions search = search_options(plan);
  for (size_t i = 0; i < plan.sets.size(); ++i) {
    StoredTrials trials(plan, store, options, requests, tick);
    trials.at_axis(i);
    report.tables.push_back(search_frontiers(search, trials));
    if (report.tables.back().stopped) return {};
  }
  report.versions = {{"program", fmt::format("keel {}", version())},
                     {"processor", cpu_model()},
                     {"date", today()}};
  report.commands = {plan.command};
  return analyse(report);
}

}  // namespace keel
