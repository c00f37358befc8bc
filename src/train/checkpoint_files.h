// Checkpoints on disk, format 1. RUN/ckpt/step-00012000/ holds model.safetensors,
// state.safetensors, some text files and MANIFEST.json, which lists every other file with its size,
// xxh3-128 and tensors (crc32c each) and ends with the xxh3-128 of its own bytes before that field.
// A folder appears under its final name only when all of it is on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/fs.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace keel {

constexpr int kCheckpointFormat = 1;

using CheckpointTensor = TensorBytes;

struct NamedText {
  std::string name;  // a plain file name
  std::string text;
};

struct CheckpointContent {
  int64_t step = 0;
  std::vector<CheckpointTensor> model;
  std::vector<CheckpointTensor> state;
  std::vector<NamedText> files;  // config.toml, tokenizer.json, ...
  Json extra = Json::object();   // small values: loss, grad_norm, data position, ...
};

// Index of the first NaN or infinity of an F32, BF16, F16 or F64 tensor; none for other dtypes.
std::optional<int64_t> first_nonfinite(const CheckpointTensor& tensor);

// Writes RUN/ckpt/step-NNNNNNNN and returns its path; an older folder of that step is replaced.
// Space is reserved before the first byte is written. On failure only the temporary folder of this
// save is removed, what was there stays, and IoError is thrown. DataError when a floating-point
// tensor holds a value that is not finite (names tensor and element) or a name is not usable.
std::string save_checkpoint(Fs& fs, const std::string& run, const CheckpointContent& content);

struct SkippedCheckpoint {
  std::string path;
  std::string reason;
};

struct LoadedCheckpoint {
  int64_t step = 0;
  std::string path;
  std::string manifest_hash;  // the last field of the manifest
  Json extra;
  SafetensorsFile model;
  SafetensorsFile state;
  std::vector<NamedText> files;

  // The text of a file saved with it; DataError naming folder and file when there is none.
  const std::string& text(std::string_view name) const;
};

struct NewestCheckpoint {
  std::optional<LoadedCheckpoint> found;   // empty when none verifies
  std::vector<SkippedCheckpoint> skipped;  // newer ones that do not, newest first
};

// The newest checkpoint of a run whose every byte verifies, and why newer ones were passed over.
NewestCheckpoint load_newest_checkpoint(const std::string& run);
// Why `run` has no checkpoint to offer, for an error: that there is none, or what is wrong with the
// newest.
std::string no_checkpoint(const std::string& run, const NewestCheckpoint& newest);
// One checkpoint folder, every byte verified. DataError naming file, and tensor where one is hit.
LoadedCheckpoint load_checkpoint(const std::string& folder);

// One folder of a run's ckpt/ under a final name.
struct CheckpointFolder {
  int64_t step = 0;
  std::string path;
};
// Newest first; empty when the run has none.
std::vector<CheckpointFolder> list_checkpoints(Fs& fs, const std::string& run);

// Deletes old checkpoints: the `keep` newest whose manifest verifies stay, and all newer than the
// last of those; 0 keeps all. A folder is renamed to .trash-* before its files are removed.
// ConfigError for a keep of 1 or below 0, IoError when removing fails.
void retain_checkpoints(Fs& fs, const std::string& run, int64_t keep);
// Removes what killed saves and deletions left behind. Only the owner of the run's lock may call
// it.
void remove_checkpoint_leftovers(Fs& fs, const std::string& run);

}  // namespace keel
