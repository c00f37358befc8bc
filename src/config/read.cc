#include "config/read.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "config/doubts.h"
#include "config/presets.h"
#include "config/registry.h"
#include "config/rules.h"
#include "config/text.h"
#include "config/walk.h"
#include "config/written.h"
#include "core/error.h"

namespace keel {
namespace {

// One table of the file while the struct that owns it is walked.
struct Frame {
  TomlNode* node;  // null if the file has no such table
  std::string prefix;
  std::vector<std::string> known = {};     // keys that the struct has named so far
  const Choice* choice = nullptr;          // the variant whose keys lie here
  ptrdiff_t options = 0, options_end = 0;  // which of the known keys are the variant's own
  const TomlNode* kind = nullptr;          // what the file says about its kind
  std::string default_kind = {};
  bool unknown_kind = false;
};

class Reader final : public Fields {
 public:
  Reader(Tree& tree, LoadedConfig& loaded, std::vector<std::string>& errors)
      : tree_(tree), loaded_(loaded), errors_(errors) {}

  void read_all(Config& config) {
    read(config, &tree_.root, "");
    if (config.presets()) doubt_preset(*config.presets());
    for (const BrokenRule& r : broken_rules(config, doubts_)) fail_rule(r);
  }

 private:
  void read(Config& config, TomlNode* node, const std::string& prefix) {
    if (auto* written = dynamic_cast<Written*>(&config)) return keep(*written, node, prefix);
    stack_.push_back({node, prefix});
    config.fields(*this);
    report_unknown();
    doubt_options();
    stack_.pop_back();
  }

  void keep(Written& to, const TomlNode* node, const std::string& key) {
    if (node == nullptr) return;
    note_parts(key, *node);
    to.given = true;
    to.node = *node;
    to.file = tree_.layers[node->layer].name;
    to.folder = tree_.layers[node->layer].folder;
  }

  // So that rules can name what lies in a value that is kept: key[1], key.a.b.
  void note_parts(const std::string& key, const TomlNode& n) {
    nodes_[key] = &n;
    if (const auto* list = std::get_if<TomlNode::List>(&n.value)) {
      for (size_t i = 0; i < list->size(); ++i) {
        note_parts(key + "[" + std::to_string(i) + "]", (*list)[i]);
      }
    }
    if (const auto* table = std::get_if<TomlNode::Table>(&n.value)) {
      for (const auto& [name, part] : *table) note_parts(join_key(key, name), part);
    }
  }

  // Without a kind that can be trusted nobody knows what the variant's own keys would be.
  void doubt_options() {
    const Frame& f = stack_.back();
    if (!f.choice || !doubts_.cover(join_key(f.prefix, "kind"))) return;
    std::vector<std::string> own = f.known;
    own.erase(own.begin() + f.options, own.begin() + f.options_end);
    doubts_.add_all_but(f.prefix, std::move(own));
  }

  // What `key` says is not known unless the layer, or a higher one, writes it.
  void doubt_unless_written(const std::string& key, int layer) {
    const auto it = nodes_.find(key);
    if (it == nodes_.end() || it->second->layer < layer) doubts_.add(key, layer);
  }

  // Nobody knows what a preset whose name is wrong would have set.
  void doubt_preset(const Presets& presets) {
    const std::optional<int> layer = doubts_.layer_of(presets.key);
    if (!layer) return;
    for (const Preset& p : presets.list) {
      for (const Preset::Value& v : p.values) doubt_unless_written(v.key, *layer);
    }
  }

  void fail_rule(const BrokenRule& rule) {
    const auto it = nodes_.find(rule.key);
    if (it != nodes_.end()) return fail_at(*it->second, rule.key, rule.text);
    errors_.push_back(file_name() + rule.key + ": " + rule.text);
  }

  // The name of the file, for errors about values that nobody wrote.
  std::string file_name() const {
    for (auto it = tree_.layers.rbegin(); it != tree_.layers.rend(); ++it) {
      if (!it->name.starts_with("--set")) return it->name + ": ";
    }
    return "";
  }

  std::string place(int layer, int line, int column) const {
    std::string s = tree_.layers[layer].name;
    if (line > 0) s += ":" + std::to_string(line) + ":" + std::to_string(column);
    return s + ": ";
  }
  void fail_at(const TomlNode& n, const std::string& key, const std::string& text) {
    errors_.push_back(place(n.layer, n.line, n.column) + key + ": " + text);
  }
  void wrong(const TomlNode& n, const std::string& key, const std::string& text) {
    fail_at(n, key, text);
    doubts_.add(key, n.layer);
  }

  // The node of a key of the current table, or null; notes the key as known.
  TomlNode* take(std::string_view key) {
    Frame& f = stack_.back();
    f.known.emplace_back(key);
    if (!f.node) return nullptr;
    const auto it = f.node->table()->find(std::string(key));
    return it == f.node->table()->end() ? nullptr : &it->second;
  }

