#include "train/checkpoint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "train/checkpoint_names.h"
#include "train/run_dir.h"

namespace keel {
namespace {

std::string pin_of(const std::string& folder) { return folder + std::string(kPin); }

bool verifies(Fs& fs, const CheckpointEntry& entry) {
  LoadedCheckpoint loaded;
  return !read_checkpoint(fs, entry.path, loaded);
}

// The same by the manifest alone.
bool has_manifest(Fs& fs, const CheckpointEntry& entry) {
  try {
    return read_manifest(fs, entry.path).step == entry.step;
  } catch (const DataError&) {
    return false;
  }
}

int64_t step_read_back(Fs& fs, const std::string& folder) {
  try {
    return read_manifest(fs, folder).step;
  } catch (const DataError& e) {
    throw IoError(fmt::format("{}; no older checkpoint is removed", e.what()));
  }
}

bool stays(const CheckpointEntry& entry, const Retention& retention) {
  return entry.pinned || (retention.keep_every > 0 && entry.step % retention.keep_every == 0);
}

// Those of `entries` (the newest last) that are older than the newest `keep` that are good, and
// that nothing else keeps.
template <class Good>
std::vector<CheckpointEntry> surplus(const std::vector<CheckpointEntry>& entries,
                                     const Retention& retention, Good good) {
  std::vector<CheckpointEntry> out;
  int64_t found = 0;
  for (auto e = entries.rbegin(); e != entries.rend(); ++e) {
    if (found < retention.keep) {
      found += good(*e);
    } else if (!stays(*e, retention)) {
      out.push_back(*e);
    }
  }
  std::reverse(out.begin(), out.end());
  return out;
}

bool is_leftover(std::string_view name) {
  const bool folder =
      name.starts_with("step-") && name.find(kTemporaryMark) != std::string_view::npos;
  return folder || name.starts_with(kTrash) || is_temporary(name);
}

template <class Which>
void remove_those(Fs& fs, const std::string& folder, Which which, std::vector<std::string>& out) {
  if (!fs.is_dir(folder)) return;
  for (const std::string& name : fs.list(folder)) {
    if (!which(name)) continue;
    std::string path = join_path(folder, name);
    fs.remove_quietly(path);
    if (!fs.exists(path)) out.push_back(std::move(path));
  }
}

std::vector<CheckpointEntry> entries_in(Fs& fs, const std::string& root) {
  std::vector<CheckpointEntry> entries;
  if (!fs.exists(root)) return entries;
  const std::vector<std::string> names = fs.list(root);
  for (const std::string& name : names) {
    const auto step = checkpoint_step(name);
    if (!step) continue;
    const bool pinned = std::binary_search(names.begin(), names.end(), pin_of(name));
    entries.push_back({*step, join_path(root, name), pinned});
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.step < b.step; });
  return entries;
}

}  // namespace

std::vector<CheckpointEntry> list_checkpoints(Fs& fs, const std::string& run) {
  return entries_in(fs, checkpoint_root(run));
}

bool has_checkpoints(Fs& fs, const std::string& path) {
  return fs.is_dir(checkpoint_root(path)) || is_run(fs, path);
}

std::string find_checkpoint(Fs& fs, const std::string& from) {
  if (has_checkpoints(fs, from)) {
    const std::vector<CheckpointEntry> entries = list_checkpoints(fs, from);
    if (entries.empty()) throw DataError(no_checkpoint(from, {}));
    return entries.back().path;
  }
  if (!fs.is_dir(from)) throw DataError(fmt::format("{}: no such run or checkpoint", from));
  return join_path(parent_path(from), base_name(from));  // without slashes at its end
}

CheckpointInRun find_in_run(Fs& fs, const std::string& folder) {
  const std::string root = parent_path(folder);
  const std::string above = base_name(root);  // "." and ".." have no parent to be cut off to
  const std::string run = above == "." || above == ".." ? join_path(root, "..") : parent_path(root);
  if (is_run(fs, run)) {
    for (CheckpointEntry& e : entries_in(fs, root)) {
      if (base_name(e.path) == base_name(folder)) return {run, std::move(e)};
    }
  }
  throw DataError(fmt::format("{}: not a checkpoint of a run", folder));
}

std::optional<LoadedCheckpoint> newest_verified(Fs& fs, const std::string& run,
                                                std::vector<Skipped>& skipped) {
  const std::vector<CheckpointEntry> entries = list_checkpoints(fs, run);
  for (auto e = entries.rbegin(); e != entries.rend(); ++e) {
    LoadedCheckpoint loaded;
    const auto damage = read_checkpoint(fs, e->path, loaded);
    if (!damage) return loaded;
    skipped.push_back({e->path, damage->text});
  }
  return std::nullopt;
}

NewestCheckpoint load_newest_checkpoint(const std::string& run) {
  NewestCheckpoint newest;
  newest.found = newest_verified(real_fs(), run, newest.skipped);
  return newest;
}

