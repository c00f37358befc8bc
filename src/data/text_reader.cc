#include "data/text_reader.h"

#include <fmt/core.h>

#include <cstring>

#include "core/error.h"
#include "data/pieces.h"
#include "data/token_cache.h"

namespace keel {
namespace {

// The kernel allows 65,530 maps in a process by default; some are needed for other things.
constexpr size_t kMaxFiles = 32768;

}  // namespace

void TextReader::Config::fields(Fields& f) {
  FileOptions::fields(f);
  f("tokenizer", tokenizer, "how text becomes ids");
}

TextReader::TextReader(const Config& config)
    : FileReader(config), tokenizer_(tokenizers().make(config.tokenizer)) {}

TokenPiece map_text(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  if (file->bytes() == 0) throw DataError(fmt::format("{}: empty file, no text in it", path));
  in_pieces(static_cast<int64_t>(file->bytes()), kPieceBytes, [&](int64_t begin, int64_t end) {
    const void* zero = std::memchr(file->data() + begin, 0, static_cast<size_t>(end - begin));
    if (zero == nullptr) return;
    throw DataError(fmt::format(
        "{}: byte {} is zero, so this is not text (token shards are read with data.kind = "
        "\"shards\", arrays with \"npy\")",
        path, static_cast<const std::byte*>(zero) - file->data()));
  });
  TokenPiece piece;
  piece.tokens = static_cast<int64_t>(file->bytes());
  piece.file = std::move(file);
  piece.name = path;
  piece.type = TokenType::kU8;
  piece.add_end = true;
  return piece;
}

TokenStore TextReader::load(const std::vector<std::string>& files) const {
  TokenStore store(tokenizer_->end());
  if (tokenizer_->maps_bytes() && files.size() <= kMaxFiles) {
    for (const std::string& path : files) store.append(map_text(path));
    return store;
  }
  Xxh3 content;
  for (const std::string& path : files) {
    const TokenPiece piece = map_text(path);
    content.update(&piece.tokens, sizeof piece.tokens);
    hash_in_pieces(content, piece.file->data(), piece.file->bytes());
  }
  store.append(cached_tokens(files.front(), content.hex(), *tokenizer_, [&](const Emit& emit) {
    for (const std::string& path : files) emit(map_text(path).file->text());
  }));
  return store;
}

}  // namespace keel