  void note_origin(const std::string& key, const TomlNode* n) {
    loaded_.origins[key] = n ? origin_text(tree_, *n) : "default";
    if (n) nodes_[key] = n;
  }

  void leaf(const Field& field, Leaf value) override {
    TomlNode* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    note_origin(key, n);
    if (!n) return;
    const std::string error = std::visit(
        [&](auto* member) {
          const auto before = *member;
          std::string text = assign(*member, *n, field.path);
          if (text.empty()) text = range_error(field.range, member);
          if (!text.empty()) *member = before;  // no rule is to meet what cannot be
          return text;
        },
        value);
    if (!error.empty()) wrong(*n, key, error);
  }

  void section(const Field& field, Config& value) override {
    TomlNode* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    const bool any_shape = dynamic_cast<Written*>(&value) != nullptr;
    if (n && !n->table() && !any_shape) {
      wrong(*n, key, "must be a table" + kind_hint(value, *n, key));
      n = nullptr;
    }
    if (n) nodes_[key] = n;
    read(value, n, key);
  }

  // For `norm = "rms"`.
  static std::string kind_hint(const Config& section, const TomlNode& n, const std::string& key) {
    const auto* text = std::get_if<std::string>(&n.value);
    const std::vector<std::string> keys = keys_of(section);
    if (!text || std::find(keys.begin(), keys.end(), "kind") == keys.end()) return "";
    return "; to choose one write " + join_key(key, "kind") + " = " + quote_text(*text);
  }

  void choice(const Field& field, Choice& value) override {
    TomlNode* n = take(field.key);
    Frame& f = stack_.back();
    const std::string key = join_key(f.prefix, field.key);
    note_origin(key, n);
    f.choice = &value;
    f.kind = n;
    f.default_kind = value.kind();
    if (n && !select(value, *n, key)) {
      f.unknown_kind = true;
      return;
    }
    if (n) forget_old_defaults(f);
    f.options = std::ssize(f.known);
    value.options().fields(*this);
    stack_.back().options_end = std::ssize(stack_.back().known);  // `f` may have moved
  }

  bool select(Choice& value, const TomlNode& n, const std::string& key) {
    const auto* kind = std::get_if<std::string>(&n.value);
    if (!kind) {
      wrong(n, key, "must be a string");
      return false;
    }
    try {
      if (*kind != value.kind()) value.select(*kind);
    } catch (const ConfigError& e) {
      wrong(n, key, e.what());
      return false;
    }
    return true;
  }

  // A resolved config writes out the defaults of its kind; they are not those of another kind.
  static void forget_old_defaults(const Frame& f) {
    std::erase_if(*f.node->table(), [&](const auto& entry) {
      return all_default(entry.second) && of_old_kind(f, entry.first, entry.second);
    });
  }
  static bool all_default(const TomlNode& n) {
    const auto* table = std::get_if<TomlNode::Table>(&n.value);
    if (!table) return n.stated == "default";
    return std::all_of(table->begin(), table->end(),
                       [](const auto& entry) { return all_default(entry.second); });
  }

  void tables(const Field& field, Tables& value) override {
    TomlNode* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    if (n) nodes_[key] = n;
    TomlNode::List* list = n ? std::get_if<TomlNode::List>(&n->value) : nullptr;
    const bool good = list && std::all_of(list->begin(), list->end(),
                                          [](TomlNode& item) { return item.table() != nullptr; });
    if (n && !good) return wrong(*n, key, "must be a list of tables");
    if (n) {
      value.clear();
      for (size_t i = 0; i < list->size(); ++i) value.append();
    }
    if (value.size() == 0) note_origin(key, n);
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string item = key + "[" + std::to_string(i) + "]";
      if (n) nodes_[item] = &(*list)[i];
      read(value.at(i), n ? &(*list)[i] : nullptr, item);
    }
  }

  // The kind in force when only layers up to `layer` are looked at.
  static std::string kind_at(const Frame& f, int layer) {
    std::string kind = f.default_kind;
    for (const auto& [when, name] : f.kind->before) {
      if (when <= layer) kind = name;
    }
    return kind;
  }

  static bool has_option(const Choice& choice, const std::string& kind, const std::string& key) {
    const std::vector<std::string> kinds = choice.kinds();
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) return false;
    const std::vector<std::string> keys = keys_of(*choice.defaults(kind));
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  }

  // True if a key belongs to the kind that a lower layer had and a higher layer has changed.
  static bool of_old_kind(const Frame& f, const std::string& key, const TomlNode& n) {
    if (!f.kind || n.layer >= f.kind->layer) return false;
    const std::string old = kind_at(f, n.layer);
    return old != f.choice->kind() && has_option(*f.choice, old, key);
  }

  bool dropped(const Frame& f, const std::string& key, const TomlNode& n) {
    if (!of_old_kind(f, key, n)) return false;
    loaded_.notes.push_back(
        join_key(f.prefix, key) + " (" + origin_text(tree_, n) +
        ") is dropped: " + origin_text(tree_, *f.kind) + " changes " + join_key(f.prefix, "kind") +
        " from " + quote_text(kind_at(f, n.layer)) + " to " + quote_text(f.choice->kind()));
    return true;
  }

