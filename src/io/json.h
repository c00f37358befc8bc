// A small JSON value: what --json prints, manifests hold and reports embed. Objects keep the order
// of insertion. Parsing is meant for untrusted text: size, depth and duplicate keys are checked.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace keel {

struct JsonMember;

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;

  Json();  // null
  Json(std::nullptr_t);
  Json(bool v);
  template <std::signed_integral T>
  Json(T v) : Json(of_signed(v)) {}
  template <std::unsigned_integral T>
  Json(T v) : Json(of_unsigned(v)) {}
  Json(double v);
  Json(const char* v);
  Json(std::string_view v);
  Json(std::string v);
  Json(Array v);
  Json(Object v);
  // In the .cc, so that the many files that pass a Json along do not each compile copies of it.
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();

  static Json array();
  static Json object();
  // Any range of things a Json can be made of.
  template <class Range>
  static Json array_of(const Range& range);

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_integer() const { return v_.index() == 2 || v_.index() == 3; }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(v_); }
  bool is_string() const { return std::holds_alternative<std::string>(v_); }
  bool is_array() const { return std::holds_alternative<Array>(v_); }
  bool is_object() const { return std::holds_alternative<Object>(v_); }

  // Each throws DataError ("expected a string, found an array") when the value is of another kind;
  // as_int and as_uint also when the number does not fit.
  bool as_bool() const;
  int64_t as_int() const;
  uint64_t as_uint() const;
  double as_double() const;  // any number
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  // Objects. set replaces the member of that name or appends it, and returns *this for chaining;
  // a null value becomes an object first. find gives nullptr when absent. at throws DataError
  // naming the key.
  Json& set(std::string_view key, Json value);
  // As set for a key that is known to be new.
  Json& append(std::string key, Json value);
  const Json* find(std::string_view key) const;
  const Json& at(std::string_view key) const;
  // Arrays. A null value becomes an array first.
  Json& push(Json value);

  // One line, no spaces. Doubles in the shortest form that reads back equal, always as a double
  // (2.0, not 2); what is not finite becomes null. Bytes that are not UTF-8 become U+FFFD.
  std::string dump() const;

  bool operator==(const Json&) const;

 private:
  static Json of_signed(int64_t v);
  static Json of_unsigned(uint64_t v);

  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> v_;
};

struct JsonMember {
  std::string key;
  Json value;
  bool operator==(const JsonMember&) const = default;
};

template <class Range>
Json Json::array_of(const Range& range) {
  Array a;
  for (const auto& v : range) a.emplace_back(v);
  return a;
}

constexpr size_t kJsonMaxDepth = 64;
constexpr size_t kJsonMaxBytes = size_t{256} << 20;

// Strict JSON text. Throws DataError naming `name` and the byte: syntax, bytes that are not UTF-8,
// depth above kJsonMaxDepth, a key twice in one object, a number out of range, text above
// max_bytes. Integers that fit int64 or uint64 stay integers; those of int64 are stored as such.
Json parse_json(std::string_view text, const std::string& name, size_t max_bytes = kJsonMaxBytes);

}  // namespace keel
