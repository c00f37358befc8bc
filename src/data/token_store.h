// Tokens of one or more files, one after the other, read in place from mapped memory. Nothing
// proportional to the amount of text is held besides the map.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/mapped_file.h"

namespace keel {

enum class TokenType { kU8, kU16, kU32, kI32, kI64 };
int64_t token_bytes(TokenType type);

// A file of a run's data, to be known again.
struct DataFile {
  std::string source;  // name of its source
  std::string name;    // path
  int64_t tokens = 0;
  std::string hash;
  bool operator==(const DataFile&) const = default;
};

struct TokenPiece {
  std::shared_ptr<const MappedFile> file;
  std::string name;         // for messages: the path
  int64_t begin_bytes = 0;  // where the tokens begin in the file
  int64_t tokens = 0;       // stored there
  TokenType type = TokenType::kU8;
  bool add_end = false;  // an end token that is not in the file follows
};

class TokenStore {
 public:
  // `end`: the id that ends a document, if any. Ids must lie in [0, vocab); 0: not known yet.
  explicit TokenStore(std::optional<int32_t> end = std::nullopt) : end_(end) {}
  void append(TokenPiece piece);

  int64_t tokens() const { return first_.back(); }
  std::optional<int32_t> end() const { return end_; }
  const std::vector<TokenPiece>& pieces() const { return pieces_; }
  // Copies tokens [begin, begin + count), which must exist. Throws DataError for an id that is
  // negative or not below the vocabulary, naming file, position and id.
  void read(int64_t begin, int64_t count, int32_t* out) const;

  struct Spot {
    const TokenPiece* piece;
    int64_t token;  // within the piece
  };
  Spot locate(int64_t token) const;

  // Refuses ids that are negative or not below `vocab`: stored ones of at most max_bytes now
  // (throws DataError), all others when they are read. With 0 the vocabulary becomes the largest
  // id + 1, and everything is read. Call once, after the last append.
  void set_vocab(int64_t vocab, int64_t max_bytes);
  int64_t vocab() const { return vocab_; }
  // Of names, sizes and content sampled evenly over each file.
  std::string fingerprint() const;
  // Each file by its whole content, as far as all of them together are no larger than `max_bytes`;
  // later ones by samples. The source is left to its owner.
  std::vector<DataFile> files(int64_t max_bytes) const;

 private:
  std::vector<TokenPiece> pieces_;
  std::vector<int64_t> first_{0};  // first token of each piece, and the total
  std::optional<int32_t> end_;
  int64_t vocab_ = 0;
};

}  // namespace keel
