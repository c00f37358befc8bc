// The data of a run as the trainer sees it: batches by number. Every batch is a pure function of
// its arguments, the config and the seed, so a resumed run needs no saved position and any thread
// may ask for any batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "data/config.h"
#include "data/mixture.h"
#include "data/source.h"
#include "data/tokenizer.h"

namespace keel {

class Dataset {
 public:
  // Opens and checks everything that `config` names. Throws ConfigError (nothing named, a
  // vocabulary that is too small, a context that the kind cannot fill) before any data is opened,
  // then DataError (missing, empty, binary, truncated, too short, an id beyond the vocabulary),
  // IoError when the token cache cannot be written.
  static std::unique_ptr<Dataset> open(const DataConfig& config, const DatasetArgs& args);
  // A file or folder that has no training sequences: every token but the first is a validation
  // target, for `keel eval`. What it is shows in its name: .jsonl, .jsonl.zst, .bin, .npy, else
  // text. It is read as `run`, the data that the model was trained on, was: same tokenizer (given
  // as it was saved), documents apart or not.
  static std::unique_ptr<Dataset> open_eval(const std::string& path, const Tokenizer& tokenizer,
                                            const DataConfig& run, const DatasetArgs& args);

  // Ids that the data uses: 0 .. vocab() - 1. Never above args.vocab when that is set.
  int64_t vocab() const { return vocab_; }
  int64_t context() const { return args_.context; }
  const Tokenizer& tokenizer() const;

  // Sequences [first, first + rows) of training, numbered from 0 over the whole run: step s with a
  // global batch of B sequences takes [s * B, (s + 1) * B). Allocates only when `out` has too
  // little capacity. Throws DataError when a shard too large to be checked at open holds a bad id.
  void train_batch(int64_t first, int64_t rows, Batch& out) const;
  // Whether a sequence begins its lane anew, so that carried state must be dropped. Always true
  // for shuffled windows.
  bool starts_lane(int64_t sequence) const;
  // Training targets in one pass over the data; 0 where they never repeat.
  int64_t train_tokens() const;

  // Validation: consecutive windows, every target in exactly one of them. Targets of weight 0 fill
  // up the last window of each source, and rows past the last window.
  int64_t eval_tokens() const { return eval_tokens_; }
  int64_t eval_windows() const { return eval_first_.back(); }
  void eval_batch(int64_t first_window, int64_t rows, Batch& out) const;
  // Bytes of text that the validation targets stand for to the model's tokenizer (bits per byte); 0
  // where ids stand for no text.
  int64_t eval_bytes(const Tokenizer& tokenizer) const;

  // Mean over the counted targets of a window of the conditional entropy given the context that is
  // visible there, in nats; nothing where it is unknown.
  std::optional<double> entropy_floor() const;

  // Batch.source indexes these. A source of weight 0 is for validation alone.
  const std::vector<std::string>& source_names() const { return names_; }
  // Where a training sequence, or a validation window, comes from.
  Place train_place(int64_t sequence) const;
  Place eval_place(int64_t window) const;
  // Hash of kind, options, names, sizes and sampled content: equal data has equal fingerprints.
  const std::string& fingerprint() const { return fingerprint_; }
  // The files that are read, those of each source in order; empty for generated data. Reads them
  // from end to end.
  std::vector<DataFile> files() const;

 private:
  Dataset(std::unique_ptr<Reader> reader, const DatasetArgs& args);
  void take(std::vector<OpenedSource> opened, const std::string& kind);
  // The source of a sequence and its number within that source.
  std::pair<size_t, int64_t> source_of(int64_t sequence) const;
  std::pair<size_t, int64_t> eval_source_of(int64_t window) const;

  DatasetArgs args_;
  std::unique_ptr<Reader> reader_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::string> names_;
  Mixture mixture_;
  std::vector<int64_t> lanes_;       // of each source, when args_.lanes are walked as streams
  std::vector<int64_t> eval_first_;  // first validation window of each source, and the total
  int64_t eval_tokens_ = 0;
  int64_t vocab_ = 0;
  std::string fingerprint_;
};

}  // namespace keel
