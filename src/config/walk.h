// What the visitors of the field walk share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/registry.h"

namespace keel {

// A value as TOML: 3, true, 1e-08, "a", [0.9, 0.95].
std::string leaf_text(const Leaf& value);
// What is wrong with a value by its range, "must be at least 1, is 0", or "".
std::string range_error(const Range& range, const Leaf& value);
// The keys that a struct names at its own level, `kind` and those of its variant included.
std::vector<std::string> keys_of(const Config& config);
// Walks a struct that the visitor will not change.
void walk(const Config& config, Fields& visitor);

// A visitor that only looks, and is given every value with its full dotted key.
class KeyWalk : public Fields {
 protected:
  virtual void value(const std::string& key, const Leaf& v) = 0;
  // A list of tables that has none.
  virtual void empty_list(const std::string& key) = 0;

  void leaf(const Field& field, Leaf v) override;
  void section(const Field& field, Config& v) override;
  void choice(const Field& field, Choice& v) override;
  void tables(const Field& field, Tables& v) override;

  std::string prefix_;
};

}  // namespace keel
