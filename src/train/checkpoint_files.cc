#include "train/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "backend/cpu/copy_finite.h"
#include "core/error.h"
#include "io/hash.h"
#include "train/checkpoint_names.h"

namespace keel {
namespace {

constexpr const char* kModel = "model.safetensors";
constexpr const char* kState = "state.safetensors";

void check_content(const CheckpointContent& content) {
  const std::string where = fmt::format("checkpoint of step {}", content.step);
  if (content.step < 0) throw DataError(where + ": the step is negative");
  std::set<std::string> names{kManifestName, kModel, kState};
  for (const NamedText& f : content.files) {
    check_file_name(f.name, where);
    if (!names.insert(f.name).second) {
      throw DataError(fmt::format("{}: two files named \"{}\"", where, f.name));
    }
  }
  for (const auto* tensors : {&content.model, &content.state}) {
    for (const CheckpointTensor& t : *tensors) {
      if (const auto element = first_nonfinite(t)) {
        throw DataError(fmt::format("{}: not saved, tensor \"{}\" is not finite at element {}",
                                    where, t.name, *element));
      }
    }
  }
}

// Element size, and the bits of an exponent of ones: what a value that is not finite has set.
struct FloatFormat {
  const char* dtype;
  size_t bytes;
  uint64_t exponent;
};
constexpr FloatFormat kFloats[] = {{"F32", 4, 0x7f800000},
                                   {"BF16", 2, 0x7f80},
                                   {"F16", 2, 0x7c00},
                                   {"F64", 8, 0x7ff0000000000000}};

template <class Bits>
std::optional<int64_t> find_exponent(const void* data, int64_t count, Bits exponent) {
  const auto* bytes = static_cast<const std::byte*>(data);
  for (int64_t i = 0; i < count; ++i) {
    Bits v;
    std::memcpy(&v, bytes + i * static_cast<int64_t>(sizeof v), sizeof v);
    if ((v & exponent) == exponent) return i;
  }
  return std::nullopt;
}

// Quick, for tensors of a trainer; true only if all values are finite.
bool seen_finite(const CheckpointTensor& t, int64_t count) {
  if (t.dtype == "F32") return copy_finite(nullptr, t.data, count, DType::kF32);
  return t.dtype == "BF16" && copy_finite(nullptr, t.data, count, DType::kBf16);
}

Json file_entry(const std::string& name, uint64_t bytes, const std::string& hash) {
  return Json::object().set("name", name).set("bytes", bytes).set("xxh3_128", hash);
}

// A tensor file while it is being saved: space is taken by the constructor.
class TensorFileWriter {
 public:
  TensorFileWriter(Fs& fs, const std::string& folder, const char* name,
                   const std::vector<CheckpointTensor>& tensors)
      : name_(name), layout_(tensors, {{"format", "pt"}}, join_path(folder, name)) {
    file_ = fs.create(join_path(folder, name));
    file_->reserve(layout_.file_bytes());
  }
  // Returns the file's entry in the manifest.
  Json write() {
    const auto sums = layout_.write(*file_);
    file_->sync();
    file_->close();
    Json table = Json::array();
    for (size_t i = 0; i < layout_.tensors().size(); ++i) {
      const TensorBytes& t = layout_.tensors()[i];
      table.push(Json::object()
                     .set("name", t.name)
                     .set("dtype", t.dtype)
                     .set("shape", Json::array_of(t.shape))
                     .set("crc32c", crc_hex(sums.tensor_crc32c[i])));
    }
    return file_entry(name_, layout_.file_bytes(), sums.file_xxh3).set("tensors", std::move(table));
  }

