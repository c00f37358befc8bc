// Text for people and for pages: numbers, durations and bytes written short, and the escapes that
// let text from a run stand in HTML and in a script element.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

// "941", "41.2k", "1.05M", "3.40G": at most three digits and a decimal power; "-" if not finite.
std::string short_count(double value);
// "0 B", "512 KiB", "2.1 GiB".
std::string short_bytes(int64_t bytes);
// "00:41:10", from a day on "2d 03:00:00"; "--:--:--" where seconds is negative or not finite.
std::string short_duration(double seconds);

// &, <, >, " and ' as entities: safe in HTML text and in quoted attributes.
std::string html_escape(std::string_view text);
// JSON text made safe inside a script element: <, >, & and the line separators U+2028 and U+2029
// become \u escapes, which JSON allows wherever these characters may stand (in strings).
std::string script_json(std::string_view json);

struct TableColumn {
  std::string title;
  bool right = true;  // where its cells stand
};
// Cells padded to the width of their column, two spaces between; no blanks at the end of a line.
std::string aligned_table(const std::vector<TableColumn>& columns,
                          const std::vector<std::vector<std::string>>& rows);

}  // namespace keel
