#include "data/id_tokenizer.h"

#include <fmt/core.h>

#include <charconv>

#include "core/error.h"
#include "io/json.h"

namespace keel {

void IdTokenizer::Config::fields(Fields& f) {
  f("vocab", vocab, "number of ids; 0: as many as the data uses", at_least(0));
  f("end", end, "id that ends a document; -1: none", at_least(-1));
}

std::optional<int32_t> IdTokenizer::end() const {
  return config_.end < 0 ? std::nullopt : std::optional(static_cast<int32_t>(config_.end));
}

void IdTokenizer::encode(std::string_view text, std::vector<int32_t>& ids) const {
  constexpr std::string_view kSpace = " \t\r\n";
  const int64_t limit = config_.vocab > 0 ? config_.vocab : int64_t{1} << 31;
  for (size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const size_t stop = std::min(text.find_first_of(kSpace, at), text.size());
    int64_t id = -1;
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + stop, id);
    if (error != std::errc() || rest != text.data() + stop || id < 0 || id >= limit) {
      throw DataError(fmt::format(
          "text \"{}\" at byte {}: this model's tokens are numbers from 0 to {}, separated by "
          "spaces",
          text.substr(at, stop - at), at, limit - 1));
    }
    ids.push_back(static_cast<int32_t>(id));
    at = text.find_first_not_of(kSpace, stop);
  }
}

void IdTokenizer::decode(int32_t id, std::string& text) const {
  if (config_.end >= 0 && id == config_.end) return;
  text += std::to_string(id);
  text += ' ';
}

std::string IdTokenizer::fingerprint() const {
  return fmt::format("ids-{}-{}", config_.vocab, config_.end);
}

std::string IdTokenizer::save() const {
  return Json::object()
      .set("kind", kind())
      .set("vocab", config_.vocab)
      .set("end", config_.end)
      .dump();
}

void IdTokenizer::restore(const Json& saved) {
  config_.vocab = saved.at("vocab").as_int();
  config_.end = saved.at("end").as_int();
}

}  // namespace keel