 private:
  const char* name_;
  SafetensorsLayout layout_;
  std::unique_ptr<FsFile> file_;
};

void write_folder(Fs& fs, const std::string& folder, const CheckpointContent& content) {
  fs.make_dir(folder);
  TensorFileWriter model(fs, folder, kModel, content.model);
  TensorFileWriter state(fs, folder, kState, content.state);
  Json files = Json::array();
  for (const NamedText& f : content.files) {
    fs.write_file(join_path(folder, f.name), f.text);
    files.push(file_entry(f.name, f.text.size(), xxh3_hex(f.text)));
  }
  files.push(model.write());
  files.push(state.write());
  const Json manifest = Json::object()
                            .set("format", kCheckpointFormat)
                            .set("step", content.step)
                            .set("extra", content.extra)
                            .set("files", std::move(files));
  fs.write_file(join_path(folder, kManifestName), seal_manifest(manifest));
  fs.sync_dir(folder);
}

// Renames the finished folder; one that is there already steps aside and comes back on failure.
void publish(Fs& fs, const std::string& temporary, const std::string& root, int64_t step) {
  std::string final_path = join_path(root, checkpoint_name(step));
  const std::string aside =
      join_path(root, fmt::format("{}{}-{}", kTrash, checkpoint_name(step), random_suffix()));
  const bool replaces = fs.exists(final_path);
  if (replaces) fs.rename(final_path, aside);
  try {
    fs.rename(temporary, final_path);
  } catch (const Error&) {
    if (replaces) fs.rename(aside, final_path);
    throw;
  }
  fs.sync_dir(root);
  if (replaces) fs.remove_quietly(aside);
}

// Compares the tensors of a file with those of the manifest, both in the order of their data.
std::optional<Damage> unlike(const std::string& path, const std::vector<TensorEntry>& file,
                             const std::vector<TensorEntry>& manifest) {
  const auto damage = [&](const std::string& name, const std::string& what) {
    return Damage{path, name, fmt::format("{}: tensor \"{}\" {}", path, name, what)};
  };
  for (size_t i = 0; i < manifest.size(); ++i) {
    const TensorEntry& m = manifest[i];
    if (i == file.size()) return damage(m.name, "is in the manifest alone");
    const TensorEntry& f = file[i];
    if (f.name != m.name) {
      return damage(f.name, fmt::format("stands where the manifest has \"{}\"", m.name));
    }
    if (f.dtype == m.dtype && f.shape == m.shape) continue;
    return damage(f.name, fmt::format("is {}, the manifest says {}", f.type(), m.type()));
  }
  if (file.size() == manifest.size()) return std::nullopt;
  return damage(file[manifest.size()].name, "is not in the manifest");
}

std::optional<Damage> read_tensors(Fs& fs, const std::string& path, const ManifestFile& entry,
                                   SafetensorsFile& out) {
  FileCheck check(entry);
  fs.read_pieces(path, [&](std::string_view piece) { check.take(piece); });
  if (auto damage = check.result(path)) return damage;
  out = SafetensorsFile(path);
  return unlike(path, out.tensors(), entry.tensors);
}

// Reads one file into `loaded`, unless it is not what its entry says.
std::optional<Damage> read_entry(Fs& fs, const std::string& path, const ManifestFile& entry,
                                 LoadedCheckpoint& loaded) {
  if (!fs.exists(path)) return Damage{path, "", path + ": missing"};
  try {
    if (entry.name == kModel) return read_tensors(fs, path, entry, loaded.model);
    if (entry.name == kState) return read_tensors(fs, path, entry, loaded.state);
    std::string text = fs.read_file(path, kMaxTextBytes);
    FileCheck check(entry);
    check.take(text);
    loaded.files.push_back({entry.name, std::move(text)});
    return check.result(path);
  } catch (const DataError& e) {
    return Damage{path, "", e.what()};
  }
}

}  // namespace

std::optional<int64_t> first_nonfinite(const CheckpointTensor& t) {
  for (const FloatFormat& f : kFloats) {
    if (t.dtype != f.dtype) continue;
    const auto count = static_cast<int64_t>(t.bytes / f.bytes);
    if (seen_finite(t, count)) return std::nullopt;
    if (f.bytes == 2) return find_exponent(t.data, count, static_cast<uint16_t>(f.exponent));
    if (f.bytes == 4) return find_exponent(t.data, count, static_cast<uint32_t>(f.exponent));
    return find_exponent(t.data, count, f.exponent);
  }
  return std::nullopt;
}

std::string save_checkpoint(Fs& fs, const std::string& run, const CheckpointContent& content) {
  check_content(content);
  const std::string root = checkpoint_root(run);
  if (!fs.exists(root)) fs.make_dir(root);
  fs.sync_dir(run);  // each time: whether an earlier one reached the disk is not known
  std::string final_path = join_path(root, checkpoint_name(content.step));
  const std::string temporary = temporary_name(final_path);
  try {
    write_folder(fs, temporary, content);
    publish(fs, temporary, root, content.step);
  } catch (const Error&) {
    fs.remove_quietly(temporary);
    throw;
  }
  return final_path;
}

const std::string& LoadedCheckpoint::text(std::string_view name) const {
  for (const NamedText& f : files) {
    if (f.name == name) return f.text;
  }
  throw DataError(fmt::format("{}: it has no file \"{}\"", path, name));
}

std::optional<Damage> read_checkpoint(Fs& fs, const std::string& folder, LoadedCheckpoint& loaded) {
  Manifest manifest;
  const std::string path_of_manifest = join_path(folder, kManifestName);
  try {
    manifest = read_manifest(fs, folder);
  } catch (const DataError& e) {
    return Damage{path_of_manifest, "", e.what()};
  }
  const auto step = checkpoint_step(base_name(folder));
  if (step && *step != manifest.step) {
    return Damage{path_of_manifest, "",
                  fmt::format("{}: its manifest is of step {}", folder, manifest.step)};
  }
  loaded.step = manifest.step;
  loaded.path = folder;
  loaded.manifest_hash = std::move(manifest.hash);
  loaded.extra = std::move(manifest.extra);
  std::set<std::string> seen;
  for (const ManifestFile& entry : manifest.files) {
    const std::string path = join_path(folder, entry.name);
    if (!seen.insert(entry.name).second) {
      return Damage{path, "", path + ": twice in the manifest"};
    }
    if (auto damage = read_entry(fs, path, entry, loaded)) return damage;
  }
  for (const char* name : {kModel, kState}) {
    const std::string path = join_path(folder, name);
    if (!seen.contains(name)) return Damage{path, "", path + ": not in the manifest"};
  }
  return std::nullopt;
}

LoadedCheckpoint load_checkpoint(const std::string& folder) {
  LoadedCheckpoint loaded;
  if (const auto damage = read_checkpoint(real_fs(), folder, loaded)) {
    throw DataError(damage->text);
  }
  return loaded;
}

}  // namespace keel
