#include "io/json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "io/utf8.h"

namespace keel {
namespace {

const char* kKinds[] = {"null",     "a boolean", "an integer", "an integer",
                        "a number", "a string",  "an array",   "an object"};

template <class Variant>
[[noreturn]] void wrong_kind(const char* wanted, const Variant& v) {
  throw DataError(fmt::format("expected {}, found {}", wanted, kKinds[v.index()]));
}

void dump_string(std::string_view s, std::string& out) {
  out += '"';
  for (size_t i = 0; i < s.size();) {
    const char c = s[i];
    const size_t n = utf8_length(s.substr(i));
    if (n == 0) {
      out += kReplacement;
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += s.substr(i, n);
    }
    i += n == 0 ? 1 : n;
  }
  out += '"';
}

void dump_double(double v, std::string& out) {
  if (!std::isfinite(v)) {
    out += "null";
    return;
  }
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, v).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void dump_value(const Json& v, std::string& out) {
  if (v.is_null()) {
    out += "null";
  } else if (v.is_bool()) {
    out += v.as_bool() ? "true" : "false";
  } else if (v.is_integer()) {
    const bool negative = v.as_double() < 0;
    out += negative ? fmt::format("{}", v.as_int()) : fmt::format("{}", v.as_uint());
  } else if (v.is_number()) {
    dump_double(v.as_double(), out);
  } else if (v.is_string()) {
    dump_string(v.as_string(), out);
  } else if (v.is_array()) {
    const char* between = "[";
    for (const Json& item : v.as_array()) {
      out += between;
      dump_value(item, out);
      between = ",";
    }
    out += v.as_array().empty() ? "[]" : "]";
  } else {
    const char* between = "{";
    for (const auto& [key, value] : v.as_object()) {
      out += between;
      dump_string(key, out);
      out += ':';
      dump_value(value, out);
      between = ",";
    }
    out += v.as_object().empty() ? "{}" : "}";
  }
}

// Feeds the parser and knows how far it has read.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** furthest;
  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *furthest = ++at;
    return *this;
  }
  bool operator==(const CountingIterator& o) const { return at == o.at; }
  bool operator!=(const CountingIterator& o) const { return at != o.at; }
};

// Builds the tree from the parser's events; an event that breaks a rule of ours sets `error` and
// stops the parser.
class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  bool null() { return add(Json()); }
  bool boolean(bool v) { return add(v); }
  bool number_integer(number_integer_t v) { return add(v); }
  bool number_unsigned(number_unsigned_t v) { return add(v); }
  bool number_float(number_float_t v, const string_t&) { return add(v); }
  bool string(string_t& v) { return add(std::move(v)); }
  bool binary(binary_t&) { return false; }
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& k) {
    if (!open_.back().keys.insert(k).second) {
      error = fmt::format("key \"{}\" appears twice", k);
      return false;
    }
    open_.back().key = std::move(k);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) {
    const std::string_view text = e.what();
    const size_t reason = text.find("- ");  // after the library's own name and position
    error = reason == std::string_view::npos ? text.substr(text.find("] ") + 2)
                                             : text.substr(reason + 2);
    error_byte = position;
    return false;
  }

  Json root;
  std::string error;
  size_t error_byte = 0;  // 0: not known

 private:
  struct Level {
    Json value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  bool add(Json v) {
    if (open_.empty()) {
      root = std::move(v);
    } else if (Level& level = open_.back(); level.value.is_array()) {
      level.value.push(std::move(v));
    } else {
      level.value.append(std::move(level.key), std::move(v));
    }
    return true;
  }
  bool open(Json v) {
    if (open_.size() == kJsonMaxDepth) {
      error = fmt::format("nested deeper than {}", kJsonMaxDepth);
      return false;
    }
    open_.push_back({std::move(v), {}, {}});
    return true;
  }
  bool close() {
    Json v = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(v));
  }

  std::vector<Level> open_;
};

}  // namespace

