// The manifest of a checkpoint folder: what every other file must be, sealed by its own hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/fs.h"
#include "io/hash.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace keel {

constexpr int kCheckpointFormat = 1;
constexpr const char* kManifestName = "MANIFEST.json";

struct ManifestFile {
  std::string name;
  uint64_t bytes = 0;
  std::string hash;                  // xxh3-128
  std::vector<TensorEntry> tensors;  // in the order of their data, begin as the file must have it
  std::vector<std::string> crcs;     // crc32c of each tensor, hex; "" where the manifest has none
};

struct Manifest {
  int64_t step = 0;
  std::string hash;
  Json extra;
  std::vector<ManifestFile> files;
};

// Throws DataError that begins with `where` unless the name is one that can stand in a folder.
void check_file_name(const std::string& name, const std::string& where);

// The text of a manifest: its fields on one line, then as the last one the hash of every byte
// before that field.
std::string seal_manifest(const Json& fields);

// The manifest in `text`, which was read from `path`. Throws DataError that begins with path:
// damaged, another format, a field that is not there or not of its kind.
Manifest parse_manifest(std::string_view text, const std::string& path);
// Reads a folder's manifest. Throws DataError as parse_manifest does, and when it is missing.
Manifest read_manifest(Fs& fs, const std::string& folder);

// What is wrong with a file of a checkpoint.
struct Damage {
  std::string file;    // its path
  std::string tensor;  // the first that is hit; empty: none is, or nobody can say
  std::string text;    // names both
};

// Compares the bytes of a file with its entry as they pass by.
class FileCheck {
 public:
  // `entry` must outlive this.
  explicit FileCheck(const ManifestFile& entry) : entry_(entry) {}
  void take(std::string_view piece);
  // After the last byte.
  std::optional<Damage> result(const std::string& path) const;

 private:
  void take_tensors(std::string_view piece);
  const TensorEntry* first_bad() const;

  const ManifestFile& entry_;
  Xxh3 hash_;
  uint64_t bytes_ = 0;          // so far
  std::vector<uint32_t> crcs_;  // of the tensors begun so far
};

}  // namespace keel
