// The only user of the TOML library: text becomes a tree of nodes, layer over layer.
#include "config/load.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "config/presets.h"
#include "config/read.h"
#include "config/text.h"
#include "config/tree.h"
#include "core/error.h"

namespace keel {
namespace {

namespace fs = std::filesystem;
constexpr int kMostBases = 8;

std::string read_file(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file && errno == ENOENT) {
    throw ConfigError("config file " + quote_text(path) + " does not exist");
  }
  std::string text(kMostConfigBytes + 1, '\0');
  if (file) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (!file || std::ferror(file.get())) {
    throw ConfigError("cannot read config file " + quote_text(path) + ": " + std::strerror(errno));
  }
  return text;
}

std::string one_line(std::string_view text) {
  std::string s(text);
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return s;
}

toml::table parse(const std::string& name, std::string_view text) {
  prescan(name, text);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& e) {
    const auto at = e.source().begin;
    throw ConfigError(
        fmt::format("{}:{}:{}: {}", name, at.line, at.column, one_line(e.description())));
  }
}

// Turns the library's nodes into ours.
class Converter {
 public:
  // `text` is given if comments state origins.
  Converter(const std::string& name, int layer, std::string_view text = {})
      : name_(name), layer_(layer) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      lines_.push_back(text.substr(0, end));
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
  }

  TomlNode convert(const toml::node& from, int depth = 0) const {
    TomlNode to;
    to.layer = layer_;
    to.line = static_cast<int>(from.source().begin.line);
    to.column = static_cast<int>(from.source().begin.column);
    if (depth > kMostDepth) {
      throw ConfigError(
          fmt::format("{}:{}:{}: nested more than {} deep", name_, to.line, to.column, kMostDepth));
    }
    if (const auto* table = from.as_table()) {
      to.value = convert_table(*table, depth);
      return to;
    }
    if (const auto* list = from.as_array()) {
      TomlNode::List items;
      for (const toml::node& item : *list) items.push_back(convert(item, depth + 1));
      to.value = std::move(items);
    }
    if (const auto* v = from.as_boolean()) to.value = v->get();
    if (const auto* v = from.as_integer()) to.value = v->get();
    if (const auto* v = from.as_floating_point()) to.value = v->get();
    if (const auto* v = from.as_string()) to.value = v->get();
    // The end of an array of tables is that of its last value, whose comment is not the array's.
    if (!from.is_array_of_tables()) to.stated = comment_after(from.source().end);
    return to;
  }

 private:
  TomlNode::Table convert_table(const toml::table& from, int depth) const {
    TomlNode::Table to;
    for (const auto& [key, value] : from) {
      TomlNode& node = to[std::string(key.str())] = convert(value, depth + 1);
      node.key_line = static_cast<int>(key.source().begin.line);
      node.key_column = static_cast<int>(key.source().begin.column);
    }
    return to;
  }

  // Columns count code points.
  std::string comment_after(const toml::source_position& end) const {
    if (end.line == 0 || end.line > lines_.size()) return "";
    const std::string_view line = lines_[end.line - 1];
    size_t at = 0;
    for (size_t column = 0; at < line.size(); ++at) {
      const bool starts_code_point = (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
      if (starts_code_point && ++column == end.column) break;
    }
    at = std::min(line.find_first_not_of(' ', at), line.size());
    return line.substr(at).starts_with("# ") ? std::string(line.substr(at + 2)) : "";
  }

  const std::string& name_;
  int layer_;
  std::vector<std::string_view> lines_;
};

// "a.b.c" in parts; nothing if a part is empty or holds anything but letters, digits, _ and -.
std::optional<std::vector<std::string>> split_key(std::string_view key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      if (parts.back().empty() || parts.size() == kMostKeyParts) return {};
      parts.emplace_back();
    } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-') {
      parts.back() += c;
    } else {
      return {};
    }
  }
  if (parts.back().empty()) return {};
  return parts;
}

TomlNode nested(const std::vector<std::string>& parts, TomlNode leaf) {
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    TomlNode table = leaf;
    table.value = TomlNode::Table{{*part, std::move(leaf)}};
    leaf = std::move(table);
  }
  return leaf;
}

