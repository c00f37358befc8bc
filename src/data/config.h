// [data] of a config. `kind` names a reader of the registry; the other keys belong to that reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/registry.h"

namespace keel {

class Reader;
struct DatasetArgs;

// THE list of kinds of data.
const Registry<Reader>& readers();

// A key of the whole config that does not go with the data, why, and what else the rule looks at.
struct Misfit {
  std::string key, text;
  std::vector<std::string> others;
};

struct DataConfig final : Config {
  Variant<Reader> reader{readers(), "text"};
  void fields(Fields& f) override;
  // Ids that the data will use, where the config alone tells (so that a model can be planned
  // before data is read); nothing for token shards, and for random tokens.
  std::optional<int64_t> vocab() const;
  // Whether attention stops and positions begin anew at the boundaries of documents.
  bool masks_documents() const;
  // What this data cannot do with such a model and batch.
  std::vector<Misfit> misfits(const DatasetArgs& args) const;
};

// One of several sources.
struct SourceConfig final : Config {
  std::vector<std::string> path;
  double weight = 1;
  std::string name;  // empty: the last part of the first path, numbered to tell two apart
  void fields(Fields& f) override;
};

// What all kinds that read files have in common.
struct FileOptions : Config {
  std::vector<std::string> path;
  std::vector<std::string> val_path;
  std::vector<SourceConfig> sources;
  double split = 0.05;
  std::string sampler = "shuffled";
  bool document_mask = false;
  void fields(Fields& f) override;
  void validate(Errors& errors) const override;
};

// What all generated languages have in common.
struct LanguageOptions : Config {
  int64_t seed = 1;
  int64_t val_tokens = 65536;
  void fields(Fields& f) override;
};

}  // namespace keel
