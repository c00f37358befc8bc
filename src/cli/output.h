// Standard output is for results, standard error for everything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/json.h"

namespace keel {

constexpr int kExitOk = 0, kExitFailed = 1, kExitDiverged = 20, kExitMemory = 71, kExitStopped = 75;

// To standard output, at once. IoError when it cannot be written.
void print(std::string_view text);
// One object on one line.
void print_json(const Json& json);
// "keel: TEXT" to standard error, as shown_text: names in it may come from a file.
void complain(std::string_view text);
// A line to standard error, as shown_text.
void say(std::string_view text);

// Text of data or of a model for a terminal: bytes that are not UTF-8 replaced, control characters
// but for line ends and tabs as "?", so that it cannot steer the terminal.
std::string shown_text(std::string_view text);
// "1,048,576"
std::string grouped(int64_t n);

// ConfigError where an option's number is below `least` or above `most` (numbers of steps are
// added).
void check_number(std::string_view option, int64_t value, int64_t least,
                  int64_t most = 1'000'000'000'000);

}  // namespace keel
