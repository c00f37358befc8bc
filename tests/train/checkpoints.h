// Checkpoints for tests: small ones whose content depends on the step, and manifests that vouch for
// whatever a test has put into the files.
#pragma once

#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/hash.h"
#include "io/temp_dir.h"
#include "train/checkpoint_store.h"

namespace keel {

inline std::string read_text(const std::string& path) {
  return real_fs().read_file(path, kMaxTextBytes);
}

// A checkpoint of two tensors of 40 values.
inline std::string save_small(const std::string& run, int64_t step, Fs& fs = real_fs()) {
  std::vector<float> w(40), m(40);
  std::iota(w.begin(), w.end(), static_cast<float>(step));
  std::iota(m.begin(), m.end(), -static_cast<float>(step));
  CheckpointContent content;
  content.step = step;
  content.model = {{"w", "F32", {5, 8}, w.data(), 160}};
  content.state = {{"w.m", "F32", {5, 8}, m.data(), 160}};
  content.files = {{"config.toml", "[train]\n"}};
  content.extra.set("loss", 1.5).set("sequences", 16 * step);
  return save_checkpoint(fs, run, content);
}

inline void flip(const std::string& path, size_t byte, unsigned bit = 0) {
  std::string bytes = read_text(path);
  bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
  overwrite(path, bytes);
}

inline Json tensor_table(const std::string& path) {
  Json table = Json::array();
  try {
    const SafetensorsFile file(path);
    for (const TensorEntry& t : file.tensors()) {
      table.push(Json::object()
                     .set("name", t.name)
                     .set("dtype", t.dtype)
                     .set("shape", Json::array_of(t.shape))
                     .set("crc32c", crc_hex(crc32c(file.data(t), t.bytes))));
    }
  } catch (const DataError&) {  // a file that breaks the format has none
  }
  return table;
}

// The manifest of a folder written anew, for the files as they are now.
inline void seal_again(const std::string& folder) {
  const std::string path = join_path(folder, kManifestName);
  const Json then = parse_json(read_text(path), path);
  Json files = Json::array();
  for (const Json& f : then.at("files").as_array()) {
    const std::string file = join_path(folder, f.at("name").as_string());
    const std::string bytes = read_text(file);
    Json entry = Json::object().set("name", f.at("name"));
    entry.set("bytes", bytes.size()).set("xxh3_128", xxh3_hex(bytes));
    if (f.find("tensors") != nullptr) entry.set("tensors", tensor_table(file));
    files.push(std::move(entry));
  }
  Json fields = Json::object();
  for (const char* key : {"format", "step", "extra"}) fields.set(key, then.at(key));
  overwrite(path, seal_manifest(fields.set("files", std::move(files))));
}

// A folder's model.safetensors replaced, with a manifest that vouches for it.
inline void replace_model(const std::string& folder, const std::string& bytes) {
  overwrite(folder + "/model.safetensors", bytes);
  seal_again(folder);
}

// A safetensors file from its header and data.
inline std::string safetensors_text(const std::string& header, size_t data_bytes,
                                    std::optional<uint64_t> length = {}) {
  const uint64_t n = length.value_or(header.size());
  return std::string(reinterpret_cast<const char*>(&n), 8) + header + std::string(data_bytes, '\0');
}

}  // namespace keel
