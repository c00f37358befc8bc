// Any text is a table, all of whose rows are as long as its first line, or a DataError.
#include "core/error.h"
#include "fuzz.h"
#include "io/csv.h"

using namespace keel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool whole : {true, false}) {
    try {
      const CsvTable table = parse_csv(text, "in", whole);
      for (const auto& row : table.rows) {
        fuzz::require(row.size() == table.names.size(), "rows are as long as the names");
      }
    } catch (const DataError& e) {
      fuzz::require(std::string_view(e.what()).starts_with("in:"), "an error names the file");
    }
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned) {
  return LLVMFuzzerMutate(data, size, max_size);
}
