#include "data/tokenizer.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "data/byte_tokenizer.h"
#include "data/id_tokenizer.h"
#include "io/json.h"

namespace keel {

const Registry<Tokenizer>& tokenizers() {
  using R = Registry<Tokenizer>;
  static const R r{"tokenizer",
                   {
                       R::entry<ByteTokenizer>("byte", "a token is a byte, 256 ends a document"),
                       R::entry<IdTokenizer>("ids", "a token is a number"),
                   }};
  return r;
}

std::unique_ptr<Tokenizer> load_tokenizer(std::string_view json, const std::string& name) {
  const Json saved = parse_json(json, name);
  if (!saved.is_object()) throw DataError(fmt::format("{}: not a tokenizer's object", name));
  std::unique_ptr<Tokenizer> tokenizer;
  try {
    const std::string& kind = saved.at("kind").as_string();
    if (!tokenizers().known(kind)) {
      throw DataError(fmt::format("unknown tokenizer \"{}\" (known: {})", kind,
                                  fmt::join(tokenizers().names(), " ")));
    }
    tokenizer = tokenizers().make(kind);
    tokenizer->restore(saved);
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", name, error.what()));
  }
  return tokenizer;
}

std::string decode(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::string text;
  for (const int32_t id : ids) tokenizer.decode(id, text);
  return text;
}

}  // namespace keel
