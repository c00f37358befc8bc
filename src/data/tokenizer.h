// Text to ids and back. Byte pairs and the like join the registry later; until then a token is a
// byte, or, for data that comes as ids, a number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/registry.h"

namespace keel {

class Json;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;  // its name in the registry
  // 0: whatever the data uses.
  virtual int64_t vocab() const = 0;
  // The id that ends a document, if there is one.
  virtual std::optional<int32_t> end() const = 0;
  // Appends the ids of `text`, without an end token. Throws DataError for text that has none.
  virtual void encode(std::string_view text, std::vector<int32_t>& ids) const = 0;
  // Appends the text of one id: any bytes, not always whole characters; nothing for the end token
  // and for ids beyond the vocabulary.
  virtual void decode(int32_t id, std::string& text) const = 0;
  // Whether ids stand for text, and not for themselves.
  virtual bool has_text() const { return true; }
  // Whether ids 0..255 are the bytes of the text, so that a mapped file needs no encoding.
  virtual bool maps_bytes() const { return false; }
  // Identity for cache keys and fingerprints.
  virtual std::string fingerprint() const = 0;
  // One JSON object, as kept beside a checkpoint; its "kind" is kind().
  virtual std::string save() const = 0;
  // Takes what save() wrote. Throws DataError for what is missing or of another type.
  virtual void restore(const Json&) {}
};

// THE list of tokenizers.
const Registry<Tokenizer>& tokenizers();
// From what save() wrote; `name` stands for the file in messages. Throws DataError.
std::unique_ptr<Tokenizer> load_tokenizer(std::string_view json, const std::string& name);
// The text of several ids.
std::string decode(const Tokenizer& tokenizer, std::span<const int32_t> ids);

}  // namespace keel
