// Generated languages: what they promise about themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "config/load.h"
#include "data/copy_task.h"
#include "data/grammar.h"
#include "data/markov.h"
#include "data/recall.h"
#include "data/shares.h"
#include "data_files.h"
#include "io/error_text.h"

namespace keel {
namespace {

// Mean over many windows of the surprisal under the language itself, against the floor.
void expect_floor(const Language& language, int64_t length, int windows) {
  double sum = 0, squares = 0;
  std::vector<int32_t> tokens(static_cast<size_t>(length) + 1);
  std::vector<double> nats(static_cast<size_t>(length));
  for (int w = 0; w < windows; ++w) {
    Draws draws(11, "test", static_cast<uint64_t>(w));
    language.generate(draws, tokens);
    language.surprisal(tokens, nats);
    const double mean =
        std::accumulate(nats.begin(), nats.end(), 0.0) / static_cast<double>(length);
    sum += mean;
    squares += mean * mean;
  }
  const double mean = sum / windows;
  const double error = std::sqrt((squares / windows - mean * mean) / (windows - 1));
  EXPECT_NEAR(mean, *language.entropy_floor(length), 3 * error) << "length " << length;
  EXPECT_LT(error, 0.01);
}

Markov::Config markov(int64_t order, int64_t symbols, int64_t successors, int64_t classes,
                      int64_t seed = 1) {
  Markov::Config c;
  c.order = order;
  c.symbols = symbols;
  c.successors = successors;
  c.classes = classes;
  c.seed = seed;
  return c;
}

TEST(Markov, DefaultIsAsLargeAsItSays) {
  const Markov::Config c;
  EXPECT_GE(c.order, 2);
  EXPECT_GE(c.symbols, 64);
  EXPECT_LE(c.successors, 8);
}

TEST(Markov, RowsSumToOneWithDistinctSuccessors) {
  for (const auto& config : {Markov::Config{}, markov(3, 7, 2, 3), markov(1, 5, 1, 5)}) {
    const Markov m(config);
    std::set<const void*> rows;
    for (int64_t c = 0; c < m.contexts(); ++c) {
      uint64_t sum = 0;
      std::set<int32_t> symbols;
      for (const auto& s : m.row(c)) {
        sum += s.share;
        EXPECT_GT(s.share, 0u);
        symbols.insert(s.symbol);
        EXPECT_LT(s.symbol, config.symbols);
      }
      EXPECT_EQ(sum, kOne);
      EXPECT_EQ(static_cast<int64_t>(symbols.size()), config.successors);
      rows.insert(m.row(c).data());
    }
    const double wanted = std::pow(config.classes, config.order - 1) * config.symbols;
    EXPECT_EQ(static_cast<double>(rows.size()), wanted);
  }
}

// One step of the chain, written as plain sums, leaves the distribution where it is.
TEST(Markov, StationaryDistributionIsStationary) {
  for (const auto& config : {markov(2, 16, 4, 16), markov(3, 6, 2, 2), markov(2, 8, 1, 8)}) {
    const Markov m(config);
    const std::vector<double>& p = m.stationary();
    EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-12);
    std::vector<double> next(p.size());
    for (int64_t c = 0; c < m.contexts(); ++c) {
      for (const auto& s : m.row(c)) {
        const auto to = static_cast<size_t>(c * config.symbols % m.contexts() + s.symbol);
        next[to] += p[static_cast<size_t>(c)] * static_cast<double>(s.share) / 0x1p32;
      }
    }
    for (size_t c = 0; c < p.size(); ++c) EXPECT_NEAR(next[c], p[c], 1e-10);
  }
}

TEST(Markov, FloorIsTheMeanSurprisal) {
  const Markov plain{Markov::Config{}};
  expect_floor(plain, 1, 20000);
  expect_floor(plain, 2, 20000);
  expect_floor(plain, 64, 2000);
  const Markov third{markov(3, 16, 5, 16)};
  for (const int64_t length : {1, 2, 3, 40}) expect_floor(third, length, 20000);
  expect_floor(Markov{markov(1, 64, 8, 64)}, 32, 2000);
}

// By enumeration of all strings of a tiny chain.
TEST(Markov, FloorByEnumeration) {
  const Markov m{markov(2, 3, 2, 3, 5)};
  std::vector<double> nats(4);
  double total = 0, expected = 0;
  for (int code = 0; code < 243; ++code) {
    std::vector<int32_t> s;
    for (int c = code; s.size() < 5; c /= 3) s.push_back(c % 3);
    double first = 0;
    for (int32_t last = 0; last < 3; ++last) {
      first += m.stationary()[static_cast<size_t>(s[0] * 3 + last)];
    }
    m.surprisal(s, nats);
    const double sum = std::accumulate(nats.begin(), nats.end(), 0.0);
    if (!std::isfinite(sum)) continue;
    total += first * std::exp(-sum);
    expected += first * std::exp(-sum) * sum;
  }
  EXPECT_NEAR(total, 1.0, 1e-9);
  EXPECT_NEAR(*m.entropy_floor(4), expected / 4, 1e-9);
}

TEST(Markov, SeedMakesAnotherLanguage) {
  const Markov a{markov(2, 64, 8, 8, 1)}, b{markov(2, 64, 8, 8, 2)};
  int same = 0;
  for (int64_t c = 0; c < 64; ++c) same += a.row(c)[0].symbol == b.row(c)[0].symbol;
  EXPECT_LT(same, 10);
}

TEST(Markov, RefusesWhatCannotBe) {
  EXPECT_EQ(error_text<ConfigError>([] { check_config(markov(3, 128, 8, 8)); }),
            "order: symbols to the power of order is above 262144 contexts");
  EXPECT_EQ(error_text<ConfigError>([] { check_config(markov(1, 4, 5, 2)); }),
            "successors: is more than there are symbols");
  EXPECT_EQ(error_text<ConfigError>([] { check_config(markov(1, 4, 2, 5)); }),
            "classes: is more than there are symbols");
}

// All strings of at most `length` tokens with the number of their derivations from a sentence.
std::map<std::vector<int32_t>, int> derivations(const Grammar& g, size_t length) {
  std::map<std::vector<int32_t>, int> found;
  std::vector<int32_t> made;
  const std::function<void(std::vector<int32_t>)> expand = [&](std::vector<int32_t> due) {
    if (due.empty()) {
      ++found[made];
      return;
    }
    if (made.size() + due.size() > length) return;
    const int32_t symbol = due.back();
    due.pop_back();
    if (symbol >= 0) {
      made.push_back(symbol);
      expand(due);
      made.pop_back();
      return;
    }
    for (const auto& p : g.productions()[static_cast<size_t>(-1 - symbol)]) {
      std::vector<int32_t> next = due;
      next.insert(next.end(), p.body.rbegin(), p.body.rend());
      expand(next);
    }
  };
  expand({-1});
  return found;
}

Grammar::Config grammar(int64_t symbols, int64_t nonterminals, int64_t productions,
                        int64_t seed = 1) {
  Grammar::Config c;
  c.symbols = symbols;
  c.nonterminals = nonterminals;
  c.productions = productions;
  c.seed = seed;
  return c;
}

TEST(Grammar, NoStringHasTwoDerivations) {
  for (int64_t seed = 1; seed <= 8; ++seed) {
    const Grammar g(grammar(5, 3, 3, seed));
    const auto found = derivations(g, 12);
    EXPECT_GT(found.size(), 3u);
    for (const auto& [text, count] : found) EXPECT_EQ(count, 1);
  }
}

// Why that holds for all strings: the next terminal decides the production.
TEST(Grammar, TheNextTokenTellsTheProduction) {
  for (const auto& config : {Grammar::Config{}, grammar(5, 3, 3), grammar(64, 64, 64, 3)}) {
    const Grammar g(config);
    for (const auto& productions : g.productions()) {
      std::set<int32_t> first;
      uint64_t sum = 0;
      double offspring = 0;
      for (const auto& p : productions) {
        EXPECT_GE(p.body[0], 0);
        EXPECT_TRUE(first.insert(p.body[0]).second);
        sum += p.share;
        for (const int32_t s : p.body)
          offspring += s < 0 ? static_cast<double>(p.share) / 0x1p32 : 0;
      }
      EXPECT_EQ(sum, kOne);
      EXPECT_LT(offspring, 0.81) << "sentences would not end";
    }
  }
}

TEST(Grammar, WindowsAreSentences) {
  const Grammar g(grammar(5, 3, 3));
  const auto strings = derivations(g, 14);
  std::vector<int32_t> tokens(200), sentence;
  int checked = 0;
  for (uint64_t w = 0; w < 20; ++w) {
    Draws draws(1, "test", w);
    g.generate(draws, tokens);
    sentence.clear();
    for (const int32_t t : tokens) {
      if (t != g.end()) {
        sentence.push_back(t);
        continue;
      }
      if (sentence.size() <= 14) {
        EXPECT_EQ(strings.count(sentence), 1u);
        ++checked;
      }
      sentence.clear();
    }
  }
  EXPECT_GT(checked, 100);
}

TEST(Grammar, FloorIsTheMeanSurprisal) {
  const Grammar plain{Grammar::Config{}};
  for (const int64_t length : {1, 2, 17, 256}) expect_floor(plain, length, 6000);
  const Grammar small(grammar(5, 3, 3, 4));
  for (const int64_t length : {3, 100}) expect_floor(small, length, 6000);
}

TEST(Grammar, WhatItCannotSayIsInfinitelySurprising) {
  const Grammar g(grammar(5, 3, 3));
  std::vector<int32_t> tokens(20);
  std::vector<double> nats(19);
  Draws draws(1, "test", 0);
  g.generate(draws, tokens);
  tokens[10] = 99;
  g.surprisal(tokens, nats);
  EXPECT_TRUE(std::isfinite(nats[8]));
  EXPECT_EQ(nats[9], std::numeric_limits<double>::infinity());
}

TEST(CopyTask, SecondHalfRepeatsTheFirst) {
  const CopyTask task{CopyTask::Config{}};
  for (const size_t length : {8u, 9u}) {
    std::vector<int32_t> tokens(length + 1);
    std::vector<float> weights(length);
    std::vector<double> nats(length);
    Draws draws(1, "test", 0);
    task.generate(draws, tokens);
    task.weigh(weights);
    task.surprisal(tokens, nats);
    EXPECT_EQ(tokens[4], 64);
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(tokens[i], tokens[5 + i]);
    for (size_t t = 0; t < length; ++t) {
      EXPECT_EQ(weights[t], t >= 4 && t < 8 ? 1.0f : 0.0f);
      EXPECT_NEAR(nats[t], t < 3 ? std::log(64) : 0.0, 1e-12);
    }
    tokens[6] = (tokens[6] + 1) % 64;
    task.surprisal(tokens, nats);
    EXPECT_EQ(nats[5], std::numeric_limits<double>::infinity());
  }
}

TEST(Recall, AnswersFollowFromThePairs) {
  Recall::Config config;
  config.pairs = 3;
  const Recall task(config);
  std::vector<int32_t> tokens(14);
  std::vector<float> weights(13);
  std::vector<double> nats(13);
  for (uint64_t w = 0; w < 50; ++w) {
    Draws draws(1, "test", w);
    task.generate(draws, tokens);
    task.weigh(weights);
    task.surprisal(tokens, nats);
    std::map<int32_t, int32_t> pairs;
    for (size_t i = 0; i < 6; i += 2) EXPECT_TRUE(pairs.emplace(tokens[i], tokens[i + 1]).second);
    for (size_t i = 6; i < 14; i += 2) EXPECT_EQ(pairs.at(tokens[i]), tokens[i + 1]);
    for (size_t t = 0; t < 13; ++t) {
      EXPECT_EQ(weights[t], t == 6 || t == 8 || t == 10 || t == 12 ? 1.0f : 0.0f);
      EXPECT_TRUE(std::isfinite(nats[t])) << t;
      if (weights[t] == 1.0f) {
        EXPECT_EQ(nats[t], 0.0);
      }
    }
  }
  tokens[9] = 64 + (tokens[9] - 64 + 1) % 64;
  task.surprisal(tokens, nats);
  EXPECT_EQ(nats[8], std::numeric_limits<double>::infinity());
}

// What all generated kinds share: batches by number, seeds, validation, floor.
class GeneratedKinds : public testing::TestWithParam<const char*> {};

TEST_P(GeneratedKinds, BatchesArePureFunctions) {
  const DataConfig config = config_of(GetParam());
  const auto a = Dataset::open(config, args_of(48, 300, 1));
  const auto b = Dataset::open(config, args_of(48, 300, 1));
  const auto c = Dataset::open(config, args_of(48, 300, 2));
  Batch all, part, other;
  a->train_batch(0, 40, all);
  b->train_batch(37, 3, part);
  for (int64_t r = 0; r < 3; ++r) EXPECT_EQ(window_of(all, 37 + r), window_of(part, r));
  c->train_batch(37, 3, other);
  EXPECT_NE(part.inputs, other.inputs);
  a->eval_batch(0, 3, part);
  c->eval_batch(0, 3, other);
  EXPECT_TRUE(same(part, other)) << "validation must not depend on seed.data";
  EXPECT_NE(window_of(part, 0), window_of(all, 0));
  for (const int32_t t : all.inputs) EXPECT_LT(t, a->vocab());
  EXPECT_EQ(a->train_tokens(), 0);
  EXPECT_TRUE(a->starts_lane(5));
  EXPECT_EQ(a->source_names(), std::vector<std::string>{GetParam()});
  EXPECT_EQ(a->train_place(7).offset, 7);
  EXPECT_EQ(a->train_place(7).unit, "window");
  EXPECT_EQ(a->eval_place(7).offset, 7);
  EXPECT_EQ(a->eval_bytes(a->tokenizer()), 0);
}

TEST_P(GeneratedKinds, CountsItsTargetsAndKnowsItsFloor) {
  const auto data = Dataset::open(config_of(GetParam()), args_of(48, 300));
  EXPECT_EQ(data->eval_windows(), (65536 + 47) / 48);
  Batch b;
  data->eval_batch(0, 2, b);
  const float counted = std::accumulate(b.weights.begin(), b.weights.end(), 0.0f);
  EXPECT_EQ(data->eval_tokens(), static_cast<int64_t>(counted) / 2 * data->eval_windows());
  ASSERT_TRUE(data->entropy_floor().has_value());
  EXPECT_GE(*data->entropy_floor(), 0.0);
  EXPECT_LE(*data->entropy_floor(), std::log(300));
}

TEST_P(GeneratedKinds, FingerprintsTellOptionsApart) {
  DataConfig config = config_of(GetParam());
  const std::string a = Dataset::open(config, args_of(48, 300))->fingerprint();
  EXPECT_EQ(a, Dataset::open(config, args_of(48, 300, 5))->fingerprint());
  config.reader.options_as<LanguageOptions>().seed = 2;
  EXPECT_NE(a, Dataset::open(config, args_of(48, 300))->fingerprint());
}

INSTANTIATE_TEST_SUITE_P(All, GeneratedKinds,
                         testing::Values("markov", "grammar", "recall", "copy", "random"),
                         [](const auto& p) { return std::string(p.param); });

TEST(RandomTokens, FloorIsTheLogarithm) {
  const auto data = Dataset::open(config_of("random"), args_of(16, 1000));
  EXPECT_EQ(data->vocab(), 1000);
  EXPECT_NEAR(*data->entropy_floor(), std::log(1000), 1e-12);
  Batch b;
  data->train_batch(0, 1000, b);
  std::vector<int> count(1000);
  for (const int32_t t : b.inputs) ++count[static_cast<size_t>(t)];
  for (const int c : count) EXPECT_NEAR(c, 16, 30);
}

}  // namespace
}  // namespace keel
