// Ranges and validate() rules of a config that no file was read into.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/load.h"
#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"

namespace keel {
namespace {

class Checker final : public KeyWalk, public Errors {
 public:
  std::vector<std::string> lines;

  void check(const Config& config) {
    const size_t before = lines.size();
    walk(config, *this);
    if (lines.size() == before) config.validate(*this);
  }
  void add(std::string_view key, const std::string& text) override {
    lines.push_back(join_key(prefix_, key) + ": " + text);
  }

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}
  void leaf(const Field& field, Leaf v) override {
    const std::string error = range_error(field.range, v);
    if (!error.empty()) add(field.key, error);
  }
  void section(const Field& field, Config& v) override { nested(std::string(field.key), v); }
  void choice(const Field&, Choice& v) override { check(v.options()); }
  void tables(const Field& field, Tables& v) override {
    for (size_t i = 0; i < v.size(); ++i) {
      nested(fmt::format("{}[{}]", field.key, i), v.at(i));
    }
  }
  void nested(const std::string& key, const Config& v) {
    const std::string outer = prefix_;
    prefix_ = join_key(outer, key);
    check(v);
    prefix_ = outer;
  }
};

}  // namespace

void check_config(const Config& config) {
  Checker checker;
  checker.check(config);
  if (!checker.lines.empty()) throw ConfigError(fmt::format("{}", fmt::join(checker.lines, "\n")));
}

}  // namespace keel
