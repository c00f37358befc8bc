#include "lab/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace keel {
namespace {

// Three significant digits, as 9.41, 94.1 or 941.
std::string three_digits(double value) {
  const double size = std::fabs(value);
  return fmt::format("{:.{}f}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

}  // namespace

std::string short_count(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::fabs(value);
  if (size < 999.5) {
    return value == std::floor(value) ? fmt::format("{:.0f}", value) : three_digits(value);
  }
  constexpr std::array kUnits = {'k', 'M', 'G', 'T', 'P', 'E'};
  double scaled = value / 1e3;
  size_t unit = 0;
  while (std::fabs(scaled) >= 999.5 && unit + 1 < kUnits.size()) {
    scaled /= 1e3;
    ++unit;
  }
  return three_digits(scaled) + kUnits[unit];
}

std::string short_bytes(int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double scaled = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (scaled >= 999.5 && unit + 1 < kUnits.size()) {
    scaled /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", scaled, scaled < 9.95 ? 1 : 0, kUnits[unit]);
}

std::string short_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "--:--:--";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const int64_t days = whole / 86400;
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", whole / 3600 % 24, whole / 60 % 60, whole % 60);
  return days > 0 ? fmt::format("{}d {}", days, clock) : clock;
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string script_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = json.substr(i, 3);
    if (json[i] == '<' || json[i] == '>' || json[i] == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(json[i]));
    } else if (rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") {
      out += rest[2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string aligned_table(const std::vector<TableColumn>& columns,
                          const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns.size(); ++c) {
    size_t width = columns[c].title.size();
    for (const auto& row : rows) width = std::max(width, row[c].size());
    widths.push_back(width);
  }
  std::string out;
  const auto line = [&](const auto& cell) {
    std::string text;
    for (size_t c = 0; c < columns.size(); ++c) {
      if (c > 0) text += "  ";
      text += columns[c].right ? fmt::format("{:>{}}", cell(c), widths[c])
                               : fmt::format("{:<{}}", cell(c), widths[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](size_t c) -> const std::string& { return columns[c].title; });
  for (const auto& row : rows) line([&](size_t c) -> const std::string& { return row[c]; });
  return out;
}

}  // namespace keel
