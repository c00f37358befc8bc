#include "data/npy_reader.h"

#include <fmt/core.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace keel {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void no_header(const std::string& path) {
  throw DataError(fmt::format("{}: no .npy header: is it an array that numpy.save wrote?", path));
}

// The text between the quotes or brackets that follow 'key': in a header such as
// {'descr': '<u2', 'fortran_order': False, 'shape': (1000,), }
std::string_view value_of(std::string_view header, std::string_view key, char open, char close,
                          const std::string& path) {
  const size_t at = header.find(fmt::format("'{}':", key));
  const size_t begin = at == std::string_view::npos ? at : header.find(open, at + key.size() + 3);
  const size_t end = begin == std::string_view::npos ? begin : header.find(close, begin + 1);
  if (end == std::string_view::npos) no_header(path);
  return header.substr(begin + 1, end - begin - 1);
}

TokenType type_of(std::string_view descr, const std::string& path) {
  constexpr std::pair<std::string_view, TokenType> kTypes[] = {
      {"|u1", TokenType::kU8},  {"<u1", TokenType::kU8},  {"<u2", TokenType::kU16},
      {"<u4", TokenType::kU32}, {"<i4", TokenType::kI32}, {"<i8", TokenType::kI64}};
  for (const auto& [name, type] : kTypes) {
    if (descr == name) return type;
  }
  throw DataError(fmt::format(
      "{}: elements of type {}, token ids must be |u1, <u2, <u4, <i4 or <i8 (uint8, uint16, "
      "uint32, int32, int64)",
      path, descr));
}

// "1000," -> 1000; anything else is not one-dimensional.
int64_t length_of(std::string_view shape, const std::string& path) {
  int64_t n = -1;
  const auto [rest, error] = std::from_chars(shape.data(), shape.data() + shape.size(), n);
  const std::string_view tail(rest, static_cast<size_t>(shape.data() + shape.size() - rest));
  if (error != std::errc() || n < 0 || tail != ",") {
    throw DataError(
        fmt::format("{}: shape ({}), token ids must be an array of one dimension", path, shape));
  }
  return n;
}

struct Header {
  std::string_view text;
  int64_t begin_bytes;
};

Header header_of(std::string_view file, const std::string& path) {
  if (!file.starts_with(kMagic) || file.size() < 12) no_header(path);
  const size_t width = file[6] == 1 ? 2 : 4;
  uint32_t length = 0;
  std::memcpy(&length, file.data() + 8, width);
  const size_t begin = 8 + width;
  if (file[6] < 1 || file[6] > 3 || length > file.size() - begin) no_header(path);
  return {file.substr(begin, length), static_cast<int64_t>(begin + length)};
}

}  // namespace

TokenPiece map_npy(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const Header header = header_of(file->text(), path);
  TokenPiece piece;
  piece.name = path;
  piece.type = type_of(value_of(header.text, "descr", '\'', '\'', path), path);
  piece.tokens = length_of(value_of(header.text, "shape", '(', ')', path), path);
  piece.begin_bytes = header.begin_bytes;
  const int64_t body = static_cast<int64_t>(file->bytes()) - header.begin_bytes;
  const int64_t width = token_bytes(piece.type);
  if (body % width != 0 || body / width != piece.tokens) {
    throw DataError(fmt::format("{}: the header says {} elements, the file has {}", path,
                                piece.tokens, body / width));
  }
  if (piece.tokens == 0) throw DataError(fmt::format("{}: empty array, no tokens in it", path));
  piece.file = std::move(file);
  return piece;
}

TokenStore NpyReader::load(const std::vector<std::string>& files) const {
  TokenStore store(tokenizer_.end());
  for (const std::string& path : files) store.append(map_npy(path));
  return store;
}

}  // namespace keel
