#include "train/data_identity.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

#include "core/error.h"
#include "io/json.h"

namespace keel {
namespace {

// Source, name without folders, and which one of that name.
using FileKey = std::tuple<std::string, std::string, int>;

std::vector<FileKey> keys_of(const std::vector<DataFile>& files) {
  std::map<FileKey, int> seen;
  std::vector<FileKey> out;
  out.reserve(files.size());
  for (const DataFile& f : files) {
    FileKey key{f.source, base_name(f.name), 0};
    std::get<2>(key) = seen[key]++;
    out.push_back(std::move(key));
  }
  return out;
}

std::map<FileKey, const DataFile*> by_key(const std::vector<DataFile>& files) {
  const std::vector<FileKey> keys = keys_of(files);
  std::map<FileKey, const DataFile*> out;
  for (size_t i = 0; i < files.size(); ++i) out.emplace(keys[i], &files[i]);
  return out;
}

std::vector<DataFile> read_files(const Json& json) {
  std::vector<DataFile> out;
  for (const Json& f : json.at("files").as_array()) {
    out.push_back({f.at("source").as_string(), f.at("name").as_string(), f.at("tokens").as_int(),
                   f.at("xxh3_128").as_string()});
  }
  return out;
}

std::vector<std::string> file_changes(const std::vector<DataFile>& then,
                                      const std::vector<DataFile>& now) {
  std::vector<std::string> lines;
  const auto before = by_key(then), after = by_key(now);
  for (const auto& [key, file] : before) {
    const auto found = after.find(key);
    if (found == after.end()) {
      lines.push_back(fmt::format("{}: is no longer read", file->name));
    } else if (found->second->tokens != file->tokens) {
      lines.push_back(fmt::format("{}: {} tokens, was {}", found->second->name,
                                  found->second->tokens, file->tokens));
    } else if (found->second->hash != file->hash) {
      lines.push_back(fmt::format("{}: another content of the same length", found->second->name));
    }
  }
  for (const auto& [key, file] : after) {
    if (!before.contains(key)) lines.push_back(fmt::format("{}: is new", file->name));
  }
  if (lines.empty() && keys_of(then) != keys_of(now)) {
    lines.emplace_back("the files are read in another order");
  }
  return lines;
}

}  // namespace

std::string data_json(const Dataset& data) {
  Json files = Json::array();
  for (const DataFile& f : data.files()) {
    files.push(Json::object()
                   .set("source", f.source)
                   .set("name", f.name)
                   .set("tokens", f.tokens)
                   .set("xxh3_128", f.hash));
  }
  return Json::object()
      .set("fingerprint", data.fingerprint())
      .set("files", std::move(files))
      .dump();
}

std::vector<std::string> data_changes(const std::string& text, const std::string& name,
                                      const Dataset& data) {
  const Json json = parse_json(text, name);
  std::vector<std::string> lines = file_changes(read_files(json), data.files());
  if (lines.empty() && json.at("fingerprint").as_string() != data.fingerprint()) {
    lines.emplace_back(
        "what [data] makes of it: sources and their weights, the split, the tokenizer, or the "
        "language that generates it");
  }
  return lines;
}

std::vector<std::string> changes_since_start(Fs& fs, const std::string& run, const Dataset& data,
                                             std::vector<std::string>& notes) {
  const std::string path = join_path(run, kDataFile);
  try {
    if (fs.exists(path)) return data_changes(fs.read_file(path, kMaxTextBytes), path, data);
    notes.push_back(path + ": missing, so whether the data has changed is not known");
  } catch (const DataError& e) {
    notes.push_back(fmt::format("whether the data has changed is not known: {}", e.what()));
  }
  return {};
}

}  // namespace keel
