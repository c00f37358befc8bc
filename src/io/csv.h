// Comma-separated values, as programs write them that log numbers: a line of names, then a line for
// each row. A value may stand in double quotes, "" inside them is one quote (RFC 4180).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

struct CsvTable {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;  // of as many values as there are names
};

constexpr size_t kCsvMaxBytes = size_t{256} << 20;

// Throws DataError naming `name` and the line: no names, a name twice, a row of another length.
// Unless the text is `whole`, a last line without an end is left out: its writer is not done.
CsvTable parse_csv(std::string_view text, const std::string& name, bool whole);

}  // namespace keel
