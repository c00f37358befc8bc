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
// Bytes of physical memory, and what a new allocation could get: the smaller of MemAvailable and
// what the control group's limit leaves. 0 when the system does not say.
uint64_t memory_total_bytes();
uint64_t memory_available_bytes();
// Seconds since 1970.
double unix_time();

}  // namespace keel
