// Damaged and random text must end in a config or a ConfigError, never in anything else.
#include <gtest/gtest.h>

#include <random>

#include "config/example.h"
#include "config/print.h"

namespace keel {
namespace {

using namespace example;

std::string good_text() {
  RunConfig c;
  c.model.norm.select("layer");
  c.data.tags = {"caf\xc3\xa9", "b"};
  c.data.sources.resize(2);
  return to_toml(c) + "[set]\n\"model.dim\" = 64\n";
}

void feed(const std::string& text, const std::vector<std::string>& sets) {
  RunConfig c;
  try {
    load_config_text("run.toml", text, sets, c);
    const std::string resolved = to_toml(c);
    RunConfig back;
    load_resolved("config.toml", resolved, {}, back);
    EXPECT_EQ(to_toml(back), resolved);
  } catch (const ConfigError& e) {
    EXPECT_STRNE(e.what(), "");
  }
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}
  size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }
  char character() {
    constexpr std::string_view kLikely = "=.[]{}\"'#,\n\\-0e\xc3 ";
    return below(2) ? kLikely[below(kLikely.size())] : static_cast<char>(below(256));
  }
  std::string random(size_t most) {
    std::string s(below(most), '\0');
    for (char& c : s) c = character();
    return s;
  }
  std::string mutate(std::string s) {
    for (size_t n = 1 + below(4); n > 0; --n) {
      const size_t at = below(s.size()), length = below(12);
      const size_t choice = below(4);
      if (choice == 0) s.insert(at, 1, character());
      if (choice == 1 && !s.empty()) s[at] = character();
      if (choice == 2) s.erase(at, length);
      if (choice == 3) s.insert(at, s.substr(below(s.size()), length));
    }
    return s;
  }

 private:
  std::mt19937 random_;
};

TEST(Fuzz, MutationsOfAGoodFile) {
  const std::string good = good_text();
  feed(good, {});
  Mutator m(1);
  for (int i = 0; i < 3000; ++i) feed(m.mutate(good), {});
}

TEST(Fuzz, RandomBytes) {
  Mutator m(2);
  for (int i = 0; i < 3000; ++i) feed(m.random(200), {});
}

TEST(Fuzz, RandomSets) {
  Mutator m(3);
  const std::vector<std::string> keys{
      "model.norm.kind=", "data.tags=", "data.sources=", "optim=", "model.dim=", ""};
  for (int i = 0; i < 3000; ++i) {
    feed("", {keys[m.below(keys.size())] + m.random(40), m.mutate("model.norm={kind=\"layer\"}")});
  }
}

}  // namespace
}  // namespace keel
