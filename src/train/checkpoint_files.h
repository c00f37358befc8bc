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
#include "train/checkpoint_manifest.h"

namespace keel {

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

// Reads a checkpoint folder and verifies every byte of it. Returns the first thing that is wrong;
// what was read is then of no use.
std::optional<Damage> read_checkpoint(Fs& fs, const std::string& folder, LoadedCheckpoint& loaded);
// The same; DataError with the text of the damage.
LoadedCheckpoint load_checkpoint(const std::string& folder);

}  // namespace keel
