// keel ckpt: ls, verify, diff, prune, pin.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/commands.h"
#include "cli/output.h"
#include "config/load.h"
#include "core/error.h"
#include "lab/text.h"
#include "train/checkpoint_diff.h"
#include "train/checkpoint_store.h"
#include "train/config.h"
#include "train/run_dir.h"

namespace keel {
namespace {

void require_run(const std::string& path) {
  if (has_checkpoints(real_fs(), path)) return;
  throw DataError(
      fmt::format("{}: {}", path, real_fs().exists(path) ? "not a run" : "there is no such run"));
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

struct Row {
  CheckpointEntry entry;
  uint64_t bytes = 0;
  std::string hash, reason;  // reason: why it does not verify
  Json extra = Json::object();
};

Row row_of(const CheckpointEntry& entry, bool quick) {
  Fs& fs = real_fs();
  Row row{entry, 0, "", "", Json::object()};
  try {
    const Manifest m = read_manifest(fs, entry.path);
    for (const ManifestFile& f : m.files) row.bytes += f.bytes;
    row.hash = m.hash;
    row.extra = m.extra;
    LoadedCheckpoint loaded;
    if (quick) return row;
    if (const auto damage = read_checkpoint(fs, entry.path, loaded)) row.reason = damage->text;
  } catch (const DataError& e) {
    row.reason = e.what();
  }
  return row;
}

Json row_json(const Row& row, bool quick) {
  const auto extra = [&](const char* key) {
    const Json* v = row.extra.find(key);
    return v != nullptr && v->is_number() ? *v : Json(nullptr);
  };
  Json j = Json::object();
  j.set("step", row.entry.step).set("path", row.entry.path).set("bytes", row.bytes);
  j.set("pinned", row.entry.pinned);
  j.set("verified", quick && row.reason.empty() ? Json(nullptr) : Json(row.reason.empty()));
  j.set("reason", or_null(row.reason)).set("xxh3_128", or_null(row.hash));
  return j.set("loss", extra("loss")).set("grad_norm", extra("grad_norm"));
}

std::string row_text(const Row& row, bool quick) {
  const char* verdict = quick ? "manifest reads" : "verified";
  return shown_text(fmt::format(
      "{:>10}  {:>10}  {:6}  {}\n", row.entry.step, short_bytes(static_cast<int64_t>(row.bytes)),
      row.entry.pinned ? "pinned" : "", row.reason.empty() ? verdict : "DAMAGED: " + row.reason));
}

Json difference_json(const StateDifference& d) {
  Json j = Json::object().set("file", d.file).set("name", d.name);
  j.set("element", d.element < 0 ? Json(nullptr) : Json(d.element));
  j.set("index", Json::array_of(d.index)).set("a", d.a).set("b", d.b);
  return j.set("text", d.text);
}

LoadedCheckpoint load_newest_folder(const std::string& from) {
  return load_checkpoint(find_checkpoint(real_fs(), from));
}

Retention retention_of(const CkptPruneArgs& args) {
  RunConfig config;
  const std::string path = join_path(args.from, "config.toml");
  load_resolved(path, real_fs().read_file(path, kMaxTextBytes), {}, config);
  const CheckpointConfig& c = config.checkpoint;
  const Retention r{args.keep.value_or(c.keep), args.keep_every.value_or(c.keep_every)};
  if (args.keep && *args.keep < 1) {
    throw ConfigError(
        fmt::format("--keep: must be at least 1, is {}: the last good checkpoint is never removed",
                    *args.keep));
  }
  if (r.keep == 0) {
    throw ConfigError("ckpt prune: checkpoint.keep of the run is 0, which keeps all; set --keep");
  }
  check_number("--keep-every", r.keep_every, 0);
  return r;
}

std::vector<std::string> paths_of(const std::vector<CheckpointEntry>& entries) {
  std::vector<std::string> out;
  out.reserve(entries.size());
  for (const CheckpointEntry& e : entries) out.push_back(e.path);
  return out;
}

void tell_pruned(const CkptPruneArgs& args, const std::vector<std::string>& removed,
                 const std::vector<std::string>& kept) {
  if (args.json) {
    Json j = Json::object().set("dry_run", args.dry_run).set("removed", Json::array_of(removed));
    print_json(j.set("kept", Json::array_of(kept)));
    return;
  }
  for (const std::string& path : removed) {
    print(fmt::format("{}  {}\n", args.dry_run ? "would remove" : "removed", path));
  }
  if (removed.empty()) print("nothing to remove\n");
}

int prune_one(const CkptPruneArgs& args) {
  Fs& fs = real_fs();
  if (args.keep || args.keep_every) {
    throw ConfigError("--keep and --keep-every are for a run, this is one checkpoint: " +
                      args.from);
  }
  const std::string folder = find_checkpoint(fs, args.from);
  const CheckpointInRun checkpoint = find_in_run(fs, folder);
  std::optional<RunLock> lock;
  if (!args.dry_run) lock.emplace(checkpoint.run);
  const std::string reason = reason_to_keep(fs, checkpoint);
  if (!reason.empty()) throw ConfigError(reason);
  if (!args.dry_run) remove_checkpoint(fs, folder);
  std::vector<std::string> kept;
  for (const CheckpointEntry& e : list_checkpoints(fs, checkpoint.run)) {
    if (e.step != checkpoint.entry.step) kept.push_back(e.path);
  }
  tell_pruned(args, {folder}, kept);
  return kExitOk;
}

}  // namespace

int run(const CkptLsArgs& args) {
  require_run(args.run);
  std::vector<Row> rows;
  for (const CheckpointEntry& e : list_checkpoints(real_fs(), args.run)) {
    rows.push_back(row_of(e, args.quick));
  }
  if (args.json) {
    Json list = Json::array();
    for (const Row& row : rows) list.push(row_json(row, args.quick));
    print_json(Json::object().set("run", args.run).set("checkpoints", std::move(list)));
    return kExitOk;
  }
  if (rows.empty()) print("no checkpoints\n");
  for (const Row& row : rows) print(row_text(row, args.quick));
  return kExitOk;
}

int run(const CkptVerifyArgs& args) {
  Json j = Json::object().set("path", args.from).set("step", nullptr).set("verified", false);
  j.set("reason", nullptr).set("file", nullptr).set("tensor", nullptr);
  j.set("tensors", nullptr).set("xxh3_128", nullptr);
  std::string reason;
  LoadedCheckpoint loaded;
  try {
    const std::string folder = find_checkpoint(real_fs(), args.from);
    j.set("path", folder);
    if (const auto damage = read_checkpoint(real_fs(), folder, loaded)) {
      reason = damage->text;
      j.set("file", damage->file).set("tensor", or_null(damage->tensor));
    }
  } catch (const DataError& e) {
    reason = e.what();
  }
  const size_t tensors = loaded.model.tensors().size() + loaded.state.tensors().size();
  if (reason.empty()) {
    j.set("step", loaded.step).set("verified", true);
    j.set("tensors", tensors).set("xxh3_128", loaded.manifest_hash);
  }
  if (args.json) print_json(j.set("reason", or_null(reason)));
  if (!reason.empty()) throw DataError(reason);
  if (!args.json) {
    print(fmt::format("{}: verified, step {}, {} tensors, xxh3 {}\n", loaded.path, loaded.step,
                      tensors, loaded.manifest_hash));
  }
  return kExitOk;
}

int run(const CkptDiffArgs& args) {
  const LoadedCheckpoint a = load_newest_folder(args.a), b = load_newest_folder(args.b);
  const StateComparison c = compare_state(a, b);
  if (args.json) {
    Json j = Json::object().set("a", a.path).set("b", b.path).set("equal", !c.first.has_value());
    j.set("tensors", c.tensors).set("differing", c.differing);
    print_json(j.set("first", c.first ? difference_json(*c.first) : Json(nullptr)));
  } else if (c.first) {
    print(shown_text(fmt::format("{}\n{} of {} tensors differ, steps {} and {}\n", c.first->text,
                                 c.differing, c.tensors, a.step, b.step)));
  } else {
    print(fmt::format("equal: {} tensors, step {}\n", c.tensors, a.step));
  }
  return c.first ? kExitFailed : kExitOk;
}

int run(const CkptPruneArgs& args) {
  Fs& fs = real_fs();
  if (!has_checkpoints(fs, args.from)) return prune_one(args);
  const Retention retention = retention_of(args);
  std::optional<RunDir> dir;  // its lock
  if (!args.dry_run) dir.emplace(RunDir::open(fs, args.from));
  const Pruning p = plan_pruning(fs, args.from, retention);
  for (const std::string& line : skipped_lines(p.damaged)) say("note: " + line);
  std::vector<std::string> removed = paths_of(p.removed);
  if (!args.dry_run) {
    for (const std::string& path : removed) remove_checkpoint(fs, path);
    for (std::string& path : remove_leftovers(fs, args.from)) removed.push_back(std::move(path));
  }
  tell_pruned(args, removed, paths_of(p.kept));
  return kExitOk;
}

int run(const CkptPinArgs& args) {
  const std::string folder = find_checkpoint(real_fs(), args.from);
  const int64_t step = find_in_run(real_fs(), folder).entry.step;
  if (!args.remove) load_checkpoint(folder);  // a damaged one is not worth keeping
  set_pinned(real_fs(), folder, !args.remove);
  if (args.json) {
    print_json(Json::object().set("path", folder).set("step", step).set("pinned", !args.remove));
  } else {
    print(
        fmt::format("{}: {}\n", folder, args.remove ? "no longer pinned" : "verified and pinned"));
  }
  return kExitOk;
}

}  // namespace keel
