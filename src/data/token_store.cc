#include "data/token_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "data/pieces.h"
#include "io/fs.h"

namespace keel {
namespace {

template <class F>
decltype(auto) with_type(TokenType type, F&& f) {
  switch (type) {
    case TokenType::kU8:
      return f(uint8_t{});
    case TokenType::kU16:
      return f(uint16_t{});
    case TokenType::kU32:
      return f(uint32_t{});
    case TokenType::kI32:
      return f(int32_t{});
    case TokenType::kI64:
      break;
  }
  return f(int64_t{});
}

// Unaligned: a header may have any length.
template <class T>
T load(const std::byte* p, int64_t i) {
  T v;
  std::memcpy(&v, p + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return v;
}

// Copies and returns whether an id was outside [0, limit).
template <class T>
bool copy_ids(const std::byte* p, int64_t count, int64_t limit, int32_t* out) {
  bool bad = false;
  for (int64_t i = 0; i < count; ++i) {
    const T v = load<T>(p, i);
    bad |= static_cast<uint64_t>(v) >= static_cast<uint64_t>(limit);
    out[i] = static_cast<int32_t>(v);
  }
  return bad;
}

struct Extremes {
  int64_t min = 0, max = -1;
};

template <class T>
Extremes extremes(const std::byte* p, int64_t count) {
  if (count == 0) return {};
  T low = load<T>(p, 0), high = low;
  for (int64_t i = 1; i < count; ++i) {
    const T v = load<T>(p, i);
    low = std::min(low, v);
    high = std::max(high, v);
  }
  return {static_cast<int64_t>(low), static_cast<int64_t>(high)};
}

const std::byte* data_of(const TokenPiece& p) { return p.file->data() + p.begin_bytes; }

// Throws DataError for the first id of [begin, end) outside [0, vocab), if there is one.
void refuse_bad_id(const TokenPiece& p, int64_t begin, int64_t end, int64_t vocab) {
  with_type(p.type, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = begin; i < end; ++i) {
      const T v = load<T>(data_of(p), i);
      if (static_cast<uint64_t>(v) < static_cast<uint64_t>(vocab)) continue;
      throw DataError(
          fmt::format("{}: token {} is id {}, but the vocabulary has {} ids (0 to {}): model.vocab "
                      "must be that of the tokenizer that made the file",
                      p.name, i, v, vocab, vocab - 1));
    }
  });
}

constexpr int64_t kLargestVocab = int64_t{1} << 31;

}  // namespace

int64_t token_bytes(TokenType type) {
  return with_type(type, [](auto zero) { return static_cast<int64_t>(sizeof zero); });
}

void TokenStore::append(TokenPiece piece) {
  first_.push_back(first_.back() + piece.tokens + (piece.add_end ? 1 : 0));
  pieces_.push_back(std::move(piece));
}

TokenStore::Spot TokenStore::locate(int64_t token) const {
  const auto next = std::upper_bound(first_.begin(), first_.end() - 1, token);
  const auto i = next - first_.begin() - 1;
  return {&pieces_[static_cast<size_t>(i)], token - first_[static_cast<size_t>(i)]};
}

void TokenStore::read(int64_t begin, int64_t count, int32_t* out) const {
  const int64_t limit = vocab_ > 0 ? vocab_ : kLargestVocab;
  while (count > 0) {
    const Spot spot = locate(begin);
    const TokenPiece& p = *spot.piece;
    const int64_t n = std::min(count, p.tokens - spot.token);
    if (n > 0) {
      const bool bad = with_type(p.type, [&](auto zero) {
        using T = decltype(zero);
        return copy_ids<T>(data_of(p) + spot.token * token_bytes(p.type), n, limit, out);
      });
      if (bad) refuse_bad_id(p, spot.token, spot.token + n, limit);
    } else {
      *out = *end_;
    }
    const int64_t done = std::max<int64_t>(n, 1);
    begin += done;
    count -= done;
    out += done;
  }
}

void TokenStore::set_vocab(int64_t vocab, int64_t max_bytes) {
  const bool find = vocab == 0;
  vocab_ = end_ ? int64_t{*end_} + 1 : 1;
  for (const TokenPiece& p : pieces_) {
    const int64_t bytes = p.tokens * token_bytes(p.type);
    if (!find && (bytes > max_bytes || (p.type == TokenType::kU8 && vocab >= 256))) continue;
    max_bytes -= bytes;
    const int64_t limit = find ? kLargestVocab : vocab, width = token_bytes(p.type);
    in_pieces(p.tokens, kPieceBytes / width, [&](int64_t begin, int64_t end) {
      const Extremes e = with_type(p.type, [&](auto zero) {
        return extremes<decltype(zero)>(data_of(p) + begin * width, end - begin);
      });
      if (e.min < 0 || e.max >= limit) refuse_bad_id(p, begin, end, limit);
      vocab_ = std::max(vocab_, e.max + 1);
    });
  }
  if (!find) vocab_ = vocab;
}

namespace {

void hash_samples(Xxh3& hash, const MappedFile& file) {
  constexpr int64_t kBlock = 4096, kSamples = 64;
  const auto bytes = static_cast<int64_t>(file.bytes());
  if (bytes <= kBlock * kSamples) return hash.update(file.data(), file.bytes());
  for (int64_t i = 0; i < kSamples; ++i) {
    const int64_t at = (bytes - kBlock) / (kSamples - 1) * i;
    hash.update(file.data() + at, kBlock);
  }
}

}  // namespace

std::string TokenStore::fingerprint() const {
  Xxh3 hash;
  for (const TokenPiece& p : pieces_) {
    const std::string head = fmt::format("{}\n{}\n{}\n{}\n", base_name(p.name), p.file->bytes(),
                                         p.begin_bytes, p.tokens);
    hash.update(head.data(), head.size());
    hash_samples(hash, *p.file);
  }
  return hash.hex();
}

std::vector<DataFile> TokenStore::files(int64_t max_bytes) const {
  std::vector<DataFile> out;
  out.reserve(pieces_.size());
  for (const TokenPiece& p : pieces_) {
    Xxh3 hash;
    max_bytes -= static_cast<int64_t>(p.file->bytes());
    if (max_bytes >= 0) {
      hash_in_pieces(hash, p.file->data(), p.file->bytes());
    } else {
      hash_samples(hash, *p.file);
    }
    out.push_back({"", p.name, p.tokens, hash.hex()});
  }
  return out;
}

}  // namespace keel
