// Parsed TOML without the parser's types: what load.cc makes and read.cc reads. Every node knows
// the layer and the position it came from, so that any error can be placed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace keel {

// Where the nodes of one layer come from.
struct Layer {
  std::string name;    // "run.toml" or "--set"
  std::string folder;  // absolute; where relative paths written in this layer start
};

struct TomlNode {
  using Table = std::map<std::string, TomlNode>;
  using List = std::vector<TomlNode>;
  // A date or time is monostate: no key takes one.
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Table> value = {};
  int layer = 0;                     // index into Tree::layers; of a merged table the highest
  int line = 0, column = 0;          // of the value, from 1; 0 in --set
  int key_line = 0, key_column = 0;  // of the key
  std::string stated = {};           // the origin that a resolved config's comment states, or ""
  // The strings that this one replaced in lower layers, lowest first: the history of a `kind`.
  std::vector<std::pair<int, std::string>> before = {};

  Table* table() { return std::get_if<Table>(&value); }
};

struct Tree {
  std::vector<Layer> layers;  // lowest first
  TomlNode root{TomlNode::Table{}};
};

// Lays `above` over `below`: tables are merged, anything else is replaced.
void merge(TomlNode& below, TomlNode above);

constexpr size_t kMostConfigBytes = 1 << 20;
constexpr size_t kMostLineBytes = 64 << 10;
constexpr int kMostKeyParts = 16;
constexpr int kMostDepth = 32;

// Refuses text that could hurt the TOML library: ConfigError if it is larger than 1 MiB or has a
// line over 64 KiB or a key path of more than 16 parts.
void prescan(const std::string& name, std::string_view text);

}  // namespace keel
