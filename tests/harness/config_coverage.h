// Finds members of config structs that fields() does not name: the addresses that the walk visits
// must leave no hole of 8 bytes or more in the struct. Looks into nested sections, into every kind
// of every variant and into the elements of lists. (A lone bool can hide in padding.)
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/registry.h"

namespace keel::harness {

class CoverageWalk final : public Fields {
 public:
  // Lines such as "model.norm: bytes 16 to 24 are not walked".
  std::vector<std::string> holes;

  // `bytes` is the size of the complete object.
  void check(const std::string& name, Config& config, size_t bytes) {
    std::vector<Range> outer{{address(&config), sizeof(void*)}};  // its virtual table pointer
    outer.swap(ranges_);
    const std::string outer_name = std::exchange(name_, name);
    config.fields(*this);
    std::sort(ranges_.begin(), ranges_.end());
    uintptr_t covered = address(&config);
    const uintptr_t begin = covered, end = begin + bytes;
    ranges_.push_back({end, 0});
    for (const auto& [at, size] : ranges_) {
      if (at < begin || at > end) continue;
      if (at >= covered + 8) report(covered - begin, at - begin);
      covered = std::max(covered, at + size);
    }
    name_ = outer_name;
    ranges_.swap(outer);
  }

 private:
  using Range = std::pair<uintptr_t, size_t>;
  static uintptr_t address(const void* p) { return reinterpret_cast<uintptr_t>(p); }
  static std::string under(const std::string& name, std::string_view key) {
    return name + "." + std::string(key);
  }
  void report(size_t from, size_t to) {
    holes.push_back(name_ + ": bytes " + std::to_string(from) + " to " + std::to_string(to) +
                    " are not walked");
  }

  void leaf(const Field&, Leaf value) override {
    std::visit([&](auto* v) { ranges_.push_back({address(v), sizeof *v}); }, value);
  }
  // The size of a section is not known here: its members join those of the struct around it.
  void section(const Field& field, Config& value) override {
    const std::string outer = std::exchange(name_, under(name_, field.key));
    ranges_.push_back({address(&value), sizeof(void*)});
    value.fields(*this);
    name_ = outer;
  }
  void choice(const Field&, Choice& value) override {
    ranges_.push_back({address(&value), sizeof value});
    for (const RegistryBase::Row& row : value.registry().rows()) {
      check(name_ + " of kind " + row.name, *row.defaults(), row.bytes);
    }
  }
  void tables(const Field& field, Tables& value) override {
    const auto [at, bytes] = value.memory();
    ranges_.push_back({address(at), bytes});
    check(under(name_, field.key) + "[i]", *value.element(), value.element_bytes());
  }

  std::vector<Range> ranges_;
  std::string name_;
};

// What C's walk leaves out, as lines.
template <class C>
std::vector<std::string> config_holes(const std::string& name) {
  C config;
  CoverageWalk walk;
  walk.check(name, config, sizeof(C));
  return walk.holes;
}

// Fails with a line for each hole.
template <class C>
void expect_all_walked(const std::string& name) {
  for (const std::string& hole : config_holes<C>(name)) ADD_FAILURE() << hole;
}

}  // namespace keel::harness
