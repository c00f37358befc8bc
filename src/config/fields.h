// A config struct names its members once, in fields(); the reader, the printer, the JSON schema,
// the help text, the hash and the diff are all visitors of that one walk. Adding a key is a member
// with its default and one line in fields().
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace keel {

class Choice;
class Errors;
class Fields;
struct Presets;

// The root of every config struct. Derived structs are copyable values.
struct Config {
  Config() = default;
  Config(const Config&) = default;
  Config& operator=(const Config&) = default;
  virtual ~Config() = default;
  // Names every member, in the order in which they are printed.
  virtual void fields(Fields& f) = 0;
  // Rules between members. Called after the whole config is read; a member that has an error of its
  // own then holds its default, and what is added about it is dropped.
  virtual void validate(Errors&) const {}
  // Of the struct at the root: values of its top-level key that stand for others; or null.
  virtual const Presets* presets() const { return nullptr; }
};

// For a variant that has nothing to set: `using Config = NoOptions;`.
struct NoOptions final : Config {
  void fields(Fields&) override {}
};

// What validate() reports to. Keys are relative to the struct ("heads"; "" is the section itself).
class Errors {
 public:
  virtual ~Errors() = default;
  // A rule that is broken, reported at `key`. `others` are all further keys that it looks at; a
  // table stands for everything in it. If one of them or `key` has an error of its own, this one
  // may be a mere consequence and is dropped.
  virtual void add(std::string_view key, const std::string& text,
                   const std::vector<std::string>& others) = 0;
};

// What a value may be. For a list the bounds hold for each element; counts 0 mean any length.
struct Range {
  double min = 0, max = 0;
  bool has_min = false, has_max = false;    // is there a bound at all
  bool open_min = false, open_max = false;  // is the bound itself excluded
  size_t count = 0;                         // exact length of a list
  std::vector<std::string> values;          // the only strings allowed; empty: any

  Range below(double x) const;    // also less than x
  Range at_most(double x) const;  // also x or less
  Range of(size_t length) const;  // a list of exactly this length
  bool allows(double x) const;    // false for what is not finite
  // "at least 1", "above 0 and below 1", "one of \"a\", \"b\""; empty if anything goes.
  std::string text() const;
};
Range at_least(double x);
Range above(double x);
Range between(double low, double high);  // both included
Range below(double x);
Range one_of(std::vector<std::string> values);

// What a visitor is told about a key.
struct Field {
  std::string_view key;  // the last part of the dotted path
  std::string_view doc;
  Range range = {};
  bool path = false;  // names files: relative ones are resolved where the value was written
};

// The address of a member.
using Leaf = std::variant<int64_t*, bool*, double*, std::string*, std::vector<double>*,
                          std::vector<std::string>*>;

// A std::vector of config structs (an array of tables in TOML) without its element type.
class Tables {
 public:
  virtual ~Tables() = default;
  virtual size_t size() const = 0;
  virtual Config& at(size_t i) = 0;
  virtual Config& append() = 0;  // a default one at the end; earlier references become invalid
  virtual void clear() = 0;
  virtual std::unique_ptr<Config> element() const = 0;  // a default one outside the vector
  virtual size_t element_bytes() const = 0;
  virtual std::pair<const void*, size_t> memory() const = 0;  // where the vector itself lies, bytes
};

// The walk. fields() calls the operators; visitors override the four protected functions.
class Fields {
 public:
  virtual ~Fields() = default;

  void operator()(std::string_view key, int64_t& v, std::string_view doc, Range r = {}) {
    leaf({key, doc, std::move(r)}, &v);
  }
  void operator()(std::string_view key, bool& v, std::string_view doc) { leaf({key, doc}, &v); }
  void operator()(std::string_view key, double& v, std::string_view doc, Range r = {}) {
    leaf({key, doc, std::move(r)}, &v);
  }
  void operator()(std::string_view key, std::string& v, std::string_view doc, Range r = {}) {
    leaf({key, doc, std::move(r)}, &v);
  }
  void operator()(std::string_view key, std::vector<double>& v, std::string_view doc,
                  Range r = {}) {
    leaf({key, doc, std::move(r)}, &v);
  }
  // In TOML a single string is accepted as a list of one.
  void operator()(std::string_view key, std::vector<std::string>& v, std::string_view doc,
                  Range r = {}) {
    leaf({key, doc, std::move(r)}, &v);
  }
  // Files or folders: relative ones become absolute, from the folder of the config file that set
  // them, or from the working directory when --set did. An empty string stays empty.
  void path(std::string_view key, std::string& v, std::string_view doc) {
    leaf({key, doc, {}, true}, &v);
  }
  void path(std::string_view key, std::vector<std::string>& v, std::string_view doc) {
    leaf({key, doc, {}, true}, &v);
  }
  // A table of its own.
  void operator()(std::string_view key, Config& v, std::string_view doc) { section({key, doc}, v); }
  // A table whose `kind` names a registry entry and whose other keys belong to that entry.
  void operator()(std::string_view key, Choice& v, std::string_view doc);
  // The same inside the current table: `kind` and the entry's keys lie beside the struct's own.
  // At most one per struct.
  void kind(Choice& v, std::string_view doc) { choice({"kind", doc}, v); }
  // An array of tables. A higher layer replaces the whole list.
  template <std::derived_from<Config> T>
  void operator()(std::string_view key, std::vector<T>& v, std::string_view doc) {
    TablesOf<T> t(v);
    tables({key, doc}, t);
  }

 protected:
  virtual void leaf(const Field& field, Leaf value) = 0;
  virtual void section(const Field& field, Config& value) = 0;
  // `kind` and the keys of the chosen entry, at the current level.
  virtual void choice(const Field& field, Choice& value) = 0;
  virtual void tables(const Field& field, Tables& value) = 0;

 private:
  template <class T>
  class TablesOf final : public Tables {
   public:
    explicit TablesOf(std::vector<T>& v) : v_(v) {}
    size_t size() const override { return v_.size(); }
    Config& at(size_t i) override { return v_[i]; }
    Config& append() override { return v_.emplace_back(); }
    void clear() override { v_.clear(); }
    std::unique_ptr<Config> element() const override { return std::make_unique<T>(); }
    size_t element_bytes() const override { return sizeof(T); }
    std::pair<const void*, size_t> memory() const override { return {&v_, sizeof v_}; }

   private:
    std::vector<T>& v_;
  };
};

}  // namespace keel
