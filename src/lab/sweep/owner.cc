// Who has a trial: a process by host, number and the moment at which it began.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

#include "lab/sweep/store.h"
#include "train/environment.h"

namespace keel {
namespace {

// /proc/PID/stat; empty when there is no such process.
std::string stat_of(int64_t pid) {
  const std::string path = fmt::format("/proc/{}/stat", pid);
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return {};
  std::array<char, 2048> bytes;
  return {bytes.data(), std::fread(bytes.data(), 1, bytes.size(), file.get())};
}

// Fields are numbered from 1; the second, the name in parentheses, may hold anything.
std::string_view field(std::string_view stat, int number) {
  const size_t name_end = stat.rfind(')');
  if (name_end == stat.npos) return {};
  stat.remove_prefix(name_end + 1);
  for (int at = 2; at < number; ++at) {
    const size_t begin = stat.find_first_not_of(' ');
    if (begin == stat.npos) return {};
    stat.remove_prefix(begin);
    const size_t end = std::min(stat.find_first_of(" \n"), stat.size());
    if (at + 1 == number) return stat.substr(0, end);
    stat.remove_prefix(end);
  }
  return {};
}

}  // namespace

std::optional<Owner> owner_of(int64_t pid) {
  const std::string stat = stat_of(pid);
  const std::string_view state = field(stat, 3), start = field(stat, 22);
  // A zombie does nothing any more, it waits to be counted by its parent.
  if (state.empty() || start.empty() || state == "Z" || state == "X") return std::nullopt;
  Owner owner{host_name(), pid, 0};
  std::from_chars(start.data(), start.data() + start.size(), owner.start_time);
  return owner;
}

Owner this_process() {
  const int64_t pid = ::getpid();
  return owner_of(pid).value_or(Owner{host_name(), pid, 0});
}

bool may_live(const Owner& owner) {
  if (owner.host != host_name()) return true;
  const std::optional<Owner> now = owner_of(owner.pid);
  return now && *now == owner;
}

}  // namespace keel
