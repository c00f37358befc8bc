// A value of a config that is not read but kept as it was written, of any shape: for keys whose
// meaning only the owner of the struct knows, as those of another config (`[grid]` of a sweep).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "config/tree.h"

namespace keel {

// A member of this type is named in fields() as any section is; the reader fills it, and everybody
// else sees a section without keys. It is therefore not for configs that are printed.
struct Written final : Config {
  bool given = false;
  TomlNode node;       // positions in it are those of the file
  std::string file;    // as messages name it
  std::string folder;  // absolute; where relative paths in it start
  void fields(Fields&) override {}

  // "sweep.toml:3:7" of the value, and of the key of an entry.
  std::string place() const { return place_of(node.line, node.column); }
  std::string place_of_key(const TomlNode& n) const { return place_of(n.key_line, n.key_column); }
  std::string place_of(const TomlNode& n) const { return place_of(n.line, n.column); }

 private:
  std::string place_of(int line, int column) const;
};

// The entries of a table under full keys, `a.b = 1`, `"a.b" = 1` and `[a] b = 1` alike, in the
// order of the file. A table without entries, and a node that is no table, has none.
std::vector<std::pair<std::string, const TomlNode*>> entries_of(const Written& table);

// A node as TOML on one line; text by text_of(key, text), where `key` is the full key of a string
// ("data.sources.path" in a list of tables), so that a caller can turn relative paths into others.
using TextOf = std::string (*)(const std::string& key, const std::string& text,
                               const std::string& folder);
std::string toml_of(const Written& from, const std::string& key, const TomlNode& node,
                    TextOf text_of);

}  // namespace keel
