// What the fuzz targets share: a target is fuzz/NAME_fuzz.cc, which libFuzzer drives under `make
// fuzz` and fuzz/replay.cc as an ordinary test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "io/json.h"

// libFuzzer's interface. LLVMFuzzerMutate changes bytes without knowing what they mean.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed);
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace keel::fuzz {

using Random = std::minstd_rand;

inline size_t below(Random& random, size_t n) { return n == 0 ? 0 : random() % n; }

// Ends the process with this text, as a finding, unless it holds.
void require(bool holds, const char* what);

// The text after LLVMFuzzerMutate; at most 4 KiB longer.
std::string mutated_bytes(std::string_view text);
// JSON text in which one value or key was changed, removed, repeated, moved or nested; text that
// is no JSON comes back as it is.
std::string mutated_json(std::string_view text, Random& random);
// Puts `text` into the fuzzer's buffer; the new size.
size_t give(std::string_view text, uint8_t* data, size_t max_size);

}  // namespace keel::fuzz
