// Token shards and NumPy arrays.
#include "id_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>
#include <numeric>

#include "data/byte_tokenizer.h"
#include "data/inspect.h"
#include "data/npy_reader.h"
#include "data/shards_reader.h"
#include "data_files.h"

namespace keel {
namespace {

std::vector<int32_t> counting(int64_t n, int32_t vocab = 1000) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i) % vocab;
  return ids;
}

std::vector<int32_t> read_all(const TokenPiece& piece) {
  TokenStore store;
  store.append(piece);
  std::vector<int32_t> ids(static_cast<size_t>(store.tokens()));
  store.read(0, store.tokens(), ids.data());
  return ids;
}

TEST(Shards, AllThreeHeaders) {
  const TempDir dir;
  const auto ids = counting(777);
  EXPECT_EQ(read_all(map_shard(write_to(dir, "a.bin", as<uint16_t>(ids)))), ids);
  EXPECT_EQ(read_all(map_shard(write_to(dir, "b.bin", llmc(20240520, 1, 777) + as<uint16_t>(ids)))),
            ids);
  EXPECT_EQ(read_all(map_shard(write_to(dir, "c.bin", llmc(20240801, 7, 777) + as<uint32_t>(ids)))),
            ids);
}

TEST(Npy, AllTypesAndVersions) {
  const TempDir dir;
  const auto ids = counting(300, 200);
  const std::map<std::string, std::string> bodies = {{"|u1", as<uint8_t>(ids)},
                                                     {"<u2", as<uint16_t>(ids)},
                                                     {"<u4", as<uint32_t>(ids)},
                                                     {"<i4", as<int32_t>(ids)},
                                                     {"<i8", as<int64_t>(ids)}};
  int n = 0;
  for (const auto& [descr, body] : bodies) {
    for (const int version : {1, 2, 3}) {
      const std::string name = std::to_string(n++) + ".npy";
      EXPECT_EQ(read_all(map_npy(write_to(dir, name, npy(descr, "(300,)", body, version)))), ids);
    }
  }
}

// A header of any length leaves the elements unaligned.
TEST(Npy, UnalignedElements) {
  const TempDir dir;
  const auto ids = counting(50);
  EXPECT_EQ(read_all(map_npy(write_to(dir, "a.npy", npy("<i8", "(50,)", as<int64_t>(ids), 1, 3)))),
            ids);
}

TEST(Shards, SeveralFilesAreOneText) {
  const TempDir dir;
  const auto ids = counting(1000);
  real_fs().make_dir(dir / "s");
  write_to(dir, "s/x_000.bin", as<uint16_t>({ids.begin(), ids.begin() + 400}));
  write_to(dir, "s/x_001.bin",
           llmc(20240801, 7, 600) + as<uint32_t>({ids.begin() + 400, ids.end()}));
  DataConfig config = files_config("shards", {dir / "s"});
  const auto data = Dataset::open(config, args_of(16));
  EXPECT_EQ(data->vocab(), 1000);
  EXPECT_EQ(data->tokenizer().kind(), "ids");
  EXPECT_EQ(data->eval_tokens(), 49);
  Batch b;
  const int64_t windows = data->train_tokens() / 16;
  data->train_batch(0, windows, b);
  for (int64_t r = 0; r < windows; ++r) {
    const auto window = window_of(b, r);
    for (size_t i = 1; i < window.size(); ++i) EXPECT_EQ(window[i], window[i - 1] + 1);
  }
  Place late;
  for (int64_t r = 0; r < windows && late.file.empty(); ++r) {
    if (window_of(b, r)[0] >= 400) late = data->train_place(r);
    if (!late.file.empty()) {
      EXPECT_EQ(late.offset, window_of(b, r)[0] - 400);
    }
  }
  EXPECT_EQ(late.file, dir / "s/x_001.bin");
  EXPECT_EQ(late.unit, "token");
  data->eval_batch(0, 1, b);
  EXPECT_EQ(b.inputs[0], 950);
}

TEST(Shards, NamesTellTheValidationFiles) {
  const TempDir dir;
  real_fs().make_dir(dir / "s");
  write_to(dir, "s/train.bin", as<uint16_t>(std::vector<int32_t>(500, 1)));
  write_to(dir, "s/val.bin", as<uint16_t>(std::vector<int32_t>(40, 2)));
  write_to(dir, "s/more_valued_000.bin", as<uint16_t>(std::vector<int32_t>(500, 1)));
  const auto data = Dataset::open(files_config("shards", {dir / "s"}), args_of(16));
  EXPECT_EQ(data->eval_tokens(), 39);
  Batch b;
  data->eval_batch(0, 3, b);
  for (size_t i = 0; i < 39; ++i) EXPECT_EQ(b.targets[i], 2);
  const int64_t windows = data->train_tokens() / 16;
  EXPECT_GE(windows, 60);
  data->train_batch(0, windows, b);
  EXPECT_EQ(b.inputs, std::vector<int32_t>(b.inputs.size(), 1));
}

TEST(Shards, EndTokenSeparatesDocuments) {
  const TempDir dir;
  DataConfig config = files_config(
      "shards", {write_to(dir, "a.bin", as<uint16_t>({7, 9, 1, 2, 9, 3, 4, 5, 6, 1, 9}))});
  file_options(config).split = 0;
  file_options(config).document_mask = true;
  config.reader.options_as<ShardsReader::Config>().end_token = 9;
  Batch b;
  Dataset::open(config, args_of(10))->train_batch(0, 1, b);
  EXPECT_EQ(b.segments, (std::vector<int32_t>{0, 0, 2, 2, 2, 5, 5, 5, 5, 5}));
}

