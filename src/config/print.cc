#include "config/print.h"

#include <map>

#include "config/text.h"
#include "config/walk.h"

namespace keel {
namespace {

// Keys of a table come before its subtables, as TOML wants it.
class Printer final : public KeyWalk {
 public:
  explicit Printer(const Origins* origins) : origins_(origins) {}
  std::string text() const {
    return lines_.empty() && !tables_.empty() ? tables_.substr(1) : lines_ + tables_;
  }

 private:
  void value(const std::string& key, const Leaf& v) override { line(key, leaf_text(v)); }
  void empty_list(const std::string& key) override { line(key, "[]"); }

  void line(const std::string& key, const std::string& text) {
    lines_ += key.substr(key.rfind('.') + 1) + " = " + text;
    if (origins_) {
      const auto it = origins_->find(key);
      lines_ += "  # " + (it == origins_->end() ? "default" : it->second);
    }
    lines_ += '\n';
  }

  void section(const Field& field, Config& v) override {
    const std::string outer = prefix_;
    const std::string name = join_key(header_, field.key);
    prefix_ = join_key(outer, field.key);
    table(name, "[" + name + "]", v);
    prefix_ = outer;
  }

  void tables(const Field& field, Tables& v) override {
    const std::string outer = prefix_;
    const std::string key = join_key(outer, field.key);
    const std::string name = join_key(header_, field.key);
    if (v.size() == 0) empty_list(key);
    for (size_t i = 0; i < v.size(); ++i) {
      prefix_ = key + "[" + std::to_string(i) + "]";
      table(name, "[[" + name + "]]", v.at(i));
    }
    prefix_ = outer;
  }

  void table(const std::string& name, const std::string& header, Config& v) {
    std::string outer_lines, outer_tables, outer_header = name;
    lines_.swap(outer_lines);
    tables_.swap(outer_tables);
    header_.swap(outer_header);
    v.fields(*this);
    if (!lines_.empty() || header.starts_with("[[")) outer_tables += "\n" + header + "\n";
    tables_ = outer_tables + lines_ + tables_;
    lines_.swap(outer_lines);
    header_.swap(outer_header);
  }

  const Origins* origins_;
  std::string header_;  // of the current table: prefix_ without list indices
  std::string lines_, tables_;
};

class Flattener final : public KeyWalk {
 public:
  std::vector<KeyValue> keys;

 private:
  void value(const std::string& key, const Leaf& v) override {
    keys.push_back({key, leaf_text(v)});
  }
  void empty_list(const std::string& key) override { keys.push_back({key, "[]"}); }
};

}  // namespace

std::string to_toml(const Config& config, const Origins* origins) {
  Printer printer(origins);
  walk(config, printer);
  return printer.text();
}

std::string origins_json(const Origins& origins) {
  std::string s = "{";
  for (const auto& [key, origin] : origins) {
    s += (s.size() == 1 ? "\n  " : ",\n  ") + quote_text(key) + ": " + quote_text(origin);
  }
  return s + "\n}\n";
}

std::vector<KeyValue> flatten(const Config& config) {
  Flattener flattener;
  walk(config, flattener);
  return flattener.keys;
}

std::vector<Difference> diff_configs(const Config& a, const Config& b) {
  const std::vector<KeyValue> of_a = flatten(a), of_b = flatten(b);
  std::map<std::string, std::string> rest;
  for (const KeyValue& kv : of_b) rest.emplace(kv.key, kv.value);
  std::vector<Difference> differences;
  for (const KeyValue& kv : of_a) {
    const auto it = rest.find(kv.key);
    const std::string other = it == rest.end() ? "" : it->second;
    if (it != rest.end()) rest.erase(it);
    if (kv.value != other) differences.push_back({kv.key, kv.value, other});
  }
  for (const KeyValue& kv : of_b) {
    if (rest.count(kv.key)) differences.push_back({kv.key, "", kv.value});
  }
  return differences;
}

uint64_t config_hash(const Config& config) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const KeyValue& kv : flatten(config)) {
    for (const char c : kv.key + " = " + kv.value + "\n") {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  return hash;
}

}  // namespace keel
