#include "lab/page_file.h"

#include <fmt/format.h>

#include <ctime>
#include <vector>

#include "io/utf8.h"
#include "lab/assets.h"
#include "lab/text.h"

namespace keel {
namespace {

struct Part {
  std::string_view name;
  std::string text;
};

// `page` with each {{name}} replaced. What is put in is not looked at again, so text of a run that
// holds such a mark stays text.
std::string fill(std::string_view page, const std::vector<Part>& parts) {
  std::string out;
  while (true) {
    const size_t begin = page.find("{{");
    const size_t end = page.find("}}", begin);
    out += page.substr(0, begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return out;
    const std::string_view name = page.substr(begin + 2, end - begin - 2);
    for (const Part& part : parts) {
      if (part.name == name) out += part.text;
    }
    page.remove_prefix(end + 2);
  }
}

std::string licence_of(const PageParts& parts) {
  if (parts.licence.empty()) return "";
  return fmt::format(
      "  <details><summary>Licence of the chart library ({})</summary><pre>{}</pre></details>\n",
      html_escape(parts.library_name), html_escape(valid_utf8(parts.licence)));
}

}  // namespace

std::string render_page(const PageParts& parts, const Json& data) {
  return fill(assets().page_html, {{"title", html_escape(valid_utf8(parts.title))},
                                   {"heading", html_escape(valid_utf8(parts.heading))},
                                   {"styles", parts.styles},
                                   {"controls", std::string(parts.controls)},
                                   {"main", std::string(parts.main)},
                                   {"licence", licence_of(parts)},
                                   {"data", script_json(data.dump())},
                                   {"library_js", parts.library},
                                   {"page_js", parts.script}});
}

std::string utc_text(double unix_time, const char* pattern) {
  const auto whole = static_cast<time_t>(unix_time);
  tm parts{};
  gmtime_r(&whole, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, pattern, &parts));
}

std::string page_time(double unix_time) { return utc_text(unix_time, "%Y-%m-%d %H:%M UTC"); }

}  // namespace keel
