#include "train/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>

#include "core/cpu.h"
#include "core/error.h"
#include "core/version.h"
#include "io/fs.h"

namespace keel {
namespace {

// The text of a file of the system, empty when there is none.
std::string system_text(const std::string& path) {
  try {
    return real_fs().read_file(path, 1 << 20);
  } catch (const DataError&) {
    return {};
  }
}

// What stands after `key`, some spaces and a colon on its line; empty when there is no such line.
std::string value_of(std::string_view text, std::string_view key) {
  size_t at = text.starts_with(key) ? 0 : text.find(fmt::format("\n{}", key));
  if (at == std::string_view::npos) return {};
  at = text.find(':', at);
  if (at == std::string_view::npos) return {};
  const std::string_view line = text.substr(at + 1, text.find('\n', at) - at - 1);
  const size_t first = line.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string() : std::string(line.substr(first));
}

uint64_t number_in(std::string_view text) {
  uint64_t v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

uint64_t meminfo_bytes(std::string_view key) {
  const std::string value = value_of(system_text("/proc/meminfo"), key);
  return number_in(value) * 1024;  // the file counts in kB
}

// Where a version of control groups keeps its numbers. Files that were read count as used there
// although the system takes their pages back when asked.
struct GroupFiles {
  const char* line;  // begins the group's line in /proc/self/cgroup, after its number
  const char* root;
  const char* limit;
  const char* used;
  const char* file_pages[2];  // in memory.stat
};
constexpr GroupFiles kGroups[] = {
    {"::", "/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file", "active_file"}},
    {":memory:",
     "/sys/fs/cgroup/memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}}};

// What one group leaves; everything when it has no limit.
uint64_t left_in_group(const GroupFiles& g, const std::string& folder) {
  const std::string limit = system_text(join_path(folder, g.limit));
  if (limit.empty() || limit.starts_with("max")) return UINT64_MAX;
  uint64_t used = number_in(system_text(join_path(folder, g.used)));
  const std::string stat = fmt::format("\n{}", system_text(join_path(folder, "memory.stat")));
  for (const char* key : g.file_pages) {
    const std::string line = fmt::format("\n{} ", key);
    const size_t at = stat.find(line);
    if (at != std::string::npos) {
      used -= std::min(used, number_in(std::string_view(stat).substr(at + line.size())));
    }
  }
  const uint64_t most = number_in(limit);
  return most > used ? most - used : 0;
}

// What the control groups of this process leave, from its own up to the root.
uint64_t left_in_groups() {
  const std::string groups = system_text("/proc/self/cgroup");
  uint64_t least = UINT64_MAX;
  for (const GroupFiles& g : kGroups) {
    const size_t line = groups.find(g.line);
    if (line == std::string::npos) continue;
    const size_t slash = groups.find('/', line);
    std::string path = groups.substr(slash, groups.find('\n', slash) - slash);
    while (path.size() > 1) {
      least = std::min(least, left_in_group(g, g.root + path));
      path = parent_path(path);
    }
    least = std::min(least, left_in_group(g, g.root));
  }
  return least;
}

void compare(const std::string& path, const Json& then, const Json& now,
             std::vector<std::string>& out) {
  const auto show = [](const Json* v) {
    return v == nullptr ? std::string("absent") : v->is_string() ? v->as_string() : v->dump();
  };
  for (const auto& [key, value] : now.as_object()) {
    const Json* before = then.is_object() ? then.find(key) : nullptr;
    const std::string name = path.empty() ? key : path + "." + key;
    if (value.is_object() && before != nullptr && before->is_object()) {
      compare(name, *before, value, out);
    } else if (before == nullptr || !(*before == value)) {
      out.push_back(fmt::format("{}: {}, now {}", name, show(before), show(&value)));
    }
  }
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Json describe_environment(const std::string& onednn, int threads) {
  struct utsname system;
  ::uname(&system);
  Json bits = Json::object()
                  .set("version", version())
                  .set("build", build_id())
                  .set("compiler", compiler())
                  .set("instruction_set", compiled_instruction_set())
                  .set("cpu", cpu_model())
                  .set("onednn", onednn)
                  .set("ONEDNN_MAX_CPU_ISA", variable("ONEDNN_MAX_CPU_ISA"));
  return Json::object()
      .set("bits", std::move(bits))
      .set("build_type", build_type())
      .set("libraries", libraries())
      .set("threads", threads)
      .set("cores", static_cast<int64_t>(::sysconf(_SC_NPROCESSORS_ONLN)))
      .set("memory_bytes", memory_total_bytes())
      .set("host", host_name())
      .set("system", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
}

std::vector<std::string> environment_differences(const Json& then, const Json& now) {
  std::vector<std::string> out;
  const Json* before = then.is_object() ? then.find("bits") : nullptr;
  compare("", before == nullptr ? Json() : *before, now.at("bits"), out);
  return out;
}

std::string cpu_model() {
  const std::string name = value_of(system_text("/proc/cpuinfo"), "model name");
  return name.empty() ? "unknown" : name;
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

uint64_t memory_total_bytes() { return meminfo_bytes("MemTotal"); }

uint64_t memory_available_bytes() {
  return std::min(meminfo_bytes("MemAvailable"), left_in_groups());
}

double unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace keel
