#include "train/checkpoint_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "io/hash.h"

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
    const Json* crc = t.find("crc32c");
    file.crcs.push_back(crc == nullptr ? std::string() : crc->as_string());
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

bool has_all_crcs(const ManifestFile& entry) {
  return std::find(entry.crcs.begin(), entry.crcs.end(), "") == entry.crcs.end();
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
  return parse_manifest(fs.read_file(path, kJsonMaxBytes), path);
}

Manifest parse_manifest(std::string_view text, const std::string& path) {
  Manifest manifest;
  manifest.hash = check_seal(text, path);
  const Json json = parse_json(text, path);
  try {
    if (const int64_t format = json.at("format").as_int(); format != kCheckpointFormat) {
      throw DataError(
          fmt::format("format {}, this program reads format {}", format, kCheckpointFormat));
    }
    manifest.step = json.at("step").as_int();
    if (manifest.step < 0) throw DataError(fmt::format("step {} is negative", manifest.step));
    manifest.extra = json.at("extra").as_object();
    for (const Json& f : json.at("files").as_array()) {
      manifest.files.push_back(read_file_entry(f));
    }
  } catch (const DataError& e) {
    throw DataError(fmt::format("{}: {}", path, e.what()));
  }
  return manifest;
}

void FileCheck::take(std::string_view piece) {
  hash_.update(piece.data(), piece.size());
  take_tensors(piece);
  bytes_ += piece.size();
}

void FileCheck::take_tensors(std::string_view piece) {
  const uint64_t end = bytes_ + piece.size();
  for (uint64_t at = bytes_; at < end;) {
    if (crcs_.empty() || at >= entry_.tensors[crcs_.size() - 1].end()) {
      if (crcs_.size() == entry_.tensors.size()) return;  // behind the last, as far as it goes
      crcs_.push_back(0);
    }
    const TensorEntry& t = entry_.tensors[crcs_.size() - 1];
    at = std::max(at, std::min(t.begin, end));  // over the header
    const uint64_t n = std::min(t.end(), end) - at;
    crcs_.back() = crc32c(piece.data() + (at - bytes_), n, crcs_.back());
    at += n;
  }
}

const TensorEntry* FileCheck::first_bad() const {
  for (size_t i = 0; i < crcs_.size(); ++i) {
    if (!entry_.crcs[i].empty() && crc_hex(crcs_[i]) != entry_.crcs[i]) return &entry_.tensors[i];
  }
  return nullptr;
}

std::optional<Damage> FileCheck::result(const std::string& path) const {
  if (bytes_ != entry_.bytes) {
    std::string cut;
    for (const TensorEntry& t : entry_.tensors) {
      if (t.end() <= bytes_) continue;
      cut = t.name;
      break;
    }
    return Damage{path, cut,
                  fmt::format("{}: {} bytes, the manifest says {}{}", path, bytes_, entry_.bytes,
                              cut.empty() ? cut : ", tensor \"" + cut + "\" is not complete")};
  }
  if (const TensorEntry* t = first_bad()) {
    return Damage{
        path, t->name,
        fmt::format("{}: damaged, tensor \"{}\" does not have its checksum", path, t->name)};
  }
  if (hash_.hex() == entry_.hash) return std::nullopt;
  const char* what = entry_.crcs.empty() ? "it does not have its xxh3-128"
                     : has_all_crcs(entry_)
                         ? "its header does not have its xxh3-128"
                         : "it does not have its xxh3-128, and its tensors have no checksums that "
                           "would say where";
  return Damage{path, "", fmt::format("{}: damaged, {}", path, what)};
}

}  // namespace keel
