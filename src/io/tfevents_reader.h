// Reads the scalars of TensorBoard's event files, whoever wrote them: as simple values (PyTorch,
// this program) or as tensors of one float or double (TensorFlow 2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

struct EventScalar {
  int64_t step = 0;
  std::string tag;
  double value = 0;
};

// In the order of the file. Throws DataError naming `name` and the byte for a record whose checksum
// or content is not sound; a last record that is cut off ends the file, as its writer is not done.
std::vector<EventScalar> read_event_scalars(std::string_view bytes, const std::string& name);

}  // namespace keel
