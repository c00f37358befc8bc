#include "lab/sweep/packed.h"

#include <bit>
#include <cstring>

#include "core/error.h"

namespace keel {
namespace {

static_assert(std::endian::native == std::endian::little, "the bytes are those of such machines");

class Packer {
 public:
  std::string bytes;

  void add(int64_t v) { add_raw(&v, sizeof v); }
  void add(double v) { add_raw(&v, sizeof v); }
  void add(const std::string& text) {
    add(static_cast<int64_t>(text.size()));
    bytes += text;
  }
  template <class T>
  void add(const std::vector<T>& values) {
    add(static_cast<int64_t>(values.size()));
    add_raw(values.data(), values.size() * sizeof(T));
  }

 private:
  void add_raw(const void* from, size_t size) {
    bytes.append(static_cast<const char*>(from), size);
  }
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

  int64_t integer() { return take<int64_t>(); }
  double number() { return take<double>(); }
  std::string text() { return std::string(raw(count(1))); }
  template <class T>
  std::vector<T> list() {
    std::vector<T> values(count(sizeof(T)));
    const std::string_view from = raw(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), from.data(), from.size());
    return values;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  [[noreturn]] static void damaged() { throw DataError("its result is damaged"); }
  std::string_view raw(size_t size) {
    if (size > bytes_.size()) damaged();
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  template <class T>
  T take() {
    T v;
    std::memcpy(&v, raw(sizeof v).data(), sizeof v);
    return v;
  }
  size_t count(size_t each) {
    const int64_t n = integer();
    if (n < 0 || static_cast<size_t>(n) > bytes_.size() / each) damaged();
    return static_cast<size_t>(n);
  }

  std::string_view bytes_;
};

}  // namespace

std::string pack(const std::vector<double>& values) {
  Packer p;
  p.add(values);
  return p.bytes;
}

std::string pack(const std::map<std::string, double>& numbers) {
  Packer p;
  for (const auto& [name, value] : numbers) {
    p.add(name);
    p.add(value);
  }
  return p.bytes;
}

std::string pack(const std::map<std::string, TrialSeries>& series) {
  Packer p;
  for (const auto& [name, s] : series) {
    p.add(name);
    p.add(s.steps);
    p.add(s.values);
  }
  return p.bytes;
}

std::vector<double> unpack_doubles(std::string_view bytes) {
  return Unpacker(bytes).list<double>();
}

std::map<std::string, double> unpack_numbers(std::string_view bytes) {
  std::map<std::string, double> out;
  for (Unpacker u(bytes); !u.at_end();) {
    const std::string name = u.text();
    out[name] = u.number();
  }
  return out;
}

std::map<std::string, TrialSeries> unpack_series(std::string_view bytes) {
  std::map<std::string, TrialSeries> out;
  for (Unpacker u(bytes); !u.at_end();) {
    TrialSeries& s = out[u.text()];
    s.steps = u.list<int64_t>();
    s.values = u.list<double>();
  }
  return out;
}

}  // namespace keel
