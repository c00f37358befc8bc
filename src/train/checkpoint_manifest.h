// The manifest of a checkpoint folder: what every other file must be, sealed by its own hash. Split
// from checkpoint_files, which alone uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/fs.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace keel {

constexpr const char* kManifestName = "MANIFEST.json";

struct ManifestFile {
  std::string name;
  uint64_t bytes = 0;
  std::string hash;                  // xxh3-128
  std::vector<TensorEntry> tensors;  // in the order of their data, begin as the file must have it
  std::vector<std::string> crcs;     // crc32c of each tensor, hex
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

// Reads a folder's manifest. Throws DataError naming file and reason: missing, damaged, another
// format, a field that is not there or not of its kind.
Manifest read_manifest(Fs& fs, const std::string& folder);

// Compares a file's bytes with its entry. Throws DataError naming the file and the first tensor
// that is hit.
void verify_bytes(const std::string& path, const ManifestFile& entry, const std::byte* data,
                  uint64_t bytes);

}  // namespace keel
