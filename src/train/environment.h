// What a run was made with: program, compiler, processor, libraries. Written to env.json and used
// on resume to say why bits may differ.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"

namespace keel {

// {"bits": {what can change bits: "version", "build", "compiler", "instruction_set", "cpu",
// "onednn",
// ...}, "threads", "cores", "memory_bytes", "host", "system", "libraries"}. `onednn` is the version
// of the library in use.
Json describe_environment(const std::string& onednn, int threads);
// The entries that can change bits and differ, as "compiler: g++ 12.2.0, now g++ 13.1.0"; empty
// when a resume is bit-exact.
std::vector<std::string> environment_differences(const Json& then, const Json& now);

std::string cpu_model();
std::string host_name();
// Bytes of physical memory, and what new allocations could get: the smallest of MemAvailable, what
// the limits of the control groups leave (versions 1 and 2, up to the root) and what those of the
// process do. 0 when the system does not say.
uint64_t memory_total_bytes();
uint64_t memory_available_bytes();
// What the control groups leave that `groups` (the text of /proc/self/cgroup) names, from the
// process's own up to the root; `folder` is where they are mounted. UINT64_MAX without a limit.
uint64_t memory_left_in_groups(const std::string& groups, const std::string& folder);
// A field of /proc/self/status in bytes, such as "VmHWM" (the most that was ever resident) and
// "VmRSS"; 0 where the system does not say.
int64_t process_bytes(const char* field);
// Seconds since 1970.
double unix_time();
// When a file or folder was last changed, in seconds since 1970; now where nobody says.
double file_time(const std::string& path);

}  // namespace keel
