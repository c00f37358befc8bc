#include "config/rules.h"

#include <utility>

#include "config/registry.h"
#include "config/text.h"
#include "config/walk.h"

namespace keel {
namespace {

class Rules final : public Fields, public Errors {
 public:
  explicit Rules(const Doubts& doubts) : doubts_(doubts) {}
  std::vector<BrokenRule> broken;

  void ask(const Config& config) {
    walk(config, *this);
    config.validate(*this);
  }
  void add(std::string_view key, const std::string& text,
           const std::vector<std::string>& others) override {
    std::string full = join_key(prefix_, key);
    bool doubtful = doubts_.cover(full);
    for (const std::string& other : others) {
      const std::string k = join_key(prefix_, other);
      doubtful |= doubts_.cover(k) || doubts_.any_within(k);
    }
    if (!doubtful) broken.push_back({std::move(full), text});
  }

 private:
  void leaf(const Field&, Leaf) override {}
  void section(const Field& field, Config& v) override { ask_within(std::string(field.key), v); }
  void choice(const Field&, Choice& v) override { ask(v.options()); }
  void tables(const Field& field, Tables& v) override {
    for (size_t i = 0; i < v.size(); ++i) {
      ask_within(std::string(field.key) + "[" + std::to_string(i) + "]", v.at(i));
    }
  }
  void ask_within(const std::string& key, const Config& v) {
    const std::string outer = std::exchange(prefix_, join_key(prefix_, key));
    ask(v);
    prefix_ = outer;
  }

  const Doubts& doubts_;
  std::string prefix_;
};

}  // namespace

std::vector<BrokenRule> broken_rules(const Config& config, const Doubts& doubts) {
  Rules rules(doubts);
  rules.ask(config);
  return std::move(rules.broken);
}

}  // namespace keel
