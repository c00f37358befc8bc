#include "io/tfevents_reader.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "io/error_text.h"
#include "io/temp_dir.h"
#include "io/tfevents.h"

namespace keel {
namespace {

// Messages of protocol buffers, put together by hand.
std::string field(int number, int wire, const std::string& value) {
  return static_cast<char>(number << 3 | wire) + value;
}
std::string bytes(int number, const std::string& value) {
  return field(number, 2, static_cast<char>(value.size()) + value);
}
template <class T>
std::string raw(T v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

std::string event(int step, const std::string& tag, const std::string& value) {
  return frame_event_record(field(1, 1, raw(1.5)) +
                            field(2, 0, std::string(1, static_cast<char>(step))) +
                            bytes(5, bytes(1, bytes(1, tag) + value)));
}

std::vector<EventScalar> read(const std::string& file) { return read_event_scalars(file, "in"); }

TEST(EventReader, ReadsWhatTheWriterWrites) {
  const TempDir dir;
  std::string path;
  {
    EventWriter events(real_fs(), dir.path(), 1000, "host");
    events.scalar(1000, 300, "loss", 2.5f);
    events.scalar(1001, 301, "loss", NAN);
    events.session_start(1002, 301);
    events.text(1002, 301, "sample", "text");
    path = events.path();
  }
  const std::vector<EventScalar> scalars = read(real_fs().read_file(path, kMaxTextBytes));
  ASSERT_EQ(scalars.size(), 2u);
  EXPECT_EQ(scalars[0].step, 300);
  EXPECT_EQ(scalars[0].tag, "loss");
  EXPECT_EQ(scalars[0].value, 2.5);
  EXPECT_TRUE(std::isnan(scalars[1].value));
}

TEST(EventReader, ReadsTensorsOfOneNumber) {
  const auto dtype = [](char d) { return field(1, 0, std::string(1, d)); };
  const std::string shape = bytes(2, "");
  std::string file;
  file += event(1, "a", bytes(8, dtype(1) + shape + bytes(4, raw(0.5f))));
  file += event(2, "b", bytes(8, dtype(2) + bytes(4, raw(0.1))));
  file += event(3, "c", bytes(8, dtype(1) + bytes(5, raw(1.5f))));
  file += event(4, "d", bytes(8, dtype(2) + bytes(6, raw(2.5))));
  file += event(5, "e", bytes(8, dtype(1) + field(5, 5, raw(3.5f))));
  file += event(6, "f", bytes(8, dtype(2) + field(6, 1, raw(4.5))));
  file += event(7, "two", bytes(8, dtype(1) + bytes(4, raw(0.5f) + raw(0.5f))));
  file += event(8, "text", bytes(8, dtype(7) + bytes(8, "x")));
  const std::vector<EventScalar> scalars = read(file);
  const std::vector<double> values = {0.5, 0.1, 1.5, 2.5, 3.5, 4.5};
  ASSERT_EQ(scalars.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(scalars[i].value, values[i]);
    EXPECT_EQ(scalars[i].step, static_cast<int64_t>(i) + 1);
  }
}

TEST(EventReader, AFileThatIsBeingWrittenEndsWhereItIsCutOff) {
  const std::string one = event(1, "a", field(2, 5, raw(1.0f)));
  for (size_t cut = 0; cut < one.size(); ++cut) {
    EXPECT_EQ(read(one + one.substr(0, cut)).size(), 1u) << cut;
  }
}

TEST(EventReader, DamageIsNamed) {
  const std::string one = event(1, "a", field(2, 5, raw(1.0f)));
  const std::string at = std::to_string(one.size());
  for (size_t i = 0; i < one.size(); ++i) {
    std::string other = one;
    other[i] = static_cast<char>(other[i] ^ 0x10);
    EXPECT_EQ(error_text<DataError>([&] { read(one + other); }),
              "in: byte " + at + ": not a sound record of an event file")
        << i;
  }
  // Sound frames around what is no event: lengths beyond the end, an unknown wire type, a number
  // that does not end.
  for (const std::string& bad :
       {bytes(5, "ab").substr(0, 3), std::string("\x0f"), field(2, 0, std::string(10, '\xff')),
        bytes(5, field(1, 2, "\x7f"))}) {
    EXPECT_EQ(error_text<DataError>([&] { read(one + frame_event_record(bad)); }),
              "in: byte " + at + ": not a sound record of an event file");
  }
}

}  // namespace
}  // namespace keel
