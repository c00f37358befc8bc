// The instruction set that the program was compiled for, and whether this processor has it. The
// default build is for the machine that builds it, so a copy on an older one must say so instead
// of ending with an illegal instruction.
#pragma once

#include <span>
#include <string>

namespace keel {

// The sets of the list in cpu.cc that the compiler was allowed to use: "avx avx2 fma avx512f";
// "baseline" if none.
std::string compiled_instruction_set();

// Throws DeviceError that names what this processor lacks and how to build for it. The program's
// first call.
void check_cpu();

// What check_cpu() compares; apart for its test.
struct InstructionSet {
  const char* name;
  bool compiled;   // the program uses it
  bool available;  // this processor has it
};
void check_cpu(std::span<const InstructionSet> sets);

}  // namespace keel