Json::Json() = default;
Json::Json(std::nullptr_t) {}
Json::Json(bool v) : v_(v) {}
Json::Json(double v) : v_(v) {}
Json::Json(const char* v) : v_(std::string(v)) {}
Json::Json(std::string_view v) : v_(std::string(v)) {}
Json::Json(std::string v) : v_(std::move(v)) {}
Json::Json(Array v) : v_(std::move(v)) {}
Json::Json(Object v) : v_(std::move(v)) {}
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::of_signed(int64_t v) {
  Json j;
  j.v_ = v;
  return j;
}

Json Json::of_unsigned(uint64_t v) {
  Json j;
  if (std::in_range<int64_t>(v)) {
    j.v_ = static_cast<int64_t>(v);
  } else {
    j.v_ = v;
  }
  return j;
}

Json Json::array() { return Array(); }

Json Json::object() { return Object(); }

bool Json::as_bool() const {
  if (const auto* v = std::get_if<bool>(&v_)) return *v;
  wrong_kind("a boolean", v_);
}

int64_t Json::as_int() const {
  if (const auto* v = std::get_if<int64_t>(&v_)) return *v;
  const auto* v = std::get_if<uint64_t>(&v_);
  if (v == nullptr) wrong_kind("an integer", v_);
  if (*v > static_cast<uint64_t>(INT64_MAX)) throw DataError(fmt::format("{} is too large", *v));
  return static_cast<int64_t>(*v);
}

uint64_t Json::as_uint() const {
  if (const auto* v = std::get_if<uint64_t>(&v_)) return *v;
  const auto* v = std::get_if<int64_t>(&v_);
  if (v == nullptr) wrong_kind("an integer", v_);
  if (*v < 0) throw DataError(fmt::format("{} is negative", *v));
  return static_cast<uint64_t>(*v);
}

double Json::as_double() const {
  if (const auto* v = std::get_if<double>(&v_)) return *v;
  if (const auto* v = std::get_if<int64_t>(&v_)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<uint64_t>(&v_)) return static_cast<double>(*v);
  wrong_kind("a number", v_);
}

const std::string& Json::as_string() const {
  if (const auto* v = std::get_if<std::string>(&v_)) return *v;
  wrong_kind("a string", v_);
}

const Json::Array& Json::as_array() const {
  if (const auto* v = std::get_if<Array>(&v_)) return *v;
  wrong_kind("an array", v_);
}

const Json::Object& Json::as_object() const {
  if (const auto* v = std::get_if<Object>(&v_)) return *v;
  wrong_kind("an object", v_);
}

Json& Json::append(std::string key, Json value) {
  if (is_null()) v_ = Object();
  as_object();
  std::get<Object>(v_).push_back({std::move(key), std::move(value)});
  return *this;
}

Json& Json::set(std::string_view key, Json value) {
  if (const Json* there = is_object() ? find(key) : nullptr) {
    const_cast<Json&>(*there) = std::move(value);
    return *this;
  }
  return append(std::string(key), std::move(value));
}

const Json* Json::find(std::string_view key) const {
  for (const JsonMember& m : as_object()) {
    if (m.key == key) return &m.value;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  const Json* v = find(key);
  if (v == nullptr) throw DataError(fmt::format("key \"{}\" is missing", key));
  return *v;
}

Json& Json::push(Json value) {
  if (is_null()) v_ = Array();
  as_array();
  std::get<Array>(v_).push_back(std::move(value));
  return *this;
}

std::string Json::dump() const {
  std::string out;
  dump_value(*this, out);
  return out;
}

bool Json::operator==(const Json& other) const { return v_ == other.v_; }

Json parse_json(std::string_view text, const std::string& name, size_t max_bytes) {
  if (text.size() > max_bytes) {
    throw DataError(fmt::format("{}: {} bytes of JSON, the largest that is read is {}", name,
                                text.size(), max_bytes));
  }
  const char* furthest = text.data();
  Builder builder;
  const CountingIterator first{text.data(), &furthest};
  const CountingIterator last{text.data() + text.size(), &furthest};
  if (!nlohmann::json::sax_parse(first, last, &builder)) {
    const size_t byte =
        builder.error_byte != 0 ? builder.error_byte : static_cast<size_t>(furthest - text.data());
    throw DataError(fmt::format("{}: byte {}: {}", name, byte, builder.error));
  }
  return std::move(builder.root);
}

}  // namespace keel
