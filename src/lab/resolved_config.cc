// read_resolved_config: a reader of our own printer's output only, so that a report can show the
// config of a run of any version, keys that this program does not know included.
#include <fmt/format.h>

#include <map>

#include "lab/run_data.h"

namespace keel {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

// Index of the first `wanted` outside of quotes, or npos.
size_t find_unquoted(std::string_view text, char wanted) {
  char quote = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote != '\0') {
      if (text[i] == '\\' && quote == '"') {
        ++i;
      } else if (text[i] == quote) {
        quote = '\0';
      }
    } else if (text[i] == wanted) {
      return i;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    }
  }
  return std::string_view::npos;
}

// "[model.norm]" -> "model.norm.", "[[data.sources]]" -> "data.sources[0]." and so on.
std::string table_prefix(std::string_view header, std::map<std::string, int>& counts) {
  const bool list = header.starts_with("[[");
  const size_t edge = list ? 2 : 1;
  if (header.size() < 2 * edge) return "";
  const std::string name(trim(header.substr(edge, header.size() - 2 * edge)));
  return list ? fmt::format("{}[{}].", name, counts[name]++) : name + ".";
}

}  // namespace

std::vector<ConfigEntry> read_resolved_config(std::string_view toml) {
  std::vector<ConfigEntry> entries;
  std::map<std::string, int> counts;
  std::string prefix;
  while (!toml.empty()) {
    const size_t end = std::min(toml.find('\n'), toml.size());
    std::string_view line = toml.substr(0, end);
    toml.remove_prefix(std::min(end + 1, toml.size()));
    std::string_view comment;
    if (const size_t hash = find_unquoted(line, '#'); hash != std::string_view::npos) {
      comment = trim(line.substr(hash + 1));
      line = line.substr(0, hash);
    }
    line = trim(line);
    if (line.starts_with('[')) {
      prefix = table_prefix(line, counts);
      continue;
    }
    const size_t equals = find_unquoted(line, '=');
    if (equals == std::string_view::npos) continue;
    entries.push_back({prefix + std::string(trim(line.substr(0, equals))),
                       std::string(trim(line.substr(equals + 1))), std::string(comment)});
  }
  return entries;
}

}  // namespace keel
