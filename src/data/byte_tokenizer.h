// A token is a byte; id 256 ends a document.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/tokenizer.h"

namespace keel {

class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr int32_t kEnd = 256;
  using Config = NoOptions;
  explicit ByteTokenizer(const Config&) {}

  std::string kind() const override { return "byte"; }
  int64_t vocab() const override { return 257; }
  std::optional<int32_t> end() const override { return kEnd; }
  void encode(std::string_view text, std::vector<int32_t>& ids) const override;
  void decode(int32_t id, std::string& text) const override;
  bool maps_bytes() const override { return true; }
  std::string fingerprint() const override { return "byte-257"; }
  std::string save() const override;
};

}  // namespace keel
