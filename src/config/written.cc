#include "config/written.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.h"

namespace keel {
namespace {

using Entry = std::pair<std::string, const TomlNode*>;

void add_entries(const std::string& prefix, const TomlNode& node, std::vector<Entry>& out) {
  const auto* table = std::get_if<TomlNode::Table>(&node.value);
  if (table == nullptr) return;
  for (const auto& [key, entry] : *table) {
    const std::string full = join_key(prefix, key);
    if (std::holds_alternative<TomlNode::Table>(entry.value)) {
      add_entries(full, entry, out);
    } else {
      out.emplace_back(full, &entry);
    }
  }
}

struct ToText {
  const std::string& key;
  const std::string& folder;
  TextOf text_of;

  std::string operator()(std::monostate) const { return "\"\""; }  // a date: nothing takes one
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return shortest(v); }
  std::string operator()(const std::string& v) const { return quote_text(text_of(key, v, folder)); }
  std::string operator()(const TomlNode::List& list) const {
    std::string out = "[";
    for (const TomlNode& item : list) {
      if (out.size() > 1) out += ", ";
      out += std::visit(*this, item.value);
    }
    return out + "]";
  }
  std::string operator()(const TomlNode::Table& table) const {
    std::string out = "{";
    for (const auto& [name, entry] : table) {
      if (out.size() > 1) out += ", ";
      const std::string full = join_key(key, name);
      out += quote_text(name) + " = " + std::visit(ToText{full, folder, text_of}, entry.value);
    }
    return out + "}";
  }
};

}  // namespace

std::string Written::place_of(int line, int column) const {
  return fmt::format("{}:{}:{}", file, line, column);
}

std::vector<Entry> entries_of(const Written& table) {
  std::vector<Entry> out;
  add_entries("", table.node, out);
  std::stable_sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.second->key_line, a.second->key_column) <
           std::pair(b.second->key_line, b.second->key_column);
  });
  return out;
}

std::string toml_of(const Written& from, const std::string& key, const TomlNode& node,
                    TextOf text_of) {
  return std::visit(ToText{key, from.folder, text_of}, node.value);
}

}  // namespace keel
