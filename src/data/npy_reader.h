// data.kind = "npy": one-dimensional NumPy arrays of token ids, little-endian uint8, uint16,
// uint32, int32 or int64 (format versions 1 to 3).
#pragma once

#include <string>
#include <vector>

#include "data/shards_reader.h"

namespace keel {

class NpyReader final : public FileReader {
 public:
  struct Config final : IdOptions {};
  explicit NpyReader(const Config& config) : FileReader(config), tokenizer_(config.tokenizer()) {}

  const Tokenizer& tokenizer() const override { return tokenizer_; }
  std::string kind() const override { return "npy"; }
  TokenStore load(const std::vector<std::string>& files) const override;

 protected:
  std::vector<std::string> endings() const override { return {".npy"}; }
  bool named_split() const override { return true; }

 private:
  IdTokenizer tokenizer_;
};

// Throws DataError: missing, unreadable, no .npy header, another element type, another number of
// dimensions, fewer or more elements than the header says.
TokenPiece map_npy(const std::string& path);

}  // namespace keel
