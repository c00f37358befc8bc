// For data that comes as ids (token shards, generated languages): the text of an id is its number,
// and numbers are separated by spaces.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/tokenizer.h"

namespace keel {

class IdTokenizer final : public Tokenizer {
 public:
  struct Config final : keel::Config {
    int64_t vocab = 0;
    int64_t end = -1;
    void fields(Fields& f) override;
  };
  explicit IdTokenizer(const Config& config) : config_(config) {}

  std::string kind() const override { return "ids"; }
  int64_t vocab() const override { return config_.vocab; }
  std::optional<int32_t> end() const override;
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  // The number and a space.
  void decode(int32_t id, std::string& text) const override;
  bool has_text() const override { return false; }
  std::string fingerprint() const override;
  std::string save() const override;
  void restore(const Json& saved) override;

 private:
  Config config_;
};

}  // namespace keel
