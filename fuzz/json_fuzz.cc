// Any text is JSON, which reads back equal when it is written, or a DataError.
#include "core/error.h"
#include "fuzz.h"

using namespace keel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Json value = parse_json(text, "in");
    fuzz::require(parse_json(value.dump(), "again") == value, "JSON reads back equal");
  } catch (const DataError& e) {
    fuzz::require(std::string_view(e.what()).starts_with("in: "), "an error names the file");
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  fuzz::Random random(seed);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (fuzz::below(random, 2) == 0) return LLVMFuzzerMutate(data, size, max_size);
  return fuzz::give(fuzz::mutated_json(text, random), data, max_size);
}
