#include "core/cpu.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "core/error.h"

namespace keel {
namespace {

// This file is compiled for the processor's baseline (cmake/version.cmake), so that the check
// itself runs anywhere; what the other files are compiled for comes in as the macro KEEL_USES, a
// list of the same names between spaces.
constexpr bool uses(std::string_view name) {
  const std::string_view all = KEEL_USES;
  for (size_t at = all.find(name); at != all.npos; at = all.find(name, at + 1)) {
    if (all[at - 1] == ' ' && all[at + name.size()] == ' ') return true;
  }
  return false;
}

std::vector<InstructionSet> instruction_sets() {
#if defined(__x86_64__)
#define KEEL_SET(name) \
  { name, uses(name), __builtin_cpu_supports(name) != 0 }
  return {KEEL_SET("avx"),      KEEL_SET("avx2"),       KEEL_SET("fma"),
          KEEL_SET("bmi"),      KEEL_SET("bmi2"),       KEEL_SET("avx512f"),
          KEEL_SET("avx512cd"), KEEL_SET("avx512bw"),   KEEL_SET("avx512dq"),
          KEEL_SET("avx512vl"), KEEL_SET("avx512vnni"), KEEL_SET("avx512bf16")};
#undef KEEL_SET
#else
  return {};
#endif
}

std::string names(std::span<const InstructionSet> sets, bool only_missing) {
  std::string text;
  for (const InstructionSet& s : sets) {
    if (!s.compiled || (only_missing && s.available)) continue;
    if (!text.empty()) text += ' ';
    text += s.name;
  }
  return text;
}

}  // namespace

std::string compiled_instruction_set() {
  const std::string text = names(instruction_sets(), false);
  return text.empty() ? "baseline" : text;
}

void check_cpu() { check_cpu(instruction_sets()); }

void check_cpu(std::span<const InstructionSet> sets) {
  const std::string missing = names(sets, true);
  if (missing.empty()) return;
  throw DeviceError(fmt::format(
      "this processor lacks {}, which this program was compiled for; build it here with "
      "`make build`, or anywhere with -DKEEL_ARCH=x86-64-v3",
      missing));
}

}  // namespace keel
