#include "cli/output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"
#include "io/utf8.h"

namespace keel {

void print(std::string_view text) {
  errno = 0;
  const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written != text.size() || std::fflush(stdout) != 0) {
    throw IoError(fmt::format("standard output: cannot write: {}", std::strerror(errno)));
  }
}

void print_json(const Json& json) { print(json.dump() + "\n"); }

// Where standard error cannot be written, nobody is there to be told.
void complain(std::string_view text) { say(fmt::format("keel: {}", text)); }

void say(std::string_view text) {
  const std::string line = fmt::format("{}\n", shown_text(text));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string shown_text(std::string_view text) {
  std::string out = valid_utf8(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) c = '?';
  }
  return out;
}

std::string grouped(int64_t n) {
  std::string s = std::to_string(n);
  const size_t first = n < 0 ? 1 : 0;
  for (size_t at = s.size(); at > first + 3;) s.insert(at -= 3, ",");
  return s;
}

void check_number(std::string_view option, int64_t value, int64_t least, int64_t most) {
  if (value < least) {
    throw ConfigError(fmt::format("{}: must be at least {}, is {}", option, least, value));
  }
  if (value > most) {
    throw ConfigError(fmt::format("{}: must be at most {}, is {}", option, most, value));
  }
}

}  // namespace keel
