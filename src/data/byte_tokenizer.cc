#include "data/byte_tokenizer.h"

#include "io/json.h"

namespace keel {

void ByteTokenizer::encode(std::string_view text, std::vector<int32_t>& ids) const {
  for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
}

void ByteTokenizer::decode(int32_t id, std::string& text) const {
  if (id >= 0 && id < kEnd) text.push_back(static_cast<char>(id));
}

std::string ByteTokenizer::save() const {
  return Json::object().set("kind", kind()).set("vocab", vocab()).set("end", kEnd).dump();
}

}  // namespace keel
