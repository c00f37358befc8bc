// data.kind = "jsonl": one JSON object a line, its key `text` is a document. Also compressed, as
// .jsonl.zst. Documents are read once, in a stream, into the token cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/file_reader.h"
#include "data/token_cache.h"

namespace keel {

class JsonlReader final : public FileReader {
 public:
  struct Config final : FileOptions {
    Variant<Tokenizer> tokenizer{tokenizers(), "byte"};
    void fields(Fields& f) override;
  };
  explicit JsonlReader(const Config& config);

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string kind() const override { return "jsonl"; }
  TokenStore load(const std::vector<std::string>& files) const override;

 protected:
  std::vector<std::string> endings() const override { return {".jsonl", ".jsonl.zst"}; }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
};

// Calls emit with the text of each document of a .jsonl or .jsonl.zst file (`bytes` are those of
// the file, `path` says which it is and where errors are). Empty lines are skipped. Throws
// DataError naming file and line: not JSON, not an object, no `text`, `text` not a string.
void read_jsonl(const std::string& path, std::string_view bytes, const Emit& emit);

}  // namespace keel
