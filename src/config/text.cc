#include "config/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace keel {
namespace {

// Optimal string alignment: Levenshtein's distance plus swaps of neighbours.
size_t distance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> d((a.size() + 1) * width);
  for (size_t i = 0; i <= a.size(); ++i) d[i * width] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = d[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      const size_t skip = std::min(d[(i - 1) * width + j], d[i * width + j - 1]) + 1;
      size_t best = std::min(replace, skip);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, d[(i - 2) * width + j - 2] + 1);
      }
      d[i * width + j] = best;
    }
  }
  return d.back();
}

}  // namespace

std::string folded(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;
  if (word.empty() || word.size() > kLongest) return "";
  size_t best = std::max<size_t>(1, word.size() / 3) + 1;
  std::string found;
  for (const std::string& c : candidates) {
    if (c.size() > kLongest) continue;
    const size_t d = distance(folded(word), folded(c));
    if (d < best && d < c.size()) {
      best = d;
      found = c;
    }
  }
  return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string found = nearest(word, candidates);
  return found.empty() ? "" : ", did you mean " + quote_text(found) + "?";
}

std::string quote_text(std::string_view s) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (u < 0x20 || u == 0x7f) {
      out += {'\\', 'u', '0', '0', kHex[u >> 4], kHex[u & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string shortest(double x) {
  if (x != x) return "nan";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
  std::string s(buffer, end);
  if (s.find_first_of(".en") == std::string::npos) s += ".0";
  return s;
}

std::string plain(double x) {
  std::string s = shortest(x);
  if (s.ends_with(".0")) s.resize(s.size() - 2);
  return s;
}

std::string join_key(std::string_view prefix, std::string_view key) {
  std::string s(prefix);
  if (!s.empty() && !key.empty()) s += '.';
  return s.append(key);
}

}  // namespace keel
