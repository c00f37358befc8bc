// What all readers of files share: which files a path means, several sources with weights, the
// split into training and validation. A reader adds how its files become tokens.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/corpus_source.h"
#include "data/source.h"

namespace keel {

class FileReader : public Reader {
 public:
  std::optional<int64_t> vocab() const override;
  bool streams() const override { return options_.sampler == "stream"; }
  bool document_mask() const override { return options_.document_mask; }
  void check() const override;
  std::vector<Misfit> misfits(const DatasetArgs& args) const override;
  std::vector<OpenedSource> open(const DatasetArgs& args) override;
  // The files of `paths` as one source that is validation from end to end, for any length above
  // one token.
  std::unique_ptr<Source> open_eval(const std::vector<std::string>& paths, const DatasetArgs& args);
  virtual std::string kind() const = 0;  // its name in the registry
  // The files that paths mean, and their tokens in that order. Both throw DataError.
  std::vector<std::string> files(const std::vector<std::string>& paths) const;
  virtual TokenStore load(const std::vector<std::string>& files) const = 0;

 protected:
  explicit FileReader(const FileOptions& options) : options_(options) {}
  // Files of a folder that this reader takes: endings such as ".txt".
  virtual std::vector<std::string> endings() const = 0;
  // Whether files of a folder that are named train and val are split by their names.
  virtual bool named_split() const { return false; }

 private:
  std::shared_ptr<const TokenStore> load_shared(const std::vector<std::string>& files,
                                                int64_t vocab) const;
  // Each with a name of its own; that of val_path, if there is one, at the end.
  std::vector<SourceConfig> named_sources() const;
  std::vector<SourceConfig> sources() const;  // those of training
  // DataError where a file is named twice and there is validation.
  void check_files() const;
  std::vector<int64_t> lanes_of(const DatasetArgs& args) const;  // rows of a batch, by source
  CorpusSource::Setup split(const SourceConfig& source, const DatasetArgs& args) const;

  FileOptions options_;
};

// Files that paths mean: files as they are, folders (searched recursively, in order of name) for
// names with one of the endings. Throws DataError for a path that does not exist and for a folder
// without such a file.
std::vector<std::string> expand_paths(const std::vector<std::string>& paths,
                                      const std::vector<std::string>& endings);

}  // namespace keel
