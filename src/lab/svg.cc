#include "lab/svg.h"

#include <fmt/format.h>

#include "io/utf8.h"
#include "lab/text.h"

namespace keel {
namespace {

// Those of page/data.js, which says how they were chosen.
constexpr const char* kLight[] = {"#0b62a8", "#c2410c", "#0a7d57", "#a3338b",
                                  "#8a6400", "#3b4754", "#5b4bd6", "#b3261e"};
constexpr const char* kDark[] = {"#56b4e9", "#f59e42", "#2ecc9a", "#e58cc0",
                                 "#f0e060", "#c3ccd6", "#a99bff", "#ff8f85"};

// Text has an edge in the colour behind it, so that lines do not cross letters.
constexpr std::string_view kLightRules =
    ".fig text{font:12px system-ui,-apple-system,\"Segoe UI\",sans-serif;paint-order:stroke;"
    "stroke:#fff;stroke-width:3px;stroke-linejoin:round}.fig .b{font-weight:600}"
    ".fig .h{font-size:15px;font-weight:600}"
    ".fig .bg{fill:#fff;stroke:#dfe3e8}.fig .t{fill:#1b2026}.fig .m{fill:#57606b}"
    ".fig .g{stroke:#e9ecef;fill:none}.fig .a{stroke:#9aa4af;fill:none}.fig .hollow{fill:#fff}";
constexpr std::string_view kDarkRules =
    ".fig text{stroke:#171c22}.fig .bg{fill:#171c22;stroke:#2b333c}.fig .t{fill:#e7ecf1}"
    ".fig .m{fill:#a3aebb}.fig .g{stroke:#252c34}.fig .a{stroke:#6b7784}"
    ".fig .hollow{fill:#171c22}";

template <size_t kCount>
std::string with_series(std::string_view rules, const char* const (&colours)[kCount]) {
  std::string out(rules);
  for (size_t i = 0; i < kCount; ++i) out += fmt::format(".fig .k{}{{color:{}}}", i, colours[i]);
  return out;
}

}  // namespace

std::string svg_opening(double width, double height, std::string_view label) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">\n"
      "<style>{3}@media(prefers-color-scheme:dark){{{4}}}</style>\n"
      "<rect class=\"bg\" x=\".5\" y=\".5\" width=\"{5}\" height=\"{6}\" rx=\"10\"/>\n",
      width, height, html_escape(valid_utf8(label)), plot_style().light, plot_style().dark,
      width - 1, height - 1);
}

std::string svg_text(double x, double y, std::string_view attributes, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes,
                     html_escape(valid_utf8(text)));
}

const PlotStyle& plot_style() {
  static const PlotStyle style{with_series(kLightRules, kLight), with_series(kDarkRules, kDark)};
  return style;
}

}  // namespace keel
