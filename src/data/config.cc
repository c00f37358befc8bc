#include "data/config.h"

#include <set>

#include "data/readers.h"

namespace keel {

void DataConfig::fields(Fields& f) { f.kind(reader, "what the data is"); }

std::optional<int64_t> DataConfig::vocab() const { return readers().make(reader)->vocab(); }

bool DataConfig::masks_documents() const {
  const auto* files = dynamic_cast<const FileOptions*>(&reader.options());
  return files != nullptr && files->document_mask;
}

std::vector<Misfit> DataConfig::misfits(const DatasetArgs& args) const {
  const std::unique_ptr<Reader> made = readers().make(reader);
  std::vector<Misfit> all = made->misfits(args);
  if (auto m = vocab_misfit(*made, reader.kind(), args.vocab)) all.push_back(std::move(*m));
  return all;
}

void SourceConfig::fields(Fields& f) {
  f.path("path", path, "files and folders of this source");
  f("weight", weight, "share of the training sequences, relative to the other sources", above(0));
  f("name", name,
    "name in reports; default: the last part of the first path, numbered to tell two apart");
}

void FileOptions::fields(Fields& f) {
  f.path("path", path, "files and folders to train on");
  f.path("val_path", val_path, "files and folders for validation, instead of data.split");
  f("sources", sources, "several sources with weights, instead of data.path");
  f("split", split, "share of each source, at its end, that is kept for validation",
    at_least(0).below(1));
  f("sampler", sampler, "windows in random order, or rows that walk on through the text",
    one_of({"shuffled", "stream"}));
  f("document_mask", document_mask,
    "attention stops and positions restart where a document begins");
}

void FileOptions::validate(Errors& errors) const {
  if (!path.empty() && !sources.empty()) {
    errors.add("sources", "excludes path: name the data in one of the two", {"path"});
  }
  std::set<std::string> names;
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::string key = "sources[" + std::to_string(i) + "]";
    if (sources[i].path.empty()) errors.add(key, "has no path", {key + ".path"});
    const std::string& name = sources[i].name;
    if (!name.empty() && !names.insert(name).second) {
      errors.add(key, "has the name of an earlier source, \"" + name + "\"", {key + ".name"});
    }
  }
}

void LanguageOptions::fields(Fields& f) {
  f("seed", seed, "makes the language and its validation windows; not the order of training",
    at_least(0));
  f("val_tokens", val_tokens, "validation targets, rounded up to whole windows", between(1, 1e12));
}

}  // namespace keel
