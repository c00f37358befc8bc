// Any bytes are an event file or a DataError, and so are any bytes in the frame of a sound record,
// which is where changes get beyond the checksums.
#include "core/error.h"
#include "fuzz.h"
#include "io/tfevents.h"
#include "io/tfevents_reader.h"

using namespace keel;

namespace {

void read(std::string_view bytes) {
  try {
    read_event_scalars(bytes, "in");
  } catch (const DataError& e) {
    fuzz::require(std::string_view(e.what()).starts_with("in: byte "), "an error names the place");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(frame_event_record(bytes));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned) {
  return LLVMFuzzerMutate(data, size, max_size);
}