std::vector<std::string> skipped_lines(const std::vector<Skipped>& skipped) {
  std::vector<std::string> lines;
  lines.reserve(skipped.size());
  for (const Skipped& s : skipped) lines.push_back(fmt::format("skipped {}: {}", s.path, s.reason));
  return lines;
}

NewestCheckpoint load_run_or_checkpoint(const std::string& from) {
  NewestCheckpoint newest;
  if (has_checkpoints(real_fs(), from)) {
    newest = load_newest_checkpoint(from);
    if (!newest.found) throw DataError(no_checkpoint(from, newest));
  } else {
    newest.found = load_checkpoint(from);
  }
  return newest;
}

std::string no_checkpoint(const std::string& run, const NewestCheckpoint& newest) {
  if (newest.skipped.empty()) return fmt::format("{}: the run has no checkpoint", run);
  const Skipped& s = newest.skipped.front();
  return fmt::format("{}: no checkpoint of the run verifies; {}: {}", run, base_name(s.path),
                     s.reason);
}

void rotate_checkpoints(Fs& fs, const std::string& run, const Retention& retention,
                        const std::string& newest) {
  if (retention.keep == 0) return;
  if (retention.keep < 2) {
    throw ConfigError(
        fmt::format("checkpoint.keep: {}, must be 0 (all) or at least 2", retention.keep));
  }
  const int64_t step = step_read_back(fs, newest);
  try {
    std::vector<CheckpointEntry> entries = list_checkpoints(fs, run);
    std::erase_if(entries, [&](const CheckpointEntry& e) { return e.step > step; });
    const auto good = [&](const CheckpointEntry& e) { return has_manifest(fs, e); };
    for (const CheckpointEntry& e : surplus(entries, retention, good)) {
      remove_checkpoint(fs, e.path);
    }
  } catch (const DataError& e) {
    throw IoError(e.what());  // a folder that cannot be listed, to be removed
  }
}

Pruning plan_pruning(Fs& fs, const std::string& run, const Retention& retention) {
  Pruning p;
  const std::vector<CheckpointEntry> entries = list_checkpoints(fs, run);
  int64_t good = 0;
  p.removed = surplus(entries, retention, [&](const CheckpointEntry& e) {
    LoadedCheckpoint loaded;
    const auto damage = read_checkpoint(fs, e.path, loaded);
    if (!damage) return ++good > 0;
    p.damaged.push_back({e.path, damage->text});
    return false;
  });
  if (good == 0) throw DataError(no_checkpoint(run, {{}, p.damaged}) + "; nothing is removed");
  std::set_difference(entries.begin(), entries.end(), p.removed.begin(), p.removed.end(),
                      std::back_inserter(p.kept),
                      [](const auto& a, const auto& b) { return a.step < b.step; });
  return p;
}

void remove_checkpoint(Fs& fs, const std::string& folder) {
  const std::string trash = join_path(
      parent_path(folder), fmt::format("{}{}-{}", kTrash, base_name(folder), random_suffix()));
  fs.rename(folder, trash);
  // Else a power cut could keep the removals and lose the renaming: a torn checkpoint under its
  // final name.
  fs.sync_dir(parent_path(folder));
  fs.remove_tree(trash);
}

std::string reason_to_keep(Fs& fs, const CheckpointInRun& checkpoint) {
  const CheckpointEntry& entry = checkpoint.entry;
  if (entry.pinned) {
    return fmt::format("{}: is pinned; keel ckpt pin --remove {} first", entry.path,
                       shell_quote(entry.path));
  }
  if (!verifies(fs, entry)) return "";
  std::vector<CheckpointEntry> others = list_checkpoints(fs, checkpoint.run);
  std::erase_if(others, [&](const CheckpointEntry& e) { return e.step == entry.step; });
  const auto good = [&](const CheckpointEntry& e) { return verifies(fs, e); };
  if (std::any_of(others.rbegin(), others.rend(), good)) return "";
  return fmt::format("{}: is the only checkpoint of the run that verifies, it stays", entry.path);
}

void set_pinned(Fs& fs, const std::string& folder, bool pinned) {
  const std::string pin = pin_of(folder);
  if (fs.exists(pin) == pinned) return;
  if (pinned) {
    fs.write_file(pin, "");
  } else {
    fs.remove_file(pin);
  }
  fs.sync_dir(parent_path(folder));
}

std::vector<std::string> remove_leftovers(Fs& fs, const std::string& run) {
  std::vector<std::string> removed;
  try {
    remove_those(fs, checkpoint_root(run), is_leftover, removed);
    for (const std::string& folder : {run, join_path(run, "samples")}) {
      remove_those(fs, folder, is_temporary, removed);
    }
  } catch (const Error&) {
    // A folder that cannot be listed is no reason not to go on.
  }
  return removed;
}

}  // namespace keel
