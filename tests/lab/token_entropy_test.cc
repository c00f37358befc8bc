// Entropies of training data against counts made by hand.
#include "lab/token_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <utility>

#include "config/load.h"
#include "core/parallel.h"
#include "data/copy_task.h"
#include "data/id_files.h"
#include "data/markov.h"
#include "lab/verdict.h"

namespace keel {
namespace {

// A text that is all for training; the validation is another one.
DataConfig text_config(const TempDir& dir, std::vector<std::string> paths) {
  DataConfig config = files_config("text", std::move(paths));
  file_options(config).val_path = {write_to(dir, "val.txt", std::string(200, 'v'))};
  return config;
}

TokenEntropy of_config(const DataConfig& config, int64_t context) {
  return token_entropy(*Dataset::open(config, args_of(context)));
}

double entropy(std::vector<int64_t> counts) { return unigram_entropy(counts); }

// 12 characters and the end of the document: three windows of 4 targets, one for each token but the
// first. a is followed by a 4 times and by b 4 times, b by a 3 times and by the end once.
TEST(TokenEntropy, CountsTargetsAndPairsOnce) {
  const TempDir dir;
  const TokenEntropy e = of_config(text_config(dir, {write_to(dir, "a.txt", "aabaabaabaab")}), 4);
  EXPECT_EQ(e.tokens, 12);
  EXPECT_NEAR(e.unigram, entropy({7, 4, 1}), 1e-12);
  EXPECT_NEAR(e.bigram, 8.0 / 12 * entropy({4, 4}) + 4.0 / 12 * entropy({3, 1}), 1e-12);
}

// "aba$cdc$": a pair at the border is that of the end and what follows it.
TEST(TokenEntropy, DocumentsJoinAtTheirEnd) {
  const TempDir dir;
  DataConfig config =
      text_config(dir, {write_to(dir, "a.txt", "aba"), write_to(dir, "c.txt", "cdc")});
  for (const bool mask : {false, true}) {
    file_options(config).document_mask = mask;
    const TokenEntropy e = of_config(config, 7);
    EXPECT_EQ(e.tokens, 7);
    EXPECT_NEAR(e.unigram, entropy({1, 1, 2, 2, 1}), 1e-12);  // a b c $ d, the first a apart
    // a and c have two successors each, b, d and $ one.
    EXPECT_NEAR(e.bigram, 4.0 / 7 * std::log(2.0), 1e-12);
  }
}

// Two sources of one id each, three windows of the first to one of the second: what a pair joins
// lies within one of them.
TEST(TokenEntropy, SourcesHaveTheirSharesAndAreNotJoined) {
  const TempDir dir;
  DataConfig config = config_of("shards");
  FileOptions& files = file_options(config);
  for (const int32_t id : {3, 5}) {
    SourceConfig& source = files.sources.emplace_back();
    source.name = std::to_string(id);
    source.path = {
        write_to(dir, source.name + ".bin", as<uint16_t>(std::vector<int32_t>(size_t{4001}, id)))};
    source.weight = id == 3 ? 3 : 1;
  }
  files.val_path = {write_to(dir, "val.bin", as<uint16_t>(std::vector<int32_t>(size_t{4001}, 3)))};
  const TokenEntropy e = of_config(config, 10);
  EXPECT_EQ(e.tokens, 2 * 399 * 10);              // of 400 windows one is left for the offset
  EXPECT_NEAR(e.unigram, entropy({3, 1}), 2e-3);  // the first source has its share to within one
  EXPECT_EQ(e.bigram, 0.0);
}

// Only the answers of the task count; each is a uniform symbol whatever stands before it.
TEST(TokenEntropy, TargetsThatDoNotCountAreLeftOut) {
  CopyTask::Config options;
  options.symbols = 4;
  DataConfig config = config_of("copy");
  config.reader.options_as<CopyTask::Config>() = options;
  const TokenEntropy e = of_config(config, 20);
  EXPECT_NEAR(static_cast<double>(e.tokens), 0.5 * 0x1p21, 20.0);
  EXPECT_NEAR(e.unigram, std::log(4.0), 1e-4);
  EXPECT_NEAR(e.bigram, std::log(4.0), 1e-4);
}

// Of a chain of order 1 the entropy of pairs is that of the language.
TEST(TokenEntropy, EndlessDataIsSampled) {
  DataConfig config = config_of("markov");
  auto& options = config.reader.options_as<Markov::Config>();
  options.order = 1;
  options.symbols = 32;
  const auto data = Dataset::open(config, args_of(64));
  const TokenEntropy e = token_entropy(*data);
  EXPECT_EQ(e.tokens, int64_t{1} << 21);
  EXPECT_LT(e.bigram, e.unigram);
  // Of the floor of a long window: the first target of a window sees one symbol as well.
  EXPECT_NEAR(e.bigram, *data->entropy_floor(), 0.005);
}

// The same shares as those of a plain map of pairs, with more ids than a table has room for and
// more pairs than the first size of the hash.
TEST(TokenEntropy, ManyIds) {
  const TempDir dir;
  std::vector<int32_t> ids;
  uint64_t x = 1;
  for (int i = 0; i < 200'001; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    const auto wide = static_cast<int32_t>((x >> 40) % 300);
    ids.push_back(i % 3 == 0 ? 1500 + wide : wide);
  }
  DataConfig config = files_config("shards", {write_to(dir, "train.bin", as<uint16_t>(ids))});
  file_options(config).val_path = {write_to(dir, "val.bin", as<uint16_t>(ids))};
  std::map<std::pair<int32_t, int32_t>, int64_t> pairs;
  std::map<int32_t, int64_t> before, targets;
  for (size_t i = 1; i < ids.size(); ++i) {
    ++pairs[{ids[i - 1], ids[i]}];
    ++before[ids[i - 1]];
    ++targets[ids[i]];
  }
  const auto of_map = [](const auto& map) {
    std::vector<int64_t> counts;
    for (const auto& [key, count] : map) counts.push_back(count);
    return unigram_entropy(counts);
  };
  ASSERT_GT(pairs.size(), size_t{1} << 16);
  const TokenEntropy e = of_config(config, 20'000);
  EXPECT_EQ(e.tokens, 200'000);
  EXPECT_NEAR(e.unigram, of_map(targets), 1e-9);
  EXPECT_NEAR(e.bigram, of_map(pairs) - of_map(before), 1e-9);
}

TEST(TokenEntropy, ThreadsDoNotChangeIt) {
  const TempDir dir;
  const DataConfig config =
      text_config(dir, {write_to(dir, "numbers.txt", numbered_text(300'000))});
  std::vector<TokenEntropy> found;
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    found.push_back(of_config(config, 100));
  }
  set_num_threads(0);
  EXPECT_EQ(found[0].unigram, found[1].unigram);
  EXPECT_EQ(found[0].bigram, found[1].bigram);
  EXPECT_EQ(found[0].tokens, found[1].tokens);
}

}  // namespace
}  // namespace keel
