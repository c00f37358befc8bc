#include "data/jsonl_reader.h"

#include <fmt/core.h>

#include "core/error.h"
#include "data/pieces.h"
#include "data/zstd_stream.h"
#include "io/json.h"
#include "io/mapped_file.h"

namespace keel {
namespace {

// Cuts pieces of text into lines. Only a line that spans two pieces is copied.
class Lines {
 public:
  Lines(std::string path, const Emit& emit) : path_(std::move(path)), emit_(emit) {}

  void add(std::string_view piece) {
    for (size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
      if (rest_.empty()) {
        line(piece.substr(0, end));
      } else {
        rest_ += piece.substr(0, end);
        line(rest_);
        rest_.clear();
      }
      piece.remove_prefix(end + 1);
    }
    rest_ += piece;
    if (rest_.size() > kJsonMaxBytes) {
      throw DataError(
          fmt::format("{}:{}: line of more than {} bytes", path_, number_ + 1, kJsonMaxBytes));
    }
  }
  void finish() {
    if (!rest_.empty()) line(rest_);
  }

 private:
  void line(std::string_view text) {
    ++number_;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const std::string where = fmt::format("{}:{}", path_, number_);
    const Json value = parse_json(text, where);
    const Json* document = value.is_object() ? value.find("text") : nullptr;
    if (document == nullptr || !document->is_string()) {
      throw DataError(fmt::format(
          "{}: needs an object with the document as a string, {{\"text\": \"...\"}}", where));
    }
    emit_(document->as_string());
  }

  std::string path_;
  const Emit& emit_;
  std::string rest_;
  int64_t number_ = 0;
};

}  // namespace

void JsonlReader::Config::fields(Fields& f) {
  FileOptions::fields(f);
  f("tokenizer", tokenizer, "how text becomes ids");
}

JsonlReader::JsonlReader(const Config& config)
    : FileReader(config), tokenizer_(tokenizers().make(config.tokenizer)) {}

void read_jsonl(const std::string& path, std::string_view bytes, const Emit& emit) {
  Lines lines(path, emit);
  if (path.ends_with(".zst")) {
    ZstdStream stream(bytes, path);
    for (std::string_view piece = stream.next(); !piece.empty(); piece = stream.next()) {
      lines.add(piece);
    }
  } else {
    constexpr size_t kPiece = size_t{1} << 20;
    for (size_t at = 0; at < bytes.size(); at += kPiece) lines.add(bytes.substr(at, kPiece));
  }
  lines.finish();
}

TokenStore JsonlReader::load(const std::vector<std::string>& files) const {
  TokenStore store(tokenizer_->end());
  for (const std::string& path : files) {
    const MappedFile file(path);
    if (file.bytes() == 0) throw DataError(fmt::format("{}: empty file, no document in it", path));
    Xxh3 hash;
    hash_in_pieces(hash, file.data(), file.bytes());
    const std::string content = hash.hex() + (path.ends_with(".zst") ? " jsonl.zst" : " jsonl");
    store.append(cached_tokens(path, content, *tokenizer_,
                               [&](const Emit& emit) { read_jsonl(path, file.text(), emit); }));
  }
  return store;
}

}  // namespace keel
