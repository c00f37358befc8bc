// data.kind = "text": each file is one document. With the byte tokenizer tokens are read straight
// from the mapped files; another tokenizer, or more files than can be mapped, go through the cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/file_reader.h"

namespace keel {

class TextReader final : public FileReader {
 public:
  struct Config final : FileOptions {
    Variant<Tokenizer> tokenizer{tokenizers(), "byte"};
    void fields(Fields& f) override;
  };
  explicit TextReader(const Config& config);

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string kind() const override { return "text"; }
  TokenStore load(const std::vector<std::string>& files) const override;

 protected:
  std::vector<std::string> endings() const override { return {".txt"}; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
};

// The whole file as one document of bytes. Throws DataError: missing, unreadable, empty, or with a
// zero byte in it.
TokenPiece map_text(const std::string& path);

}  // namespace keel
