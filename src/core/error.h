// The six errors that end an operation. Each carries the exit code that the program ends with
// when nobody handles it; expected outcomes (end of data, a non-finite loss) are values instead.
#pragma once

#include <stdexcept>
#include <string>

namespace keel {

class Error : public std::runtime_error {
 public:
  Error(const std::string& what, int exit_code) : std::runtime_error(what), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

// Usage, a missing config, an unknown key, an --out that exists.
struct ConfigError final : Error {
  explicit ConfigError(const std::string& what) : Error(what, 2) {}
};
// Missing, unreadable or invalid data, run or checkpoint.
struct DataError final : Error {
  explicit DataError(const std::string& what) : Error(what, 3) {}
};
// Tensors whose shapes do not fit; the text names op, argument and both shapes.
struct ShapeError final : Error {
  explicit ShapeError(const std::string& what) : Error(what, 1) {}
};
// A device that is unknown, absent or lacks an instruction set.
struct DeviceError final : Error {
  explicit DeviceError(const std::string& what) : Error(what, 1) {}
};
// Memory that is not there; the text names what needed it and how many bytes.
struct MemoryError final : Error {
  explicit MemoryError(const std::string& what) : Error(what, 71) {}
};
// Writing failed: disk full, read-only, I/O error.
struct IoError final : Error {
  explicit IoError(const std::string& what, bool no_room = false)
      : Error(what, 74), no_room_(no_room) {}
  // Whether there is no room on the disk or in a quota: the same can succeed later.
  bool no_room() const { return no_room_; }

 private:
  bool no_room_;
};

}  // namespace keel
