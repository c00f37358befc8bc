#include "train/time_limit.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <system_error>

#include "core/error.h"

namespace keel {
namespace {

constexpr const char* kSlurmEnd = "SLURM_JOB_END_TIME";

struct Unit {
  char letter;
  double seconds;
};
constexpr Unit kUnits[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

}  // namespace

double parse_duration(std::string_view option, std::string_view text) {
  double total = 0;
  size_t next_unit = 0;
  std::string_view left = text;
  while (!left.empty()) {
    int64_t n = -1;
    const auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), n);
    left.remove_prefix(static_cast<size_t>(end - left.data()));
    while (next_unit < std::size(kUnits) && !left.empty() &&
           kUnits[next_unit].letter != left.front()) {
      ++next_unit;
    }
    if (error != std::errc() || n < 0 || left.empty() || next_unit == std::size(kUnits)) {
      total = 0;
      break;
    }
    total += static_cast<double>(n) * kUnits[next_unit++].seconds;
    left.remove_prefix(1);
  }
  if (total > 0) return total;
  throw ConfigError(
      fmt::format("{}: \"{}\" is not a time such as 3h30m, 45m, 90s or 1d12h", option, text));
}

std::optional<double> slurm_seconds_left(double unix_now, std::string& note) {
  const char* value = std::getenv(kSlurmEnd);
  if (value == nullptr || *value == '\0') return std::nullopt;
  char* end = nullptr;
  const double at = std::strtod(value, &end);
  if (*end != '\0' || !(at > 0)) {
    note =
        fmt::format("{} is \"{}\", which is no time in seconds since 1970: no heed is paid to it",
                    kSlurmEnd, value);
    return std::nullopt;
  }
  if (at <= unix_now) {
    note = fmt::format("{} is past: no heed is paid to it", kSlurmEnd);
    return std::nullopt;
  }
  return at - unix_now;
}

}  // namespace keel
