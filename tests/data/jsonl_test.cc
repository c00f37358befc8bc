// JSON lines, plain and compressed, and the token cache that they go through.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "data/byte_tokenizer.h"
#include "data/inspect.h"
#include "data/jsonl_reader.h"
#include "data/text_reader.h"
#include "data_files.h"
#include "io/error_text.h"
#include "zstd_bytes.h"

namespace keel {
namespace {

class Jsonl : public testing::Test {
 protected:
  Jsonl() { setenv("KEEL_CACHE", (dir / "cache").c_str(), 1); }
  ~Jsonl() override { unsetenv("KEEL_CACHE"); }

  std::string documents(const std::string& path) {
    std::string all;
    const MappedFile file(path);
    read_jsonl(path, file.text(), [&](std::string_view d) { all += std::string(d) + "$"; });
    return all;
  }
  std::string first_window(const std::string& path, int64_t context) {
    DataConfig config = files_config("jsonl", {path});
    file_options(config).split = 0;
    Batch b;
    Dataset::open(config, args_of(context))->train_batch(0, 1, b);
    return text_of(window_of(b, 0));
  }
  std::vector<std::string> cached() { return real_fs().list(dir / "cache"); }

  TempDir dir;
};

TEST_F(Jsonl, EachLineIsADocument) {
  const std::string path =
      write_to(dir, "a.jsonl",
               "{\"text\":\"one\"}\n \r\n{\"id\": 4, \"text\": \"t\\nwo\"}\r\n{\"text\":\"\"}");
  EXPECT_EQ(documents(path), "one$t\nwo$$");
  EXPECT_EQ(first_window(path, 9), "one$t\nwo$$");
}

TEST_F(Jsonl, LongLinesAndManyPieces) {
  std::string text, wanted;
  for (int i = 0; i < 40; ++i) {
    const std::string document = numbered_text(100000 + i);
    text += "{\"text\":\"" + document + "\"}\n";
    wanted += document + "$";
  }
  EXPECT_EQ(documents(write_to(dir, "a.jsonl", text)), wanted);
}

TEST_F(Jsonl, Compressed) {
  const std::string path = write_to(dir, "a.jsonl.zst", kTwoDocumentsZst);
  EXPECT_EQ(documents(path),
            "first$s\xc3\xa9"
            "cond$");
  std::string wanted;
  for (int i = 0; i < 50; ++i) wanted += "abcdefghij";
  std::string all;
  for (int i = 0; i < 2000; ++i) all += wanted + "$";
  EXPECT_EQ(documents(write_to(dir, "big.jsonl.zst", kManyLinesZst)), all);
  const std::string both = std::string(kTwoDocumentsZst) + std::string(kManyLinesZst);
  EXPECT_EQ(documents(write_to(dir, "two_frames.jsonl.zst", both)),
            "first$s\xc3\xa9"
            "cond$" +
                all);
}

TEST_F(Jsonl, CacheIsMadeOnceAndFoundByContent) {
  const std::string path = write_to(dir, "a.jsonl", "{\"text\":\"hello\"}\n");
  EXPECT_EQ(first_window(path, 5), "hello$");
  ASSERT_EQ(cached().size(), 1u) << "one file, nothing temporary";
  const std::string file = dir / "cache/" + cached()[0];
  std::string tokens = real_fs().read_file(file, 1000);
  EXPECT_EQ(tokens.substr(0, 12), std::string("h\0e\0l\0l\0o\0\0\1", 12));
  tokens[0] = 'j';
  overwrite(file, tokens);
  EXPECT_EQ(first_window(write_to(dir, "copy.jsonl", "{\"text\":\"hello\"}\n"), 5), "jello$")
      << "the cached tokens of equal content are used";
  overwrite(path, "{\"text\":\"hallo\"}\n");
  EXPECT_EQ(first_window(path, 5), "hallo$");
  EXPECT_EQ(cached().size(), 2u);
}

TEST_F(Jsonl, DamagedCacheIsMadeAgain) {
  const std::string path = write_to(dir, "a.jsonl", "{\"text\":\"hello\"}\n");
  EXPECT_EQ(first_window(path, 5), "hello$");
  const std::string file = dir / "cache/" + cached()[0];
  const std::string whole = real_fs().read_file(file, 1000);
  for (const std::string& damaged : {whole.substr(2), whole.substr(0, 20), std::string()}) {
    overwrite(file, damaged);
    EXPECT_EQ(first_window(path, 5), "hello$");
    EXPECT_EQ(real_fs().read_file(file, 1000), whole);
  }
}

TEST_F(Jsonl, CacheFolder) {
  EXPECT_EQ(cache_folder(), dir / "cache");
  unsetenv("KEEL_CACHE");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(cache_folder(), "/x/evenkeel");
  unsetenv("XDG_CACHE_HOME");
  const std::string home = getenv("HOME") ? getenv("HOME") : "";
  setenv("HOME", "/h", 1);
  EXPECT_EQ(cache_folder(), "/h/.cache/evenkeel");
  unsetenv("HOME");
  EXPECT_EQ(error_text<IoError>([] { cache_folder(); }),
            "there is no folder for the token cache: set KEEL_CACHE, or HOME");
  if (!home.empty()) setenv("HOME", home.c_str(), 1);
}

TEST_F(Jsonl, CacheThatCannotBeWritten) {
  const std::string path = write_to(dir, "a.jsonl", "{\"text\":\"hello\"}\n");
  setenv("KEEL_CACHE", (path + "/cache").c_str(), 1);
  const std::string text = error_text<IoError>([&] { first_window(path, 5); });
  EXPECT_TRUE(text.starts_with(path +
                               ": its tokens cannot be kept (set KEEL_CACHE to a folder "
                               "that can be written): " +
                               path))
      << text;
}

TEST_F(Jsonl, Errors) {
  const auto text = [&](const std::string& name, std::string_view bytes) {
    const std::string path = write_to(dir, name, bytes);
    const std::string error = error_text<DataError>([&] { first_window(path, 5); });
    EXPECT_TRUE(!real_fs().exists(dir / "cache") || cached().empty()) << "half a cache file";
    return error.starts_with(path) ? error.substr(path.size()) : error;
  };
  EXPECT_EQ(text("a.jsonl", ""), ": empty file, no document in it");
  const std::string line = "{\"text\":\"long enough to be used\"}\n";
  EXPECT_TRUE(text("b.jsonl", line + "{\"text\": hello}\n").starts_with(":2: byte "));
  const std::string wanted = ": needs an object with the document as a string, {\"text\": \"...\"}";
  EXPECT_EQ(text("c.jsonl", line + line + "\n{\"txt\":\"a\"}\n"), ":4" + wanted);
  EXPECT_EQ(text("d.jsonl", "{\"text\":17}"), ":1" + wanted);
  EXPECT_EQ(text("e.jsonl", "[\"text\"]"), ":1" + wanted);
  const std::string_view whole = kManyLinesZst;
  EXPECT_EQ(text("f.jsonl.zst", whole.substr(0, 100)),
            ": cut off: its 100 bytes end within compressed data");
  EXPECT_EQ(text("g.jsonl.zst", line), ": not sound zstd data: Unknown frame descriptor");
  std::string flipped(kTwoDocumentsZst);
  flipped[20] = 'x';
  EXPECT_EQ(text("h.jsonl.zst", flipped),
            ": not sound zstd data: Restored data doesn't match checksum");
}

TEST_F(Jsonl, TextInOtherTokensGoesThroughTheCache) {
  DataConfig config =
      files_config("text", {write_to(dir, "a.txt", "5 17 3"), write_to(dir, "b.txt", "8 8")});
  config.reader.options_as<TextReader::Config>().tokenizer.select("ids");
  file_options(config).split = 0;
  Batch b;
  for (int i = 0; i < 2; ++i) {
    const auto data = Dataset::open(config, args_of(4));
    data->train_batch(0, 1, b);
    EXPECT_EQ(window_of(b, 0), (std::vector<int32_t>{5, 17, 3, 8, 8}));
    EXPECT_EQ(data->vocab(), 18);
    EXPECT_EQ(data->train_place(0).unit, "token");
    EXPECT_EQ(cached().size(), 1u);
  }
  overwrite(dir / "b.txt", "8 x");
  EXPECT_EQ(error_text<DataError>([&] { Dataset::open(config, args_of(4)); }),
            "text \"x\" at byte 2: this model's tokens are numbers from 0 to 2147483647, separated "
            "by spaces");
  EXPECT_EQ(cached().size(), 1u) << "half a cache file";
}

TEST_F(Jsonl, Inspect) {
  const DataSummary s =
      inspect(write_to(dir, "a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n"));
  EXPECT_EQ(s.kind, "jsonl");
  EXPECT_EQ(s.documents, 2);
  EXPECT_EQ(s.tokens, 8);
  EXPECT_EQ(s.first_text, "onetwo");
}

TEST_F(Jsonl, EvaluationOfAFile) {
  const ByteTokenizer bytes{NoOptions()};
  const auto data = Dataset::open_eval(write_to(dir, "a.jsonl.zst", kTwoDocumentsZst), bytes,
                                       config_of("jsonl"), args_of(8));
  EXPECT_EQ(data->eval_tokens(), 13);
  EXPECT_EQ(data->eval_bytes(bytes), 11);
}

}  // namespace
}  // namespace keel
