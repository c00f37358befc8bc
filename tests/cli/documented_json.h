// The keys of --json as docs/json.md lists them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "io/fs.h"
#include "io/json.h"

namespace keel {

// In the order of the table under "## SECTION": those below `parent` ("bytes", "runs[]"), or at the
// top where it is empty.
inline std::vector<std::string> documented_keys(const std::string& section,
                                                const std::string& parent = "") {
  const std::string text = real_fs().read_file(KEEL_SOURCE_DIR "/docs/json.md", 1 << 20);
  const std::string heading = "\n## " + section + "\n", row = "\n| `";
  const std::string above = parent.empty() ? "" : parent + ".";
  std::vector<std::string> out;
  size_t at = text.find(heading);
  if (at == std::string::npos) return out;
  const size_t end = std::min(text.find("\n## ", at + 1), text.size());
  while ((at = text.find(row, at)) < end) {
    at += row.size();
    const std::string key = text.substr(at, text.find('`', at) - at);
    if (!key.starts_with(above)) continue;
    const std::string name = key.substr(above.size());
    if (name.find('.') == std::string::npos) out.push_back(name);
  }
  return out;
}

inline std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> out;
  for (const JsonMember& m : object.as_object()) out.push_back(m.key);
  return out;
}

inline void expect_documented(const Json& object, const std::string& section,
                              const std::string& parent = "") {
  EXPECT_EQ(keys_of(object), documented_keys(section, parent))
      << "docs/json.md, " << section << " " << parent;
}

}  // namespace keel
