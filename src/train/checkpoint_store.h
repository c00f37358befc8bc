// The checkpoints of a run as a whole: which there are, the newest that can be trusted, which ones
// stay. Nothing here trusts a name or a note of what is newest: a checkpoint counts when it
// verifies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/fs.h"
#include "train/checkpoint_files.h"

namespace keel {

struct CheckpointEntry {
  int64_t step = 0;
  std::string path;
  bool pinned = false;
};

// The folders under a final name, the newest last; empty when the run has none.
std::vector<CheckpointEntry> list_checkpoints(Fs& fs, const std::string& run);

// Whether `path` stands for the newest of its checkpoints (a run), not for itself (a checkpoint).
bool has_checkpoints(Fs& fs, const std::string& path);
// A checkpoint by its folder, or the newest folder under a final name of a run. DataError when
// there is no such run or checkpoint, and for a run without one.
std::string find_checkpoint(Fs& fs, const std::string& run_or_checkpoint);

// The run that a checkpoint's folder lies in, and its entry there. DataError when it lies in none.
struct CheckpointInRun {
  std::string run;
  CheckpointEntry entry;
};
CheckpointInRun find_in_run(Fs& fs, const std::string& folder);

struct Skipped {
  std::string path;
  std::string reason;
};

// The newest checkpoint of which every byte verifies; appends the newer ones that do not to
// `skipped`, newest first.
std::optional<LoadedCheckpoint> newest_verified(Fs& fs, const std::string& run,
                                                std::vector<Skipped>& skipped);
struct NewestCheckpoint {
  std::optional<LoadedCheckpoint> found;  // empty when none verifies
  std::vector<Skipped> skipped;
};
// The same of the operating system's files.
NewestCheckpoint load_newest_checkpoint(const std::string& run);
// Of a run (the newest that verifies) or of a checkpoint's folder. DataError when there is none:
// `found` is not empty.
NewestCheckpoint load_run_or_checkpoint(const std::string& from);
// One line for each, for the log.
std::vector<std::string> skipped_lines(const std::vector<Skipped>& skipped);
// Why `run` has no checkpoint to offer, for an error: that there is none, or what is wrong with the
// newest.
std::string no_checkpoint(const std::string& run, const NewestCheckpoint& newest);

// Which checkpoints stay when newer ones are there. Pinned ones always do.
struct Retention {
  int64_t keep = 3;        // newest good ones; 0: all
  int64_t keep_every = 0;  // also all whose step is a multiple of this; 0: none
};

// Removes what `retention` does not keep, the oldest first, once the manifest of `newest`, a
// checkpoint's folder that was just saved, reads back. Checkpoints of later steps stay and do not
// count: they are what the run passed over when it was resumed. IoError when the manifest does not
// read back (nothing is removed then) or removing fails; ConfigError for a keep of 1 or below 0.
void rotate_checkpoints(Fs& fs, const std::string& run, const Retention& retention,
                        const std::string& newest);

struct Pruning {
  std::vector<CheckpointEntry> removed, kept;  // the oldest first
  std::vector<Skipped> damaged;                // newest first; they are kept
};
// What pruning would remove: all but the newest `keep` (1 or more) of which every byte verifies,
// what is pinned or kept by keep_every, and what is newer than the last of these. DataError when no
// checkpoint verifies.
Pruning plan_pruning(Fs& fs, const std::string& run, const Retention& retention);

// Removes one checkpoint folder; it is renamed to .trash-* first. IoError.
void remove_checkpoint(Fs& fs, const std::string& folder);
// Why a checkpoint may not be removed: it is pinned, or the only one that verifies; or "".
std::string reason_to_keep(Fs& fs, const CheckpointInRun& checkpoint);

// Keeps a checkpoint from being removed, or no longer. IoError when it cannot be noted.
void set_pinned(Fs& fs, const std::string& folder, bool pinned);

// Removes what killed processes left in a run: half-made and half-removed checkpoints, temporary
// files. Returns the paths; what cannot be removed stays. Only the owner of the run's lock may call
// it.
std::vector<std::string> remove_leftovers(Fs& fs, const std::string& run);

}  // namespace keel