std::string_view trimmed(std::string_view s) {
  const size_t begin = s.find_first_not_of(" \t");
  if (begin == s.npos) return "";
  return s.substr(begin, s.find_last_not_of(" \t") - begin + 1);
}

class Loader {
 public:
  explicit Loader(const Config& root) : presets_(root.presets()) {}

  void add_file(const std::string& path) {
    add_text(path, fs::path(path).parent_path(), read_file(path), 0);
  }

  // Relative paths start in `folder`; "" is the working directory.
  void add_text(const std::string& name, const fs::path& folder, std::string_view text, int depth) {
    const toml::table parsed = parse(name, text);
    if (const toml::node* base = parsed.get("base")) add_base(name, folder, *base, depth);
    if (const toml::node* preset = presets_ ? parsed.get(presets_->key) : nullptr) {
      add_preset(preset->value<std::string>(),
                 fmt::format("{}:{}", name, preset->source().begin.line));
    }
    const int layer = add_layer(name, folder);
    TomlNode root = Converter(name, layer).convert(parsed);
    root.table()->erase("base");
    TomlNode::Table::node_type set = root.table()->extract("set");
    merge(tree_.root, std::move(root));
    if (set) add_set_table(set.mapped());
  }

  void add_plain(const std::string& path) {
    const toml::table parsed = parse(path, read_file(path));
    const int layer = add_layer(path, fs::path(path).parent_path());
    merge(tree_.root, Converter(path, layer).convert(parsed));
  }

  void add_resolved(const std::string& name, std::string_view text) {
    const toml::table parsed = parse(name, text);
    const int layer = add_layer(name, "");
    merge(tree_.root, Converter(name, layer, text).convert(parsed));
  }

  void add_sets(const std::vector<std::string>& sets) {
    for (const std::string& set : sets) {
      const size_t equals = set.find('=');
      if (!presets_ || trimmed(std::string_view(set).substr(0, equals)) != presets_->key) continue;
      const std::optional<TomlNode> value = value_of(set, 0);
      const std::string* name = value ? std::get_if<std::string>(&value->value) : nullptr;
      if (name) add_preset(*name, "--set");
    }
    const int layer = add_layer("--set", "");
    for (const std::string& set : sets) add_set(set, layer);
  }

  LoadedConfig read(Config& out) {
    LoadedConfig loaded = read_tree(tree_, out, errors_);
    if (!errors_.empty()) throw ConfigError(fmt::format("{}", fmt::join(errors_, "\n")));
    return loaded;
  }

 private:
  // A working directory that is gone leaves relative paths as they are.
  int add_layer(const std::string& name, const fs::path& folder) {
    std::error_code gone;
    const fs::path start = fs::absolute(folder.empty() ? "." : folder, gone);
    tree_.layers.push_back({name, gone ? folder : start});
    return static_cast<int>(tree_.layers.size()) - 1;
  }

  void add_base(const std::string& name, const fs::path& folder, const toml::node& base,
                int depth) {
    const auto at = base.source().begin;
    const std::string place = fmt::format("{}:{}:{}: base: ", name, at.line, at.column);
    const auto* path = base.as_string();
    if (!path) throw ConfigError(place + "must be a string");
    if (depth == kMostBases) {
      throw ConfigError(place +
                        fmt::format("more than {} files, each based on the next", kMostBases));
    }
    const fs::path file = folder / path->get();
    std::string text;
    try {
      text = read_file(file);
    } catch (const ConfigError& e) {
      throw ConfigError(place + e.what());
    }
    add_text(file, file.parent_path(), text, depth + 1);
  }

  // Keys of [set] may be written as one string: "model.norm.kind" = "layer".
  void add_set_table(TomlNode& set) {
    const std::string name = tree_.layers[set.layer].name;
    if (!set.table()) {
      errors_.push_back(fmt::format("{}:{}:{}: set: must be a table", name, set.line, set.column));
      return;
    }
    const auto preset = presets_ ? set.table()->find(presets_->key) : set.table()->end();
    if (preset != set.table()->end()) {
      const auto* text = std::get_if<std::string>(&preset->second.value);
      if (text) add_preset(*text, fmt::format("{}:{}", name, preset->second.line));
    }
    const int layer = add_layer(name, tree_.layers[set.layer].folder);
    for (auto& [key, node] : *set.table()) {
      relayer(node, layer);
      const auto parts = split_key(key);
      if (parts) {
        merge(tree_.root, nested(*parts, std::move(node)));
      } else {
        errors_.push_back(fmt::format("{}:{}:{}: set: {} is not a dotted key", name, node.key_line,
                                      node.key_column, quote_text(key)));
      }
    }
  }

