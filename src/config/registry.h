// From a config string to an implementation. A family of variants (norms, optimizers, ...) is a
// function that returns one explicit table; a new variant is a new file pair and one line in it:
//
//   const Registry<Norm, const NormArgs&>& norms() {
//     using R = Registry<Norm, const NormArgs&>;
//     static const R r{"norm", {R::entry<LayerNorm>("layer", "mean and variance, gain and bias"),
//                               R::entry<RmsNorm>("rms", "root mean square, gain only")}};
//     return r;
//   }
//
// A config struct holds `Variant<Norm, const NormArgs&> norm{norms(), "rms"};`, its fields() says
// `f("norm", norm, "...")`, and whoever builds says `norms().make(cfg.norm, args)`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fields.h"

namespace keel {

// The part of a registry that does not know what it builds.
class RegistryBase {
 public:
  struct Row {
    std::string name;
    std::string doc;
    std::unique_ptr<Config> (*defaults)();
    std::unique_ptr<Config> (*copy)(const Config&);  // argument: an options struct of this row
    size_t bytes;                                    // sizeof that struct
  };

  const std::string& family() const { return family_; }
  const std::vector<Row>& rows() const { return rows_; }  // in the order of the table
  std::vector<std::string> names() const;
  bool known(std::string_view name) const;
  const std::string& doc(std::string_view name) const;
  std::unique_ptr<Config> defaults(std::string_view name) const;
  // Position in the table; an unknown name is a ConfigError:
  //   unknown norm "rmz", did you mean "rms"? (known: layer rms)
  size_t index(std::string_view name) const;

 protected:
  RegistryBase(std::string family, std::vector<Row> rows)
      : family_(std::move(family)), rows_(std::move(rows)) {}

 private:
  std::string family_;
  std::vector<Row> rows_;
};

// Whether a choice may also be "none", which builds nothing (a null pointer).
enum class None { kRefused, kAllowed };

// A chosen entry of a registry and its options, as a copyable value (copies are deep).
class Choice {
 public:
  // `kind` must be known to the registry, or "none" where that is allowed; else ConfigError.
  Choice(const RegistryBase& registry, std::string_view kind, None none = None::kRefused);
  Choice(const Choice& other);
  Choice& operator=(const Choice& other);
  Choice(Choice&&) = default;
  Choice& operator=(Choice&&) = default;

  const RegistryBase& registry() const { return *registry_; }
  const std::string& kind() const { return kind_; }
  bool is_none() const { return none_ == None::kAllowed && kind_ == "none"; }
  // All names that select() takes, "none" first where it is allowed.
  std::vector<std::string> kinds() const;
  // Default options of a kind; ConfigError if it is unknown.
  std::unique_ptr<Config> defaults(std::string_view kind) const;
  // Takes another kind with its default options; ConfigError if it is unknown, *this unchanged.
  void select(std::string_view kind);
  Config& options() { return *options_; }
  const Config& options() const { return *options_; }
  // The options as their own type, C = SomeVariant::Config; std::bad_cast for another kind.
  template <class C>
  C& options_as() {
    return dynamic_cast<C&>(*options_);
  }
  template <class C>
  const C& options_as() const {
    return dynamic_cast<const C&>(*options_);
  }

 private:
  const RegistryBase* registry_;
  std::string kind_;
  None none_;
  std::unique_ptr<Config> options_;
};

template <class Base, class... Args>
class Registry;

// A Choice that can only come from a registry of this family. Base may be incomplete here.
template <class Base, class... Args>
class Variant final : public Choice {
 public:
  Variant(const Registry<Base, Args...>& registry, std::string_view kind,
          None none = None::kRefused)
      : Choice(registry, kind, none) {}
};

template <class Base, class... Args>
class Registry final : public RegistryBase {
 public:
  using Build = std::unique_ptr<Base> (*)(const Config&, Args...);
  struct Entry {
    Row row;
    Build build;
  };

  // T needs exactly: T::Config (a keel::Config) and the constructor T(const T::Config&, Args...).
  template <class T>
  static Entry entry(std::string name, std::string doc) {
    using C = typename T::Config;
    return {{std::move(name), std::move(doc),
             []() -> std::unique_ptr<Config> { return std::make_unique<C>(); },
             [](const Config& c) -> std::unique_ptr<Config> {
               return std::make_unique<C>(static_cast<const C&>(c));
             },
             sizeof(C)},
            [](const Config& c, Args... args) -> std::unique_ptr<Base> {
              return std::make_unique<T>(static_cast<const C&>(c), std::forward<Args>(args)...);
            }};
  }

  Registry(std::string family, std::vector<Entry> entries)
      : RegistryBase(std::move(family), rows_of(entries)) {
    for (const Entry& e : entries) builds_.push_back(e.build);
  }

  // The chosen variant, built; null for "none".
  std::unique_ptr<Base> make(const Variant<Base, Args...>& choice, Args... args) const {
    if (choice.is_none()) return nullptr;
    return builds_[index(choice.kind())](choice.options(), std::forward<Args>(args)...);
  }
  // The named variant with its default options; ConfigError if the name is unknown.
  std::unique_ptr<Base> make(std::string_view name, Args... args) const {
    const size_t i = index(name);
    return builds_[i](*rows()[i].defaults(), std::forward<Args>(args)...);
  }

 private:
  static std::vector<Row> rows_of(const std::vector<Entry>& entries) {
    std::vector<Row> rows;
    rows.reserve(entries.size());
    for (const Entry& e : entries) rows.push_back(e.row);
    return rows;
  }
  std::vector<Build> builds_;
};

}  // namespace keel
