#include "train/environment.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
  const char* root;  // below the folder of all groups
  const char* limit;
  const char* used;
  const char* file_pages[2];  // in memory.stat
};
constexpr GroupFiles kGroups[] = {
    {"::", "", "memory.max", "memory.current", {"inactive_file", "active_file"}},
    {":memory:",
     "/memory",
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

// What the limits of the process leave of its address space (ulimit -v) and of its private memory
// (ulimit -d).
uint64_t left_in_limits() {
  const std::string status = system_text("/proc/self/status");
  const auto left = [&](auto resource, std::string_view used) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    const uint64_t taken = number_in(value_of(status, used)) * 1024;
    return limit.rlim_cur > taken ? uint64_t{limit.rlim_cur} - taken : uint64_t{0};
  };
  return std::min(left(RLIMIT_AS, "VmSize"), left(RLIMIT_DATA, "VmData"));
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
                  .set("libc", ::gnu_get_libc_version())
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
  const uint64_t free = meminfo_bytes("MemAvailable");
  const uint64_t groups = memory_left_in_groups(system_text("/proc/self/cgroup"), "/sys/fs/cgroup");
  const uint64_t least = std::min({free == 0 ? UINT64_MAX : free, groups, left_in_limits()});
  return least == UINT64_MAX ? 0 : std::max<uint64_t>(least, 1);
}

uint64_t memory_left_in_groups(const std::string& groups, const std::string& folder) {
  uint64_t least = UINT64_MAX;
  for (const GroupFiles& g : kGroups) {
    const size_t line = groups.find(g.line);
    if (line == std::string::npos) continue;
    const size_t slash = groups.find('/', line);
    if (slash == std::string::npos) continue;
    std::string path = groups.substr(slash, groups.find('\n', slash) - slash);
    while (path.size() > 1) {
      least = std::min(least, left_in_group(g, folder + g.root + path));
      path = parent_path(path);
    }
    least = std::min(least, left_in_group(g, folder + g.root));
  }
  return least;
}

double unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double file_time(const std::string& path) {
  struct stat s;
  if (::stat(path.c_str(), &s) != 0) return unix_time();
  return static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
}

int64_t process_bytes(const char* field) {
  const std::string kib = value_of(system_text("/proc/self/status"), field);
  return std::strtoll(kib.c_str(), nullptr, 10) * 1024;
}

}  // namespace keel