TEST(Shards, VocabularyMayBeLargerThanTheIds) {
  const TempDir dir;
  const std::string path = write_to(dir, "a.bin", as<uint16_t>(counting(500)));
  EXPECT_EQ(Dataset::open(files_config("shards", {path}), args_of(8, 50304))->vocab(), 50304);
  EXPECT_EQ(files_config("shards", {path}).vocab(), std::nullopt);
  EXPECT_EQ(files_config("text", {path}).vocab(), 257);
  EXPECT_EQ(config_of("markov").vocab(), 64);
  EXPECT_EQ(config_of("random").vocab(), std::nullopt);
}

TEST(Shards, EvaluationOfAFile) {
  const TempDir dir;
  const IdTokenizer ids{IdTokenizer::Config()};
  const auto data = Dataset::open_eval(write_to(dir, "a.bin", as<uint16_t>(counting(20))), ids,
                                       config_of("shards"), args_of(8, 1000));
  EXPECT_EQ(data->eval_tokens(), 19);
  EXPECT_EQ(data->eval_windows(), 3);
  const auto array =
      Dataset::open_eval(write_to(dir, "a.npy", npy("<u2", "(20,)", as<uint16_t>(counting(20)))),
                         ids, config_of("text"), args_of(8, 99));
  EXPECT_EQ(array->eval_tokens(), 19);
  EXPECT_EQ(array->eval_bytes(ids), 0) << "ids stand for no text";
  const ByteTokenizer bytes{NoOptions()};
  EXPECT_EQ(array->eval_bytes(bytes), 19);
}

// The run's end token ends the lines of a file of another kind as well.
TEST(Shards, EvaluationOfLinesKeepsDocumentsApart) {
  const TempDir dir;
  IdTokenizer::Config options;
  options.end = 9;
  const IdTokenizer ids{options};
  DataConfig run = config_of("shards");
  run.reader.options_as<IdOptions>().end_token = 9;
  file_options(run).document_mask = true;
  const auto data =
      Dataset::open_eval(write_to(dir, "a.jsonl", "{\"text\": \"1 2\"}\n{\"text\": \"3\"}\n"), ids,
                         run, args_of(4, 10));
  Batch b;
  data->eval_batch(0, 1, b);
  EXPECT_EQ(b.inputs, (std::vector<int32_t>{1, 2, 9, 3}));
  ASSERT_EQ(b.segments.size(), 4u);
  EXPECT_EQ(b.segments[1], b.segments[2]);
  EXPECT_NE(b.segments[2], b.segments[3]);
}

TEST(Inspect, Shard) {
  const TempDir dir;
  const DataSummary s = inspect(write_to(dir, "a.bin", as<uint16_t>({5, 5, 700, 5, 5, 700, 5, 5})));
  EXPECT_EQ(s.kind, "shards");
  EXPECT_EQ(s.files, 1);
  EXPECT_EQ(s.bytes, 16);
  EXPECT_EQ(s.tokens, 8);
  EXPECT_EQ(s.documents, std::nullopt);
  EXPECT_EQ(s.vocab, 701);
  EXPECT_EQ(s.max_id, 700);
  EXPECT_EQ(s.distinct, 2);
  EXPECT_NEAR(*s.entropy_nats, 0.5623351446, 1e-9);
  EXPECT_EQ(s.first, (std::vector<int32_t>{5, 5, 700, 5, 5, 700, 5, 5}));
  EXPECT_EQ(s.first_text, "5 5 700 5 5 700 5 5 ");
}

TEST(Inspect, HugeIdsAreNotCounted) {
  const TempDir dir;
  const DataSummary s =
      inspect(write_to(dir, "a.npy", npy("<u4", "(3,)", as<uint32_t>({1, 1 << 30, 2}))));
  EXPECT_EQ(s.kind, "npy");
  EXPECT_EQ(s.max_id, 1 << 30);
  EXPECT_EQ(s.distinct, std::nullopt);
  EXPECT_EQ(s.entropy_nats, std::nullopt);
}

TEST(Inspect, FolderOfText) {
  const TempDir dir;
  write_to(dir, "a.txt", "aab");
  write_to(dir, "b.txt", "ab");
  const DataSummary s = inspect(dir.path());
  EXPECT_EQ(s.kind, "text");
  EXPECT_EQ(s.files, 2);
  EXPECT_EQ(s.bytes, 5);
  EXPECT_EQ(s.tokens, 7);
  EXPECT_EQ(s.documents, 2);
  EXPECT_EQ(s.vocab, 257);
  EXPECT_EQ(s.max_id, 256);
  EXPECT_EQ(s.distinct, 3);
  EXPECT_EQ(s.first_text, "aabab");
}

TEST(Inspect, Shakespeare) {
  const char* shared = getenv("KEEL_SHARED_DATA");
  const std::string path = std::string(shared ? shared : "") + "/tinyshakespeare/input.txt";
  if (!real_fs().exists(path)) GTEST_SKIP() << "KEEL_SHARED_DATA has no tinyshakespeare";
  const DataSummary s = inspect(path);
  EXPECT_EQ(s.tokens, 1115394 + 1);
  EXPECT_EQ(s.distinct, 65 + 1);
  EXPECT_TRUE(s.first_text.starts_with("First Citizen:\nBefore we proceed"));
}

}  // namespace
}  // namespace keel
