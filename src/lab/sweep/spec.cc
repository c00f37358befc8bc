#include "lab/sweep/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "config/load.h"
#include "config/print.h"
#include "core/error.h"
#include "core/version.h"
#include "io/json.h"
#include "lab/sweep/worker.h"

namespace keel {
namespace {

using Values = std::vector<Setting>;

constexpr int64_t kNoMoreTrials = int64_t{1} << 40;

// Each value of each key with each of all others; the last key changes first.
std::vector<Values> product_of(const std::vector<SettingList>& lists) {
  std::vector<Values> out{{}};
  for (const SettingList& list : lists) {
    std::vector<Values> longer;
    for (const Values& values : out) {
      for (const std::string& value : list.values) {
        longer.push_back(values);
        longer.back().push_back({list.key, value, list.place});
      }
    }
    out = std::move(longer);
  }
  return out;
}

int64_t count_of(const std::vector<SettingList>& lists) {
  int64_t n = 1;
  for (const SettingList& list : lists) {
    n = std::min(n * std::ssize(list.values), kNoMoreTrials);
  }
  return n;
}

void check_count(int64_t trials, int64_t most, bool many) {
  if (trials <= most || many) return;
  throw ConfigError(
      fmt::format("{}{} trials are more than max_trials = {}; with --yes they are run",
                  trials >= kNoMoreTrials ? "at least " : "", trials, most));
}

std::vector<Values> values_of(const SweepConfig& c, size_t seeds, bool many) {
  if (!c.list.empty()) {
    std::vector<Values> out;
    for (const Written& item : c.list) out.push_back(settings_of(item));
    check_count(std::ssize(out) * static_cast<int64_t>(seeds), c.max_trials, many);
    return out;
  }
  const std::vector<SettingList> lists = setting_lists_of(c.grid);
  check_count(count_of(lists) * static_cast<int64_t>(seeds), c.max_trials, many);
  return product_of(lists);
}

std::vector<std::string> rule_sets(const VerdictConfig& rule) {
  std::vector<std::string> out;
  for (const KeyValue& kv : flatten(rule)) out.push_back(kv.key + "=" + kv.value);
  return out;
}

std::string join_notes(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "; "));
}

// What differs between two setups, key by key.
std::vector<std::string> setup_differences(const std::string& then, const std::string& now) {
  const Json a = parse_json(then, "the setup in the store"), b = parse_json(now, "the setup");
  std::vector<std::string> lines;
  for (const JsonMember& m : b.as_object()) {
    if (m.key == "time_limit" || m.key == "threads") continue;  // no result depends on them
    const Json* before = a.find(m.key);
    if (before != nullptr && *before == m.value) continue;
    lines.push_back(fmt::format("{} was {}, is {}", m.key,
                                before == nullptr ? "not known" : before->dump(), m.value.dump()));
  }
  return lines;
}

}  // namespace

void SweepConfig::fields(Fields& f) {
  f.path("base", base, "config of each trial but for what the sweep says");
  f("seeds", seeds, "a number n for the seeds 1 to n, or a list");
  f("grid", grid, "lists of values of config keys; each with each is a trial");
  f("list", list, "instead of [grid]: tables of values, one for each trial");
  f("set", set, "values for all trials");
  f("jobs", jobs, "trials at a time; 0: as many as cores", between(0, 4096));
  f("max_trials", max_trials, "more than so many want --yes", at_least(1));
  f("early_stop", early_stop, "whether lost runs are stopped early");
  f("keep_runs", keep_runs, "whether the run folders of trials that are done stay");
  f("trial", trial, "a trainer that is not ours, instead of `base`");
  f("rule", rule, "when a run counts as diverged");
}

void SweepConfig::validate(Errors& errors) const {
  check_base(base, trial, errors);
  if (!list.empty() && grid.given) {
    errors.add("list", "stands instead of [grid]; leave one of them out", {"grid"});
  }
  if (list.empty() && !grid.given) {
    errors.add("grid", "missing: a table of lists, or `list`; an empty table is one trial a seed",
               {"list"});
  }
}

TrialSetup make_setup(const std::string& file, const std::string& base, const ExternalConfig& trial,
                      const VerdictConfig& rule, bool early_stop,
                      const std::vector<Setting>& sets) {
  TrialSetup setup;
  setup.base = base;
  setup.early_stop = early_stop;
  setup.rule = rule_sets(rule);
  if (!trial.command.empty()) {
    put(trial, setup);
    setup.folder = std::filesystem::absolute(file).parent_path().lexically_normal();
  }
  for (const Setting& s : sets) {
    if (s.key != "train.threads") continue;
    std::from_chars(s.value.data(), s.value.data() + s.value.size(), setup.threads);
  }
  return setup;
}

Sweep read_sweep(const std::string& path, bool many) {
  SweepConfig c;
  load_plain(path, c);
  const std::vector<int64_t> seeds = seeds_of(c.seeds);
  const std::vector<Setting> sets = settings_of(c.set);
  Sweep sweep;
  sweep.file = std::filesystem::absolute(path).lexically_normal();
  sweep.setup = make_setup(path, c.base, c.trial, c.rule, c.early_stop, sets);
  sweep.jobs = c.jobs;
  sweep.keep = c.keep_runs;
  const std::vector<Values> values = values_of(c, seeds.size(), many);
  std::vector<WantedTrial> wanted;
  for (const int64_t seed : seeds) {
    for (const Values& v : values) wanted.push_back({"", sets, v, seed});
  }
  sweep.trials = plan_trials(sweep.setup, wanted);
  if (seeds.size() < 2) {
    sweep.notes.push_back(
        "one seed: there are no intervals, and no way to tell a difference from "
        "chance");
  }
  return sweep;
}

void enter_sweep(TrialStore& store, const Sweep& sweep) {
  std::map<std::string, std::string> meta = store.meta();
  const std::string setup = setup_text(sweep.setup);
  const std::string begun_by = meta.contains("file") ? meta["file"] : sweep.file;
  const std::vector<std::string> differences =
      meta.contains("setup") ? setup_differences(meta["setup"], setup) : std::vector<std::string>();
  if (!differences.empty()) {
    throw ConfigError(fmt::format(
        "{}: this is not the sweep that was begun here with {}: {}; choose another --out",
        sweep.file, begun_by, join_notes(differences)));
  }
  std::set<std::string> ids;
  for (const TrialPlan& plan : sweep.trials) ids.insert(plan.id);
  std::vector<std::string> gone;
  for (const TrialRow& row : store.rows(false)) {
    if (!ids.contains(row.plan.id)) gone.push_back(trial_name(row.plan));
  }
  if (!gone.empty()) {
    throw ConfigError(fmt::format(
        "{}: {} trials of the sweep that was begun here with {} are not among its trials, the "
        "first: {}; the file or the config under it has changed: put it back (trials may be "
        "added), or choose another --out",
        sweep.file, gone.size(), begun_by, gone.front()));
  }
  store.set_meta("file", sweep.file);
  store.set_meta("setup", setup);
  store.set_meta("version", version());
  store.add(sweep.trials);
}

}  // namespace keel
