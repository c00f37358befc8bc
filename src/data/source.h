// Between files and batches: a Reader is a kind of data with its options, a Source is one stream of
// windows that it opened. Windows are numbered, and each is a pure function of its number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/token_store.h"
#include "data/tokenizer.h"

namespace keel {

struct DatasetArgs {
  int64_t context = 0;  // targets in a window
  int64_t vocab = 0;    // ids that the model has; 0: as many as the data uses
  uint64_t seed = 0;    // seed.data
  int64_t lanes = 1;    // sequences in a global batch; contiguous streams walk one lane for each
};

// Where a window begins.
struct Place {
  std::string source;
  std::string file;    // empty for generated data
  std::string unit;    // what offset counts: "byte", "token" or "window"
  int64_t offset = 0;  // within the file
};

// One row of a batch: `context` elements each. segments is null unless documents are masked.
struct WindowOut {
  int32_t* inputs;
  int32_t* targets;
  float* weights;
  int32_t* segments;
};

// All functions are const, thread-safe and allocate nothing, Place and setup apart.
class Source {
 public:
  virtual ~Source() = default;
  // Any n >= 0. Sources that end start again in another order.
  virtual void train_window(int64_t n, const WindowOut& out) const = 0;
  virtual bool starts_lane(int64_t) const { return true; }
  // Training targets in one pass; 0: endless.
  virtual int64_t train_targets() const = 0;
  virtual int64_t eval_targets() const = 0;
  virtual int64_t eval_windows() const = 0;
  virtual void eval_window(int64_t n, const WindowOut& out) const = 0;
  // Bytes of text that the validation targets stand for; 0 where unknown.
  virtual int64_t eval_bytes(const Tokenizer&) const { return 0; }
  // Without the source's name, which only the owner knows.
  virtual Place train_place(int64_t n) const = 0;
  virtual Place eval_place(int64_t n) const = 0;
  virtual int64_t vocab() const = 0;
  virtual std::string fingerprint() const = 0;
  // What it is read from; empty for generated data. Without the source's name.
  virtual std::vector<DataFile> files() const { return {}; }
};

struct OpenedSource {
  std::string name;
  double weight = 1;  // 0: validation alone
  std::unique_ptr<Source> source;
};

class Reader {
 public:
  virtual ~Reader() = default;
  // Ids in use, as far as the options tell.
  virtual std::optional<int64_t> vocab() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual bool streams() const { return false; }
  virtual bool document_mask() const { return false; }
  // Nats for each counted target of a window of `length` targets.
  virtual std::optional<double> entropy_floor(int64_t) const { return std::nullopt; }
  // What these options cannot do with such a model and batch.
  virtual std::vector<Misfit> misfits(const DatasetArgs& /*args*/) const { return {}; }
  // Throws ConfigError where the options name no data; touches no file.
  virtual void check() const {}
  // After check(). `lanes` of each source are given by lanes_of(weights). Throws DataError,
  // IoError.
  virtual std::vector<OpenedSource> open(const DatasetArgs& args) = 0;
};

// Where the reader, of that kind, uses more ids than `vocab` (0: not set).
std::optional<Misfit> vocab_misfit(const Reader& reader, const std::string& kind, int64_t vocab);

}  // namespace keel
