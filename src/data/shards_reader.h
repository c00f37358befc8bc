// data.kind = "shards": files of token ids. Those of nanoGPT are bare uint16; those of llm.c begin
// with 256 int32: 20240520, 1, number of tokens for uint16, or 20240801, 7, number for uint32. The
// header tells which. Of a folder, files whose name has the word val are kept for validation.
#pragma once

#include <string>
#include <vector>

#include "data/file_reader.h"
#include "data/id_tokenizer.h"

namespace keel {

// Options of all data that comes as ids.
struct IdOptions : FileOptions {
  int64_t end_token = -1;
  void fields(Fields& f) override;
  IdTokenizer::Config tokenizer() const;
};

class ShardsReader final : public FileReader {
 public:
  struct Config final : IdOptions {};
  explicit ShardsReader(const Config& config)
      : FileReader(config), tokenizer_(config.tokenizer()) {}

  const Tokenizer& tokenizer() const override { return tokenizer_; }
  std::string kind() const override { return "shards"; }
  TokenStore load(const std::vector<std::string>& files) const override;

 protected:
  std::vector<std::string> endings() const override { return {".bin"}; }
  bool named_split() const override { return true; }

 private:
  IdTokenizer tokenizer_;
};

// Throws DataError: missing, unreadable, empty, fewer or more tokens than the header says, an odd
// number of bytes, an unknown version.
TokenPiece map_shard(const std::string& path);

}  // namespace keel
