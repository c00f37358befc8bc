#include "config/tree.h"

#include <algorithm>

#include "core/error.h"

namespace keel {
namespace {

// Walks TOML text as far as needed to tell strings and comments from keys. Dots outside strings
// can only follow each other in a key path, so counting them between separators bounds its parts.
class Scanner {
 public:
  Scanner(const std::string& name, std::string_view text) : name_(name), text_(text) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        count(c);
        ++at_;
      }
    }
  }

 private:
  void count(char c) {
    if (c == '\n') ++line_;
    if (c == '.') {
      if (++dots_ >= kMostKeyParts) {
        throw ConfigError(name_ + ":" + std::to_string(line_) + ": a key path of more than " +
                          std::to_string(kMostKeyParts) + " parts");
      }
    } else if (std::string_view("\n,{}[]=").find(c) != std::string_view::npos) {
      dots_ = 0;
    }
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool multiline = text_.substr(at_).starts_with(three);
    at_ += multiline ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ += 2;
        if (at_ <= text_.size() && text_[at_ - 1] == '\n') ++line_;
        continue;
      }
      if (c == '\n') {
        if (!multiline) return;
        ++line_;
      }
      if (!multiline && c == quote) {
        ++at_;
        return;
      }
      if (multiline && text_.substr(at_).starts_with(three)) {
        at_ += 3;
        while (at_ < text_.size() && text_[at_] == quote) ++at_;
        return;
      }
      ++at_;
    }
  }

  const std::string& name_;
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  int dots_ = 0;
};

}  // namespace

void merge(TomlNode& below, TomlNode above) {
  if (below.table() && above.table()) {
    for (auto& [key, node] : *above.table()) {
      const auto [it, fresh] = below.table()->try_emplace(key);
      if (fresh) {
        it->second = std::move(node);
      } else {
        merge(it->second, std::move(node));
      }
    }
    above.value = std::move(below.value);
  } else if (const auto* text = std::get_if<std::string>(&below.value)) {
    auto history = std::move(below.before);
    history.emplace_back(below.layer, *text);
    above.before.insert(above.before.begin(), history.begin(), history.end());
  }
  below = std::move(above);
}

void prescan(const std::string& name, std::string_view text) {
  if (text.size() > kMostConfigBytes) {
    throw ConfigError(name + ": larger than " + std::to_string(kMostConfigBytes) + " bytes");
  }
  int line = 1;
  for (size_t at = 0; at <= text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end - at > kMostLineBytes) {
      throw ConfigError(name + ":" + std::to_string(line) + ": a line of " +
                        std::to_string(end - at) + " bytes, at most " +
                        std::to_string(kMostLineBytes));
    }
    at = end + 1;
  }
  Scanner(name, text).run();
}

}  // namespace keel
