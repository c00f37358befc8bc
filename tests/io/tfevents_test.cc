#include "io/tfevents.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "core/error.h"
#include "io/faulty_fs.h"
#include "io/temp_dir.h"

namespace keel {
namespace {

// A reader of its own: framing and wire format as the specifications say, checksums bit by bit.
uint32_t masked(std::string_view s) {
  uint32_t c = 0xffffffff;
  for (const char b : s) {
    c ^= static_cast<unsigned char>(b);
    for (int i = 0; i < 8; ++i) c = (c >> 1) ^ ((c & 1) ? 0x82f63b78 : 0);
  }
  c = ~c;
  return ((c >> 15) | (c << 17)) + 0xa282ead8;
}

template <class T>
T take(std::string_view& s) {
  T v;
  EXPECT_GE(s.size(), sizeof v);
  std::memcpy(&v, s.data(), sizeof v);
  s.remove_prefix(sizeof v);
  return v;
}

std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> out;
  while (!file.empty()) {
    const std::string_view length_bytes = file.substr(0, 8);
    const auto length = take<uint64_t>(file);
    EXPECT_EQ(take<uint32_t>(file), masked(length_bytes));
    out.emplace_back(file.substr(0, length));
    file.remove_prefix(length);
    EXPECT_EQ(take<uint32_t>(file), masked(out.back()));
  }
  return out;
}

uint64_t varint(std::string_view& s) {
  uint64_t v = 0;
  for (int shift = 0;; shift += 7) {
    const auto b = take<unsigned char>(s);
    v |= static_cast<uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
}

// Field number -> bytes of its value (of the last one, numbers as 8 or 4 bytes).
std::map<int, std::string> fields(std::string_view s) {
  std::map<int, std::string> out;
  while (!s.empty()) {
    const uint64_t key = varint(s);
    std::string& value = out[static_cast<int>(key >> 3)];
    size_t n = (key & 7) == 1 ? 8 : 4;
    if ((key & 7) == 0) {
      const uint64_t v = varint(s);
      value.assign(reinterpret_cast<const char*>(&v), 8);
      continue;
    }
    if ((key & 7) == 2) n = varint(s);
    value = s.substr(0, n);
    s.remove_prefix(n);
  }
  return out;
}

template <class T>
T number(const std::string& bytes) {
  T v{};
  EXPECT_EQ(bytes.size(), sizeof v);
  std::memcpy(&v, bytes.data(), std::min(sizeof v, bytes.size()));
  return v;
}

std::string hex(std::string_view s) {
  std::string out;
  for (const char c : s) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", static_cast<unsigned char>(c));
    out += text;
  }
  return out;
}

TEST(TfEvents, FirstRecord) {
  const TempDir dir;
  std::string path;
  {
    const EventWriter w(real_fs(), dir.path(), 1.0, "host");
    path = w.path();
    EXPECT_EQ(path, dir / "events.out.tfevents.1.host");
  }
  EXPECT_EQ(hex(real_fs().read_file(path, 1000)),
            "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a");
}

TEST(TfEvents, ScalarsTextAndSessions) {
  const TempDir dir;
  std::string path;
  {
    EventWriter w(real_fs(), dir.path(), 100, "h");
    w.session_start(100.5, 7);
    w.scalar(101, 8, "train/loss", 2.5f);
    w.scalar(102, 300, "train/loss", NAN);
    w.text(103, 300, "config", "# a");
    path = w.path();
  }
  const auto all = records(real_fs().read_file(path, 10000));
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(fields(all[0])[3], "brain.Event:2");
  auto session = fields(all[1]);
  EXPECT_EQ(number<double>(session[1]), 100.5);
  EXPECT_EQ(number<uint64_t>(session[2]), 7u);
  EXPECT_EQ(number<uint64_t>(fields(session[7])[1]), 1u);

  const auto value = [&](size_t i) { return fields(fields(fields(all[i])[5])[1]); };
  auto loss = value(2);
  EXPECT_EQ(loss[1], "train/loss");
  EXPECT_EQ(number<float>(loss[2]), 2.5f);
  EXPECT_EQ(fields(fields(loss[9])[1])[1], "scalars");
  EXPECT_EQ(number<uint64_t>(fields(loss[9])[4]), 1u);
  auto second = value(3);
  EXPECT_TRUE(std::isnan(number<float>(second[2])));
  EXPECT_EQ(second.count(9), 0u) << "metadata only on the first value of a tag";
  EXPECT_EQ(number<uint64_t>(fields(all[3])[2]), 300u);
  auto text = value(4);
  EXPECT_EQ(fields(fields(text[9])[1])[1], "text");
  EXPECT_EQ(number<uint64_t>(fields(text[8])[1]), 7u);  // DT_STRING
  EXPECT_EQ(fields(text[8])[8], "# a");
}

TEST(TfEvents, TwoFilesOfOneSecondDoNotMeet) {
  const TempDir dir;
  const EventWriter a(real_fs(), dir.path(), 5, "h"), b(real_fs(), dir.path(), 5, "h");
  EXPECT_EQ(b.path(), a.path() + ".1");
  EXPECT_EQ(b.error(), "");
}

TEST(TfEvents, FlushesEveryTwoSeconds) {
  const TempDir dir;
  EventWriter w(real_fs(), dir.path(), 5, "h");
  const auto count = [&] { return records(real_fs().read_file(w.path(), 10000)).size(); };
  w.scalar(6.9, 1, "x", 1);
  EXPECT_EQ(count(), 1u);
  w.scalar(7, 2, "x", 1);
  EXPECT_EQ(count(), 3u);
}

TEST(TfEvents, AFailureIsKeptAndNeverThrown) {
  const TempDir dir;
  FaultyFs fs;
  fs.at = 2;
  fs.persistent = true;
  EventWriter w(fs, dir.path(), 5, "h");
  w.scalar(6, 1, "x", 1);
  EXPECT_EQ(w.error(), "");
  w.scalar(20, 2, "x", 1);
  EXPECT_EQ(w.error(), w.path() + ": cannot write: injected fault");
  w.scalar(30, 3, "x", 1);
  EventWriter none(real_fs(), dir / "none", 5, "h");
  none.scalar(30, 3, "x", 1);
  EXPECT_EQ(none.error(), none.path() + ": cannot create: No such file or directory");
}

}  // namespace
}  // namespace keel
