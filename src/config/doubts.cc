#include "config/doubts.h"

#include <algorithm>

namespace keel {
namespace {

// "model.dim" lies within "model", and within itself; "model.dimension" not within "model.dim".
bool lies_within(std::string_view key, std::string_view table) {
  if (table.empty() || !key.starts_with(table)) return table.empty();
  return key.size() == table.size() || key[table.size()] == '.' || key[table.size()] == '[';
}

// The part of a key that follows a table's name: "norm" of "model.norm.kind" in "model"; "" if the
// key lies elsewhere.
std::string_view part_in(std::string_view key, std::string_view table) {
  if (key == table || !lies_within(key, table)) return "";
  if (!table.empty()) key.remove_prefix(table.size() + 1);
  return key.substr(0, key.find_first_of(".["));
}

}  // namespace

void Doubts::add(const std::string& key, int layer) { keys_[key] = layer; }

void Doubts::add_all_but(std::string table, std::vector<std::string> own) {
  tables_.emplace_back(std::move(table), std::move(own));
}

bool Doubts::cover(std::string_view key) const {
  for (const auto& [k, layer] : keys_) {
    if (lies_within(key, k)) return true;
  }
  for (const auto& [table, own] : tables_) {
    const std::string_view part = part_in(key, table);
    if (!part.empty() && std::find(own.begin(), own.end(), part) == own.end()) return true;
  }
  return false;
}

bool Doubts::any_within(std::string_view table) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const auto& entry) { return lies_within(entry.first, table); });
}

std::optional<int> Doubts::layer_of(const std::string& key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace keel
