#include "data/token_cache.h"

#include <fmt/core.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/stop.h"
#include "io/fs.h"
#include "io/hash.h"

namespace keel {
namespace {

// The file: ids as uint16, or as uint32 where the vocabulary needs it, then this. It stands at the
// end because the number of ids is known last, and so that a file cut short has none.
struct Trailer {
  std::array<char, 8> magic = {'K', 'E', 'E', 'L', 'T', 'O', 'K', '1'};
  uint64_t tokens = 0;
  uint64_t token_bytes = 0;
};
constexpr size_t kBufferBytes = size_t{1} << 18;

TokenType type_for(const Tokenizer& tokenizer) {
  const bool small = tokenizer.vocab() > 0 && tokenizer.vocab() <= 65536;
  return small ? TokenType::kU16 : TokenType::kU32;
}

// Nothing unless the file is whole.
std::optional<TokenPiece> open_cached(const std::string& path, const std::string& name,
                                      TokenType type) {
  if (!real_fs().exists(path)) return std::nullopt;
  auto file = std::make_shared<const MappedFile>(path);
  Trailer trailer;
  if (file->bytes() < sizeof trailer) return std::nullopt;
  const size_t body = file->bytes() - sizeof trailer;
  std::memcpy(&trailer, file->data() + body, sizeof trailer);
  const auto width = static_cast<uint64_t>(token_bytes(type));
  if (trailer.magic != Trailer().magic || trailer.token_bytes != width ||
      trailer.tokens != body / width || body % width != 0) {
    return std::nullopt;
  }
  TokenPiece piece;
  piece.file = std::move(file);
  piece.name = name;
  piece.tokens = static_cast<int64_t>(trailer.tokens);
  piece.type = type;
  return piece;
}

void write_ids(FsFile& file, const Tokenizer& tokenizer, const Documents& documents) {
  Trailer trailer;
  trailer.token_bytes = static_cast<uint64_t>(token_bytes(type_for(tokenizer)));
  std::vector<char> buffer;
  std::vector<int32_t> ids;
  documents([&](std::string_view text) {
    stop_point();
    ids.clear();
    tokenizer.encode(text, ids);
    if (const auto end = tokenizer.end()) ids.push_back(*end);
    trailer.tokens += ids.size();
    for (const int32_t id : ids) {
      const char* bytes = reinterpret_cast<const char*>(&id);  // little-endian
      buffer.insert(buffer.end(), bytes, bytes + trailer.token_bytes);
    }
    if (buffer.size() >= kBufferBytes) {
      file.write(buffer.data(), buffer.size());
      buffer.clear();
    }
  });
  file.write(buffer.data(), buffer.size());
  file.write(&trailer, sizeof trailer);
  file.sync();
  file.close();
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::string cache_folder() {
  if (std::string own = environment("KEEL_CACHE"); !own.empty()) return own;
  if (std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) {
    return join_path(xdg, "evenkeel");
  }
  const std::string home = environment("HOME");
  if (home.empty()) {
    throw IoError("there is no folder for the token cache: set KEEL_CACHE, or HOME");
  }
  return join_path(home, ".cache/evenkeel");
}

TokenPiece cached_tokens(const std::string& name, const std::string& content,
                         const Tokenizer& tokenizer, const Documents& documents) {
  const TokenType type = type_for(tokenizer);
  const std::string folder = cache_folder();
  const std::string path =
      join_path(folder, xxh3_hex(content + "\n" + tokenizer.fingerprint()) + ".tokens");
  if (auto piece = open_cached(path, name, type)) return *piece;
  Fs& fs = real_fs();
  const std::string temporary = temporary_name(path);
  try {
    fs.make_dirs(folder);
    const std::unique_ptr<FsFile> file = fs.create(temporary);
    write_ids(*file, tokenizer, documents);
    fs.rename(temporary, path);
  } catch (const IoError& error) {
    fs.remove_quietly(temporary);
    throw IoError(fmt::format(
        "{}: its tokens cannot be kept (set KEEL_CACHE to a folder that can be written): {}", name,
        error.what()));
  } catch (...) {
    fs.remove_quietly(temporary);
    throw;
  }
  auto piece = open_cached(path, name, type);
  if (!piece) throw DataError(fmt::format("{}: changed while it was being used", path));
  return *piece;
}

}  // namespace keel
