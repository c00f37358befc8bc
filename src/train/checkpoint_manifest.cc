#include "train/checkpoint_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "io/hash.h"
#include "train/checkpoint_files.h"

namespace keel {
namespace {

constexpr std::string_view kHashKey = "\"xxh3_128\":\"";

ManifestFile read_file_entry(const Json& value) {
  ManifestFile file{value.at("name").as_string(),
                    value.at("bytes").as_uint(),
                    value.at("xxh3_128").as_string(),
                    {},
                    {}};
  check_file_name(file.name, "files");
  const Json* table = value.find("tensors");
  uint64_t data_bytes = 0;
  for (const Json& t : table == nullptr ? Json::Array() : table->as_array()) {
    TensorEntry entry{t.at("name").as_string(), t.at("dtype").as_string(), {}, data_bytes, 0};
    for (const Json& size : t.at("shape").as_array()) entry.shape.push_back(size.as_int());
    entry.bytes = safetensors_bytes(entry.dtype, entry.shape, "tensor \"" + entry.name + "\"");
    if (entry.bytes > file.bytes - data_bytes) {
      throw DataError(fmt::format("{}: tensor \"{}\" does not fit in its {} bytes", file.name,
                                  entry.name, file.bytes));
    }
    data_bytes += entry.bytes;
    file.tensors.push_back(std::move(entry));
    file.crcs.push_back(t.at("crc32c").as_string());
  }
  for (TensorEntry& entry : file.tensors) entry.begin += file.bytes - data_bytes;
  return file;
}

// The hash that ends the text, checked against the bytes before it.
std::string check_seal(std::string_view text, const std::string& path) {
  const size_t tail = kHashKey.size() + 32 + 3;  // key, digits, "}\n
  const size_t key = text.size() - std::min(text.size(), tail);
  if (text.size() < tail || text.substr(key, kHashKey.size()) != kHashKey ||
      !text.ends_with("\"}\n")) {
    throw DataError(fmt::format("{}: damaged, it does not end with its xxh3-128", path));
  }
  std::string hash = xxh3_hex(text.substr(0, key));
  if (text.substr(key + kHashKey.size(), 32) != hash) {
    throw DataError(
        fmt::format("{}: damaged, its bytes do not have the xxh3-128 that it ends with", path));
  }
  return hash;
}

}  // namespace

void check_file_name(const std::string& name, const std::string& where) {
  if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos) {
    throw DataError(fmt::format("{}: \"{}\" is not a plain file name", where, name));
  }
}

std::string seal_manifest(const Json& fields) {
  std::string text = fields.dump();
  text.back() = ',';
  const std::string hash = xxh3_hex(text);
  return fmt::format("{}{}{}\"}}\n", text, kHashKey, hash);
}

Manifest read_manifest(Fs& fs, const std::string& folder) {
  const std::string path = join_path(folder, kManifestName);
  if (!fs.exists(path)) throw DataError(path + ": missing, so this is no complete checkpoint");
  const std::string text = fs.read_file(path, kMaxTextBytes);
  Manifest manifest;
  manifest.hash = check_seal(text, path);
  const Json json = parse_json(text, path);
  try {
    if (const int64_t format = json.at("format").as_int(); format != kCheckpointFormat) {
      throw DataError(
          fmt::format("format {}, this program reads format {}", format, kCheckpointFormat));
    }
    manifest.step = json.at("step").as_int();
    manifest.extra = json.at("extra");
    for (const Json& f : json.at("files").as_array()) {
      manifest.files.push_back(read_file_entry(f));
    }
  } catch (const DataError& e) {
    throw DataError(fmt::format("{}: {}", path, e.what()));
  }
  return manifest;
}

void verify_bytes(const std::string& path, const ManifestFile& entry, const std::byte* data,
                  uint64_t bytes) {
  if (bytes != entry.bytes) {
    std::string hit;
    for (const TensorEntry& t : entry.tensors) {
      if (t.begin + t.bytes > bytes) {
        hit = fmt::format(", tensor \"{}\" is not complete", t.name);
        break;
      }
    }
    throw DataError(
        fmt::format("{}: {} bytes, the manifest says {}{}", path, bytes, entry.bytes, hit));
  }
  if (xxh3_hex(data, bytes) == entry.hash) return;
  for (size_t i = 0; i < entry.tensors.size(); ++i) {
    const TensorEntry& t = entry.tensors[i];
    if (crc_hex(crc32c(data + t.begin, t.bytes)) != entry.crcs[i]) {
      throw DataError(
          fmt::format("{}: damaged, tensor \"{}\" does not have its checksum", path, t.name));
    }
  }
  throw DataError(fmt::format("{}: damaged, {} not have its xxh3-128", path,
                              entry.tensors.empty() ? "it does" : "its header does"));
}

}  // namespace keel
