#include "config/read.h"

#include <algorithm>
#include <filesystem>

#include "config/registry.h"
#include "config/text.h"
#include "config/walk.h"
#include "core/error.h"

namespace keel {
namespace {

// One table of the file while the struct that owns it is walked.
struct Frame {
  Node* node;  // null if the file has no such table
  std::string prefix;
  std::vector<std::string> known = {};  // keys that the struct has named so far
  bool wrong = false;                   // a value in here could not be taken
  const Choice* choice = nullptr;       // the variant whose keys lie here
  const Node* kind = nullptr;           // what the file says about its kind
  std::string default_kind = {};
  bool unknown_kind = false;
};

class Reader final : public Fields {
 public:
  Reader(Tree& tree, LoadedConfig& loaded, std::vector<std::string>& errors)
      : tree_(tree), loaded_(loaded), errors_(errors) {}

  // Returns false if a value in the section could not be taken.
  bool read(Config& config, Node* node, const std::string& prefix) {
    stack_.push_back({node, prefix});
    config.fields(*this);
    report_unknown();
    if (!stack_.back().wrong) validate(config);
    const bool wrong = stack_.back().wrong;
    stack_.pop_back();
    if (wrong && !stack_.empty()) stack_.back().wrong = true;
    return !wrong;
  }

 private:
  class Sink final : public Errors {
   public:
    explicit Sink(Reader& r) : reader_(r) {}
    void add(std::string_view key, const std::string& text) override {
      const std::string full = join_key(reader_.stack_.back().prefix, key);
      const auto it = reader_.nodes_.find(full);
      if (it != reader_.nodes_.end()) return reader_.fail_at(*it->second, full, text);
      reader_.errors_.push_back(reader_.file_name() + full + ": " + text);
    }

   private:
    Reader& reader_;
  };

  void validate(const Config& config) {
    Sink sink(*this);
    config.validate(sink);
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
  void fail_at(const Node& n, const std::string& key, const std::string& text) {
    errors_.push_back(place(n.layer, n.line, n.column) + key + ": " + text);
  }
  void wrong(const Node& n, const std::string& key, const std::string& text) {
    fail_at(n, key, text);
    stack_.back().wrong = true;
  }

  // The node of a key of the current table, or null; notes the key as known.
  Node* take(std::string_view key) {
    Frame& f = stack_.back();
    f.known.emplace_back(key);
    if (!f.node) return nullptr;
    const auto it = f.node->table()->find(std::string(key));
    return it == f.node->table()->end() ? nullptr : &it->second;
  }

  void note_origin(const std::string& key, const Node* n) {
    loaded_.origins[key] = n ? origin_text(tree_, *n) : "default";
    if (n) nodes_[key] = n;
  }

  void leaf(const Field& field, Leaf value) override {
    Node* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    note_origin(key, n);
    if (!n) return;
    std::string error =
        std::visit([&](auto* member) { return assign(*member, *n, field.path); }, value);
    if (error.empty()) error = range_error(field.range, value);
    if (!error.empty()) wrong(*n, key, error);
  }

  void section(const Field& field, Config& value) override {
    Node* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    if (n && !n->table()) {
      wrong(*n, key, "must be a table");
      n = nullptr;
    }
    if (n) nodes_[key] = n;
    read(value, n, key);
  }

  void choice(const Field& field, Choice& value) override {
    Node* n = take(field.key);
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
    value.options().fields(*this);
    if (!stack_.back().wrong) validate(value.options());
  }

  bool select(Choice& value, const Node& n, const std::string& key) {
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
  static bool all_default(const Node& n) {
    const auto* table = std::get_if<Node::Table>(&n.value);
    if (!table) return n.stated == "default";
    return std::all_of(table->begin(), table->end(),
                       [](const auto& entry) { return all_default(entry.second); });
  }

  void tables(const Field& field, Tables& value) override {
    Node* n = take(field.key);
    const std::string key = join_key(stack_.back().prefix, field.key);
    if (n) nodes_[key] = n;
    Node::List* list = n ? std::get_if<Node::List>(&n->value) : nullptr;
    const bool good = list && std::all_of(list->begin(), list->end(),
                                          [](Node& item) { return item.table() != nullptr; });
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
  static bool of_old_kind(const Frame& f, const std::string& key, const Node& n) {
    if (!f.kind || n.layer >= f.kind->layer) return false;
    const std::string old = kind_at(f, n.layer);
    return old != f.choice->kind() && has_option(*f.choice, old, key);
  }

  bool dropped(const Frame& f, const std::string& key, const Node& n) {
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
    std::vector<std::pair<const std::string*, const Node*>> unknown;
    for (const auto& [key, n] : *f.node->table()) {
      if (std::find(f.known.begin(), f.known.end(), key) != f.known.end()) continue;
      if (!dropped(f, key, n)) unknown.emplace_back(&key, &n);
    }
    std::stable_sort(unknown.begin(), unknown.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->layer, a.second->key_line) <
             std::pair(b.second->layer, b.second->key_line);
    });
    for (const auto& [key, n] : unknown) {
      errors_.push_back(place(n->layer, n->key_line, n->key_column) + join_key(f.prefix, *key) +
                        ": unknown key" + suggestion(*key, f.known));
    }
  }

  std::string resolve(const std::string& path, const Node& n) const {
    if (path.empty()) return path;
    return (std::filesystem::path(tree_.layers[n.layer].folder) / path).lexically_normal();
  }

  // Each assign() returns what is wrong with the node's type, or "".
  static std::string assign(int64_t& member, const Node& n, bool) {
    return take_as<int64_t>(member, n) ? "" : "must be an integer";
  }
  static std::string assign(bool& member, const Node& n, bool) {
    return take_as<bool>(member, n) ? "" : "must be true or false";
  }
  static std::string assign(double& member, const Node& n, bool) {
    return take_as<double>(member, n) || take_as<int64_t>(member, n) ? "" : "must be a number";
  }
  std::string assign(std::string& member, const Node& n, bool path) const {
    if (!take_as<std::string>(member, n)) return "must be a string";
    if (path) member = resolve(member, n);
    return "";
  }
  template <class T>
  std::string assign(std::vector<T>& member, const Node& n, bool path) const {
    constexpr bool kText = std::is_same_v<T, std::string>;
    const auto* list = std::get_if<Node::List>(&n.value);
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
  static bool take_as(M& member, const Node& n) {
    const T* v = std::get_if<T>(&n.value);
    if (v) member = static_cast<M>(*v);
    return v != nullptr;
  }

  Tree& tree_;
  LoadedConfig& loaded_;
  std::vector<std::string>& errors_;
  std::vector<Frame> stack_;
  std::map<std::string, const Node*> nodes_;
};

}  // namespace

std::string origin_text(const Tree& tree, const Node& node) {
  if (!node.stated.empty()) return node.stated;
  const std::string& name = tree.layers[node.layer].name;
  return node.line > 0 ? name + ":" + std::to_string(node.line) : name;
}

LoadedConfig read_tree(Tree& tree, Config& out, std::vector<std::string>& errors) {
  LoadedConfig loaded;
  Reader(tree, loaded, errors).read(out, &tree.root, "");
  return loaded;
}

}  // namespace keel
