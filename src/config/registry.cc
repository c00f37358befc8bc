#include "config/registry.h"

#include "config/text.h"
#include "core/error.h"

namespace keel {
namespace {

[[noreturn]] void throw_unknown(const std::string& family, std::string_view name,
                                const std::vector<std::string>& known) {
  std::string text = "unknown " + family + " " + quote_text(name) + suggestion(name, known);
  text += " (known:";
  for (const std::string& k : known) text += " " + k;
  throw ConfigError(text + ")");
}

}  // namespace

std::vector<std::string> RegistryBase::names() const {
  std::vector<std::string> names;
  for (const Row& r : rows_) names.push_back(r.name);
  return names;
}

bool RegistryBase::known(std::string_view name) const {
  for (const Row& r : rows_) {
    if (r.name == name) return true;
  }
  return false;
}

size_t RegistryBase::index(std::string_view name) const {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].name == name) return i;
  }
  throw_unknown(family_, name, names());
}

const std::string& RegistryBase::doc(std::string_view name) const { return rows_[index(name)].doc; }

std::unique_ptr<Config> RegistryBase::defaults(std::string_view name) const {
  return rows_[index(name)].defaults();
}

Choice::Choice(const RegistryBase& registry, std::string_view kind, None none)
    : registry_(&registry), none_(none) {
  select(kind);
}

Choice::Choice(const Choice& other)
    : registry_(other.registry_), kind_(other.kind_), none_(other.none_) {
  if (other.is_none()) {
    options_ = std::make_unique<NoOptions>();
  } else {
    options_ = registry_->rows()[registry_->index(kind_)].copy(*other.options_);
  }
}

Choice& Choice::operator=(const Choice& other) {
  *this = Choice(other);
  return *this;
}

std::vector<std::string> Choice::kinds() const {
  std::vector<std::string> names = registry_->names();
  if (none_ == None::kAllowed) names.insert(names.begin(), "none");
  return names;
}

std::unique_ptr<Config> Choice::defaults(std::string_view kind) const {
  if (none_ == None::kAllowed && kind == "none") return std::make_unique<NoOptions>();
  if (!registry_->known(kind)) throw_unknown(registry_->family(), kind, kinds());
  return registry_->defaults(kind);
}

void Choice::select(std::string_view kind) {
  options_ = defaults(kind);
  kind_ = kind;
}

}  // namespace keel
