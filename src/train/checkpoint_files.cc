#include "train/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "core/error.h"
#include "io/hash.h"
#include "train/checkpoint_manifest.h"

namespace keel {
namespace {

constexpr const char* kModel = "model.safetensors";
constexpr const char* kState = "state.safetensors";
constexpr std::string_view kTrash = ".trash-";
constexpr std::string_view kTemporary = ".tmp-";

std::string checkpoint_root(const std::string& run) { return join_path(run, "ckpt"); }

std::string folder_name(int64_t step) { return fmt::format("step-{:08}", step); }

// The step of a folder under a final name.
std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with("step-")) return std::nullopt;
  const std::string_view digits = name.substr(5);
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool all = error == std::errc() && end == digits.data() + digits.size();
  return all && step >= 0 && folder_name(step) == name ? std::optional(step) : std::nullopt;
}

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
  constexpr int64_t kBlock = 4096;
  const auto* bytes = static_cast<const std::byte*>(data);
  const auto hit = [&](int64_t i) {
    Bits v;
    std::memcpy(&v, bytes + i * static_cast<int64_t>(sizeof v), sizeof v);
    return (v & exponent) == exponent;
  };
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t to = std::min(count, from + kBlock);
    unsigned any = 0;
    for (int64_t i = from; i < to; ++i) any |= hit(i);
    for (int64_t i = from; any != 0 && i < to; ++i) {
      if (hit(i)) return i;
    }
  }
  return std::nullopt;
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
  std::string final_path = join_path(root, folder_name(step));
  const std::string aside =
      join_path(root, fmt::format("{}{}-{}", kTrash, folder_name(step), random_suffix()));
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

SafetensorsFile load_tensors(const std::string& path, const ManifestFile& entry) {
  {
    const MappedFile file(path);
    verify_bytes(path, entry, file.data(), file.bytes());
  }
  SafetensorsFile file(path);
  const auto same = [](const TensorEntry& a, const TensorEntry& b) {
    return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape;
  };
  if (!std::equal(file.tensors().begin(), file.tensors().end(), entry.tensors.begin(),
                  entry.tensors.end(), same)) {
    throw DataError(fmt::format("{}: its tensors are not those of the manifest", path));
  }
  return file;
}

}  // namespace

std::optional<int64_t> first_nonfinite(const CheckpointTensor& t) {
  for (const FloatFormat& f : kFloats) {
    if (t.dtype != f.dtype) continue;
    const auto count = static_cast<int64_t>(t.bytes / f.bytes);
    if (f.bytes == 2) return find_exponent(t.data, count, static_cast<uint16_t>(f.exponent));
    if (f.bytes == 4) return find_exponent(t.data, count, static_cast<uint32_t>(f.exponent));
    return find_exponent(t.data, count, f.exponent);
  }
  return std::nullopt;
}

std::string save_checkpoint(Fs& fs, const std::string& run, const CheckpointContent& content) {
  check_content(content);
  const std::string root = checkpoint_root(run);
  if (!fs.exists(root)) {
    fs.make_dir(root);
    fs.sync_dir(run);
  }
  std::string final_path = join_path(root, folder_name(content.step));
  const std::string temporary = fmt::format("{}{}{}", final_path, kTemporary, random_suffix());
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

LoadedCheckpoint load_checkpoint(const std::string& folder) {
  Fs& fs = real_fs();
  Manifest manifest = read_manifest(fs, folder);
  LoadedCheckpoint loaded;
  loaded.step = manifest.step;
  loaded.path = folder;
  loaded.manifest_hash = std::move(manifest.hash);
  loaded.extra = std::move(manifest.extra);
  std::set<std::string> seen;
  for (const ManifestFile& entry : manifest.files) {
    const std::string path = join_path(folder, entry.name);
    if (!seen.insert(entry.name).second) throw DataError(path + ": twice in the manifest");
    if (!fs.exists(path)) throw DataError(path + ": missing");
    if (entry.name == kModel) {
      loaded.model = load_tensors(path, entry);
    } else if (entry.name == kState) {
      loaded.state = load_tensors(path, entry);
    } else {
      std::string text = fs.read_file(path, kMaxTextBytes);
      verify_bytes(path, entry, reinterpret_cast<const std::byte*>(text.data()), text.size());
      loaded.files.push_back({entry.name, std::move(text)});
    }
  }
  for (const char* name : {kModel, kState}) {
    if (!seen.contains(name)) throw DataError(join_path(folder, name) + ": not in the manifest");
  }
  return loaded;
}

std::string no_checkpoint(const std::string& run, const NewestCheckpoint& newest) {
  if (newest.skipped.empty()) return fmt::format("{}: the run has no checkpoint", run);
  const SkippedCheckpoint& k = newest.skipped.front();
  return fmt::format("{}: no checkpoint of the run verifies; {}: {}", run, base_name(k.path),
                     k.reason);
}

NewestCheckpoint load_newest_checkpoint(const std::string& run) {
  NewestCheckpoint newest;
  for (const CheckpointFolder& folder : list_checkpoints(real_fs(), run)) {
    try {
      LoadedCheckpoint loaded = load_checkpoint(folder.path);
      if (loaded.step != folder.step) {
        throw DataError(fmt::format("{}: its manifest is of step {}", folder.path, loaded.step));
      }
      newest.found = std::move(loaded);
      return newest;
    } catch (const DataError& e) {
      newest.skipped.push_back({folder.path, e.what()});
    }
  }
  return newest;
}

std::vector<CheckpointFolder> list_checkpoints(Fs& fs, const std::string& run) {
  const std::string root = checkpoint_root(run);
  std::vector<CheckpointFolder> folders;
  if (!fs.exists(root)) return folders;
  for (const std::string& name : fs.list(root)) {
    if (const auto step = step_of(name)) folders.push_back({*step, join_path(root, name)});
  }
  std::sort(folders.begin(), folders.end(),
            [](const auto& a, const auto& b) { return a.step > b.step; });
  return folders;
}

void retain_checkpoints(Fs& fs, const std::string& run, int64_t keep) {
  if (keep == 0) return;
  if (keep < 2) {
    throw ConfigError(fmt::format("checkpoint.keep: {}, must be 0 (all) or at least 2", keep));
  }
  int64_t good = 0;
  for (const CheckpointFolder& folder : list_checkpoints(fs, run)) {
    if (good == keep) {
      const std::string trash =
          join_path(checkpoint_root(run),
                    fmt::format("{}{}-{}", kTrash, base_name(folder.path), random_suffix()));
      fs.rename(folder.path, trash);
      fs.remove_tree(trash);
      continue;
    }
    try {
      good += read_manifest(fs, folder.path).step == folder.step;
    } catch (const DataError&) {
      // It does not count, and it is not ours to judge: verify and resume will name it.
    }
  }
}

void remove_checkpoint_leftovers(Fs& fs, const std::string& run) {
  const std::string root = checkpoint_root(run);
  if (!fs.exists(root)) return;
  for (const std::string& name : fs.list(root)) {
    const bool temporary = name.starts_with("step-") && name.find(kTemporary) != std::string::npos;
    if (temporary || name.starts_with(kTrash)) fs.remove_tree(join_path(root, name));
  }
}

}  // namespace keel
