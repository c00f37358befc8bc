#include "io/fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/error_text.h"
#include "io/faulty_fs.h"
#include "io/mapped_file.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

TEST(Fs, WritesAndReadsBack) {
  const TempDir dir;
  Fs& fs = real_fs();
  fs.write_file(dir / "a", "some text");
  EXPECT_EQ(fs.read_file(dir / "a", 100), "some text");
  fs.write_file(dir / "empty", "");
  EXPECT_EQ(fs.read_file(dir / "empty", 100), "");
  fs.make_dirs(dir / "x/y/z");
  EXPECT_TRUE(fs.is_dir(dir / "x/y/z"));
  EXPECT_EQ(fs.list(dir.path()), (std::vector<std::string>{"a", "empty", "x"}));
}

TEST(Fs, ReserveMakesTheFileThatLong) {
  const TempDir dir;
  const auto file = real_fs().create(dir / "a");
  file->reserve(5000);
  EXPECT_EQ(MappedFile(dir / "a").bytes(), 5000u);
  file->write("x");
  file->close();
  EXPECT_EQ(MappedFile(dir / "a").text()[0], 'x');
}

TEST(Fs, ErrorsNamePathOperationAndReason) {
  const TempDir dir;
  Fs& fs = real_fs();
  const std::string none = dir / "none", sub = dir / "none/sub";
  const auto io = [](auto f) { return error_text<IoError>(f); };
  const auto data = [](auto f) { return error_text<DataError>(f); };
  const std::string missing = "No such file or directory";
  EXPECT_EQ(io([&] { fs.create(sub); }), sub + ": cannot create: " + missing);
  EXPECT_EQ(io([&] { fs.make_dir(sub); }), sub + ": cannot make the folder: " + missing);
  EXPECT_EQ(io([&] { fs.rename(none, sub); }), none + ": cannot rename to " + sub + ": " + missing);
  EXPECT_EQ(io([&] { fs.remove_file(none); }), none + ": cannot remove: " + missing);
  EXPECT_EQ(io([&] { fs.remove_dir(none); }), none + ": cannot remove the folder: " + missing);
  EXPECT_EQ(io([&] { fs.sync_dir(none); }), none + ": cannot open the folder: " + missing);
  EXPECT_EQ(data([&] { fs.list(none); }), none + ": cannot list the folder: " + missing);
  EXPECT_EQ(data([&] { fs.read_file(none, 1); }), none + ": cannot open: " + missing);
  EXPECT_EQ(data([&] { MappedFile m(none); }), none + ": cannot open: " + missing);
  EXPECT_EQ(data([&] { MappedFile m(dir.path()); }), dir.path() + ": not a file");
  fs.write_file(dir / "a", "12345");
  EXPECT_EQ(data([&] { fs.read_file(dir / "a", 4); }), (dir / "a") + ": larger than 4 bytes");
  EXPECT_EQ(io([&] { fs.create(dir / "a"); }), (dir / "a") + ": cannot create: File exists");
}

TEST(Fs, ReadsInPieces) {
  const TempDir dir;
  std::string text;
  for (int i = 0; text.size() < 700'000; ++i) text += std::to_string(i);
  real_fs().write_file(dir / "a", text);
  std::string got;
  int pieces = 0;
  real_fs().read_pieces(dir / "a", [&](std::string_view piece) {
    got += piece;
    ++pieces;
  });
  EXPECT_TRUE(got == text);
  EXPECT_GT(pieces, 1);
  const auto error = [&](const std::string& path) {
    return error_text<DataError>([&] { real_fs().read_pieces(path, [](std::string_view) {}); });
  };
  EXPECT_EQ(error(dir.path()), dir.path() + ": not a file");
  EXPECT_EQ(error(dir / "none"), (dir / "none") + ": cannot open: No such file or directory");
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error(dir / "pipe"), (dir / "pipe") + ": not a file");
}

TEST(Fs, TemporaryNames) {
  for (const std::string& name : {"x.tmp-" + random_suffix(), ".tmp-" + random_suffix()}) {
    EXPECT_TRUE(is_temporary(name)) << name;
  }
  for (const char* name : {"", "x", "x.tmp-", "x.tmp-0123", "x.tmp-0123456789abcdeg",
                           "x.tmp-0123456789abcdef0", "0123456789abcdef"}) {
    EXPECT_FALSE(is_temporary(name)) << name;
  }
}

TEST(Fs, SpaceThatIsNotThereIsAnIoError) {
  const TempDir dir;
  // No file system offers more than 8 EiB.
  const auto file = real_fs().create(dir / "big");
  const std::string text = error_text<IoError>([&] { file->reserve(uint64_t{1} << 62); });
  EXPECT_TRUE(text.starts_with((dir / "big") + ": cannot reserve 4611686018427387904 bytes: "))
      << text;
}

TEST(Fs, RemoveTreeLeavesWhatLinksPointTo) {
  const TempDir dir;
  Fs& fs = real_fs();
  fs.make_dirs(dir / "keep");
  fs.write_file(dir / "keep/file", "x");
  fs.make_dirs(dir / "tree/sub");
  fs.write_file(dir / "tree/sub/f", "x");
  ASSERT_EQ(::symlink((dir / "keep").c_str(), (dir / "tree/link").c_str()), 0);
  EXPECT_TRUE(fs.is_dir(dir / "tree/link") && fs.is_link(dir / "tree/link"));
  EXPECT_FALSE(fs.is_link(dir / "keep"));
  fs.remove_tree(dir / "tree");
  EXPECT_FALSE(fs.exists(dir / "tree"));
  EXPECT_TRUE(fs.exists(dir / "keep/file"));
}

TEST(Fs, ReplaceShowsTheOldTextOrTheNew) {
  const TempDir dir;
  real_fs().write_file(dir / "a", "old");
  FaultyFs counting;
  counting.replace_file(dir / "a", "new");
  EXPECT_EQ(real_fs().read_file(dir / "a", 9), "new");
  for (int k = 0; k < counting.operations; ++k) {
    overwrite(dir / "a", "old");
    FaultyFs fs;
    fs.at = k;
    EXPECT_THROW(fs.replace_file(dir / "a", "new"), IoError);
    const std::string text = real_fs().read_file(dir / "a", 9);
    EXPECT_EQ(text, k == counting.operations - 1 ? "new" : "old") << k;
    EXPECT_EQ(real_fs().list(dir.path()).size(), 1u) << k;
  }
}

TEST(Fs, PathParts) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("a/b/"), "a");
  EXPECT_EQ(parent_path("a"), ".");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(base_name("a/b.txt"), "b.txt");
  EXPECT_EQ(base_name("a/b/"), "b");
  EXPECT_EQ(base_name("/"), "/");
  EXPECT_NE(random_suffix(), random_suffix());
  EXPECT_EQ(random_suffix().size(), 16u);
}

}  // namespace
}  // namespace keel
