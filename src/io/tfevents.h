// Writes event files that TensorBoard reads: one record after the other, each framed by length and
// masked crc32c, each holding an Event message encoded by hand (field numbers of event.proto and
// summary.proto). Records are buffered for up to two seconds; readers tolerate a torn last one.
// Logging must not stop training, so nothing here throws: error() keeps the first failure.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "io/fs.h"

namespace keel {

class EventWriter {
 public:
  // Makes `folder`/events.out.tfevents.<seconds>.<host> (with a number added when it exists) and
  // writes the version record. wall_time is seconds since 1970, here and below.
  EventWriter(Fs& fs, const std::string& folder, double wall_time, const std::string& host);
  ~EventWriter();

  // NaN and infinity are legal values and are written.
  void scalar(double wall_time, int64_t step, std::string_view tag, float value);
  // Markdown, shown by the text plugin.
  void text(double wall_time, int64_t step, std::string_view tag, std::string_view markdown);
  // A resumed run begins at `step`: readers drop what earlier files hold from that step on.
  void session_start(double wall_time, int64_t step);
  void flush();

  // Why writing stopped, empty while all is well.
  const std::string& error() const { return error_; }
  const std::string& path() const { return path_; }

 private:
  void add_value(double wall_time, int64_t step, std::string_view tag, const std::string& value,
                 const std::string& metadata);
  void record(double wall_time, const std::string& event);

  std::string path_, buffer_, error_;
  double last_flush_ = 0;
  std::unique_ptr<FsFile> file_;
  std::set<std::string, std::less<>> tags_;
};

// A record as it lies in the file.
std::string frame_event_record(std::string_view event);
// Whether the first 12 bytes of a record, its length and the checksum of that, fit each other.
bool sound_event_length(std::string_view bytes);

}  // namespace keel
