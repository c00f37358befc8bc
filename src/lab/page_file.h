// The shell that all pages of the laboratory share (page/page.html): one HTML file, no network, no
// other file, scripts and styles inside.
#pragma once

#include <string>
#include <string_view>

#include "io/json.h"

namespace keel {

struct PageParts {
  std::string title, heading;      // text; any bytes
  std::string styles;              // CSS
  std::string_view controls = "";  // markup of ours beside the theme's button
  std::string_view main;           // markup of ours
  std::string licence;             // of `library`, any text; empty: none
  std::string_view library_name = "";
  std::string library;  // JavaScript that runs before ours
  std::string script;   // ours
};

// The page with `data` in it, which its scripts read as keel.data. Text of the data is never
// markup.
std::string render_page(const PageParts& parts, const Json& data);

// As the foot of a page has it: "2023-11-14 22:13 UTC".
std::string page_time(double unix_time);
// The same by a pattern of strftime, in UTC.
std::string utc_text(double unix_time, const char* pattern);

}  // namespace keel
