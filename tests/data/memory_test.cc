// Text of any size costs no memory of the process's own, and batches may be made on any thread.
#include <gtest/gtest.h>
#include <stdio.h>

#include <thread>

#include "data_files.h"

namespace keel {
namespace {

// Resident memory that belongs to no file, in KiB.
int64_t anonymous_kib() {
  long kib = -1;
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  while (status != nullptr && fgets(line, sizeof line, status) != nullptr) {
    if (sscanf(line, "RssAnon: %ld kB", &kib) == 1) break;
  }
  if (status != nullptr) fclose(status);
  return kib;
}

constexpr int64_t kMegabyte = 1 << 20;

// A text file of that size, written without holding it.
std::string large_text(const TempDir& dir, int64_t megabytes) {
  const std::string path = dir / (std::to_string(megabytes) + ".txt");
  const std::string piece = numbered_text(kMegabyte);
  const auto file = real_fs().create(path);
  for (int64_t i = 0; i < megabytes; ++i) file->write(piece);
  file->close();
  return path;
}

TEST(Memory, DoesNotGrowWithTheText) {
  if (anonymous_kib() < 0) GTEST_SKIP() << "no RssAnon in /proc/self/status";
  const TempDir dir;
  constexpr int64_t kText = 96, kContext = 1024;
  const std::string path = large_text(dir, kText);
  Batch b;
  Dataset::open(files_config("text", {large_text(dir, 1)}), args_of(kContext))
      ->train_batch(0, 8, b);
  const int64_t before = anonymous_kib();
  const auto data = Dataset::open(files_config("text", {path}), args_of(kContext));
  for (int64_t n = 0; n < data->train_tokens() / kContext; n += 8) data->train_batch(n, 8, b);
  for (int64_t w = 0; w < data->eval_windows(); w += 8) data->eval_batch(w, 8, b);
  EXPECT_LT(anonymous_kib() - before, 4096);
}

class Kinds : public testing::TestWithParam<const char*> {};

TEST_P(Kinds, ManyThreadsMakeTheSameBatches) {
  const TempDir dir;
  DataConfig config = config_of(GetParam());
  if (config.reader.kind() == "text") {
    file_options(config).path = {write_to(dir, "a.txt", numbered_text(20000))};
  }
  const auto data = Dataset::open(config, args_of(64, 300));
  Batch wanted;
  data->train_batch(0, 64, wanted);
  std::vector<Batch> made(4);
  std::vector<std::thread> threads;
  for (Batch& b : made) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) data->train_batch(0, 64, b);
    });
  }
  for (std::thread& t : threads) t.join();
  for (const Batch& b : made) EXPECT_TRUE(same(b, wanted));
}

INSTANTIATE_TEST_SUITE_P(All, Kinds,
                         testing::Values("text", "markov", "grammar", "recall", "copy", "random"),
                         [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace keel
