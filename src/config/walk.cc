#include "config/walk.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "config/text.h"

namespace keel {
namespace {

std::string text_of(int64_t v) { return std::to_string(v); }
std::string text_of(bool v) { return v ? "true" : "false"; }
std::string text_of(double v) { return shortest(v); }
std::string text_of(const std::string& v) { return quote_text(v); }
template <class T>
std::string text_of(const std::vector<T>& v) {
  std::string s = "[";
  for (size_t i = 0; i < v.size(); ++i) s += (i == 0 ? "" : ", ") + text_of(v[i]);
  return s + "]";
}

std::string error_of(const Range&, bool) { return ""; }
std::string error_of(const Range& r, double v, const std::string& text) {
  if (r.allows(v)) return "";
  const bool infinite = std::isinf(v);
  return "must be " + (infinite || r.text().empty() ? "a finite number" : r.text()) + ", is " +
         text;
}
std::string error_of(const Range& r, double v) { return error_of(r, v, shortest(v)); }
std::string error_of(const Range& r, int64_t v) {
  return error_of(r, static_cast<double>(v), std::to_string(v));
}
std::string error_of(const Range& r, const std::string& v) {
  if (r.values.empty() || std::find(r.values.begin(), r.values.end(), v) != r.values.end()) {
    return "";
  }
  return "must be " + r.text() + ", is " + quote_text(v) + suggestion(v, r.values);
}
template <class T>
std::string error_of(const Range& r, const std::vector<T>& v) {
  for (size_t i = 0; i < v.size(); ++i) {
    const std::string error = error_of(r, v[i]);
    if (!error.empty()) return "value " + std::to_string(i + 1) + " " + error;
  }
  if (r.count == 0 || v.size() == r.count) return "";
  return "must have " + std::to_string(r.count) + " values, has " + std::to_string(v.size());
}

class Keys final : public Fields {
 public:
  std::vector<std::string> keys;

 private:
  void leaf(const Field& field, Leaf) override { keys.emplace_back(field.key); }
  void section(const Field& field, Config&) override { keys.emplace_back(field.key); }
  void choice(const Field& field, Choice& v) override {
    keys.emplace_back(field.key);
    v.options().fields(*this);
  }
  void tables(const Field& field, Tables&) override { keys.emplace_back(field.key); }
};

}  // namespace

std::string leaf_text(const Leaf& value) {
  return std::visit([](const auto* v) { return text_of(*v); }, value);
}

std::string range_error(const Range& range, const Leaf& value) {
  return std::visit([&](const auto* v) { return error_of(range, *v); }, value);
}

std::vector<std::string> keys_of(const Config& config) {
  Keys visitor;
  walk(config, visitor);
  return visitor.keys;
}

void walk(const Config& config, Fields& visitor) { const_cast<Config&>(config).fields(visitor); }

void KeyWalk::leaf(const Field& field, Leaf v) { value(join_key(prefix_, field.key), v); }

void KeyWalk::section(const Field& field, Config& v) {
  const std::string outer = prefix_;
  prefix_ = join_key(outer, field.key);
  v.fields(*this);
  prefix_ = outer;
}

void KeyWalk::choice(const Field& field, Choice& v) {
  std::string kind = v.kind();
  value(join_key(prefix_, field.key), &kind);
  v.options().fields(*this);
}

void KeyWalk::tables(const Field& field, Tables& v) {
  const std::string outer = prefix_;
  const std::string key = join_key(outer, field.key);
  if (v.size() == 0) empty_list(key);
  for (size_t i = 0; i < v.size(); ++i) {
    prefix_ = key + "[" + std::to_string(i) + "]";
    v.at(i).fields(*this);
  }
  prefix_ = outer;
}

}  // namespace keel