  static void relayer(TomlNode& node, int layer) {
    node.layer = layer;
    if (TomlNode::Table* table = node.table()) {
      for (auto& entry : *table) relayer(entry.second, layer);
    }
    if (auto* list = std::get_if<TomlNode::List>(&node.value)) {
      for (TomlNode& item : *list) relayer(item, layer);
    }
  }

  void add_set(const std::string& set, int layer) {
    const size_t equals = set.find('=');
    if (equals == set.npos) {
      errors_.push_back("--set: " + quote_text(set) + " has no \"=\", expected key=value");
      return;
    }
    const std::string key(trimmed(std::string_view(set).substr(0, equals)));
    const auto parts = split_key(key);
    if (!parts) {
      errors_.push_back("--set: " + quote_text(key) + " is not a dotted key");
      return;
    }
    std::optional<TomlNode> value = value_of(set, layer);
    if (!value) {
      errors_.push_back(
          fmt::format("--set: {}: not valid UTF-8, or longer than {} bytes", key, kMostLineBytes));
      return;
    }
    merge(tree_.root, nested(*parts, std::move(*value)));
  }

  // What a preset stands for, as a layer of its own. An unknown name is the reader's to report.
  void add_preset(const std::optional<std::string>& name, const std::string& origin) {
    const Preset* preset = name ? presets_->find(*name) : nullptr;
    if (!preset) return;
    const std::string from = fmt::format("{} ({} {}", origin, presets_->key, quote_text(*name));
    const int layer = add_layer(from + ")", "");
    for (const Preset::Value& v : preset->values) {
      TomlNode value = parse_value(v.value, layer).value();
      value.stated = from + (v.note.empty() ? ")" : "; " + v.note + ")");
      merge(tree_.root, nested(split_key(v.key).value(), std::move(value)));
    }
  }

  // The value of "key=value": TOML, or else a bare word. Nothing if it is neither.
  static std::optional<TomlNode> value_of(const std::string& set, int layer) {
    const std::string text(trimmed(std::string_view(set).substr(set.find('=') + 1)));
    std::optional<TomlNode> value = parse_value(text, layer);
    return value ? value : parse_value(quote_text(text), layer);
  }

  // Nothing if the text is not one TOML value.
  static std::optional<TomlNode> parse_value(const std::string& text, int layer) {
    try {
      const toml::table parsed = parse("--set", "v = " + text);
      if (parsed.size() != 1) return {};
      TomlNode node = Converter("--set", layer).convert(*parsed.get("v"));
      forget_position(node);
      return node;
    } catch (const ConfigError&) {
      return {};
    }
  }
  static void forget_position(TomlNode& node) {
    node.line = node.key_line = 0;
    if (TomlNode::Table* table = node.table()) {
      for (auto& entry : *table) forget_position(entry.second);
    }
    if (auto* list = std::get_if<TomlNode::List>(&node.value)) {
      for (TomlNode& item : *list) forget_position(item);
    }
  }

  const Presets* presets_;
  Tree tree_;
  std::vector<std::string> errors_;
};

}  // namespace

LoadedConfig load_config(const std::string& path, const std::vector<std::string>& sets,
                         Config& out) {
  Loader loader(out);
  loader.add_file(path);
  loader.add_sets(sets);
  return loader.read(out);
}

LoadedConfig load_config_text(const std::string& name, std::string_view text,
                              const std::vector<std::string>& sets, Config& out) {
  Loader loader(out);
  loader.add_text(name, "", text, 0);
  loader.add_sets(sets);
  return loader.read(out);
}

LoadedConfig load_plain(const std::string& path, Config& out) {
  Loader loader(out);
  loader.add_plain(path);
  return loader.read(out);
}

LoadedConfig load_resolved(const std::string& name, std::string_view text,
                           const std::vector<std::string>& sets, Config& out) {
  Loader loader(out);
  loader.add_resolved(name, text);
  loader.add_sets(sets);
  return loader.read(out);
}

}  // namespace keel