  void report_unknown() {
    const Frame& f = stack_.back();
    if (!f.node || f.unknown_kind) return;
    std::vector<std::pair<const std::string*, const TomlNode*>> unknown;
    for (const auto& [key, n] : *f.node->table()) {
      if (std::find(f.known.begin(), f.known.end(), key) != f.known.end()) continue;
      if (!dropped(f, key, n)) unknown.emplace_back(&key, &n);
    }
    std::stable_sort(unknown.begin(), unknown.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->layer, a.second->key_line) <
             std::pair(b.second->layer, b.second->key_line);
    });
    // Where `kind` itself is misspelt, options of other kinds may be those of the one meant.
    const bool no_kind = std::any_of(unknown.begin(), unknown.end(), [&](const auto& entry) {
      return f.choice && !f.kind && nearest(*entry.first, f.known) == "kind";
    });
    for (const auto& [key, n] : unknown) {
      const std::string owners = kinds_with(f, *key);
      if (owners.empty() || !no_kind) report_unknown_key(f, *key, *n, owners);
    }
  }

  void report_unknown_key(const Frame& f, const std::string& key, const TomlNode& n,
                          const std::string& owners) {
    const std::string full = join_key(f.prefix, is_bare(key) ? key : quote_text(key));
    const std::string text = place(n.layer, n.key_line, n.key_column) + full + ": unknown key";
    if (!owners.empty()) {
      errors_.push_back(text + " of kind " + quote_text(f.choice->kind()) + "; it is one of kind " +
                        owners);
      return;
    }
    errors_.push_back(text + suggestion(key, f.known));
    const std::string meant = nearest(key, f.known);
    if (!meant.empty()) doubt_unless_written(join_key(f.prefix, meant), n.layer);
  }

  // Whether TOML takes the key without quotes.
  static bool is_bare(const std::string& key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '-';
    });
  }

  // The kinds that have an option of this name: "adamw", "lion".
  static std::string kinds_with(const Frame& f, const std::string& key) {
    std::string text;
    if (!f.choice) return text;
    for (const std::string& kind : f.choice->kinds()) {
      if (has_option(*f.choice, kind, key)) text += (text.empty() ? "" : ", ") + quote_text(kind);
    }
    return text;
  }

  std::string resolve(const std::string& path, const TomlNode& n) const {
    if (path.empty()) return path;
    return (std::filesystem::path(tree_.layers[n.layer].folder) / path).lexically_normal();
  }

  // Each assign() returns what is wrong with the node's type, or "".
  static std::string assign(int64_t& member, const TomlNode& n, bool) {
    return take_as<int64_t>(member, n) ? "" : "must be an integer";
  }
  static std::string assign(bool& member, const TomlNode& n, bool) {
    return take_as<bool>(member, n) ? "" : "must be true or false";
  }
  static std::string assign(double& member, const TomlNode& n, bool) {
    return take_as<double>(member, n) || take_as<int64_t>(member, n) ? "" : "must be a number";
  }
  std::string assign(std::string& member, const TomlNode& n, bool path) const {
    if (!take_as<std::string>(member, n)) return "must be a string";
    if (path) member = resolve(member, n);
    return "";
  }
  template <class T>
  std::string assign(std::vector<T>& member, const TomlNode& n, bool path) const {
    constexpr bool kText = std::is_same_v<T, std::string>;
    const auto* list = std::get_if<TomlNode::List>(&n.value);
    std::vector<T> values(list ? list->size() : 1);
    bool good = list || (kText && std::holds_alternative<std::string>(n.value));
    for (size_t i = 0; good && i < values.size(); ++i) {
      good = assign(values[i], list ? (*list)[i] : n, path).empty();
    }
    if (!good) return kText ? "must be a list of strings" : "must be a list of numbers";
    member = std::move(values);
    return "";
  }
  template <class T, class M>
  static bool take_as(M& member, const TomlNode& n) {
    const T* v = std::get_if<T>(&n.value);
    if (v) member = static_cast<M>(*v);
    return v != nullptr;
  }

  Tree& tree_;
  LoadedConfig& loaded_;
  std::vector<std::string>& errors_;
  std::vector<Frame> stack_;
  std::map<std::string, const TomlNode*> nodes_;
  Doubts doubts_;
};

}  // namespace

std::string origin_text(const Tree& tree, const TomlNode& node) {
  if (!node.stated.empty()) return node.stated;
  const std::string& name = tree.layers[node.layer].name;
  return node.line > 0 ? name + ":" + std::to_string(node.line) : name;
}

LoadedConfig read_tree(Tree& tree, Config& out, std::vector<std::string>& errors) {
  LoadedConfig loaded;
  Reader(tree, loaded, errors).read_all(out);
  return loaded;
}

}  // namespace keel
