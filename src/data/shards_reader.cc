#include "data/shards_reader.h"

#include <fmt/core.h>

#include <cstring>

#include "core/error.h"

namespace keel {
namespace {

constexpr int32_t kMagicU16 = 20240520, kVersionU16 = 1;
constexpr int32_t kMagicU32 = 20240801, kVersionU32 = 7;
constexpr int64_t kHeaderBytes = 256 * 4;

}  // namespace

void IdOptions::fields(Fields& f) {
  FileOptions::fields(f);
  f("end_token", end_token, "id that ends a document, for document_mask; -1: none", at_least(-1));
}

IdTokenizer::Config IdOptions::tokenizer() const {
  IdTokenizer::Config config;
  config.end = end_token;
  return config;
}

TokenPiece map_shard(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = static_cast<int64_t>(file->bytes());
  if (bytes == 0) throw DataError(fmt::format("{}: empty file, no tokens in it", path));
  TokenPiece piece;
  piece.name = path;
  piece.type = TokenType::kU16;
  int32_t header[3] = {};
  if (bytes >= kHeaderBytes) std::memcpy(header, file->data(), sizeof header);
  piece.file = std::move(file);
  if (header[0] != kMagicU16 && header[0] != kMagicU32) {
    if (bytes % 2 != 0) {
      throw DataError(fmt::format(
          "{}: {} bytes: a shard without header holds two for each token, so it is cut off or is "
          "something else",
          path, bytes));
    }
    piece.tokens = bytes / 2;
    return piece;
  }
  const bool wide = header[0] == kMagicU32;
  const int32_t version = wide ? kVersionU32 : kVersionU16;
  if (header[1] != version) {
    throw DataError(fmt::format("{}: shard of version {}, known for this kind is {}", path,
                                header[1], version));
  }
  piece.type = wide ? TokenType::kU32 : TokenType::kU16;
  piece.begin_bytes = kHeaderBytes;
  piece.tokens = header[2];
  const int64_t body = bytes - kHeaderBytes;
  if (piece.tokens < 0 || piece.tokens * token_bytes(piece.type) != body) {
    throw DataError(fmt::format(
        "{}: the header says {} tokens, the file has {}: it is {}", path, header[2],
        body / token_bytes(piece.type),
        piece.tokens * token_bytes(piece.type) > body ? "cut off" : "longer than it should be"));
  }
  return piece;
}

TokenStore ShardsReader::load(const std::vector<std::string>& files) const {
  TokenStore store(tokenizer_.end());
  for (const std::string& path : files) store.append(map_shard(path));
  return store;
}

}  // namespace keel
