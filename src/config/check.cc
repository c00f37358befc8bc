// Ranges and validate() rules of a config that no file was read into.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/load.h"
#include "config/rules.h"
#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"

namespace keel {
namespace {

class Ranges final : public KeyWalk {
 public:
  std::vector<std::string> lines;

 private:
  void value(const std::string&, const Leaf&) override {}
  void empty_list(const std::string&) override {}
  void leaf(const Field& field, Leaf v) override {
    const std::string error = range_error(field.range, v);
    if (!error.empty()) lines.push_back(join_key(prefix_, field.key) + ": " + error);
  }
};

}  // namespace

void check_config(const Config& config) {
  Ranges ranges;
  walk(config, ranges);
  std::vector<std::string> lines = std::move(ranges.lines);
  if (lines.empty()) {
    for (const BrokenRule& r : broken_rules(config, {})) lines.push_back(r.key + ": " + r.text);
  }
  if (!lines.empty()) throw ConfigError(fmt::format("{}", fmt::join(lines, "\n")));
}

}  // namespace keel
