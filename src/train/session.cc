#include "train/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
#include "config/print.h"
#include "core/error.h"
#include "core/parallel.h"
#include "train/checkpoint.h"
#include "train/checkpoint_store.h"
#include "train/data_identity.h"
#include "train/environment.h"
#include "train/resume_changes.h"
#include "train/resume_environment.h"
#include "train/state_hash.h"

namespace keel {
namespace {

// Of what a run does beside its steps. Asked for and given back before the first step, so that a
// limit that is too tight for it is told then.
constexpr int64_t kBesideSteps = int64_t{16} << 20;

// What "auto" and 0 stand for is decided once, when the run is created, and kept.
void settle(Session& s) {
  RunConfig& c = s.config;
  std::string reason;
  set_num_threads(static_cast<int>(c.train.threads));
  const DType compute = resolve_dtype(c, reason);
  if (!reason.empty()) s.notes.push_back("train.dtype: " + reason);
  c.train.dtype = std::string(name_of(compute));
  if (c.schedule.steps == 0) {
    c.schedule.steps = c.full_steps();
    s.loaded.origins["schedule.steps"] = "train.steps";
  }
}

DType dtype_of_run(const RunConfig& c) {
  std::string reason;
  return resolve_dtype(c, reason);
}

void plan(Session& s, DType compute) {
  s.plan = make_plan(s.config, compute);
  check_memory(s.plan, memory_available_bytes());
}

void prepare(Session& s, DeviceKind device) {
  RunConfig& c = s.config;
  set_num_threads(static_cast<int>(c.train.threads));
  const DType compute = dtype_of_run(c);
  if (c.model.vocab > 0 || c.data.vocab()) plan(s, compute);
  s.data = Dataset::open(c.data, c.dataset_args());
  if (c.model.vocab == 0) {
    c.model.vocab = s.data->vocab();
    s.loaded.origins["model.vocab"] = "data";
    if (s.plan.parameters == 0) plan(s, compute);
  }
  s.trainer = std::make_unique<Trainer>(c, s.data.get(), device, compute);
  // The memory of a step is laid out before the first one, which then allocates nothing either.
  Trainer meta(c, nullptr, DeviceKind::kMeta, compute);
  meta.plan();
  s.trainer->adopt_layouts(meta);
  s.trainer->take_memory();
  s.checkpoint = std::make_unique<CheckpointState>(*s.trainer);
  persistent({kBesideSteps / int64_t{sizeof(float)}}, DType::kF32, DeviceKind::kCpu,
             "saving, metrics and the report");
}

// Refuses, before anything is allocated, what the checkpoint does not fit. Returns whether the
// config has changed.
bool note_changes(Session& s, const LoadedCheckpoint& checkpoint) {
  RunConfig then, now = s.config;
  load_resolved(checkpoint.path + "/config.toml", checkpoint.text("config.toml"), {}, then);
  if (now.model.vocab == 0) now.model.vocab = then.model.vocab;  // as the data has it
  const std::vector<std::string> changes = accept_changes(then, now, checkpoint.path);
  for (const std::string& line : changes) s.notes.push_back("changed: " + line);
  return !changes.empty();
}

void append(std::vector<std::string>& notes, const std::vector<std::string>& more) {
  notes.insert(notes.end(), more.begin(), more.end());
}

void note_removed(Session& s, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    s.notes.push_back("removed what a process that died left: " + path);
  }
}

void take_first_weights(Session& s) {
  if (s.config.train.init.empty()) return;
  append(s.notes, load_weights(s.config.train.init, s.trainer->model()));
}

// A run with no step left to do keeps the config that it was trained under.
void keep_config(Fs& fs, Session& s) {
  s.config_text = to_toml(s.config, &s.loaded.origins);
  if (s.resumed_at >= s.config.train.steps) return;
  fs.replace_file(s.dir->config(), s.config_text);
  fs.replace_file(s.dir->file("config.origin.json"), origins_json(s.loaded.origins));
}

Json environment() {
  return describe_environment(onednn_version() + " " + onednn_isa(), num_threads());
}

// One warning when bits may differ; env.json then says so to the next resume too.
void check_where(Session& s, Fs& fs) {
  const std::string path = s.dir->file("env.json");
  if (!fs.exists(path)) return;
  const EnvironmentCheck check =
      check_environment(fs.read_file(path, 1 << 20), path, environment());
  if (!check.warning.empty()) s.warnings.push_back(check.warning);
  if (!check.json.empty()) fs.replace_file(path, check.json);
}

void check_data(Session& s, Fs& fs, bool changed_data) {
  const std::vector<std::string> changes = changes_since_start(fs, s.dir->path(), *s.data, s.notes);
  if (changes.empty()) return;
  const std::string what =
      fmt::format("the data of {} is not what it was when the run began:\n  {}\n", s.dir->path(),
                  fmt::join(changes, "\n  "));
  if (!changed_data) {
    throw DataError(what +
                    "put it back as it was, or go on with it by --changed-data: bits will then "
                    "differ from those of the unbroken run");
  }
  s.warnings.push_back(what + "bits will differ from those of the unbroken run");
  fs.replace_file(s.dir->file(kDataFile), data_json(*s.data));
}

// "3 min"
std::string age_of(const std::string& path) {
  const double seconds = unix_time() - file_time(path);
  if (seconds < 120) return fmt::format("{:.0f} s", std::max(seconds, 0.0));
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

// Of a run that was given no name: two may begin in one second.
RunDir create_by_default(Fs& fs, const std::string& path, const std::vector<NamedText>& files) {
  constexpr int kMostTries = 100;
  for (int i = 1;; ++i) {
    const std::string numbered = i == 1 ? path : fmt::format("{}-{}", path, i);
    if (fs.exists(numbered) && i < kMostTries) continue;
    try {
      return RunDir::create(fs, numbered, files);
    } catch (const ConfigError&) {
      if (i == kMostTries) throw;
    }
  }
}

}  // namespace

Session create_session(Fs& fs, const std::string& config_path, const std::vector<std::string>& sets,
                       const std::string& out) {
  Session s;
  s.loaded = load_config(config_path, sets, s.config);
  s.notes = s.loaded.notes;
  if (!out.empty() && fs.exists(out)) {
    throw ConfigError(
        fmt::format("--out: {} exists; choose another name, or go on with it: keel "
                    "resume {}",
                    out, shell_quote(out)));
  }
  const DeviceKind device = resolve_device(s.config);
  settle(s);
  prepare(s, device);
  take_first_weights(s);
  s.config_text = to_toml(s.config, &s.loaded.origins);
  const std::vector<NamedText> files{{"config.toml", s.config_text},
                                     {"config.origin.json", origins_json(s.loaded.origins)},
                                     {"env.json", environment().dump()},
                                     {kDataFile, data_json(*s.data)}};
  s.dir = std::make_unique<RunDir>(
      out.empty() ? create_by_default(
                        fs, default_run_path(config_path, static_cast<int64_t>(unix_time())), files)
                  : RunDir::create(fs, out, files));
  note_removed(s, remove_dead_runs(fs, parent_path(s.dir->path())));
  return s;
}

Session resume_session(Fs& fs, const std::string& run, const std::vector<std::string>& sets,
                       bool changed_data) {
  Session s;
  s.dir = std::make_unique<RunDir>(RunDir::open(fs, run));
  s.loaded = load_resolved(s.dir->config(), fs.read_file(s.dir->config(), 1 << 20), sets, s.config);
  s.notes = s.loaded.notes;
  NewestCheckpoint newest = load_newest_checkpoint(run);
  append(s.notes, skipped_lines(newest.skipped));
  const bool changed = newest.found && note_changes(s, *newest.found);
  prepare(s, resolve_device(s.config));
  check_data(s, fs, changed_data);
  check_where(s, fs);
  if (newest.found) {
    load_trainer(*newest.found, *s.trainer, changed);
    s.resumed_at = newest.found->step;
    s.progress = progress_in(*newest.found);
    s.notes.push_back(fmt::format(
        "resuming at step {} from {}, saved {} ago, every byte verified, state xxh3 {}",
        s.resumed_at, newest.found->path, age_of(newest.found->path), state_hash(*s.trainer)));
  } else if (!newest.skipped.empty()) {
    throw DataError(no_checkpoint(run, newest) + "; without its ckpt folder the run starts anew");
  } else {
    take_first_weights(s);
    s.notes.push_back("the run has no checkpoint: starting at step 0");
  }
  note_removed(s, remove_leftovers(fs, run));
  keep_config(fs, s);
  return s;
}

TrainedModel open_model(const std::string& from) {
  if (!real_fs().is_dir(from)) {
    throw DataError(fmt::format("{}: no such run or checkpoint", from));
  }
  const NewestCheckpoint newest = load_run_or_checkpoint(from);
  const LoadedCheckpoint& checkpoint = *newest.found;
  TrainedModel m;
  m.notes = skipped_lines(newest.skipped);
  m.path = checkpoint.path;
  m.step = checkpoint.step;
  load_resolved(m.path + "/config.toml", checkpoint.text("config.toml"), {}, m.config);
  m.tokenizer = load_tokenizer(checkpoint.text("tokenizer.json"), m.path + "/tokenizer.json");
  set_num_threads(static_cast<int>(m.config.train.threads));
  const DType compute = dtype_of_run(m.config);
  m.model = std::make_unique<Decoder>(m.config.model, m.config.vocab(), resolve_device(m.config),
                                      compute);
  load_weights(checkpoint.model, *m.model);
  m.model->parameters().want_gradients(false);
  return m;
}

}  // namespace keel
