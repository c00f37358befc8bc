// What a user reads when data is not as it should be.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "config/load.h"
#include "data/byte_tokenizer.h"
#include "data/inspect.h"
#include "data/shards_reader.h"
#include "data_files.h"
#include "id_files.h"
#include "io/error_text.h"

namespace keel {
namespace {

class DataErrors : public testing::Test {
 protected:
  TempDir dir;

  // The error of opening, with the test's folder taken out.
  template <class E = DataError>
  std::string text(const DataConfig& config, const DatasetArgs& args) {
    std::string s = error_text<E>([&] { Dataset::open(config, args); });
    const std::string folder = dir.path() + "/";
    for (size_t at = s.find(folder); at != std::string::npos; at = s.find(folder)) {
      s.erase(at, folder.size());
    }
    return s;
  }
  template <class E = DataError>
  std::string text(const std::string& kind, const std::string& name,
                   DatasetArgs args = args_of(32)) {
    return text<E>(files_config(kind, {dir / name}), args);
  }
  void file(const std::string& name, std::string_view bytes) { write_to(dir, name, bytes); }
};

TEST_F(DataErrors, MissingEmptyUnreadable) {
  EXPECT_EQ(text("text", "none.txt"), "none.txt: no such file or folder");
  file("empty.txt", "");
  EXPECT_EQ(text("text", "empty.txt"), "empty.txt: empty file, no text in it");
  file("a.bin", "");
  EXPECT_EQ(text("shards", "a.bin"), "a.bin: empty file, no tokens in it");
  real_fs().make_dir(dir / "folder");
  file("folder/a.text", "hello");
  EXPECT_EQ(text("text", "folder"), "folder: no .txt file in this folder");
  EXPECT_EQ(text("jsonl", "folder"), "folder: no .jsonl or .jsonl.zst file in this folder");
}

TEST_F(DataErrors, NoPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  file("a.txt", numbered_text(1000));
  ASSERT_EQ(chmod((dir / "a.txt").c_str(), 0), 0);
  EXPECT_EQ(text("text", "a.txt"), "a.txt: cannot open: Permission denied");
}

TEST_F(DataErrors, NotAFile) {
  const DataConfig config = files_config("text", {"/dev/null"});
  EXPECT_EQ(text(config, args_of(32)), "/dev/null: not a file");
}

TEST_F(DataErrors, BinaryText) {
  std::string bytes = numbered_text(5000);
  bytes[1234] = '\0';
  file("a.txt", bytes);
  EXPECT_EQ(text("text", "a.txt"),
            "a.txt: byte 1234 is zero, so this is not text (token shards are read with data.kind = "
            "\"shards\", arrays with \"npy\")");
}

TEST_F(DataErrors, TooShort) {
  file("a.txt", "0123456789");
  EXPECT_EQ(text("text", "a.txt"),
            "a.txt: 10 tokens for training, but a window of model.context = 32 needs 33: give more "
            "data or a smaller model.context");
  file("b.txt", numbered_text(639));
  EXPECT_EQ(text("text", "b.txt"),
            "b.txt: 32 tokens for validation, but a window of model.context = 32 needs 33: give "
            "more data, a larger data.split or a smaller model.context");
  DataConfig config = files_config("text", {dir / "b.txt"});
  file_options(config).val_path = {dir / "a.txt"};
  EXPECT_EQ(text(config, args_of(32)),
            "a.txt: 11 tokens for validation, but a window of model.context = 32 needs 33: give "
            "more data or a smaller model.context");
  config = files_config("text", {dir / "b.txt"});
  file_options(config).split = 0.1;
  file_options(config).sampler = "stream";
  EXPECT_EQ(text(config, args_of(32, 0, 0, 20)),
            "b.txt: 576 tokens for training, but 20 lanes of model.context = 32 need 641: give "
            "more data or a smaller model.context");
}

TEST_F(DataErrors, ExactlyLongEnough) {
  file("a.txt", numbered_text(65));
  DataConfig config = files_config("text", {dir / "a.txt"});
  file_options(config).split = 0.5;
  Batch b;
  const auto data = Dataset::open(config, args_of(32));
  data->train_batch(0, 3, b);
  EXPECT_EQ(window_of(b, 0), window_of(b, 2));
  EXPECT_EQ(text_of(window_of(b, 0)), numbered_text(33));
  EXPECT_EQ(data->eval_tokens(), 32);
}

TEST_F(DataErrors, IdBeyondTheVocabulary) {
  std::vector<int32_t> ids(2000, 3);
  ids[1500] = 512;
  file("a.bin", as<uint16_t>(ids));
  const std::string rest =
      ": token 1500 is id 512, but the vocabulary has 512 ids (0 to 511): model.vocab must be that "
      "of the tokenizer that made the file";
  EXPECT_EQ(text("shards", "a.bin", args_of(32, 512)), "a.bin" + rest);
  file("b.bin", llmc(20240801, 7, 2000) + as<uint32_t>(ids));
  EXPECT_EQ(text("shards", "b.bin", args_of(32, 512)), "b.bin" + rest);
  file("a.npy", npy("<i8", "(2000,)", as<int64_t>(ids)));
  EXPECT_EQ(text("npy", "a.npy", args_of(32, 512)), "a.npy" + rest);
  ids[1500] = -1;
  file("b.npy", npy("<i4", "(2000,)", as<int32_t>(ids)));
  EXPECT_EQ(text("npy", "b.npy"),
            "b.npy: token 1500 is id -1, but the vocabulary has 2147483648 ids (0 to 2147483647): "
            "model.vocab must be that of the tokenizer that made the file");
}

// A file too large to be looked through before training is checked as it is read.
TEST_F(DataErrors, IdBeyondTheVocabularyFoundLate) {
  std::vector<int32_t> ids(200, 3);
  ids[150] = 512;
  file("a.bin", as<uint16_t>(ids));
  TokenStore store;
  store.append(ShardsReader({}).load({dir / "a.bin"}).pieces()[0]);
  store.set_vocab(512, 10);
  std::vector<int32_t> out(100);
  store.read(0, 100, out.data());
  EXPECT_TRUE(
      error_text<DataError>([&] { store.read(100, 100, out.data()); })
          .ends_with("a.bin: token 150 is id 512, but the vocabulary has 512 ids (0 to 511): "
                     "model.vocab must be that of the tokenizer that made the file"));
}

TEST_F(DataErrors, BrokenShards) {
  file("odd.bin", std::string(1001, 'x'));
  EXPECT_EQ(text("shards", "odd.bin"),
            "odd.bin: 1001 bytes: a shard without header holds two for each token, so it is cut "
            "off or is something else");
  const std::string body = as<uint16_t>(std::vector<int32_t>(100, 1));
  file("cut.bin", llmc(20240520, 1, 150) + body);
  EXPECT_EQ(text("shards", "cut.bin"),
            "cut.bin: the header says 150 tokens, the file has 100: it is cut off");
  file("long.bin", llmc(20240520, 1, 50) + body);
  EXPECT_EQ(
      text("shards", "long.bin"),
      "long.bin: the header says 50 tokens, the file has 100: it is longer than it should be");
  file("negative.bin", llmc(20240520, 1, -5) + body);
  EXPECT_EQ(
      text("shards", "negative.bin"),
      "negative.bin: the header says -5 tokens, the file has 100: it is longer than it should "
      "be");
  file("version.bin", llmc(20240520, 2, 100) + body);
  EXPECT_EQ(text("shards", "version.bin"),
            "version.bin: shard of version 2, known for this kind is 1");
}

TEST_F(DataErrors, BrokenArrays) {
  const std::string body = as<uint16_t>(std::vector<int32_t>(100, 1));
  const std::string no_header = ": no .npy header: is it an array that numpy.save wrote?";
  file("a.npy", body);
  EXPECT_EQ(text("npy", "a.npy"), "a.npy" + no_header);
  file("b.npy", npy("<u2", "(100,)", body).substr(0, 60));
  EXPECT_EQ(text("npy", "b.npy"), "b.npy" + no_header);
  file("c.npy", npy("<u2", "(100,)", body, 9));
  EXPECT_EQ(text("npy", "c.npy"), "c.npy" + no_header);
  for (const std::string descr : {"<f4", ">u2", "|b1"}) {
    file(descr + ".npy", npy(descr, "(100,)", body));
    EXPECT_EQ(text("npy", descr + ".npy"),
              descr + ".npy: elements of type " + descr +
                  ", token ids must be |u1, <u2, <u4, <i4 or <i8 (uint8, uint16, uint32, int32, "
                  "int64)");
  }
  for (const std::string shape : {"10, 10", "", "-3,", "100, 1"}) {
    file("d" + shape + ".npy", npy("<u2", "(" + shape + ")", body));
    EXPECT_EQ(text("npy", "d" + shape + ".npy"), "d" + shape + ".npy: shape (" + shape +
                                                     "), token ids must be an array of one "
                                                     "dimension");
  }
  file("e.npy", npy("<u2", "(120,)", body));
  EXPECT_EQ(text("npy", "e.npy"), "e.npy: the header says 120 elements, the file has 100");
  file("f.npy", npy("<u2", "(0,)", ""));
  EXPECT_EQ(text("npy", "f.npy"), "f.npy: empty array, no tokens in it");
}

TEST_F(DataErrors, ConfigsAreRefusedBeforeDataIsOpened) {
  EXPECT_EQ(text<ConfigError>(config_of("text"), args_of(32)),
            "data.path: names no data: give a file or a folder, or data.sources");
  EXPECT_EQ(text<ConfigError>("text", "none.txt", args_of(32, 100)),
            "model.vocab: is 100, but data.kind = \"text\" uses 257 ids");
  EXPECT_EQ(text<ConfigError>(config_of("random"), args_of(32)),
            "model.vocab: data.kind = \"random\" needs it: how many ids are there?");
  EXPECT_EQ(text<ConfigError>(config_of("copy"), args_of(1)),
            "model.context: is 1, data.kind = \"copy\" needs at least 2");
  EXPECT_EQ(text<ConfigError>(config_of("recall"), args_of(16)),
            "model.context: is 16, data.kind = \"recall\" with 8 pairs needs at least 17");
  EXPECT_EQ(text<ConfigError>(config_of("markov"), args_of(16, 63)),
            "model.vocab: is 63, but data.kind = \"markov\" uses 64 ids");
}

TEST_F(DataErrors, ASourceWithoutALane) {
  DataConfig config = config_of("text");
  file_options(config).sampler = "stream";
  for (const char c : {'a', 'b'}) {
    file(std::string(1, c), numbered_text(1000));
    SourceConfig& s = file_options(config).sources.emplace_back();
    s.path = {dir / std::string(1, c)};
    s.weight = c == 'a' ? 1000 : 1e-9;
  }
  EXPECT_EQ(text<ConfigError>(config, args_of(32, 0, 0, 4)),
            "data.sources: with data.sampler = \"stream\" source b gets none of the 4 rows of a "
            "batch: raise its weight or the batch");
}

TEST_F(DataErrors, SourcesThatContradict) {
  DataConfig config = files_config("text", {"a"});
  file_options(config).sources.resize(3);
  file_options(config).sources[0].path = {"a"};
  file_options(config).sources[0].name = "x";
  file_options(config).sources[2] = file_options(config).sources[0];
  EXPECT_EQ(error_text<ConfigError>([&] { check_config(config); }),
            "sources: excludes path: name the data in one of the two\n"
            "sources[1]: has no path\n"
            "sources[2]: has the name of an earlier source, \"x\"");
}

TEST_F(DataErrors, AFileNamedTwice) {
  file("x.txt", numbered_text(4000));
  const std::string x = dir / "x.txt";
  const std::string again = dir / "./x.txt";
  const std::string text =
      ": is named twice, so that validation would hold what training has seen: name it once in "
      "data.path, data.sources and data.val_path";
  const auto error = [](const DataConfig& c) {
    return error_text<DataError>([&] { Dataset::open(c, args_of(8)); });
  };
  EXPECT_EQ(error(files_config("text", {x, again})), again + text);
  DataConfig validated = files_config("text", {x});
  file_options(validated).val_path = {again};
  EXPECT_EQ(error(validated), again + text);
  DataConfig sources = config_of("text");
  for (int i = 0; i < 2; ++i) file_options(sources).sources.emplace_back().path = {x};
  EXPECT_EQ(error(sources), x + text);
  DataConfig ids = config_of("shards");  // files that are split by their names
  file("val.bin", as<uint16_t>(std::vector<int32_t>(400, 7)));
  file_options(ids).split = 0;
  for (int i = 0; i < 2; ++i) file_options(ids).sources.emplace_back().path = {dir / "val.bin"};
  EXPECT_EQ(error(ids), dir / "val.bin" + text);
  file_options(sources).split = 0;  // nothing to leak into
  EXPECT_EQ(Dataset::open(sources, args_of(8))->source_names(),
            (std::vector<std::string>{"x.txt", "x.txt (2)"}));
}

TEST_F(DataErrors, EvaluationOfNothing) {
  const ByteTokenizer bytes{NoOptions()};
  EXPECT_EQ(error_text<DataError>([&] {
              Dataset::open_eval(dir / "none.txt", bytes, config_of("text"), args_of(32));
            }),
            dir / "none.txt" + ": no such file or folder");
  file("one.npy", npy("|u1", "(1,)", "a"));
  EXPECT_EQ(error_text<DataError>([&] {
              Dataset::open_eval(dir / "one.npy", bytes, config_of("text"), args_of(32));
            }),
            dir / "one.npy" + ": 1 tokens, but nothing can be predicted with fewer than 2");
  EXPECT_EQ(error_text<DataError>([&] { inspect(dir / "none.txt"); }),
            dir / "none.txt" + ": no such file or folder");
}

}  // namespace
}  // namespace keel
