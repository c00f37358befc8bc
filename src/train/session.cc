#include "train/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/gemm.h"
#include "config/print.h"
#include "core/error.h"
#include "core/parallel.h"
#include "train/checkpoint.h"
#include "train/checkpoint_store.h"
#include "train/environment.h"
#include "train/resume_changes.h"

namespace keel {
namespace {

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
  s.data = Dataset::open(c.data, {.context = c.model.context,
                                  .vocab = c.model.vocab,
                                  .seed = c.data_seed(),
                                  .lanes = c.sequences()});
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

std::string environment_json(const RunConfig&) {
  return describe_environment(onednn_version() + " " + onednn_isa(), num_threads()).dump();
}

}  // namespace

Session create_session(Fs& fs, const std::string& config_path, const std::vector<std::string>& sets,
                       const std::string& out) {
  Session s;
  s.loaded = load_config(config_path, sets, s.config);
  s.notes = s.loaded.notes;
  const std::string path =
      out.empty() ? default_run_path(config_path, static_cast<int64_t>(unix_time())) : out;
  if (fs.exists(path)) {
    throw ConfigError(
        fmt::format("--out: {} exists; choose another name, or go on with it: keel "
                    "resume {}",
                    path, shell_quote(path)));
  }
  const DeviceKind device = resolve_device(s.config);
  settle(s);
  prepare(s, device);
  take_first_weights(s);
  s.config_text = to_toml(s.config, &s.loaded.origins);
  s.dir = std::make_unique<RunDir>(
      RunDir::create(fs, path,
                     {{"config.toml", s.config_text},
                      {"config.origin.json", origins_json(s.loaded.origins)},
                      {"env.json", environment_json(s.config)}}));
  note_removed(s, remove_dead_runs(fs, parent_path(path)));
  return s;
}

Session resume_session(Fs& fs, const std::string& run, const std::vector<std::string>& sets) {
  Session s;
  s.dir = std::make_unique<RunDir>(RunDir::open(fs, run));
  s.loaded = load_resolved(s.dir->config(), fs.read_file(s.dir->config(), 1 << 20), sets, s.config);
  s.notes = s.loaded.notes;
  const std::string then = s.dir->file("env.json");
  if (fs.exists(then)) {
    const Json before = parse_json(fs.read_file(then, 1 << 20), then);
    const Json now = describe_environment(onednn_version() + " " + onednn_isa(), num_threads());
    for (const std::string& d : environment_differences(before, now)) {
      s.notes.push_back("bits may differ from the unbroken run: " + d);
    }
  }
  NewestCheckpoint newest = load_newest_checkpoint(run);
  append(s.notes, skipped_lines(newest.skipped));
  const bool changed = newest.found && note_changes(s, *newest.found);
  prepare(s, resolve_device(s.config));
  if (newest.found) {
    load_trainer(*newest.found, *s.trainer, changed);
    s.resumed_at = newest.found->step;
    const Json* data = newest.found->extra.find("data");
    if (data && data->is_string() && data->as_string() != s.data->fingerprint()) {
      s.notes.push_back(
          "the data is not what the run was trained on so far: from here on its "
          "batches differ from those of the unbroken run");
    }
    s.notes.push_back(fmt::format("resuming at step {} from {}, verified, xxh3 {}", s.resumed_at,
                                  newest.found->path, newest.found->manifest_hash));
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
  Fs& fs = real_fs();
  TrainedModel m;
  LoadedCheckpoint checkpoint;
  if (has_checkpoints(fs, from)) {
    NewestCheckpoint newest = load_newest_checkpoint(from);
    m.notes = skipped_lines(newest.skipped);
    if (!newest.found) throw DataError(no_checkpoint(from, newest));
    checkpoint = std::move(*newest.found);
  } else if (fs.is_dir(from)) {
    checkpoint = load_checkpoint(from);
  } else {
    throw DataError(fmt::format("{}: no such run or checkpoint", from));
  }
  m.path = checkpoint.path;
  m.step = checkpoint.step;
  load_resolved(m.path + "/config.toml", checkpoint.text("config.toml"), {}, m.config);
  m.tokenizer = load_tokenizer(checkpoint.text("tokenizer.json"), m.path + "/tokenizer.json");
  const DType compute = dtype_of_run(m.config);
  m.model = std::make_unique<Decoder>(m.config.model, m.config.vocab(), resolve_device(m.config),
                                      compute);
  load_weights(checkpoint.model, *m.model);
  m.model->parameters().want_gradients(false);
  return m;
}

}  // namespace keel
