// The keys of a config whose values cannot be trusted because they have an error of their own: what
// a rule between values says of them may be a mere consequence of that error.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keel {

// Keys are dotted from the root: "model.dim", "data.sources[1].path".
class Doubts {
 public:
  // `layer` wrote what is wrong.
  void add(const std::string& key, int layer);
  // All keys in a table but those that begin with one of `own` (no dots).
  void add_all_but(std::string table, std::vector<std::string> own);

  // Whether the key, or a table that it lies in, is in doubt.
  bool cover(std::string_view key) const;
  // Whether a key that lies in this table is in doubt.
  bool any_within(std::string_view table) const;
  std::optional<int> layer_of(const std::string& key) const;

 private:
  std::map<std::string, int> keys_;
  std::vector<std::pair<std::string, std::vector<std::string>>> tables_;
};

}  // namespace keel
